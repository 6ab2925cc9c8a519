"""What others hear of a report's end, on EventBridge."""

import json

from reporter.aws.clients import AWS_ERRORS, client
from reporter.errors import Unavailable
from reporter.report import Report, Status
from reporter.request import rfc3339

SOURCE = "reporter"


class EventBridgeEvents:
    """At least once: the same end always carries the same ``eventId``."""

    def __init__(self, bus: str) -> None:
        self._bus = bus
        self._client = client("events")

    def report_ended(self, report: Report) -> None:
        """Publish ``ReportFinished`` or ``ReportFailed``. Raises ``Unavailable``."""
        detail = {
            "eventId": f"{report.id}.{report.attempts}",
            "organizationId": report.organization_id,
            "reportId": report.id,
            "templateId": report.template_id,
            "templateVersion": report.template_version,
            "status": str(report.status),
            "completedAt": rfc3339(report.completed_at),
            "size": report.size,
            "sha256": report.sha256,
            "error": report.error.as_json() if report.error else None,
        }
        kind = "ReportFinished" if report.status is Status.FINISHED else "ReportFailed"
        entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": self._bus}
        try:
            answer = self._client.put_events(Entries=[entry])
        except AWS_ERRORS as error:
            raise Unavailable("the event bus") from error
        if answer.get("FailedEntryCount"):
            raise Unavailable("the event bus")

"""EventBridge: reports requested by events, and what others hear of a report's end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reporter.aws.clients import AWS_ERRORS, client
from reporter.aws.logs import correlation_id
from reporter.errors import RequestError, Unavailable
from reporter.exact_json import parse_json
from reporter.idempotency import check_key
from reporter.report import Report, Status
from reporter.request import ReportRequest, parse_organization, rfc3339

SOURCE = "reporter"
EVENT_KINDS = {Status.FINISHED: "ReportFinished", Status.ERROR: "ReportFailed", Status.CANCELED: "ReportCanceled"}


@dataclass(frozen=True, slots=True)
class RequestedReport:
    """A request that came as an event; its id is the key unless it names one."""

    request: ReportRequest
    key: str | None


def requested(event: Mapping[str, Any], now: datetime) -> RequestedReport:
    """Read an EventBridge event, a schedule's input or a direct invoke: the request's members with ``organizationId``.

    Raises ``RequestError`` as POST /v1/reports does.
    """
    detail = event.get("detail") if "detail-type" in event else event
    if not isinstance(detail, Mapping):
        raise RequestError.at("TPL-0017", "detail", "must be an object")
    if detail.get("organizationId") is None:
        raise RequestError.at("TPL-0016", "organizationId", "required")
    organization = parse_organization(detail["organizationId"], "organizationId")
    key = detail.get("idempotencyKey")
    if key is None and "detail-type" in event:
        key = f"event:{event['id']}"
    if key is not None and not isinstance(key, str):
        raise RequestError.at("TPL-0017", "idempotencyKey", "must be a text")
    # Lambda has parsed the event with binary floats; their shortest text is what the sender wrote.
    body = {name: value for name, value in detail.items() if name not in {"organizationId", "idempotencyKey"}}
    exact = parse_json(json.dumps(body), "detail")
    request = ReportRequest.from_json(organization, exact, now, correlation_id=correlation_id(event))
    return RequestedReport(request, check_key(key))


class EventBridgeEvents:
    """At least once: the same end always carries the same ``eventId``."""

    def __init__(self, bus: str) -> None:
        self._bus = bus
        self._client = client("events")

    def report_ended(self, report: Report) -> None:
        """Publish ``ReportFinished``, ``ReportFailed`` or ``ReportCanceled``. Raises ``Unavailable``."""
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
        entry = {
            "Source": SOURCE,
            "DetailType": EVENT_KINDS[report.status],
            "Detail": json.dumps(detail),
            "EventBusName": self._bus,
        }
        try:
            answer = self._client.put_events(Entries=[entry])
        except AWS_ERRORS as error:
            raise Unavailable("the event bus") from error
        if answer.get("FailedEntryCount"):
            raise Unavailable("the event bus")

"""Telling what is known of a report."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from reporter.document import CONTENT_TYPES, file_name
from reporter.errors import RequestError
from reporter.ports import Reports
from reporter.report import Report, Status
from reporter.request import parse_uuid, rfc3339


class Links(Protocol):
    """Where a document can be fetched."""

    def holds(self, report: Report) -> bool:
        """Whether the report's document is there, as it was stored. Raises ``Unavailable``."""
        ...

    def presigned_url(self, report: Report, seconds: int) -> str: ...


def describe(organization_id: str, report_id: str, reports: Reports, now: datetime) -> Report:
    """The report. Raises ``RequestError`` 404 TPL-0011 (none, deleted, another organization's) or 410 TPL-0043."""
    report = reports.get(organization_id, report_id)
    if report is None or report.deleted:
        raise RequestError("TPL-0011", "no such report")
    if report.expired(now):
        raise RequestError("TPL-0043", "the report has expired")
    return report


def download(
    organization_id: str, report_id: str, reports: Reports, links: Links, now: datetime, seconds: int
) -> dict[str, Any]:
    """The document's URL, good for ``seconds`` or until the report expires, and what it leads to.

    Raises as ``describe``, TPL-0029 unless the report is finished, and TPL-0043 when the bucket has not its document, or
    another one.
    """
    report = describe(organization_id, report_id, reports, now)
    if report.status is not Status.FINISHED:
        raise RequestError("TPL-0029", f"the report is {report.status}: it has no document")
    if not links.holds(report):
        raise RequestError("TPL-0043", "the report's document is not kept any more")
    if report.expires_at is not None:
        seconds = max(1, min(seconds, int((report.expires_at - now).total_seconds())))
    return {
        "url": links.presigned_url(report, seconds),
        "expiresAt": rfc3339(now + timedelta(seconds=seconds)),
        "fileName": file_name(report.id, report.output_format),
        "contentType": CONTENT_TYPES[report.output_format],
        "size": report.size,
        "sha256": report.sha256,
    }


def report_filters(status: str | None, template_id: str | None) -> dict[str, str]:
    """The list's filters as attributes. Raises ``RequestError`` TPL-0019."""
    filters: dict[str, str] = {}
    if status is not None:
        known = {name.lower(): name.value for name in Status}
        if status.lower() not in known:
            raise RequestError.at("TPL-0019", "status", f"must be one of {', '.join(known.values())}")
        filters["status"] = known[status.lower()]
    if template_id is not None:
        filters["templateId"] = parse_uuid(template_id, "TPL-0019", "templateId")
    return filters


def template_filters(output_format: str | None) -> dict[str, str]:
    """The list's filters as attributes. Raises ``RequestError`` TPL-0003."""
    if output_format is None:
        return {}
    if output_format.upper() not in CONTENT_TYPES:
        raise RequestError.at("TPL-0003", "outputFormat", f"must be one of {', '.join(CONTENT_TYPES)}")
    return {"outputFormat": output_format.upper()}

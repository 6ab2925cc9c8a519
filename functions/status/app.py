"""Reading reports: one, many, their documents; health and the API's description."""

from typing import Any

from reporter.assembly import clock
from reporter.aws.document_bucket import DocumentBucket
from reporter.aws.http import Call, answer, file_answer, make_resolver
from reporter.aws.limit_table import LimitTable
from reporter.aws.logs import answered
from reporter.aws.paging import PageLimits, page_request, read_page
from reporter.aws.report_items import report_of
from reporter.aws.report_table import ReportTable
from reporter.aws.routes import description
from reporter.report import Report
from reporter.settings import StatusSettings
from reporter.workflow.describe import describe, download, report_filters

settings = StatusSettings.from_env()
reports = ReportTable(settings.report_table)
limits = LimitTable(settings.limit_table, settings.reports_per_minute, settings.concurrent_reports)
documents = DocumentBucket(settings.document_bucket)
page_limits = PageLimits(settings.max_answer_bytes, settings.list_seconds)
app = make_resolver()


@app.get("/v1/reports")
def list_reports() -> Any:
    """An organization's reports, newest first."""
    call = Call(app)
    organization = call.organization()
    request = page_request(call, report_filters(call.query("status"), call.query("templateId", "template_id")))
    page = read_page(settings.report_table, organization, request, report_of, Report.as_answer, page_limits)
    return answer(200, page.as_answer(request, Report.as_answer))


@app.get("/v1/reports/<report_id>")
def get_report(report_id: str) -> Any:
    """One report."""
    call = Call(app)
    organization, found = call.organization(), call.path_id(report_id)
    return answer(200, describe(organization, found, reports, clock()).as_answer())


@app.get("/v1/reports/<report_id>/download")
def download_report(report_id: str) -> Any:
    """A short-lived URL of the document: as a redirect, or told."""
    call = Call(app)
    organization, found = call.organization(), call.path_id(report_id)
    told = call.flag("redirect", True) is False
    made = download(organization, found, reports, documents, clock(), settings.download_seconds)
    return answer(200, made) if told else answer(302, None, {"Location": made["url"]})


@app.get("/v1/limits")
def get_limits() -> Any:
    """The limits in force for this organization; null: not limited."""
    return answer(200, {**limits.of(Call(app).organization()).as_answer(), **settings.limits()})


@app.get("/health")
def health() -> Any:
    """Open to everyone."""
    return answer(200, "healthy")


@app.get("/openapi.json")
def openapi() -> Any:
    """The API's description, as generated from the doors' routes."""
    return file_answer(description().encode(), "application/json", {})


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events."""
    return answered(event, context, app.resolve)

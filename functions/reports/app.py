"""Changing reports: cancel, retry, delete."""

from collections.abc import Callable
from functools import partial
from typing import Any

from reporter.assembly import clock
from reporter.aws.http import Call, answer, make_resolver
from reporter.aws.limit_table import LimitTable
from reporter.aws.logs import answered
from reporter.aws.metrics import Meter
from reporter.end_assembly import end_ports, render_queues
from reporter.report import Report
from reporter.settings import ReportSettings
from reporter.workflow.change import ChangePorts, cancel, delete, retry
from reporter.workflow.limits import check_rate

settings = ReportSettings.from_env()
ports = ChangePorts(
    ends=end_ports(settings),
    queue=render_queues(settings),
    requeue_seconds=settings.requeue_seconds,
    check_rate=partial(
        check_rate,
        rates=LimitTable(settings.limit_table, settings.reports_per_minute, settings.concurrent_reports),
        clock=clock,
    ),
)
app = make_resolver()
meter = Meter(settings.stage)


def _changed(change: Callable[[str, str, ChangePorts], Report | None], report_id: str, status: int) -> Any:
    call = Call(app)
    report = change(call.organization(), call.path_id(report_id), ports)
    return answer(status, report and report.as_answer())


@app.post("/v1/reports/<report_id>/cancel")
def cancel_report(report_id: str) -> Any:
    """End a report that has not ended."""
    canceled = _changed(cancel, report_id, 200)
    meter.count("ReportCanceled")
    return canceled


@app.post("/v1/reports/<report_id>/retry")
def retry_report(report_id: str) -> Any:
    """Make a report in Error again, with the template version it had."""
    return _changed(retry, report_id, 200)


@app.delete("/v1/reports/<report_id>")
def delete_report(report_id: str) -> Any:
    """Delete a report and every version of its document."""
    return _changed(delete, report_id, 204)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events."""
    return answered(event, context, app.resolve)

"""POST /v1/reports, and the same request as an event, from a schedule or by a direct invoke."""

from functools import partial
from typing import Any

from reporter.assembly import clock
from reporter.aws.events import requested
from reporter.aws.http import Call, created, make_resolver
from reporter.aws.idempotency import PowertoolsIdempotency
from reporter.aws.limit_table import LimitTable
from reporter.aws.logs import answered
from reporter.aws.render_queue import SqsRenderQueue
from reporter.aws.report_table import ReportTable
from reporter.aws.template_store import TemplateStore
from reporter.identifiers import new_id
from reporter.request import ReportRequest
from reporter.settings import AcceptSettings
from reporter.source_assembly import OUTSIDE, source_registry
from reporter.workflow.accept import AcceptPorts, accept
from reporter.workflow.limits import check_rate

settings = AcceptSettings.from_env()
ports = AcceptPorts(
    reports=ReportTable(settings.report_table, settings.idempotency_table),
    templates=TemplateStore(settings.template_table),
    sources=source_registry(settings, network=OUTSIDE),
    queue=SqsRenderQueue(settings.render_queue_url, settings.pdf_queue_url),
    idempotency=PowertoolsIdempotency(
        settings.idempotency_table, settings.idempotency_hours * 3600, settings.derived_key_seconds, clock, new_id
    ),
    clock=clock,
    new_id=new_id,
    requeue_seconds=settings.requeue_seconds,
    check_rate=partial(
        check_rate,
        rates=LimitTable(settings.limit_table, settings.reports_per_minute, settings.concurrent_reports),
        clock=clock,
    ),
    document_days=settings.document_days,
)
app = make_resolver()


@app.post("/v1/reports")
def post_report() -> Any:
    """Accept a report."""
    call = Call(app)
    organization, key = call.organization(), call.idempotency_key()
    body = call.json(settings.max_body_bytes)
    request = ReportRequest.from_json(organization, body, clock(), call.subject(), call.correlation_id())
    report, replayed = accept(request, key, ports, app.lambda_context)
    return created(report, "reports", replayed)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """API Gateway's events go to the routes; everything else is a request in itself."""
    if "httpMethod" in event:
        return answered(event, context, app.resolve)
    command = requested(event, clock())
    report, replayed = accept(command.request, command.key, ports, context)
    return {"id": report.id, "status": str(report.status), "replayed": replayed}

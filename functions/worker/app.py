"""The worker: one message, one report, to its end or back into the queue."""

from typing import Any

from reporter.renderer_assembly import worker_renderer
from reporter.settings import WorkerSettings

settings = WorkerSettings.from_env()
# Before any client exists: the renderer must never have shared memory with credentials.
renderer = worker_renderer(settings)

from reporter.assembly import clock  # noqa: E402
from reporter.aws.events import EVENT_KINDS  # noqa: E402
from reporter.aws.limit_table import LimitTable  # noqa: E402
from reporter.aws.logs import log, unexpected  # noqa: E402
from reporter.aws.metrics import Meter  # noqa: E402
from reporter.aws.render_queue import SqsReceivedMessages  # noqa: E402
from reporter.deadline import Deadline  # noqa: E402
from reporter.errors import ReportFailure, Unavailable  # noqa: E402
from reporter.fulfil_assembly import fulfil_limits, fulfil_ports  # noqa: E402
from reporter.message import RenderMessage  # noqa: E402
from reporter.source_assembly import source_registry  # noqa: E402
from reporter.workflow.fulfil import TryLater, fulfil  # noqa: E402
from reporter.workflow.turns import turn  # noqa: E402

turns = LimitTable(settings.limit_table, settings.reports_per_minute, settings.concurrent_reports)
meter = Meter(settings.stage)
queue = SqsReceivedMessages(settings.render_queue_url)
sources = source_registry(settings)
ports = fulfil_ports(settings, sources, renderer)
limits = fulfil_limits(settings)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A partial batch response: only what must come back is named."""
    deadline = Deadline(context.get_remaining_time_in_millis() / 1000 - settings.reserve_seconds)
    failed = [record["messageId"] for record in event["Records"] if not done(record, deadline)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def done(record: dict[str, Any], deadline: Deadline) -> bool:
    """Whether a message is finished with. Whatever one record provokes, the others of its batch are not touched."""
    try:
        message = RenderMessage.from_text(record["body"])
        received = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
        with turn(message.organization_id, turns, clock, settings.lease_seconds, received) as keep:

            def hide(seconds: int) -> None:
                queue.hide(record["receiptHandle"], seconds)
                keep(seconds)

            ended = fulfil(message, ports, limits, hide, deadline)
    except TryLater as later:
        log.warning(
            "the report is tried again",
            extra={"report_id": message.report_id, "reason": str(later), "seconds": later.seconds},
        )
        return _hidden(record, later.seconds)
    except ReportFailure as failure:
        # Not ours to read: received often enough it goes to the dead-letter queue, and is kept from there.
        log.error(failure.message, extra={"message_id": record.get("messageId")})
        return _hidden(record, settings.retry_delay_seconds)
    except BaseException as error:  # noqa: BLE001 - SystemExit too: one record must not end the others
        unexpected(error, message_id=record.get("messageId"))
        return _hidden(record, settings.retry_delay_seconds)
    if ended is not None:
        meter.count(EVENT_KINDS[ended.status])
    return True


def _hidden(record: dict[str, Any], seconds: int) -> bool:
    try:
        queue.hide(record["receiptHandle"], seconds)
    except Unavailable:
        log.warning("the message comes back when its visibility timeout ends")
    return False

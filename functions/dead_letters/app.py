"""The dead-letter queue's consumer: every message gets an end, or a place where somebody can look at it."""

from datetime import timedelta
from typing import Any

from reporter.aws.accept_function import AcceptFunction
from reporter.aws.document_bucket import DocumentBucket
from reporter.aws.logs import log, unexpected
from reporter.aws.metrics import Meter
from reporter.aws.morgue import BucketMorgue
from reporter.end_assembly import sweep_ports
from reporter.settings import DeadLetterSettings
from reporter.workflow.dead_letters import DeadLetterPorts, attend

settings = DeadLetterSettings.from_env()
ports = DeadLetterPorts(
    sweep=sweep_ports(settings),
    requests=AcceptFunction(settings.accept_function),
    morgue=BucketMorgue(DocumentBucket(settings.document_bucket)),
    remembered=timedelta(hours=settings.idempotency_hours),
)
meter = Meter(settings.stage)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """A partial batch response: only what must come back is named."""
    failed = [record["messageId"] for record in event["Records"] if not done(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def done(record: dict[str, Any]) -> bool:
    """Whether a dead letter is attended to. Nothing of its content is logged."""
    received = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    told = {"message_id": record["messageId"], "received": received}
    try:
        outcome = attend(record["messageId"], record["body"], ports, received)
    except Exception as error:  # noqa: BLE001 - one dead letter must not keep the others
        unexpected(error, **told)
        return False
    meter.count("DeadLetter")
    meter.count(f"DeadLetter{outcome}")
    log.warning("dead letter", extra={"outcome": outcome, **told})
    return True

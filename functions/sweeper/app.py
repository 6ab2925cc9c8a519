"""The sweeper: once a minute, the reports that nobody else will finish."""

from typing import Any

from reporter.aws.due_reports import DueIndex
from reporter.aws.logs import log, unexpected
from reporter.aws.metrics import Meter
from reporter.end_assembly import sweep_ports
from reporter.message import RenderMessage
from reporter.settings import SweepSettings
from reporter.workflow.sweep import Outcome, sweep

SPARE_MILLISECONDS = 15_000
"""Time for what is being settled when the next one would be too much: an AWS call with its retries."""

settings = SweepSettings.from_env()
ports = sweep_ports(settings)
due = DueIndex(settings.report_table)
meter = Meter(settings.stage)


def failed(error: Exception, message: RenderMessage) -> None:
    """A report that could not be settled this time."""
    unexpected(error, organization_id=message.organization_id, report_id=message.report_id)


def handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """A schedule's event; what was done, by outcome."""
    counts = sweep(due, ports, lambda: context.get_remaining_time_in_millis() < SPARE_MILLISECONDS, failed)
    meter.count("ReportRequeued", counts[Outcome.REQUEUED])
    meter.count("ReportFailed", counts[Outcome.ENDED])
    meter.count("SweepFailed", counts[Outcome.FAILED])
    done = {str(outcome): number for outcome, number in counts.items()}
    log.info("swept", extra={"outcomes": done})
    return done

"""What follows an end: others hear of it, and no byte stays that is not the report's document."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reporter.ports import Clock, Documents, Events, Reports
from reporter.report import Report, Status


@dataclass(frozen=True, slots=True)
class EndPorts:
    """What ending a report from outside its worker needs. ``worker_seconds``: no worker lives longer."""

    reports: Reports
    documents: Documents
    events: Events
    clock: Clock
    worker_seconds: int


def tie_up(report: Report, ports: EndPorts) -> None:
    """Publish the end unless that is done or the report is deleted, and remove what may not stay.

    A worker that is late may store a document even now, so the report stays due until none can be alive; a finished one
    stays due until it expires. Safe to repeat. Raises ``Unavailable``: the sweeper comes back to it.
    """
    now = ports.clock()
    if report.loose_ends and not report.deleted:
        ports.events.report_ended(report)
    kept = report.status is Status.FINISHED and not report.deleted and not report.expired(now)
    ports.documents.discard_all(report, report.document_key if kept else None)
    ports.reports.tied_up(report, _next_look(report, kept, now, ports.worker_seconds))


def _next_look(report: Report, kept: bool, now: datetime, worker_seconds: int) -> datetime | None:
    if kept:
        return report.expires_at
    quiet = report.updated_at + timedelta(seconds=worker_seconds)
    return quiet if report.attempts and now < quiet else None

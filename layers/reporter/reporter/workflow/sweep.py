"""Reports that nobody else will finish: queued again, or brought to their end. Safe to repeat, and beside a late worker.

Who is to be looked at comes from an index, which is late; what is done depends on the row, read consistently, and every
change is conditional on that row. A message too many is harmless, one too few is what this is for: it is sent first.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from reporter.errors import ConditionFailed, Unavailable
from reporter.message import RenderMessage
from reporter.ports import RenderQueue
from reporter.report import Report
from reporter.workflow.budget import Budget
from reporter.workflow.loose_ends import EndPorts, tie_up


class DueReports(Protocol):
    """The index of reports that somebody must look at."""

    def due(self, now: datetime) -> Iterator[RenderMessage]:
        """Reports due before ``now``, longest due first within each part of the index. Raises ``Unavailable``."""
        ...


class Outcome(StrEnum):
    """What was done about a report."""

    REQUEUED = "Requeued"
    ENDED = "Ended"
    TIED_UP = "TiedUp"
    LEFT = "Left"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class SweepPorts:
    """What sweeping needs. ``requeue_seconds``: the shortest time between two messages for one report."""

    ends: EndPorts
    queue: RenderQueue
    budget: Budget
    requeue_seconds: int


def sweep(
    due: DueReports, ports: SweepPorts, enough: Callable[[], bool], failed: Callable[[Exception, RenderMessage], None]
) -> Counter[Outcome]:
    """Settle what is due, until ``enough()``; the next run goes on with the rest, as what is settled is due no more.

    One report's failure keeps nobody from the others: it is told to ``failed``, and tried again next time. Raises
    ``Unavailable`` when the index cannot be read.
    """
    counts: Counter[Outcome] = Counter()
    for message in due.due(ports.ends.clock()):
        if enough():
            break
        try:
            counts[settle(message, ports)] += 1
        except Exception as error:  # noqa: BLE001 - whatever one row holds, the others are to be settled
            failed(error, message)
            counts[Outcome.FAILED] += 1
    return counts


def settle(message: RenderMessage, ports: SweepPorts, *, dead: bool = False) -> Outcome:
    """Do what a report needs, if anything. ``dead``: its message went to the dead-letter queue, so it need not be due.

    Raises ``Unavailable``; then nothing, or part of it, is done, and it may be called again.
    """
    report = ports.ends.reports.get(message.organization_id, message.report_id)
    now = ports.ends.clock()
    if report is None:
        return Outcome.LEFT
    due = report.due_at is not None and report.due_at <= now
    if report.ended:
        return _tied_up(report, ports) if due or (dead and report.loose_ends) else Outcome.LEFT
    if report.held(now) or not (due or dead):
        return Outcome.LEFT
    try:
        error = ports.budget.hopeless(report, report.tries, now)
        if error is not None:
            return _tied_up(ports.ends.reports.end(report, error, now), ports, Outcome.ENDED)
        ports.queue.send(message, report.output_format)
        ports.ends.reports.queued_again(report, _next_look(report, ports, now))
    except ConditionFailed:
        # A worker, a caller or another sweep was faster.
        return Outcome.LEFT
    return Outcome.REQUEUED


def _tied_up(report: Report, ports: SweepPorts, outcome: Outcome = Outcome.TIED_UP) -> Outcome:
    try:
        tie_up(report, ports.ends)
    except Unavailable:
        if outcome is Outcome.TIED_UP:
            raise
        # It has ended; what must follow is due already.
    return outcome


def _next_look(report: Report, ports: SweepPorts, now: datetime) -> datetime:
    """Doubles with the time it waits: a long queue is no reason to fill it with copies."""
    waiting = now - (report.lease_until or report.opened_at)
    pause = max(timedelta(seconds=ports.requeue_seconds), waiting)
    return min(now + pause, ports.budget.begin_by(report, report.tries))

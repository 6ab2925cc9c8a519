"""Fulfilling a report: claim, read, render, store, finish. Safe however often, late or concurrently it is asked to."""

import logging
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Protocol

from reporter.deadline import Deadline
from reporter.document import CONTENT_TYPES, Document, RowCounts
from reporter.errors import ConditionFailed, ReporterError, ReportFailure, RequestError, SourceResting, Unavailable
from reporter.message import RenderMessage
from reporter.ports import Claimed, Clock, Documents, Events, ReportMissing, Reports
from reporter.report import Report, ReportError, Status
from reporter.workflow.budget import Budget
from reporter.workflow.lease import Lease

_log = logging.getLogger("reporter")
MAX_ERROR_CHARACTERS = 2000
LONGEST_REST_SECONDS = 720


class Press(Protocol):
    """Makes a document of a report in ``folder``: reads the data and renders it, without changing any state."""

    def make(
        self, report: Report, folder: Path, cancelled: Callable[[], bool], deadline: Deadline
    ) -> tuple[Document, RowCounts]:
        """The document and the numbers of rows, by ``deadline``.

        Raises ``ReportFailure`` (final, or retryable where its ``retryable`` says so) and ``Unavailable``.
        """
        ...


@dataclass(frozen=True, slots=True)
class FulfilPorts:
    """What fulfilling needs. ``document_key``: where this attempt's document is stored."""

    reports: Reports
    documents: Documents
    events: Events
    press: Press
    clock: Clock
    document_key: Callable[[Report], str]


@dataclass(frozen=True, slots=True)
class FulfilLimits:
    """How often and until when a report may be begun; ``max_rests``: how often it may find a data source resting, which is
    no attempt. The worker's times in seconds.
    """

    budget: Budget
    max_rests: int
    heartbeat_seconds: int
    retry_delay_seconds: int

    @property
    def max_attempts(self) -> int:
        """How often a report may be begun."""
        return self.budget.max_attempts

    @property
    def lease_seconds(self) -> int:
        """How long a worker is believed to be alive without a word."""
        return self.budget.lease


class TryLater(Exception):
    """The message must come back in ``seconds``: nothing is wrong with the report, or not for good."""

    def __init__(self, seconds: int, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


def fulfil(
    message: RenderMessage, ports: FulfilPorts, limits: FulfilLimits, hide: Callable[[int], None], deadline: Deadline
) -> Report | None:
    """Bring the report to its end by ``deadline`` and return it, or raise ``TryLater``.

    None when it was not this call that ended it. Nothing is done when the report does not exist. For one that has ended
    the event is sent if nobody has yet: the worker that ended it may have died before sending. ``hide(seconds)`` keeps
    the message from other workers.
    """
    now = ports.clock()
    try:
        report = ports.reports.claim(
            message.organization_id, message.report_id, now, now + timedelta(seconds=limits.lease_seconds)
        )
    except ReportMissing:
        return None
    except Claimed as claimed:
        _not_ours(claimed.report, ports, limits)
        return None
    except Unavailable as error:
        raise TryLater(limits.retry_delay_seconds, str(error)) from error
    _log.info("begun", extra=report.traced())
    with Lease(report, ports.reports, ports.clock, limits.lease_seconds, limits.heartbeat_seconds, hide) as lease:
        try:
            ended: Report | None = _attempt(report, ports, limits, lease, deadline)
        except ConditionFailed:
            ended = _own_end(report, ports)
        except (ReportFailure, Unavailable) as error:
            resting = isinstance(error, SourceResting)
            delay = _rest(error, report) if isinstance(error, SourceResting) else limits.retry_delay_seconds * report.tries
            # A moment less than the message is hidden, so that it finds the report free.
            lease.give_back(delay - 1, no_attempt=resting)
            raise TryLater(delay, str(error)) from error
    if ended is not None:
        _publish(ended, ports, limits)
    return ended


def _not_ours(report: Report, ports: FulfilPorts, limits: FulfilLimits) -> None:
    if report.ended:
        if report.loose_ends and not report.deleted:
            _publish(report, ports, limits)
        return
    left = (report.lease_until - ports.clock()).total_seconds() if report.lease_until else 0
    raise TryLater(max(1, int(left) + 1), "another worker has the report")


def _attempt(report: Report, ports: FulfilPorts, limits: FulfilLimits, lease: Lease, deadline: Deadline) -> Report:
    """One attempt, to an end. Raises what may be tried again, and ``ConditionFailed``."""
    hopeless = limits.budget.hopeless(report, report.tries - 1, ports.clock())
    if hopeless is not None:
        return ports.reports.fail(report, hopeless, ports.clock())
    folder = Path(tempfile.mkdtemp(prefix="report-"))
    try:
        document, rows = ports.press.make(report, folder, lease.lost, deadline)
        if lease.lost():
            raise ConditionFailed(f"report {report.id} is no longer this worker's")
        key = ports.document_key(report)
        ports.documents.store(key, document, CONTENT_TYPES[report.output_format], deadline, report.correlation_id)
        return ports.reports.finish(report, key, document, rows, ports.clock())
    except (ReportFailure, RequestError, Unavailable) as error:
        if lease.lost():
            raise ConditionFailed(f"report {report.id} is no longer this worker's") from error
        if isinstance(error, SourceResting):
            if report.rests < limits.max_rests:
                raise
        elif error.retryable and report.tries < limits.max_attempts:
            raise
        return ports.reports.fail(report, _reason(error), ports.clock())
    finally:
        # Warm containers share /tmp: what one report leaves there, the next organization's could find.
        shutil.rmtree(folder, ignore_errors=True)


def _rest(error: SourceResting, report: Report) -> int:
    """Longer each time, and not all reports at once."""
    longest = min(ceil(error.seconds) << report.rests, LONGEST_REST_SECONDS)
    return max(2, ceil(longest * random.uniform(1, 1.25)))


def _reason(error: ReporterError) -> ReportError:
    message = error.message
    if len(message) > MAX_ERROR_CHARACTERS:
        message = message[:MAX_ERROR_CHARACTERS] + "…"
    return ReportError(error.code, message, error.line if isinstance(error, ReportFailure) else None)


def _publish(report: Report, ports: FulfilPorts, limits: FulfilLimits) -> None:
    facts = {"status": str(report.status), "code": report.error.code if report.error else None}
    _log.info("ended", extra={**report.traced(), **facts, "rows": report.rows, "bytes": report.size})
    try:
        ports.events.report_ended(report)
        ports.reports.tied_up(report, _next_look(report, ports.clock() + timedelta(seconds=limits.budget.worker)))
    except Unavailable as error:
        raise TryLater(limits.retry_delay_seconds, str(error)) from error


def _next_look(report: Report, quiet: datetime) -> datetime | None:
    """When the sweeper must look at an ended report: at what an attempt may have left, and at its expiry.

    Only the first attempt, finished, leaves nothing but its document: the upload of one that failed may have gone through.
    """
    if report.attempts > 1 or report.status is not Status.FINISHED:
        return quiet
    return report.expires_at


def _own_end(report: Report, ports: FulfilPorts) -> Report | None:
    """What a refused write means: our own end, whose acknowledgement was lost and which the SDK repeated, or somebody
    else's report by now. Then nothing of ours may stay, and there is nothing to do.
    """
    try:
        found = ports.reports.get(report.organization_id, report.id)
        ours = found is not None and found.attempts == report.attempts and not found.deleted
        if found is not None and ours and found.status is Status.FINISHED:
            return found
        ports.documents.discard(ports.document_key(report))
        if found is not None and ours and found.status is Status.ERROR:
            return found
    except Unavailable as error:
        raise TryLater(1, str(error)) from error
    return None

"""A worker's lease on a report: kept alive while it works, given back when it cannot finish."""

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from reporter.errors import ConditionFailed, Unavailable
from reporter.ports import Clock, Reports
from reporter.report import Report


class Lease:
    """Extends the lease and hides the message every ``heartbeat`` seconds, until it ends or is lost.

    A heartbeat that cannot get through is tried again at the next; only a refused one means that the report is another's, or
    is for anybody to take since the lease ran out.
    """

    def __init__(
        self,
        report: Report,
        reports: Reports,
        clock: Clock,
        seconds: int,
        heartbeat: int,
        hide: Callable[[int], None],
    ) -> None:
        self._report = report
        self._reports = reports
        self._clock = clock
        self._seconds = seconds
        self._heartbeat = heartbeat
        self._hide = hide
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def lost(self) -> bool:
        """Whether another attempt or an end has taken the report away."""
        return self._lost.is_set()

    def give_back(self, seconds: int, *, no_attempt: bool = False) -> None:
        """Let another worker claim the report in ``seconds``, or when the lease runs out, should that not get through.

        ``no_attempt``: this one does not count as an attempt.
        """
        self._ended.set()
        self._thread.join()
        try:
            give = self._reports.rest if no_attempt else self._reports.extend_lease
            now = self._clock()
            give(self._report, now, now + timedelta(seconds=seconds))
        except (ConditionFailed, Unavailable):
            return

    def _beat(self) -> None:
        while not self._ended.wait(self._heartbeat):
            try:
                now = self._clock()
                self._reports.extend_lease(self._report, now, now + timedelta(seconds=self._seconds))
                self._hide(self._seconds)
            except ConditionFailed:
                self._lost.set()
                return
            except Unavailable:
                continue

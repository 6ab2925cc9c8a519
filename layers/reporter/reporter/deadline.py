"""When a piece of work must have ended: what one worker has of time is shared by reading, rendering and storing."""

import time
from collections.abc import Callable

from reporter.errors import ReportFailure
from reporter.limit import FEWER_ROWS, passed


class Deadline:
    """``seconds`` from now, on a clock that never goes backwards. ``what`` has them, by ``setting``."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        setting: str = "WorkerSeconds less ReserveSeconds",
        what: str = "the report",
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._setting = setting
        self._what = what
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds; never less than 0."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        """Raises ``ReportFailure`` REPORT_TIMEOUT once the time is over: another attempt would take as long."""
        if self._clock() >= self._end:
            raise ReportFailure("REPORT_TIMEOUT", self.message())

    def message(self) -> str:
        """What is said when the time is over."""
        return passed(f"{self._what} takes", round(self._seconds), "seconds", FEWER_ROWS, self._setting)


FOR_EVER = Deadline(float("inf"))

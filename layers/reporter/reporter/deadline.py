"""When a piece of work must have ended: what one worker has of time is shared by reading, rendering and storing."""

import time
from collections.abc import Callable

from reporter.errors import ReportFailure


class Deadline:
    """``seconds`` from now, on a clock that never goes backwards."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds; never less than 0."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        """Raises ``ReportFailure`` REPORT_TIMEOUT once the time is over: another attempt would take as long."""
        if self._clock() >= self._end:
            message = f"the report takes longer than the {self._seconds:.0f} seconds that a worker has"
            raise ReportFailure("REPORT_TIMEOUT", f"{message}: choose fewer rows by filters, or a shorter period")

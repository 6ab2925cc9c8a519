"""What a report has in all, in time and attempts: one formula of the settings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reporter.limit import passed
from reporter.report import Report, ReportError


@dataclass(frozen=True, slots=True)
class Budget:
    """All in seconds but for ``max_attempts``. ``queue_age``: how long a report may wait for a worker in all.

    An attempt is over at the latest when its worker has been stopped, its lease has run out and a sweep has seen that.
    """

    queue_age: int
    max_attempts: int
    worker: int
    lease: int
    sweep: int

    @property
    def attempt(self) -> int:
        """The longest one attempt can keep a report."""
        return self.worker + self.lease + self.sweep

    @property
    def seconds(self) -> int:
        """D: every report has ended so long after it was accepted, or retried."""
        return self.queue_age + self.max_attempts * self.attempt

    def begin_by(self, report: Report, attempts: int) -> datetime:
        """When the attempt after so many must have begun, so that the rest fits into ``seconds``."""
        return report.opened_at + timedelta(seconds=self.queue_age + attempts * self.attempt)

    def hopeless(self, report: Report, attempts: int, now: datetime) -> ReportError | None:
        """Why no attempt may begin any more after so many, if so."""
        if report.expired(now):
            return ReportError("EXPIRED", "the report expired before it was made")
        if attempts >= self.max_attempts:
            return ReportError(
                "ATTEMPTS_USED_UP", passed("the report needs", self.max_attempts, "attempts", "retry it", "MaxAttempts")
            )
        if now >= self.begin_by(report, attempts):
            return ReportError(
                "WAITED_TOO_LONG",
                passed("the report has waited for", self.queue_age, "seconds", "retry it later", "QueueAgeSeconds"),
            )
        return None

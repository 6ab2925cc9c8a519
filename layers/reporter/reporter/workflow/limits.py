"""What one organization may ask for: so many reports a minute, so many being made at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reporter.errors import NotNow, Unavailable
from reporter.limit import passed
from reporter.ports import Clock


@dataclass(frozen=True, slots=True)
class OrganizationLimits:
    """The limits in force for one organization; None: not limited."""

    reports_per_minute: int | None
    concurrent_reports: int | None

    def as_answer(self) -> dict[str, int | None]:
        """The first members of GET /v1/limits."""
        return {"reportsPerMinute": self.reports_per_minute, "concurrentReports": self.concurrent_reports}


class Rates(Protocol):
    """Counts what organizations ask for."""

    def count(self, organization_id: str, window: datetime) -> int | None:
        """Count one more in the minute that begins at ``window``, if the limit lets it. None when counted, else the limit.

        Raises ``Unavailable``.
        """
        ...


def check_rate(organization_id: str, rates: Rates, clock: Clock) -> None:
    """Raises ``NotNow`` TPL-0429 when the organization has asked for as many reports this minute as it may.

    When the counter is down nobody is kept out: the limit guards against too much, not against anything at all.
    """
    now = clock()
    window = now.replace(second=0, microsecond=0)
    try:
        limit = rates.count(organization_id, window)
    except Unavailable:
        return
    if limit is None:
        return
    seconds = max(1, int((window + timedelta(minutes=1) - now).total_seconds()) + 1)
    what, advice = "the organization asks for", f"try again in {seconds} seconds"
    raise NotNow("TPL-0429", passed(what, limit, "reports a minute", advice, "reportsPerMinute"), seconds)


CheckRate = Callable[[str], None]
"""``check_rate`` for an organization."""

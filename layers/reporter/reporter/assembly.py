"""What every door has alike."""

from datetime import UTC, datetime


def clock() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)

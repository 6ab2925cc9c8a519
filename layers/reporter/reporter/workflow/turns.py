"""Whose turn it is: an organization gets so many workers at once; its other messages wait, and use no attempts."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol

from reporter.errors import Unavailable
from reporter.ports import Clock
from reporter.workflow.fulfil import TryLater

STEP_SECONDS = 5
LONGEST_WAIT_SECONDS = 60


class Turns(Protocol):
    """The places of each organization. A place whose worker is silent is free again after its time."""

    def take(self, organization_id: str, now: datetime, until: datetime) -> str | None:
        """A place until then; None when there is none left. Raises ``Unavailable``."""
        ...

    def extend(self, organization_id: str, place: str, until: datetime) -> None:
        """Keep it for longer. Raises ``Unavailable``."""
        ...

    def give_back(self, organization_id: str, place: str) -> None:
        """Raises ``Unavailable``; then it is free after its time."""
        ...


@contextmanager
def turn(organization_id: str, turns: Turns, clock: Clock, seconds: int, received: int) -> Iterator[Callable[[int], None]]:
    """A place for as long as the work takes; yields how to keep it for ``n`` seconds more.

    Raises ``TryLater`` when the organization has none left: the sooner, the less often the message was ``received``.
    When nobody can say, the work is done: the limit is for fairness, not for truth.
    """
    now = clock()
    try:
        place = turns.take(organization_id, now, now + timedelta(seconds=seconds))
    except Unavailable:
        yield lambda _seconds: None
        return
    if place is None:
        longest = min(STEP_SECONDS * received, LONGEST_WAIT_SECONDS)
        # Spread, or all that wait would come at the same moment, and leave the places empty in between.
        raise TryLater(random.randint((longest + 1) // 2, longest), "the organization has as many reports in work as it may")
    try:
        yield lambda more: turns.extend(organization_id, place, clock() + timedelta(seconds=more))
    finally:
        with suppress(Unavailable):
            turns.give_back(organization_id, place)

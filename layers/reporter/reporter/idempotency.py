"""Idempotency keys: which calls are the same call.

A key belongs to one organization and one endpoint. What is made under a key is bound to it by a *reservation*: one item
written in the same transaction as the record itself, so that every later call with the key finds the same id, whatever
died in between.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from reporter.errors import RequestError

SENT_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?", re.ASCII)


def check_key(value: str | None) -> str | None:
    """A key as sent. Raises ``RequestError`` TPL-0004 unless it is 1..255 printable ASCII characters."""
    if value is not None and not SENT_KEY.fullmatch(value):
        raise RequestError.at("TPL-0004", "X-Idempotency", "must be 1 to 255 printable ASCII characters")
    return value


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """One call under its key. ``derived``: the client sent none, and the key was made from the content."""

    organization_id: str
    endpoint: str
    key: str
    content_hash: str
    derived: bool

    @property
    def reservation_id(self) -> str:
        """A digest of everything the key is scoped by; parts can hold any character without colliding."""
        scope = json.dumps([self.organization_id, self.endpoint, self.derived, self.key])
        return f"key#{hashlib.sha256(scope.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Binds a key to the id of what is made under it, until ``expires`` (seconds since 1970)."""

    reservation_id: str
    record_id: str
    content_hash: str
    now: int
    expires: int


class KeyReserved(Exception):
    """The key is bound already: to ``record_id``, for content with that hash, until ``expires`` (seconds since 1970)."""

    def __init__(self, record_id: str, content_hash: str, expires: int) -> None:
        super().__init__(record_id)
        self.record_id = record_id
        self.content_hash = content_hash
        self.expires = expires


class Deletable(Protocol):
    """What can be made under a key."""

    @property
    def id(self) -> str: ...
    @property
    def deleted(self) -> bool: ...


Made = TypeVar("Made", bound=Deletable)


class Work(Protocol[Made]):
    """How one endpoint makes, finds and completes what a key stands for."""

    def make(self, reserve: Callable[[str], Reservation]) -> Made:
        """Check and store in one transaction with ``reserve(id)``. Raises ``KeyReserved`` when the key is bound."""
        ...

    def find(self, record_id: str) -> Made | None:
        """The record as it is now, deleted or not; None when it has gone."""
        ...

    def complete(self, made: Made) -> None:
        """What must follow the storing. May be called again for the same record."""
        ...


class Idempotency(Protocol):
    """Runs work at most once per key."""

    def run(self, call: KeyedCall, work: Work[Made], context: Any) -> tuple[Made, bool]:
        """``(record, replayed)``: replayed is true exactly when the record existed before this call.

        Raises ``RequestError`` TPL-0039 (the first call is still running) or TPL-0040 (other content), ``Unavailable``,
        and whatever ``make`` and ``complete`` raise; then the key is free, or bound to what was stored.
        """
        ...

"""A circuit breaker for each data source: one that is down is left alone for a while, by all functions of a network alike.

Functions that know of no trouble ask the schema table once a minute, and write nothing. After ``failures`` in a row
the source rests for ``seconds``; then one call tries it, and how that goes decides for all. Should the table itself be
out of reach, each goes by what it has seen itself.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reporter.errors import SourceResting, SourceUnavailable

AWS_ERRORS = (ClientError, BotoCoreError)
FORGET_AFTER = 10
"""Rests after which an old failure says nothing any more."""

log = logging.getLogger("reporter")


@dataclass(frozen=True, slots=True)
class _State:
    """``until``: when the last failure's rest ends, in milliseconds since 1970. ``read``: on the monotonic clock."""

    failures: int
    until: int
    read: float


class SourceBreaker:
    """``client``: service name → boto3 client. ``clock``: seconds since 1970, the same for all.

    ``network``: empty where the workers are. What cannot be reached from another says nothing about the source itself, so
    each network has a state of its own. ``shares``: whether others learn what is seen; if not, nothing is written.
    """

    def __init__(
        self,
        client: Callable[[str], Any],
        table: str,
        *,
        failures: int,
        seconds: int,
        cache_seconds: int,
        network: str = "",
        shares: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._failures = failures
        self._rest = seconds * 1000
        self._cache_seconds = cache_seconds
        self._network = network
        self._shares = shares
        self._clock = clock
        self._known: dict[str, _State] = {}

    @contextmanager
    def guarding(self, source: str) -> Iterator[None]:
        """Around all reads of one report from a source, and around looking for its tables.

        Raises ``SourceResting`` when the source rests, also when this very read has shown that it must.
        """
        self._admit(source)
        try:
            yield
        except SourceUnavailable as error:
            if error.source == source and error.dead:
                self._count(source)
                if self._known[source].failures >= self._failures:
                    log.warning(json.dumps({"message": "a data source is left alone", "source": source, "ms": self._rest}))
                    raise SourceResting(source, self._rest / 1000) from error
            raise
        if self._known[source].failures:
            self._forgive(source)

    def _admit(self, source: str) -> None:
        state = self._known.get(source)
        if state is None or time.monotonic() - state.read > self._cache_seconds:
            state = self._read(source)
        if state.failures < self._failures:
            return
        if self._now() < state.until or not self._may_try(source, state):
            left = max(1000, self._known[source].until - self._now())
            raise SourceResting(source, left / 1000)

    def _may_try(self, source: str, seen: _State) -> bool:
        """Whether this call is the one that tries a source which has rested; meanwhile the others go on resting."""
        until = self._now() + self._rest
        try:
            if self._shares:
                self._client("dynamodb").update_item(
                    TableName=self._table,
                    Key=self._key(source),
                    UpdateExpression="SET #until = :until",
                    ConditionExpression="#until = :seen",
                    ExpressionAttributeNames={"#until": "until"},
                    ExpressionAttributeValues={":until": {"N": str(until)}, ":seen": {"N": str(seen.until)}},
                )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                # Another has tried it already: with success, or not yet.
                return self._read(source).failures < self._failures
        except BotoCoreError:
            pass
        self._known[source] = _State(seen.failures, until, time.monotonic())
        return True

    def _count(self, source: str) -> None:
        now = self._now()
        failures = self._known[source].failures + 1
        if self._shares:
            try:
                failures = self._shared_count(source, now)
            except AWS_ERRORS:
                log.warning(json.dumps({"message": "the state of a data source cannot be shared", "source": source}))
        self._known[source] = _State(failures, now + self._rest, time.monotonic())

    def _shared_count(self, source: str, now: int) -> int:
        until = {":until": {"N": str(now + self._rest)}, ":expires": {"N": str((now + FORGET_AFTER * self._rest) // 1000)}}
        recent = {":recent": {"N": str(now - FORGET_AFTER * self._rest)}}
        names = {"#until": "until", "#failures": "failures"}
        update = {"TableName": self._table, "Key": self._key(source), "ReturnValues": "ALL_NEW"}
        try:
            found = self._client("dynamodb").update_item(
                **update,
                UpdateExpression="SET #until = :until, expires = :expires ADD #failures :one",
                ConditionExpression="attribute_not_exists(#until) OR #until > :recent",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={**until, **recent, ":one": {"N": "1"}},
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            found = self._client("dynamodb").update_item(
                **update,
                UpdateExpression="SET #until = :until, expires = :expires, #failures = :one",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={**until, ":one": {"N": "1"}},
            )
        return int(found["Attributes"]["failures"]["N"])

    def _forgive(self, source: str) -> None:
        self._known[source] = _State(0, 0, time.monotonic())
        if not self._shares:
            return
        try:
            self._client("dynamodb").delete_item(TableName=self._table, Key=self._key(source))
        except AWS_ERRORS:
            log.warning(json.dumps({"message": "the state of a data source cannot be shared", "source": source}))

    def _read(self, source: str) -> _State:
        known = self._known.get(source, _State(0, 0, 0))
        failures, until = known.failures, known.until
        try:
            item = self._client("dynamodb").get_item(TableName=self._table, Key=self._key(source)).get("Item")
            failures, until = (int(item["failures"]["N"]), int(item["until"]["N"])) if item else (0, 0)
        except AWS_ERRORS:
            log.warning(json.dumps({"message": "the state of a data source cannot be read", "source": source}))
        state = self._known[source] = _State(failures, until, time.monotonic())
        return state

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _key(self, source: str) -> dict[str, Any]:
        """No source's name begins like this, or holds such a sign."""
        return {"source": {"S": f"#breaker#{self._network}#{source}" if self._network else f"#breaker#{source}"}}

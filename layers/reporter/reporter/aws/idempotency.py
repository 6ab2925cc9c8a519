"""Idempotency on DynamoDB: Powertools in front, the key items of ``reservations`` as the truth behind it.

Powertools answers what is cheap to answer: a finished call is replayed, a running one refused, other content refused.
It cannot promise one id for one key: an owner that wakes up after its deadline overwrites or deletes the record of the
next one, a lost acknowledgement leaves a record in progress, a failed call frees the key though something was stored.
The reservation, written in one transaction with the record, decides all of these.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from reporter.aws.clients import client
from reporter.aws.reservations import bound_to, release
from reporter.errors import NotNow, RequestError, Unavailable
from reporter.idempotency import KeyedCall, KeyReserved, Made, Reservation, Work

IN_FLIGHT_RETRY_SECONDS = 2
_ends: ContextVar[int] = ContextVar("ends")
"""When the reservation of the call that runs ends, in seconds since 1970."""


class PowertoolsIdempotency:
    """``reporter.idempotency.Idempotency`` for one endpoint.

    ``sent_seconds`` and ``derived_seconds``: how long a key sent by the client, or derived by us, is remembered.
    """

    def __init__(
        self,
        table: str,
        sent_seconds: int,
        derived_seconds: int,
        clock: Callable[[], datetime],
        new_id: Callable[[datetime], str],
    ) -> None:
        self._table = table
        self._clock = clock
        self._new_id = new_id
        self._windows = {False: _Window(table, sent_seconds), True: _Window(table, derived_seconds)}

    def run(self, call: KeyedCall, work: Work[Made], context: Any) -> tuple[Made, bool]:
        """See ``reporter.idempotency.Idempotency.run``. ``context``: Lambda's, for the time that remains."""
        window = self._windows[call.derived]
        attempt = _Attempt(self, call, work, window.seconds)
        try:
            record_id = window.once(call, attempt, context)
        except IdempotencyValidationError:
            raise _other_content() from None
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            # The first call may have died after storing: then the reservation knows the id, and no one need wait.
            bound = bound_to(self._table, call.reservation_id, self._seconds())
            if bound is None:
                running = "the first call with this idempotency key is still running"
                raise NotNow("TPL-0039", running, IN_FLIGHT_RETRY_SECONDS) from None
            return attempt.adopt(bound), True
        except IdempotencyPersistenceLayerError as error:
            # Only Powertools' own record could not be written; what the work did or refused stands.
            if attempt.made is not None:
                return attempt.made, attempt.replayed
            if attempt.failure is not None:
                raise attempt.failure from None
            raise Unavailable("the idempotency table") from error
        if attempt.made is not None:
            return attempt.made, attempt.replayed
        made = work.find(record_id)
        if made is not None and not (call.derived and made.deleted):
            return made, True
        self._forget(window, call, record_id)
        return self.run(call, work, context)

    def reserve(self, call: KeyedCall, record_id: str, seconds: int) -> Reservation:
        """The reservation that binds the call's key to ``record_id`` from now on."""
        now = self._seconds()
        return Reservation(call.reservation_id, record_id, call.content_hash, now, now + seconds)

    def forget_reservation(self, call: KeyedCall, record_id: str) -> None:
        """Unbind the key from a record that is gone."""
        release(self._table, call.reservation_id, record_id)

    def _forget(self, window: "_Window", call: KeyedCall, record_id: str) -> None:
        self.forget_reservation(call, record_id)
        try:
            window.store.delete_record(_data(call), exception=KeyError(record_id))
        except Exception as error:
            raise Unavailable("the idempotency table") from error

    def _seconds(self) -> int:
        return int(self._clock().timestamp())


@dataclass
class _Attempt(Generic[Made]):
    """One run of the work, remembered in case Powertools loses what came of it."""

    idempotency: PowertoolsIdempotency
    call: KeyedCall
    work: Work[Made]
    seconds: int
    made: Made | None = None
    replayed: bool = False
    failure: Exception | None = field(default=None, repr=False)

    def __call__(self) -> str:
        try:
            return self._make().id
        except Exception as error:
            self.failure = error
            raise

    def _make(self) -> Made:
        offered: list[str] = []

        def reserve(record_id: str) -> Reservation:
            offered.append(record_id)
            reservation = self.idempotency.reserve(self.call, record_id, self.seconds)
            _ends.set(reservation.expires)
            return reservation

        try:
            made = self.work.make(reserve)
            self.work.complete(made)
        except KeyReserved as bound:
            made = self.adopt(bound)
            # Our own id: the SDK repeated a transaction whose acknowledgement was lost.
            self.replayed = bound.record_id not in offered
        self.made = made
        return made

    def adopt(self, bound: KeyReserved) -> Made:
        """Answer with what an earlier call stored under the key, and finish what it may have left undone."""
        if bound.content_hash != self.call.content_hash:
            raise _other_content()
        made = self.work.find(bound.record_id)
        if made is None or (self.call.derived and made.deleted):
            self.idempotency.forget_reservation(self.call, bound.record_id)
            return self._make()
        _ends.set(bound.expires)
        self.work.complete(made)
        return made


class _Records(DynamoDBPersistenceLayer):
    """Powertools' records. By itself each would last a window from when it is completed: a retry would prolong its key."""

    def _update_record(self, data_record: DataRecord) -> None:
        data_record.expiry_timestamp = _ends.get()
        super()._update_record(data_record)


class _Window:
    """Powertools for keys of one kind, with a persistence layer of its own: a layer keeps its first configuration."""

    def __init__(self, table: str, seconds: int) -> None:
        self.seconds = seconds
        self.store = _Records(table_name=table, boto3_client=client("dynamodb"))
        self._config = IdempotencyConfig(
            event_key_jmespath="scope",
            payload_validation_jmespath="content",
            raise_on_no_idempotency_key=True,
            expires_after_seconds=seconds,
            hash_function="sha256",
        )

        def run(*, call: dict[str, str], work: Callable[[], str]) -> str:
            return work()

        self._run = idempotent_function(
            run,
            data_keyword_argument="call",
            persistence_store=self.store,
            config=self._config,
            key_prefix="powertools",
        )

    def once(self, call: KeyedCall, work: Callable[[], str], context: Any) -> str:
        """The id of what the key stands for."""
        self._config.register_lambda_context(context)
        return str(self._run(call=_data(call), work=work))


def _data(call: KeyedCall) -> dict[str, str]:
    return {"scope": call.reservation_id, "content": call.content_hash}


def _other_content() -> RequestError:
    return RequestError("TPL-0040", "the idempotency key was used with other content")

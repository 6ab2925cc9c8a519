"""Messages that the queues have given up: the report is settled, the request made again, and the rest is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from reporter.errors import ReportFailure, RequestError, Unavailable
from reporter.exact_json import write_json
from reporter.message import RenderMessage
from reporter.workflow.sweep import SweepPorts, settle

MAX_REQUESTS = 5
SLACK = timedelta(minutes=10)
"""Clocks differ, and asking takes time: so much before its key is forgotten no request is made again."""
REFUSAL = RequestError.__name__
"""What Lambda calls the error of a request that will never be accepted."""


class Requests(Protocol):
    """Whoever accepts reports that are requested by events."""

    def request(self, direct: Mapping[str, Any]) -> None:
        """Ask again. Raises ``RequestRefused`` for good, ``Unavailable`` for now."""
        ...


class RequestRefused(Exception):
    """A request that came as an event can never be accepted; ``reason`` holds the refusal as text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Morgue(Protocol):
    """Where messages lie that nothing can be done with."""

    def keep(self, message_id: str, content: bytes) -> None:
        """Keep one; the same twice is one. Raises ``Unavailable``."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetterPorts:
    """What attending to dead letters needs. ``remembered``: for how long the key of a request is known."""

    sweep: SweepPorts
    requests: Requests
    morgue: Morgue
    remembered: timedelta


def attend(message_id: str, body: str, ports: DeadLetterPorts, received: int = 1) -> str:
    """What was done: an ``Outcome``, ``Requested`` or ``Kept``. Raises ``Unavailable``: the message must come back.

    A report's message is here because it was received too often. If it was throttled, or kept out by a limit, its record
    has attempts left and it is queued again; else it ends in ``Error``. Both are the record's to say, not the message's.
    A request that fails ``MAX_REQUESTS`` times, as often as it was ``received``, is kept; so is one whose key may be
    forgotten: made again it could be a second report.
    """
    try:
        return settle(RenderMessage.from_text(body), ports.sweep, dead=True)
    except ReportFailure as unreadable:
        reason = unreadable.message
    try:
        event, refusal = _requested(body)
        if refusal is None and _remembered(event, ports):
            ports.requests.request(_direct(event))
            return "Requested"
        reason = refusal or f"asked for at {event['time']}: nobody can tell any more whether its report was made"
    except RequestRefused as refused:
        reason = refused.reason
    except Unavailable as error:
        if received < MAX_REQUESTS:
            raise
        reason = f"{error.message}: asked {received} times"
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass
    ports.morgue.keep(message_id, write_json({"reason": reason, "body": body}).encode("utf-8", "backslashreplace"))
    return "Kept"


def _requested(body: str) -> tuple[Mapping[str, Any], str | None]:
    """The event of a failed request, and why it was refused for good, if it was.

    EventBridge sends the event itself, Lambda the event with what came of it. Raises ``ValueError``, ``KeyError`` or
    ``TypeError`` for anything else.
    """
    found = json.loads(body)
    if not isinstance(found, dict):
        raise TypeError(type(found))
    event, answer = found.get("requestPayload", found), found.get("responsePayload")
    if event["detail-type"] != "ReportRequested":
        raise ValueError(event["detail-type"])
    if isinstance(answer, dict) and answer.get("errorType") == REFUSAL:
        return event, str(answer.get("errorMessage", "refused"))
    return event, None


def _remembered(event: Mapping[str, Any], ports: DeadLetterPorts) -> bool:
    """Whether its key, which was bound after the event's time or not at all, is known for a while yet.

    A sender may give an event a time of its own: one that is still to come tells nothing.
    """
    now, time = ports.sweep.ends.clock(), datetime.fromisoformat(event["time"])
    return time - SLACK < now < time + ports.remembered - SLACK


def _direct(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same request as a direct invoke, under the key it had as an event."""
    detail = dict(event["detail"])
    if detail.get("idempotencyKey") is None:
        detail["idempotencyKey"] = f"event:{event['id']}"
    return detail

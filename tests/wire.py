"""Lost AWS calls, a worker with a clock, and ears for the events: what tests of faults are made with."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from reporter.aws.clients import client
from reporter.deadline import Deadline
from reporter.message import RenderMessage
from reporter.workflow.fulfil import TryLater, fulfil

from functions.worker import app as worker
from tests.rights import acting
from tests.world import ORGANIZATION

SERVICES = ("dynamodb", "sqs", "s3", "ssm", "events")


@contextmanager
def hearing() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What is published meanwhile: kind and detail of each event."""
    heard: list[tuple[str, dict[str, Any]]] = []

    def listen(params: dict[str, Any], **_named: Any) -> None:
        heard.extend((entry["DetailType"], json.loads(entry["Detail"])) for entry in params["Entries"])

    events = client("events").meta.events
    events.register("provide-client-params.events.PutEvents", listen, unique_id="hearing")
    try:
        yield heard
    finally:
        events.unregister("provide-client-params.events.PutEvents", unique_id="hearing")


class Killed(BaseException):
    """The process is over: nothing that handles errors may see this."""


@dataclass
class Wire:
    """Counts the calls and loses one of them, before or after its effect; with ``kill`` the process dies there."""

    lose: int = -1
    after: bool = False
    kill: bool = False
    calls: list[str] = field(default_factory=list)

    def before(self, model: Any, **_named: Any) -> None:
        self.calls.append(model.name)
        if not self.after and len(self.calls) - 1 == self.lose:
            raise Killed if self.kill else EndpointConnectionError(endpoint_url="https://lost")

    def afterwards(self, **_named: Any) -> None:
        if self.after and len(self.calls) - 1 == self.lose:
            raise Killed if self.kill else ReadTimeoutError(endpoint_url="https://lost")


@contextmanager
def wired(wire: Wire) -> Iterator[Wire]:
    for service in SERVICES:
        events = client(service).meta.events
        events.register("before-call", wire.before, unique_id="wire-before")
        events.register("after-call", wire.afterwards, unique_id="wire-after")
    try:
        yield wire
    finally:
        for service in SERVICES:
            events = client(service).meta.events
            events.unregister("before-call", unique_id="wire-before")
            events.unregister("after-call", unique_id="wire-after")


class Worker:
    """The worker's corridor with a clock that can be moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=1)
        registry: Any = worker.sources
        registry._entries = None
        registry._schemas.clear()
        registry._breaker._known.clear()
        clock: Callable[[], datetime] = lambda: self.now  # noqa: E731
        self._ports = replace(worker.ports, clock=clock)

    def deliver(self, report_id: str) -> bool:
        """Whether the message is done with."""
        try:
            message = RenderMessage(ORGANIZATION, report_id)
            with acting("WorkerFunction"):
                fulfil(message, self._ports, worker.limits, lambda _seconds: None, Deadline(60))
        except TryLater:
            self.now += timedelta(seconds=worker.limits.lease_seconds + 1)
            return False
        return True

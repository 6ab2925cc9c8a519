"""The service's background on one clock: queue, workers that may be killed, sweeper, dead-letter queue."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reporter.aws.clients import client
from reporter.aws.due_reports import DueIndex
from reporter.deadline import Deadline
from reporter.errors import ReportFailure
from reporter.message import RenderMessage
from reporter.report import Report
from reporter.workflow.budget import Budget
from reporter.workflow.fulfil import TryLater, fulfil
from reporter.workflow.sweep import DueReports, Outcome, sweep

from functions.sweeper import app as sweeper
from functions.worker import app as worker
from tests.conformance.test_api_cases import template_in
from tests.rights import acting
from tests.wire import SERVICES
from tests.world import ORGANIZATION, TEMPLATE, World

TEXT = b"fixed {% date_time 'YYYY' %}"
REQUEUE = 120
BUDGET = Budget(queue_age=1200, max_attempts=3, worker=300, lease=120, sweep=60)


class Killed(BaseException):
    """The process is gone: no handler of ours may run on."""


@dataclass
class Killer:
    """Kills at one AWS call, before or after its effect."""

    at: int
    after: bool
    calls: list[str] = field(default_factory=list)

    def before(self, model: Any, **_named: Any) -> None:
        self.calls.append(model.name)
        if not self.after and len(self.calls) - 1 == self.at:
            raise Killed

    def afterwards(self, **_named: Any) -> None:
        if self.after and len(self.calls) - 1 == self.at:
            raise Killed

    @contextmanager
    def lurking(self) -> Iterator[None]:
        """Meanwhile."""
        for service in SERVICES:
            events = client(service).meta.events
            events.register("before-call", self.before, unique_id="killer-before")
            events.register("after-call", self.afterwards, unique_id="killer-after")
        try:
            yield
        finally:
            for service in SERVICES:
                events = client(service).meta.events
                events.unregister("before-call", unique_id="killer-before")
                events.unregister("after-call", unique_id="killer-after")


class Plant:
    """Times in seconds on a clock that only moves when told to. What is received from the queue never comes back."""

    def __init__(self, world: World, budget: Budget = BUDGET) -> None:
        self.world = world
        self.now = datetime.now(UTC)
        self.budget = budget
        ends = replace(sweeper.ports.ends, clock=self.clock, worker_seconds=budget.worker)
        self.sweeping = replace(sweeper.ports, ends=ends, budget=budget, requeue_seconds=REQUEUE)
        self.ports = replace(worker.ports, clock=self.clock)
        self.limits = replace(worker.limits, budget=budget)
        self.cold_start()

    @staticmethod
    def cold_start() -> None:
        """The next worker is a new one, that knows no sources."""
        registry: Any = worker.sources
        registry._entries = None
        registry._schemas.clear()

    def clock(self) -> datetime:
        """The time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def add_template(self) -> None:
        """A text template that reads nothing."""
        client("s3").put_object(Bucket="documents", Key="templates/x", Body=TEXT)
        digest = hashlib.sha256(TEXT).hexdigest()
        self.world.add_template(template_in(ORGANIZATION, output_format="TXT", sha256=digest, reads={}))

    def post(self, **more: Any) -> str:
        """Accept a report; its id. ``more``: members of the request."""
        body = {"templateId": TEMPLATE, "filters": {}, **more}
        answer = self.world.call("POST", "/v1/reports", body, {"X-Organization-Id": ORGANIZATION})
        assert answer.status == 201, answer.body
        return str(answer.body["id"])

    def report(self, report_id: str) -> Report:
        """The row."""
        found = self.ports.reports.get(ORGANIZATION, report_id)
        assert found is not None
        return found

    def sweep(self, due: DueReports | None = None, enough: Callable[[], bool] = lambda: False) -> dict[Outcome, int]:
        """One run of the sweeper, without what it left alone."""
        with acting("SweeperFunction"):
            counts = sweep(due or DueIndex("reports"), self.sweeping, enough, lambda _error, _message: None)
        return {outcome: number for outcome, number in counts.items() if outcome is not Outcome.LEFT}

    def waiting(self) -> list[RenderMessage]:
        """Receive all messages there are."""
        found = []
        while batch := self.world.messages():
            found += [RenderMessage.from_text(message["body"]) for message in batch]
        return found

    def work(self, message: RenderMessage, killer: Killer | None = None) -> int | None:
        """One delivery. None when the message is done with, else the seconds it is hidden for.

        A killed worker has worked for as long as it may, kept its lease alive to the last moment, and is silent then.
        """
        try:
            with killer.lurking() if killer else nullcontext():
                fulfil(message, self.ports, self.limits, lambda _seconds: None, Deadline(60))
        except TryLater as later:
            return later.seconds
        except Killed:
            self.cold_start()
            report, killed_at = self.report(message.report_id), self.now
            self.wait(self.budget.worker)
            if report.held(killed_at):
                self.ports.reports.extend_lease(report, killed_at, self.now + timedelta(seconds=self.budget.lease))
        return None

    def run_to_the_end(self, report_id: str, killer: Killer | None = None, since: datetime | None = None) -> Report:
        """Sweep once per interval, and give each message to a worker, until the report has ended.

        Its time runs from when it was opened, or from ``since``, when the sweeper had not been running before.
        """
        started = max(self.report(report_id).opened_at, since) if since else self.report(report_id).opened_at
        while not self.report(report_id).ended:
            assert (self.now - started).total_seconds() <= self.budget.seconds
            for message in self.waiting():
                if killer:
                    killer.calls.clear()
                self.work(message, killer)
            if not self.report(report_id).ended:
                self.wait(self.budget.sweep)
                self.sweep()
        return self.report(report_id)


def stored() -> list[str]:
    """The keys of all versions of all documents, delete markers included."""
    found = client("s3").list_object_versions(Bucket="documents", Prefix="documents/")
    return [version["Key"] for kind in ("Versions", "DeleteMarkers") for version in found.get(kind, ())]


def readable(text: str) -> bool:
    """Whether a message is a render message."""
    try:
        RenderMessage.from_text(text)
    except ReportFailure:
        return False
    return True

"""Faults of the worker and of what it stands on: one document per report, and the row tells what it is."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from reporter.aws.clients import client
from reporter.dataset import Batch
from reporter.deadline import Deadline
from reporter.document import Document, RowCounts
from reporter.errors import ReportFailure
from reporter.message import RenderMessage
from reporter.press import TableReader
from reporter.report import Report, ReportError, Status
from reporter.schema import SourceSchema
from reporter.workflow.fulfil import TryLater, fulfil

from functions.accept import app as accept
from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import NOW, REPORT, report_in
from tests.faults.injected import FOR_EVER, meanwhile, refused, xml_error
from tests.forwarding import Forwarder
from tests.integration import test_source_outages as outages
from tests.plant import Plant, stored
from tests.wire import Killed, Worker, hearing
from tests.world import ORGANIZATION, Context, World

HEADERS = {"X-Organization-Id": ORGANIZATION}
KEY = f"documents/{ORGANIZATION}/{REPORT}/1.html"


class Press:
    """Makes one document after ``act`` has happened."""

    def __init__(self, act: Callable[[Report], object] = lambda _report: None) -> None:
        self.act = act
        self.made = 0

    def make(
        self, report: Report, folder: Path, _cancelled: Callable[[], bool], deadline: Deadline
    ) -> tuple[Document, RowCounts]:
        self.made += 1
        self.act(report)
        deadline.check()
        content = f"attempt {report.attempts}".encode()
        path = folder / "document"
        path.write_bytes(content)
        return Document(path, len(content), hashlib.sha256(content).hexdigest()), RowCounts(1, 1)


def working(act: Callable[[Report], object] = lambda _report: None) -> Worker:
    """A worker in whose work something happens."""
    made = Worker()
    made._ports = replace(made._ports, press=Press(act))
    return made


def row() -> Report:
    found = worker.ports.reports.get(ORGANIZATION, REPORT)
    assert found is not None
    return found


def claim(running: Worker) -> Report:
    return worker.ports.reports.claim(ORGANIZATION, REPORT, running.now, running.now + timedelta(seconds=120))


def assert_finished(attempt: int) -> None:
    """By that attempt, with its one document."""
    report = row()
    assert (report.status, report.attempts) == (Status.FINISHED, attempt), report.error
    assert stored() == [report.document_key]
    content = client("s3").get_object(Bucket="documents", Key=report.document_key)["Body"].read()
    assert (content, report.sha256) == (f"attempt {attempt}".encode(), hashlib.sha256(content).hexdigest())


def test_a_second_delivery_changes_nothing_and_tells_nobody(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    running = working()
    with hearing() as heard:
        assert running.deliver(REPORT)
        before = row()
        assert running.deliver(REPORT)
    assert row() == before
    assert_finished(1)
    assert [(kind, detail["eventId"]) for kind, detail in heard] == [("ReportFinished", f"{REPORT}.1")]


def test_of_two_workers_at_the_same_moment_one_gets_the_report(world: World) -> None:
    """The other claims it just before: both have read the same message."""
    world.add_report(report_in(ORGANIZATION))
    first, claimed = working(), []
    with meanwhile("dynamodb", "UpdateItem", lambda: claimed.append(claim(first))):
        assert not first.deliver(REPORT)
    assert row() == claimed[0]
    assert stored() == []


def test_a_second_worker_leaves_the_first_in_peace(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    second = working()
    first = working(lambda _report: second.deliver(REPORT))
    assert first.deliver(REPORT)
    assert second._ports.press.made == 0  # type: ignore[attr-defined]
    assert_finished(1)


def test_a_worker_that_wakes_after_its_lease_writes_nothing_while_another_works(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    next_one: list[Report] = []

    def sleep(_report: Report) -> None:
        late.now += timedelta(seconds=worker.limits.lease_seconds + 1)
        next_one.append(claim(late))

    late = working(sleep)
    with hearing() as heard:
        assert late.deliver(REPORT)
    assert (row(), stored(), heard) == (next_one[0], [], [])
    late.now += timedelta(seconds=worker.limits.lease_seconds + 1)
    assert working_at(late).deliver(REPORT)
    assert_finished(3)


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_that_wakes_after_its_lease_writes_nothing_though_nobody_has_the_report(world: World, fails: bool) -> None:
    world.add_report(report_in(ORGANIZATION))
    claimed: list[Report] = []

    def sleep(_report: Report) -> None:
        claimed.append(row())
        late.now += timedelta(seconds=worker.limits.lease_seconds + 1)
        if fails:
            raise ReportFailure("TEMPLATE_ERROR", "no")

    late = working(sleep)
    with hearing() as heard:
        assert late.deliver(REPORT)
    assert (row(), stored(), heard) == (claimed[0], [], [])
    assert working_at(late).deliver(REPORT)
    assert_finished(2)


def working_at(other: Worker) -> Worker:
    """A worker of the same moment."""
    made = working()
    made.now = other.now
    return made


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 1, 0, 0)])
def test_messages_of_an_attempt_and_of_its_retry_come_in_any_order(world: World, order: tuple[int, ...]) -> None:
    failed = report_in(ORGANIZATION, status=Status.ERROR, error=ReportError("X", "x"), attempts=1, completed_at=NOW)
    world.add_report(failed)
    assert world.call("POST", f"/v1/reports/{REPORT}/retry", None, HEADERS).status == 200
    [retried] = world.messages()
    messages = [RenderMessage(ORGANIZATION, REPORT), RenderMessage.from_text(retried["body"])]
    running = working()
    for number in order:
        assert running.deliver(messages[number].report_id)
    assert_finished(2)


@pytest.mark.parametrize("killed", [1, 2])
def test_a_worker_that_dies_while_it_reads_or_renders_is_replaced(world: World, killed: int) -> None:
    world.add_report(report_in(ORGANIZATION))

    def die(report: Report) -> None:
        if report.attempts <= killed:
            raise Killed

    running = working(die)
    for _worker in range(killed):
        with pytest.raises(Killed):
            running.deliver(REPORT)
        assert stored() == []
        running.now += timedelta(seconds=worker.limits.lease_seconds + 1)
    assert running.deliver(REPORT)
    assert_finished(killed + 1)


def test_a_worker_without_time_left_ends_the_report_and_stores_nothing(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    ports = replace(worker.ports, press=Press())
    fulfil(RenderMessage(ORGANIZATION, REPORT), ports, worker.limits, lambda _seconds: None, Deadline(0))
    report = row()
    assert (report.status, report.error and report.error.code) == (Status.ERROR, "REPORT_TIMEOUT")
    assert stored() == []


def records(*names: str) -> dict[str, Any]:
    """A batch of one message for each."""
    body = RenderMessage(ORGANIZATION, REPORT).as_text()
    return {"Records": [{"messageId": name, "receiptHandle": name, "body": body, "attributes": {}} for name in names]}


def outcomes(patch: pytest.MonkeyPatch, *outcomes: BaseException | None) -> None:
    """What comes of each message of a batch, in turn."""
    left = list(outcomes)

    def fulfilled(*_arguments: Any) -> None:
        outcome = left.pop(0)
        if outcome is not None:
            raise outcome

    patch.setattr(worker, "fulfil", fulfilled)


def test_of_a_batch_exactly_the_bad_and_the_late_come_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes(monkeypatch, None, SystemExit(1), None, TryLater(5, "slow"), KeyboardInterrupt(), MemoryError(), None)
    answer = worker.handler(records("good", "bad", "fine", "slow", "worse", "big", "well"), Context())
    assert [found["itemIdentifier"] for found in answer["batchItemFailures"]] == ["bad", "slow", "worse", "big"]


@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]])
def test_a_batch_that_fails_as_a_whole_names_every_message(
    world: World, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    outcomes(monkeypatch, *[RuntimeError("unforeseen")] * len(names))
    answer = worker.handler(records(*names), Context())
    assert [found["itemIdentifier"] for found in answer["batchItemFailures"]] == names


STORE_REFUSALS = [
    (503, "SlowDown"),
    (400, "KMS.DisabledException"),
    (400, "ExpiredToken"),
    (403, "AccessDenied"),
    (500, "InternalError"),
]


@pytest.mark.parametrize(("status", "code"), STORE_REFUSALS, ids=[code for _status, code in STORE_REFUSALS])
def test_a_store_that_refuses_for_ever_ends_the_report_without_a_document(world: World, status: int, code: str) -> None:
    world.add_report(report_in(ORGANIZATION))
    running = working()
    with refused("s3", "PutObject", status, xml_error(code)), hearing() as heard:
        deliveries = [running.deliver(REPORT) for _delivery in range(worker.limits.max_attempts)]
    assert deliveries == [False] * (worker.limits.max_attempts - 1) + [True]
    report = row()
    assert (report.status, report.document_key, stored()) == (Status.ERROR, None, [])
    assert report.error is not None
    assert code not in report.error.message
    assert [kind for kind, _detail in heard] == ["ReportFailed"]


def test_a_store_that_slows_down_for_a_moment_is_waited_for(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    with refused("s3", "PutObject", 503, xml_error("SlowDown"), times=3) as refusals:
        assert working().deliver(REPORT)
    assert len(refusals) == 3
    assert_finished(1)


def test_an_upload_whose_acknowledgement_is_lost_is_found_to_be_ours(world: World) -> None:
    """The SDK sends it again: what is there must be the same bytes, and stays the one version."""
    world.add_report(report_in(ORGANIZATION))
    with refused("s3", "PutObject", 500, xml_error("InternalError"), times=1, applied=True) as lost:
        assert working().deliver(REPORT)
    assert lost
    assert_finished(1)


def test_an_upload_over_other_bytes_is_never_taken_for_ours(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    client("s3").put_object(Bucket="documents", Key=KEY, Body=b"not ours", Metadata={"sha256": "0" * 64})
    running = working()
    running.deliver(REPORT)
    assert row().status is not Status.FINISHED
    running.now += timedelta(seconds=worker.limits.lease_seconds + 1)
    assert running.deliver(REPORT)
    assert_finished(2)


@pytest.mark.parametrize("content", [None, b"", b"{% for", b"another template"])
def test_a_template_that_is_missing_cut_or_another_ends_the_report(world: World, content: bytes | None) -> None:
    whole = b"{% date_time 'YYYY' %}"
    report = report_in(ORGANIZATION, template_key="templates/x", template_sha256=hashlib.sha256(whole).hexdigest())
    world.add_report(report)
    if content is not None:
        world.add_object("templates/x", content)
    assert Worker().deliver(REPORT)
    found = row()
    assert (found.status, found.error and found.error.code) == (Status.ERROR, "TEMPLATE_UNAVAILABLE")
    assert stored() == []


def test_a_lost_row_never_makes_a_short_document(world: World, postgres: EmbeddedPostgres) -> None:
    """One row of many never arrives, and nothing else on the connection shows it."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS outage CASCADE")
        connection.execute("CREATE SCHEMA outage")
        connection.execute("CREATE TABLE outage.things AS SELECT 'thing ' || n AS name FROM generate_series(1, 9) n")
    login = {"username": postgres.user, "password": postgres.password, "sslmode": "disable", "database": "postgres"}
    schema = {"schemas": ["outage"], "tables": {"outage.things": {"name": "text"}}}
    with Forwarder(postgres.port, lambda message: message.startswith(b"d") and message.endswith(b"thing 5\n")) as thief:
        world.register_source("shaky", schema, connection={"host": "127.0.0.1", "port": thief.port, **login})
        queue = outages.queue_of()
        found = outages.order(world, queue, 1, "shaky")
        queue.run(1)
        assert thief.stolen
    report = outages.report(found)
    assert (report.status, report.document_key) == (Status.PROCESSING, None)
    assert stored() == []


def test_a_healthy_long_run_keeps_its_lease_and_its_message_hidden(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    hidden = threading.Event()
    seconds: list[int] = []
    leases: list[Any] = []

    def long_work(report: Report) -> None:
        leases.append(report.lease_until)
        assert hidden.wait(20)
        leases.append(row().lease_until)

    def hide(more: int) -> None:
        seconds.append(more)
        hidden.set()

    ports = replace(worker.ports, press=Press(long_work))
    fulfil(RenderMessage(ORGANIZATION, REPORT), ports, replace(worker.limits, heartbeat_seconds=1), hide, Deadline(60))
    assert set(seconds) == {worker.limits.lease_seconds}
    assert leases[0] < leases[1]
    assert_finished(1)


class Rows:
    """A source of a hundred batches; ``act`` happens before the second one is given."""

    schemas: Mapping[str, SourceSchema] = {"erp": SourceSchema("erp", {"customers": {"name": "text"}})}

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.given = 0

    @contextmanager
    def snapshot(self, _source: str, _deadline: Deadline) -> Iterator[TableReader]:
        yield lambda _table, _columns, _conditions: self._batches()

    def _batches(self) -> Iterator[Batch]:
        for self.given in range(1, 101):
            if self.given == 2:
                self.act()
            yield [("x",)]


def test_a_worker_that_learns_of_a_cancel_stops_at_the_next_batch_and_leaves_nothing(world: World) -> None:
    text = b"{% for c in erp.customers %}{{ c.name }}{% endfor %}"
    world.add_object("templates/x", text)
    written: dict[str, Any] = {
        "template_key": "templates/x",
        "template_sha256": hashlib.sha256(text).hexdigest(),
        "output_format": "TXT",
    }
    world.add_report(replace(report_in(ORGANIZATION), **written))
    learned, folders = threading.Event(), []

    def cancel() -> None:
        assert world.call("POST", f"/v1/reports/{REPORT}/cancel", None, HEADERS).status == 200
        assert learned.wait(20)

    rows = Rows(cancel)
    press: Any = copy(worker.ports.press)
    press._rows_of = lambda _organization: rows

    class Noting:
        """Tells when the worker knows, and where it works."""

        def make(
            self, report: Report, folder: Path, cancelled: Callable[[], bool], deadline: Deadline
        ) -> tuple[Document, RowCounts]:
            folders.append(folder)
            threading.Thread(target=self.watch, args=[cancelled], daemon=True).start()
            made: tuple[Document, RowCounts] = press.make(report, folder, cancelled, deadline)
            return made

        def watch(self, cancelled: Callable[[], bool]) -> None:
            while not cancelled():
                time.sleep(0.01)
            learned.set()

    ports = replace(worker.ports, press=Noting())
    limits = replace(worker.limits, heartbeat_seconds=1)
    with hearing() as heard:
        assert fulfil(RenderMessage(ORGANIZATION, REPORT), ports, limits, lambda _seconds: None, Deadline(60)) is None
    assert rows.given == 2
    assert (row().status, row().document_key, stored()) == (Status.CANCELED, None, [])
    assert [folder.exists() for folder in folders] == [False]
    assert {kind for kind, _detail in heard} == {"ReportCanceled"}


@pytest.mark.parametrize(("at_the_door", "at_the_worker"), [(600, -600), (-600, 300), (0, -86_400), (3 * 3600, 0)])
def test_clocks_that_disagree_make_one_document_within_the_time(
    world: World, monkeypatch: pytest.MonkeyPatch, at_the_door: int, at_the_worker: int
) -> None:
    plant = Plant(world)
    plant.add_template()

    def off(seconds: int) -> Callable[[], Any]:
        return lambda: plant.now + timedelta(seconds=seconds)

    monkeypatch.setattr(accept, "ports", replace(accept.ports, clock=off(at_the_door)))
    plant.ports = replace(plant.ports, clock=off(at_the_worker))
    report_id = plant.post()
    started = plant.now
    while not plant.report(report_id).ended:
        for message in plant.waiting():
            plant.work(message)
        plant.wait(plant.budget.sweep)
        plant.sweep()
        assert (plant.now - started).total_seconds() <= plant.budget.seconds + abs(at_the_door) + abs(at_the_worker)
    assert plant.report(report_id).status is Status.FINISHED
    assert len(stored()) == 1


def test_a_worker_whose_clock_is_behind_loses_its_report_and_not_the_document(world: World) -> None:
    """Its lease has run out on everyone else's clock before it was written: two work, one counts."""
    world.add_report(report_in(ORGANIZATION))
    right = working()
    behind = working(lambda _report: right.deliver(REPORT))
    behind.now -= timedelta(seconds=600)
    assert behind.deliver(REPORT)
    assert_finished(2)


def test_nothing_is_due_before_its_time_when_a_clock_steps_back(world: World) -> None:
    plant = Plant(world)
    plant.add_template()
    report_id = plant.post()
    [message] = plant.waiting()
    plant.wait(-3600)
    assert plant.sweep() == {}
    plant.work(message)
    before = plant.report(report_id)
    assert before.status is Status.FINISHED
    plant.wait(30 * 3600)
    assert plant.sweep() == {}
    assert plant.report(report_id) == before


def test_a_refusal_for_ever_is_longer_than_the_sdk_tries(world: World) -> None:
    """The injection itself: what is refused has no effect."""
    with refused("s3", "PutObject", 503, xml_error("SlowDown"), FOR_EVER) as tries, pytest.raises(Exception, match="Slow"):
        client("s3").put_object(Bucket="documents", Key="documents/x", Body=b"x")
    assert len(tries) == 4
    assert stored() == []

"""A data source that goes down and comes back: its reports wait and drain by themselves, others are not touched."""

import hashlib
import heapq
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from reporter.aws.clients import client
from reporter.deadline import Deadline
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.message import RenderMessage
from reporter.press import Press
from reporter.report import Report, Status
from reporter.sources.breaker import SourceBreaker
from reporter.sources.registry import SourceRegistry
from reporter.workflow.fulfil import TryLater, fulfil

from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import report_in
from tests.forwarding import Forwarder
from tests.world import ORGANIZATION, World

TEMPLATE = "{% for t in SOURCE.things %}{{ t.name }};{% endfor %}"
REST_SECONDS = 30


class Queue:
    """The render queue and its workers, on a clock of their own."""

    def __init__(self, registry: SourceRegistry) -> None:
        self.now = datetime.now(UTC)
        self.begun = 0
        self._waiting: list[tuple[datetime, str]] = []
        press = Press(
            registry.rows_of,
            worker.ports.documents,
            worker.renderer,
            lambda: self.now,
            max_rows=10_000,
            max_bytes=10**6,
            workbook_limits=WorkbookLimits(),
        )
        self._ports = replace(worker.ports, press=press, clock=lambda: self.now)

    def send(self, report_id: str) -> None:
        heapq.heappush(self._waiting, (self.now, report_id))

    def run(self, seconds: float) -> None:
        """Deliver all messages that become visible within ``seconds``."""
        end = self.now + timedelta(seconds=seconds)
        while self._waiting and self._waiting[0][0] <= end:
            visible, report_id = heapq.heappop(self._waiting)
            self.now = max(self.now, visible)
            self.begun += 1
            message = RenderMessage(ORGANIZATION, report_id)
            try:
                fulfil(message, self._ports, worker.limits, lambda _seconds: None, Deadline(60))
            except TryLater as later:
                heapq.heappush(self._waiting, (self.now + timedelta(seconds=later.seconds), report_id))
        self.now = end


@pytest.fixture
def registered(world: World, postgres: EmbeddedPostgres) -> Forwarder:
    """Three sources on the same tables: ``good``, and behind a door that is still closed ``shaky``, and ``unknown``, whose
    tables nobody has looked at.
    """
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS outage CASCADE")
        connection.execute("CREATE SCHEMA outage")
        connection.execute("CREATE TABLE outage.things AS SELECT 'thing' AS name FROM generate_series(1, 3)")
    door = Forwarder(postgres.port)
    schema = {"schemas": ["outage"], "tables": {"outage.things": {"name": "text"}}}
    for name, port in (("good", postgres.port), ("shaky", door.port)):
        connection_of = {
            "host": "127.0.0.1",
            "port": port,
            "database": "postgres",
            "username": postgres.user,
            "password": postgres.password,
            "sslmode": "disable",
        }
        world.register_source(name, schema, connection=connection_of)
    world.register_source("unknown", {}, connection=connection_of, schemas=["outage"], schemaKey=None)
    return door


def queue_of() -> Queue:
    settings = worker.settings
    breaker = SourceBreaker(
        client, "schemas", failures=3, seconds=REST_SECONDS, cache_seconds=60, clock=lambda: queue.now.timestamp()
    )
    registry = SourceRegistry(
        client,
        stage=settings.stage,
        schema_table=settings.schema_table,
        bucket=settings.document_bucket,
        cache_seconds=60,
        schema_seconds=3600,
        connect_seconds=5,
        read_seconds=5,
        allow_private=True,
        breaker=breaker,
    )
    queue = Queue(registry)
    return queue


def order(world: World, queue: Queue, number: int, source: str) -> str:
    text = TEMPLATE.replace("SOURCE", source).encode()
    key = f"templates/{source}"
    client("s3").put_object(Bucket="documents", Key=key, Body=text)
    report_id = f"0192f000-0000-7000-8000-0000000001{number:02d}"
    made = report_in(
        ORGANIZATION,
        report_id=report_id,
        status=Status.PENDING,
        attempts=0,
        output_format="TXT",
        template_key=key,
        template_sha256=hashlib.sha256(text).hexdigest(),
    )
    world.add_report(made)
    queue.send(report_id)
    return report_id


def report(report_id: str) -> Report:
    found = worker.ports.reports.get(ORGANIZATION, report_id)
    assert found is not None
    return found


def document(made: Report) -> str:
    content: Any = client("s3").get_object(Bucket="documents", Key=made.document_key)["Body"].read()
    return str(content, "utf-8")


def test_reports_on_a_dead_source_wait_and_drain_when_it_is_back(world: World, registered: Forwarder) -> None:
    queue = queue_of()
    shaky = [order(world, queue, number, "shaky") for number in range(6)]
    good = [order(world, queue, 10 + number, "good") for number in range(3)]
    queue.run(1)
    assert [report(found).status for found in good] == [Status.FINISHED] * 3
    queue.run(1800)
    assert [report(found).status for found in shaky] == [Status.PROCESSING] * 6
    # Waiting costs little: not one report is begun more often than its waits double.
    assert queue.begun <= 3 + 6 * 10
    late = order(world, queue, 20, "shaky")
    queue.run(1)
    assert report(late).rests == 1
    with registered:
        # Two of the longest waits: the first may end while the source still rests.
        queue.run(2000)
        for found in [*shaky, late]:
            made = report(found)
            assert made.status is Status.FINISHED, made.error
            assert (made.rows, made.rows_written) == (3, 3)
            assert document(made) == "thing;thing;thing;"


def test_reports_wait_too_for_a_source_whose_tables_nobody_knows(world: World, registered: Forwarder) -> None:
    queue = queue_of()
    ids = [order(world, queue, number, "unknown") for number in range(3)]
    queue.run(600)
    assert [report(found).status for found in ids] == [Status.PROCESSING] * 3
    assert min(report(found).rests for found in ids) > 1
    with registered:
        queue.run(2000)
        assert [report(found).status for found in ids] == [Status.FINISHED] * 3


def test_a_source_that_stays_dead_ends_its_reports_in_an_error(world: World, registered: Forwarder) -> None:
    queue = queue_of()
    ids = [order(world, queue, number, "shaky") for number in range(2)]
    queue.run(4 * 3600)
    for found in map(report, ids):
        assert found.status is Status.ERROR
        assert found.error is not None
        assert found.error.code == "SOURCE_UNAVAILABLE"
        assert found.tries <= worker.limits.max_attempts
        assert found.rests == worker.limits.max_rests
    assert queue.begun <= 2 * (worker.limits.max_attempts + worker.limits.max_rests + 1)


def test_a_server_that_dies_while_a_report_is_read_leaves_no_document(
    world: World, registered: Forwarder, postgres: EmbeddedPostgres
) -> None:
    """The connection breaks after half of the rows; the next attempt finds the server well again."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("INSERT INTO outage.things SELECT 'more' FROM generate_series(1, 5000)")
    broken = 0

    def break_off(message: bytes) -> bool:
        nonlocal broken
        if message.startswith(b"d") and not broken:
            broken += 1
            raise OSError
        return False

    queue = queue_of()
    registered._steal = break_off
    with registered:
        found = order(world, queue, 1, "shaky")
        queue.run(1)
        assert broken == 1
        assert (report(found).status, report(found).document_key) == (Status.PROCESSING, None)
        queue.run(60)
    made = report(found)
    assert (made.status, made.attempts) == (Status.FINISHED, 2)
    assert made.rows == made.rows_written == 5003
    assert document(made).count(";") == 5003

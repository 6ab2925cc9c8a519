"""A worker that runs out of time says so: its report ends in an error of its own, and no half of a document is left."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from reporter.aws.clients import client
from reporter.deadline import Deadline
from reporter.document import Document
from reporter.errors import ReportFailure
from reporter.message import RenderMessage
from reporter.report import Report, Status
from reporter.workflow.fulfil import fulfil

from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import REPORT, report_in
from tests.wire import Worker
from tests.world import ORGANIZATION, World


def made(world: World, template: str, seconds: float, **ports: Any) -> Report:
    """How a report on a template ends that has so many seconds."""
    text = template.encode()
    client("s3").put_object(Bucket="documents", Key="templates/d", Body=text)
    digest = hashlib.sha256(text).hexdigest()
    world.add_report(report_in(ORGANIZATION, output_format="TXT", template_key="templates/d", template_sha256=digest))
    running = Worker()
    found = replace(running._ports, **ports)
    fulfil(RenderMessage(ORGANIZATION, REPORT), found, worker.limits, lambda _seconds: None, Deadline(seconds))
    report = worker.ports.reports.get(ORGANIZATION, REPORT)
    assert report is not None
    assert client("s3").list_objects_v2(Bucket="documents", Prefix="documents/").get("Contents", []) == []
    return report


@pytest.fixture
def slow(world: World, postgres: EmbeddedPostgres) -> World:
    """A source whose rows take half a minute each."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS late")
        connection.execute(
            "CREATE OR REPLACE VIEW late.things AS SELECT pg_sleep(30)::text AS name FROM generate_series(1, 9)"
        )
    login = {"username": postgres.user, "password": postgres.password, "sslmode": "disable"}
    place = {"host": "127.0.0.1", "port": postgres.port, "database": "postgres", **login}
    world.register_source("late", {"schemas": ["late"], "tables": {"late.things": {"name": "text"}}}, connection=place)
    return world


def test_reading_that_takes_too_long_ends_the_report(slow: World) -> None:
    began = time.monotonic()
    report = made(slow, "{% for t in late.things %}{{ t.name }}{% endfor %}", seconds=1)
    assert time.monotonic() - began < 15
    assert report.status is Status.ERROR
    assert report.error is not None
    assert report.error.code == "REPORT_TIMEOUT"
    assert "filters" in report.error.message


def test_rendering_ends_with_the_workers_time(world: World) -> None:
    loops = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}x"
    report = made(world, loops, seconds=1.5)
    assert report.status is Status.ERROR
    assert report.error is not None
    assert report.error.code in {"TEMPLATE_TIMEOUT", "REPORT_TIMEOUT"}


def test_an_upload_that_takes_too_long_leaves_nothing(world: World, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"x" * 1_000_000)
    document = Document(path, 1_000_000, hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ReportFailure) as failed:
        worker.ports.documents.store("documents/late", document, "text/plain", Deadline(0), None)
    assert (failed.value.code, failed.value.retryable) == ("REPORT_TIMEOUT", False)
    assert client("s3").list_objects_v2(Bucket="documents").get("Contents", []) == client("s3").list_objects_v2(
        Bucket="documents", Prefix="schemas/"
    ).get("Contents", [])

"""Ten hostile templates among a hundred good ones in the queue: the hundred are right, the ten end in their own errors."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from reporter.aws.clients import client
from reporter.formats.workbook.limits import WorkbookLimits
from reporter.message import RenderMessage
from reporter.press import Press
from reporter.renderer.client import Renderer
from reporter.renderer.containment import Limits
from reporter.report import Status

from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import report_in
from tests.plant import Plant
from tests.world import ORGANIZATION, World

MB = 1024 * 1024
LIMITS = Limits(seconds=20, cpu_seconds=1, memory_bytes=128 * MB, output_bytes=20 * MB)
GOOD = "{% for t in good.things %}{{ t.id }}:{{ t.name }}{% endfor %}/{% count_by good.things %}"
HOSTILE = {
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}": "TEMPLATE_TIMEOUT",
    "{% for i in range(99999) %}{{ 'x'|ljust:9000 }}{% endfor %}": "TEMPLATE_OUTPUT",
    "{% set x = 'A'|ljust:9999 %}{% for i in range(99999) %}{% set l = [l, i ~ x] %}{% endfor %}": "TEMPLATE_MEMORY",
    "{% set x = 'A' %}{% for i in range(60) %}{% set x = x ~ x %}{% endfor %}": "TEMPLATE_ERROR",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "TEMPLATE_RECURSION",
    "{{ 1 / 0 }}": "TEMPLATE_ERROR",
    "{{ 9 ** 9 ** 9 ** 9 }}": "TEMPLATE_ERROR",
    "{{ 'a'|center:1000000000 }}": "TEMPLATE_ERROR",
    "{{ ''.__class__.__mro__ }}": "SOURCE_CHANGED",
    "{% for t in good.gone %}{% endfor %}": "SOURCE_CHANGED",
}
MOST_SECONDS = 90
"""Of the wall clock for all of them; ten seconds on an idle machine."""


@pytest.fixture
def plant(world: World, postgres: EmbeddedPostgres) -> Iterator[Plant]:
    """A worker with a renderer of narrow limits, and a source of a hundred things."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS among CASCADE")
        connection.execute("CREATE SCHEMA among")
        connection.execute(
            "CREATE TABLE among.things AS SELECT n AS id, 'thing ' || n AS name FROM generate_series(0, 109) n"
        )
    login = {"username": postgres.user, "password": postgres.password, "sslmode": "disable"}
    reached = {"host": "127.0.0.1", "port": postgres.port, "database": "postgres", **login}
    schema = {"schemas": ["among"], "tables": {"among.things": {"id": "integer", "name": "text"}}}
    world.register_source("good", schema, connection=reached)
    made = Plant(world)
    renderer = Renderer(LIMITS)
    bounds = {"max_rows": 1000, "max_bytes": MB}
    press = Press(
        worker.sources.rows_of, worker.ports.documents, renderer, made.clock, **bounds, workbook_limits=WorkbookLimits()
    )
    made.ports = replace(made.ports, press=press)
    yield made
    renderer.close()


def queue_report(world: World, number: int, template: str) -> str:
    key, report_id = f"templates/{number}", f"0192f000-0000-7000-8000-000000000{number:03d}"
    client("s3").put_object(Bucket="documents", Key=key, Body=template.encode())
    digest = hashlib.sha256(template.encode()).hexdigest()
    filters: dict[str, Any] = {"good": {"things": {"id": {"eq": [number]}}}}
    made = report_in(ORGANIZATION, report_id, Status.PENDING, output_format="TXT", template_key=key, filters=filters)
    world.add_report(replace(made, template_sha256=digest))
    body = RenderMessage(ORGANIZATION, report_id).as_text()
    client("sqs").send_message(QueueUrl=world.queue_url, MessageBody=body)
    return report_id


def test_the_hundred_are_right(plant: Plant) -> None:
    expected: dict[str, Any] = {}
    hostile = iter(HOSTILE.items())
    for number in range(110):
        template, outcome = next(hostile) if number % 11 == 5 else (GOOD, f"{number}:thing {number}/1")
        expected[queue_report(plant.world, number, template)] = outcome
    started = time.monotonic()
    for message in plant.waiting():
        assert plant.work(message) is None
    assert time.monotonic() - started < MOST_SECONDS
    found: dict[str, Any] = {}
    for report_id in expected:
        report = plant.report(report_id)
        assert report.ended
        if report.status is Status.FINISHED:
            found[report_id] = client("s3").get_object(Bucket="documents", Key=report.document_key)["Body"].read().decode()
        else:
            assert report.error is not None
            found[report_id] = report.error.code
            assert report.document_key is None
    assert found == expected

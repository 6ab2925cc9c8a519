"""Faults of what lies still: documents, rows, queues full of old messages, a secret store, a very full index."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from reporter.aws.clients import client
from reporter.aws.report_items import item_of
from reporter.errors import Unavailable
from reporter.message import RenderMessage
from reporter.report import Report, ReportError, Status
from reporter.workflow.sweep import Outcome

from functions.dead_letters import app as dead_letters
from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import NOW, REPORT, report_in
from tests.faults.injected import json_error, refused
from tests.integration.sources.test_registry import entry_for, put, registry
from tests.plant import Killed, Plant, stored
from tests.wire import Wire, hearing, wired
from tests.world import ORGANIZATION, OTHER, Context, World

KEY = f"documents/{ORGANIZATION}/{REPORT}/1.txt"


@contextmanager
def pages_of(rows: int) -> Iterator[list[int]]:
    """DynamoDB ends a page at a megabyte; here at so many rows. Yields a list that grows with each page."""
    read: list[int] = []

    def cut(params: dict[str, Any], **_named: Any) -> dict[str, Any]:
        read.append(rows)
        return {**params, "Limit": rows}

    events = client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb.Query", cut, unique_id="pages")
    try:
        yield read
    finally:
        events.unregister("provide-client-params.dynamodb.Query", unique_id="pages")


def test_what_fills_many_pages_is_settled_whole(world: World) -> None:
    plant = Plant(world)
    overdue = [replace(report_in((ORGANIZATION, OTHER)[n % 2], REPORT[:-2] + f"{n:02x}"), due_at=NOW) for n in range(60)]
    for report in overdue:
        world.add_report(report)
    plant.wait(1)
    with pages_of(1) as pages:
        assert plant.sweep() == {Outcome.REQUEUED: 60}
    assert len(pages) >= 60
    assert {message.report_id for message in plant.waiting()} == {report.id for report in overdue}


class Held:
    """Rows and queue in memory. The process is killed after sending message number ``kill_at``."""

    def __init__(self, reports: list[Report]) -> None:
        self.rows = {(report.organization_id, report.id): report for report in reports}
        self.sent: list[RenderMessage] = []
        self.kill_at = 0

    def get(self, organization_id: str, report_id: str) -> Report | None:
        return self.rows.get((organization_id, report_id))

    def queued_again(self, report: Report, due_at: datetime) -> None:
        self.rows[report.organization_id, report.id] = replace(report, due_at=due_at)

    def send(self, message: RenderMessage, _output_format: str) -> None:
        self.sent.append(message)
        if len(self.sent) == self.kill_at:
            raise Killed


def test_ten_thousand_overdue_reports_are_queued_once_though_the_sweep_is_killed_half_way(world: World) -> None:
    """The index lies on the fake cloud and shows all of them to the end, as one that lags does. Its queue, which counts all
    messages for each that is sent, would take half an hour.
    """
    plant = Plant(world)
    overdue = [replace(report_in((ORGANIZATION, OTHER)[n % 2], REPORT[:-4] + f"{n:04x}"), due_at=NOW) for n in range(10_000)]
    shown = ("organizationId", "id", "openShard", "dueAt")
    puts = [{"PutRequest": {"Item": {name: item[name] for name in shown}}} for item in map(item_of, overdue)]
    for at in range(0, len(puts), 25):
        client("dynamodb").batch_write_item(RequestItems={"reports": puts[at : at + 25]})
    held: Any = Held(overdue)
    ends = replace(plant.sweeping.ends, reports=held)
    plant.sweeping = replace(plant.sweeping, ends=ends, queue=held)
    plant.wait(1)
    with pages_of(1000) as pages:
        held.kill_at = 5000
        with pytest.raises(Killed):
            plant.sweep()
        # The last message of the killed one is sent again, and no other.
        assert plant.sweep() == {Outcome.REQUEUED: 10_000 - 4999}
    assert len(pages) > 10
    assert len(held.sent) == 10_001
    assert {(message.organization_id, message.report_id) for message in held.sent} == set(held.rows)


ENDED: dict[str, dict[str, Any]] = {
    "finished": {"status": Status.FINISHED, "document_key": KEY, "size": 1, "sha256": "0" * 64, "attempts": 1},
    "failed": {"status": Status.ERROR, "error": ReportError("X", "x"), "attempts": 3},
    "canceled": {"status": Status.CANCELED},
    "deleted": {"status": Status.CANCELED, "deleted_at": NOW},
    "expired": {"status": Status.ERROR, "error": ReportError("EXPIRED", "x"), "expires_at": NOW},
}


@pytest.mark.parametrize("state", [*ENDED, "never there"])
def test_old_messages_of_reports_in_every_state_change_nothing(world: World, state: str) -> None:
    """From the dead-letter queue, and redriven from there to the worker."""
    if state in ENDED:
        world.add_report(replace(report_in(ORGANIZATION), completed_at=NOW, **ENDED[state]))
    before = world.rows("reports")
    body = RenderMessage(ORGANIZATION, REPORT).as_text()
    records = [{"messageId": str(n), "receiptHandle": "r", "body": body, "attributes": {}} for n in range(5)]
    with hearing() as heard:
        for handler in (dead_letters.handler, worker.handler):
            assert handler({"Records": records}, Context()) == {"batchItemFailures": []}
    assert world.rows("reports") == before
    assert (world.messages(), stored()) == ([], [])
    assert heard == []


def test_a_thousand_old_messages_of_reports_that_have_ended_change_nothing(world: World) -> None:
    """All states mixed, in batches as the queue gives them: a read for each, and nothing else."""
    ids = [REPORT[:-2] + f"{number:02x}" for number in range(len(ENDED))]
    for report_id, state in zip(ids, ENDED.values(), strict=True):
        world.add_report(replace(report_in(ORGANIZATION, report_id), completed_at=NOW, **state))
    before = world.rows("reports")
    bodies = [RenderMessage(ORGANIZATION, report_id).as_text() for report_id in ids]
    records = [{"messageId": str(n), "receiptHandle": "r", "body": bodies[n % len(ids)]} for n in range(1000)]
    with hearing() as heard, wired(Wire()) as wire:
        for first in range(0, 1000, 10):
            assert dead_letters.handler({"Records": records[first : first + 10]}, Context()) == {"batchItemFailures": []}
    assert wire.calls == ["GetItem"] * 1000
    assert world.rows("reports") == before
    assert (world.messages(), stored(), heard) == ([], [], [])


def test_a_secret_store_that_throttles_makes_reports_wait(world: World, postgres: EmbeddedPostgres) -> None:
    """It is no error of the report, and no one is told why in the driver's words."""
    login = {"username": postgres.user, "password": postgres.password}
    secret = client("secretsmanager").create_secret(Name="reporter/local/bank", SecretString=json.dumps(login))["ARN"]
    entry = entry_for(postgres)
    kept = {n: v for n, v in entry["connection"].items() if n not in {"username", "password"}}
    put("bank", json.dumps({**entry, "connection": {**kept, "secretArn": secret}}))
    found = registry()
    throttled = refused("secretsmanager", "GetSecretValue", 400, json_error("ThrottlingException"))
    with throttled as refusals, pytest.raises(Unavailable, match="TPL-0018"):
        found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION)
    assert len(refusals) == 4
    assert found.schema(found.entries(ORGANIZATION)["bank"], ORGANIZATION) is not None


NEWER = {"attemptsBefore", "rests", "retriedAt", "looseEnds", "rowsWritten", "correlationId", "createdBy", "schemaKey"}


def test_a_row_without_newer_attributes_is_read(world: World) -> None:
    plant = Plant(world)
    plant.add_template()
    report_id = plant.post()
    [row] = world.rows("reports")
    client("dynamodb").put_item(TableName="reports", Item={n: v for n, v in row.items() if n not in NEWER})
    assert plant.run_to_the_end(report_id).status is Status.FINISHED


def test_the_first_version_of_a_message_is_read() -> None:
    """Written down, so that a later one must still read it: messages wait in queues while a new version is deployed."""
    text = f'{{"version": 1, "organizationId": "{ORGANIZATION}", "reportId": "{REPORT}"}}'
    assert RenderMessage.from_text(text) == RenderMessage(ORGANIZATION, REPORT)

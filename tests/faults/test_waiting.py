"""Faults of what lies still: documents, rows, queues full of old messages, a secret store, a very full index."""

import json
from dataclasses import replace
from typing import Any

import pytest
from reporter.aws.clients import client
from reporter.errors import Unavailable
from reporter.message import RenderMessage
from reporter.report import ReportError, Status
from reporter.workflow.sweep import Outcome

from functions.dead_letters import app as dead_letters
from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.conformance.test_api_cases import NOW, REPORT, report_in
from tests.faults.injected import json_error, refused
from tests.integration.sources.test_registry import entry_for, put, registry
from tests.plant import Plant, stored
from tests.wire import hearing
from tests.world import ORGANIZATION, OTHER, Context, World

KEY = f"documents/{ORGANIZATION}/{REPORT}/1.txt"


def test_what_fills_many_pages_is_settled_whole(world: World) -> None:
    """As many pages as there are reports: DynamoDB ends a page at a megabyte."""
    plant = Plant(world)
    overdue = [replace(report_in((ORGANIZATION, OTHER)[n % 2], REPORT[:-2] + f"{n:02x}"), due_at=NOW) for n in range(60)]
    for report in overdue:
        world.add_report(report)
    pages = 0

    def by_one(params: dict[str, Any], **_named: Any) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        return {**params, "Limit": 1}

    events = client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb.Query", by_one, unique_id="pages")
    plant.wait(1)
    try:
        assert plant.sweep() == {Outcome.REQUEUED: 60}
    finally:
        events.unregister("provide-client-params.dynamodb.Query", unique_id="pages")
    assert pages >= 60
    assert {message.report_id for message in plant.waiting()} == {report.id for report in overdue}


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

"""The events in ``events/``, as ``sam local invoke`` sends them, through the same handlers."""

import json
from typing import Any

import pytest
from reporter.errors import RequestError
from reporter.report import Status

from functions.accept import app as accept
from functions.data_sources import app as data_sources
from functions.dead_letters import app as dead_letters
from functions.reports import app as reports
from functions.status import app as status
from functions.sweeper import app as sweeper
from functions.templates import app as templates
from functions.worker import app as worker
from local.paths import ROOT
from tests.conformance.test_api_cases import REPORT, report_in, template_in
from tests.rights import acting
from tests.world import ORGANIZATION, Context, World


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return found


def test_every_event_has_its_handler() -> None:
    doors = {name.stem.rpartition("_")[0] for name in (ROOT / "events").glob("*.json")}
    assert doors == {"accept", "worker", "sweeper", "dead_letters", "reports", "status", "templates", "data_sources"}


def test_a_report_is_accepted_over_http(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    assert accept.handler(event("accept_http"), Context())["statusCode"] == 201
    assert len(world.messages()) == 1


@pytest.mark.parametrize("name", ["accept_event", "accept_direct"])
def test_a_report_is_accepted_from_an_event_once(world: World, name: str) -> None:
    world.add_template(template_in(ORGANIZATION))
    first = accept.handler(event(name), Context())
    second = accept.handler(event(name), Context())
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert first["id"] == second["id"]
    assert [row["id"]["S"] for row in world.rows("reports")] == [first["id"]]


def test_an_event_that_is_refused_fails_its_invocation(world: World) -> None:
    with pytest.raises(RequestError, match="TPL-0011"):
        accept.handler(event("accept_event"), Context())
    assert world.rows("reports") == []


def test_a_message_for_a_report_that_is_gone_is_done_with(world: World) -> None:
    with acting("WorkerFunction"):
        assert worker.handler(event("worker_sqs"), Context()) == {"batchItemFailures": []}
    assert world.rows("reports") == []


def test_a_message_nobody_can_read_comes_back_alone(world: World) -> None:
    good, bad = event("worker_sqs")["Records"][0], {**event("worker_sqs")["Records"][0], "messageId": "bad", "body": "{}"}
    with acting("WorkerFunction"):
        answer = worker.handler({"Records": [bad, good]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def test_reports_templates_and_sources_are_read(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, status=Status.PROCESSING))
    found = status.handler(event("status_get"), Context())
    assert json.loads(found["body"])["id"] == REPORT
    assert status.handler(event("status_list"), Context())["statusCode"] == 200
    assert templates.handler(event("templates_post"), Context())["statusCode"] == 201
    listed = json.loads(data_sources.handler(event("data_sources_list"), Context())["body"])
    assert [source["id"] for source in listed] == ["erp"]


def test_a_report_is_canceled_and_deleted(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    canceled = reports.handler(event("reports_cancel"), Context())
    assert json.loads(canceled["body"])["status"] == Status.CANCELED
    assert reports.handler(event("reports_delete"), Context())["statusCode"] == 204
    assert status.handler(event("status_get"), Context())["statusCode"] == 404


def test_the_sweeper_and_the_dead_letter_function_read_their_events(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    assert sweeper.handler(event("sweeper_schedule"), Context()) == {}
    assert dead_letters.handler(event("dead_letters_sqs"), Context()) == {"batchItemFailures": []}
    assert len(world.messages()) == 1

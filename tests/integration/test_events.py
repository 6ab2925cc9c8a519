"""The events in ``events/``, as ``sam local invoke`` sends them, through the same handlers."""

import hashlib
import importlib
import json
from typing import Any

import pytest
from reporter.errors import RequestError
from reporter.report import Status

from functions.accept import app as accept
from functions.authorizer import app as authorizer
from functions.dead_letters import app as dead_letters
from functions.reports import app as reports
from functions.status import app as status
from functions.sweeper import app as sweeper
from functions.worker import app as worker
from local.paths import ROOT
from tests.conformance.test_api_cases import add_finished, report_in, template_in
from tests.rights import acting, function_in
from tests.sam_template import resources, routes
from tests.world import ORGANIZATION, Context, World


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return found


def test_every_trigger_has_its_event() -> None:
    names = {path.stem for path in (ROOT / "events").glob("*.json")}
    sent = {name: event(name) for name in names}
    over_http = {(e["httpMethod"], e["resource"], door_folder(name)) for name, e in sent.items() if "httpMethod" in e}
    wanted = {(method, path, door) for method, path, door in routes() if method != "ANY"}
    assert over_http - {("GET", "/v1/reports", "functions/authorizer")} == wanted
    others = {name for name, e in sent.items() if "httpMethod" not in e}
    assert others == {
        "accept_direct",
        "accept_event",
        "accept_schedule",
        "dead_letters_sqs",
        "sweeper_schedule",
        "worker_sqs",
    }
    assert {door_folder(name) for name in names} == {r["Properties"]["CodeUri"] for r in functions()}


def door_folder(name: str) -> str:
    """An event's name begins with its function's folder."""
    return f"functions/{name.rpartition('_')[0]}"


def functions() -> list[dict[str, Any]]:
    """The functions of template.yaml."""
    return [made for made in resources().values() if made["Type"] == "AWS::Serverless::Function"]


HTTP = [path.stem for path in sorted((ROOT / "events").glob("*.json")) if '"httpMethod"' in path.read_text()]


@pytest.mark.parametrize("name", [name for name in HTTP if not name.startswith("authorizer")])
def test_an_event_over_http_is_answered_with_success(name: str, world: World) -> None:
    folder = door_folder(name)
    text = b"Hello"
    world.add_object("templates/x", text)
    digest = hashlib.sha256(text).hexdigest()
    world.add_template(template_in(ORGANIZATION, output_format="TXT", sha256=digest, reads={}))
    if name == "status_download":
        add_finished(world, ORGANIZATION, "HTML")
    else:
        world.add_report(report_in(ORGANIZATION, status=Status.ERROR if name == "reports_retry" else Status.PENDING))
    handler = importlib.import_module(f"{folder.replace('/', '.')}.app").handler
    with acting(function_in(folder)):
        assert 200 <= handler(event(name), Context())["statusCode"] < 300


def test_the_authorizer_lets_everyone_pass_where_access_control_is_off() -> None:
    policy = authorizer.handler(event("authorizer_request"), Context())
    assert policy["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    assert policy["context"] == {"access": "off"}


def test_a_report_is_accepted_over_http(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    assert accept.handler(event("accept_http"), Context())["statusCode"] == 201
    assert len(world.messages()) == 1


@pytest.mark.parametrize("name", ["accept_event", "accept_direct", "accept_schedule"])
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

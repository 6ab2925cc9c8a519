"""What is logged from request to document: ids that belong together, and none of what callers, rows and sources hold."""

import csv
import io
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from reporter.aws import logs
from reporter.aws.clients import client
from reporter.aws.report_items import open_shard
from reporter.message import RenderMessage
from reporter.report import Status

from functions.accept import app as accept
from functions.dead_letters import app as dead_letters
from functions.sweeper import app as sweeper
from functions.worker import app as worker
from tests.integration import test_authorizer as authorizer
from tests.integration.test_dead_letters import Accepting, record, requested
from tests.integration.test_sweeping import LongContext
from tests.unit.access.issuer import EXPECTED, Endpoint, rsa_jwk, token
from tests.world import ORGANIZATION, OTHER, Context, World

HEADERS = {"X-Organization-Id": ORGANIZATION}
SECRETS = {
    "a bearer token": "planted.bearer.token",
    "a filter's value": "planted filter value",
    "a value of a row": "planted row value",
    "metadata": "planted metadata",
    "a source's password": "planted password",
    "an idempotency key": "planted-key",
    "an organization header that is none": "planted organization",
    "a query": "planted query",
}
TEXT = b"{% for row in drop.t %}{{ row.name }};{{ row.amount }}\n{% endfor %}"

FAILING = b"{% for row in drop.t %}{{ row.name + 1 }}{% endfor %}"
FORM = {"outputFormat": "TXT", "description": "d"}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything the service's logger writes, as Lambda would see it."""
    stream = io.StringIO()
    [handler] = logs.log.handlers
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    if before is not None:
        handler.setStream(before)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def prepared(world: World) -> str:
    """A template over a file with secrets, beside a source whose password is one."""
    content = io.StringIO()
    names = [SECRETS["a value of a row"], SECRETS["a filter's value"]]
    csv.writer(content).writerows([["name", "amount"], *([name, "10.50"] for name in names)])
    client("s3").put_object(Bucket="documents", Key="sources/t.csv", Body=content.getvalue().encode())
    connection = {"tables": {"t": {"key": "sources/t.csv"}}}
    world.register_source(
        "drop", {"tables": {"t": {"name": "text", "amount": "numeric"}}}, type="files", schemas=[], connection=connection
    )
    login = {"host": "127.0.0.1", "database": "x", "username": "u", "password": SECRETS["a source's password"]}
    world.register_source("erp", {"tables": {"public.t": {"a": "text"}}}, connection={**login, "sslmode": "disable"})
    world.register_source("broken", {"tables": {}}, connection={**login, "sslmode": "verify-full", "nonsense": "x"})
    forget(world)
    fields = {"outputFormat": "TXT", "description": SECRETS["metadata"]}
    uploaded = world.upload(TEXT, fields, HEADERS)
    assert uploaded.status == 201, uploaded
    return str(uploaded.body["id"])


def forget(world: World) -> None:
    world.forget_sources()
    registry: Any = worker.sources
    registry._entries = None
    registry._schemas.clear()


def posted(world: World, template: str, condition: Any, *, headers: dict[str, str] | None = None) -> Any:
    filters = {"drop": {"t": condition}}
    body = {"templateId": template, "filters": filters, "metadata": {"note": SECRETS["metadata"]}}
    sent = {"Authorization": f"Bearer {SECRETS['a bearer token']}", "X-Idempotency": SECRETS["an idempotency key"]}
    return world.call("POST", "/v1/reports", body, {**HEADERS, **sent, **(headers or {})})


def work(world: World) -> None:
    for message in world.messages():
        worker.handler({"Records": [message]}, Context())


def test_a_full_run_leaves_none_of_what_it_works_on_in_the_logs(
    world: World, written: io.StringIO, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="reporter")
    template = prepared(world)
    value = SECRETS["a filter's value"]
    report = posted(world, template, {"name": {"eq": [value]}})
    assert report.status == 201
    assert posted(world, template, {"name": {"in": [value]}}).code == "TPL-0040"
    assert posted(world, template, {"amount": {"gt": [value]}}, headers={"X-Idempotency": "2"}).code == "TPL-0017"
    work(world)
    told = world.call("GET", f"/v1/reports/{report.body['id']}/download?redirect=false", None, HEADERS)
    assert told.status == 200, told
    # Whatever goes wrong: a template that fails over a row, a file that does not fit its types, a broken header and query.
    failing = world.upload(FAILING, FORM, HEADERS)
    assert posted(world, failing.body["id"], {}, headers={"X-Idempotency": "3"}).status == 201
    work(world)
    client("s3").put_object(
        Bucket="documents", Key="sources/t.csv", Body=f"name,amount\nx,{SECRETS['a value of a row']}\n".encode()
    )
    assert posted(world, template, {}, headers={"X-Idempotency": "4"}).status == 201
    work(world)
    assert (
        world.call("GET", "/v1/reports", None, {"X-Organization-Id": SECRETS["an organization header that is none"]}).status
        == 400
    )
    assert world.call("GET", f"/v1/reports?status={SECRETS['a query'].replace(' ', '+')}", None, HEADERS).status == 400
    ends = {
        world.call("GET", f"/v1/reports/{row['id']['S']}", None, HEADERS).body["status"] for row in world.rows("reports")
    }
    assert ends == {"Finished", "Error"}
    streams = capfd.readouterr()
    everything = written.getvalue() + streams.out + streams.err + caplog.text
    assert '"answered"' in everything
    for what, secret in {**SECRETS, "a presigned URL": told.body["url"], "its signature": "X-Amz-Signature"}.items():
        assert secret not in everything, what


def test_what_changes_ends_refuses_and_tries_out_reports_logs_none_of_it_either(
    world: World,
    written: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cancel, retry, delete, sweeper, dead letters, preview and authorizer, each when it works and when it cannot."""
    caplog.set_level(logging.DEBUG, logger="reporter")
    value, row, bearer = SECRETS["a filter's value"], SECRETS["a value of a row"], SECRETS["a bearer token"]
    sent = {**HEADERS, "Authorization": f"Bearer {bearer}", "X-Idempotency": SECRETS["an idempotency key"]}
    template = prepared(world)
    failing = world.upload(FAILING, FORM, HEADERS).body["id"]
    condition = {"name": {"eq": [value]}}
    canceled, failed, lost = (
        posted(world, used, condition, headers={"X-Idempotency": str(number)}).body["id"]
        for number, used in enumerate((template, failing, template))
    )
    assert world.call("POST", f"/v1/reports/{canceled}/cancel", None, sent).status == 200
    assert world.call("POST", f"/v1/reports/{canceled}/cancel", None, sent).code == "TPL-0045"
    work(world)
    assert world.call("POST", f"/v1/reports/{failed}/retry", None, sent).status == 200
    assert world.call("DELETE", f"/v1/reports/{failed}", None, sent).status == 204

    # The sweeper: a report that nobody works on, one without hope, one whose row nobody can read.
    due = {"openShard": {"S": open_shard(lost, Status.PENDING)}, "dueAt": {"S": "2000-01-01T00:00:00.000Z"}}
    rows = [{**found, **due, "status": {"S": Status.PENDING}} for found in world.rows("reports") if "metadata" in found]
    hopeless, broken = ({**rows[0], "id": {"S": str(uuid.uuid4())}} for _row in range(2))
    hopeless |= {"createdAt": due["dueAt"], "updatedAt": due["dueAt"]}
    broken |= {"status": {"S": value}}
    for item in (next(found for found in rows if found["id"]["S"] == lost), hopeless, broken):
        client("dynamodb").put_item(TableName="reports", Item=item)
    assert set(sweeper.handler({}, LongContext())) >= {"Requeued", "Ended", "Failed"}

    # Dead letters: a report's, a request that is made again, one that never can be, and what nobody can read.
    monkeypatch.setattr(dead_letters, "ports", replace(dead_letters.ports, requests=Accepting()))
    details = [
        {"organizationId": ORGANIZATION, "templateId": used, "filters": {"drop": {"t": condition}}}
        for used in (template, value)
    ]
    bodies = [RenderMessage(ORGANIZATION, lost).as_text(), *(json.dumps(requested(detail)) for detail in details), row]
    records = [record(body, f"m-{number}") for number, body in enumerate(bodies)]
    assert dead_letters.handler({"Records": records}, Context()) == {"batchItemFailures": []}

    # Previews: over given rows and over real ones, and one that fails over a row.
    given = json.dumps({"drop": {"t": [{"name": row, "amount": "1"}]}})
    for text, fields, status in (
        (TEXT, {"data": given}, 200),
        (TEXT, {"filters": json.dumps({"drop": {"t": condition}})}, 200),
        (FAILING, {"data": given}, 400),
        (TEXT, {"data": row}, 400),
    ):
        answer = world.upload(text, {"outputFormat": "TXT", **fields}, sent, path="/v1/templates/preview")
        assert answer.status == status, answer

    # The authorizer: a token that is none, and a good one for somebody else.
    door = authorizer.door
    monkeypatch.setattr(door, "settings", door.settings.model_copy(update={"access_control": True}))
    keys = Endpoint(rsa_jwk()).key_set()
    monkeypatch.setattr(door, "rules", replace(door.rules, keys=keys, expected=EXPECTED))
    good = token(sub=SECRETS["metadata"], organizations=[OTHER])
    for sent_token in (bearer, f"{good}{value}"):
        with pytest.raises(Exception, match="Unauthorized"):
            door.handler(authorizer.event(f"Bearer {sent_token}"), Context())
    assert authorizer.effect(door.handler(authorizer.event(f"Bearer {good}"), Context())) == "Deny"

    streams = capfd.readouterr()
    everything = written.getvalue() + streams.out + streams.err + caplog.text
    for message in ('"answered"', '"swept"', '"unexpected"', '"dead letter"', '"refused"'):
        assert message in everything
    for what, secret in {**SECRETS, "a good token": good}.items():
        assert secret not in everything, what


def test_an_accepted_events_id_stays_with_it_until_the_document(world: World, written: io.StringIO) -> None:
    template = prepared(world)
    event = {
        "id": "7d8ed4b6-correlated",
        "detail-type": "ReportRequested",
        "detail": {"organizationId": ORGANIZATION, "templateId": template, "filters": {}},
    }
    made = accept.handler(event, Context())
    work(world)
    about = [line for line in lines(written) if line.get("report_id") == made["id"]]
    assert [line["message"] for line in about] == ["accepted", "begun", "ended"]
    assert {line["correlation_id"] for line in about} == {"7d8ed4b6-correlated"}
    assert {line["organization_id"] for line in about} == {ORGANIZATION}
    [row] = world.rows("reports")
    stored = client("s3").head_object(Bucket="documents", Key=row["documentKey"]["S"])
    assert stored["Metadata"]["correlation-id"] == "7d8ed4b6-correlated"


def test_every_http_call_leaves_one_line_with_the_gateways_id(world: World, written: io.StringIO) -> None:
    world.call("GET", "/v1/reports/not-a-uuid", None, HEADERS)
    [refused, answered] = lines(written)
    assert (refused["message"], refused["code"]) == ("refused", "TPL-0009")
    assert (answered["message"], answered["status"], answered["organization_id"]) == ("answered", 400, ORGANIZATION)
    assert refused["correlation_id"] == answered["correlation_id"] == "gateway-request"


@pytest.mark.parametrize("hostile", ['\r\n{"level":"CRITICAL"}', "\x1b[2J\x1b[31m", "\u2028\u2029\x85", "\x00\x07"])
def test_line_breaks_and_control_characters_are_inert(written: io.StringIO, hostile: str) -> None:
    logs.log.info("refused", extra={"what": f"a{hostile}b"})
    text = written.getvalue()
    assert text.count("\n") == 1
    assert text[:-1].isprintable()
    assert json.loads(text)["what"] == f"a{hostile}b"


def test_an_unexpected_error_is_logged_by_type_and_place_without_its_text(written: io.StringIO) -> None:
    try:
        raise ValueError(SECRETS["a value of a row"])
    except ValueError as error:
        logs.unexpected(error)
    [line] = lines(written)
    assert line["type"] == "ValueError"
    assert "test_logs.py" in line["place"]
    assert SECRETS["a value of a row"] not in written.getvalue()

"""Every AWS call of the accept and the worker path is lost once before its effect and once after it.

The calls are not listed by hand: a first run records them. Afterwards a client's retry, or a redelivery of the message,
must leave one report with one id, and a document that is whole.
"""

import hashlib
from typing import Any

import boto3
import pytest
from reporter.aws.clients import client
from reporter.message import RenderMessage
from reporter.report import Status

from functions.worker import app as worker
from tests.conformance.test_api_cases import template_in
from tests.wire import Killed, Wire, Worker, wired
from tests.world import ORGANIZATION, TEMPLATE, World

HEADERS = {"X-Organization-Id": ORGANIZATION, "X-Idempotency": "k"}
BODY = {"templateId": TEMPLATE, "filters": {}}
TEXT = b"fixed {% date_time 'YYYY' %}"


def prepared(world: World) -> None:
    digest = hashlib.sha256(TEXT).hexdigest()
    client("s3").put_object(Bucket="documents", Key="templates/x", Body=TEXT)
    world.add_template(template_in(ORGANIZATION, output_format="TXT", sha256=digest, reads={}))


def post(world: World) -> Any:
    return world.call("POST", "/v1/reports", BODY, HEADERS)


def pass_deadline() -> None:
    """The Lambda that left its key in progress is over."""
    # A client of the test's own: what this does, no function need be allowed to.
    dynamodb = boto3.client("dynamodb")
    for item in dynamodb.scan(TableName="idempotency")["Items"]:
        if "in_progress_expiration" in item:
            item["in_progress_expiration"]["N"] = "1"
            dynamodb.put_item(TableName="idempotency", Item=item)


def accept_calls(world: World) -> list[str]:
    with wired(Wire()) as wire:
        assert post(world).status == 201
    return wire.calls


EXPECTED_ACCEPT = 8
EXPECTED_WORKER = 7


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(EXPECTED_ACCEPT))
def test_a_retry_after_a_lost_call_gives_one_report_that_ends(world: World, lost: int, after: bool) -> None:
    prepared(world)
    with wired(Wire(lost, after)) as wire:
        first = post(world)
    assert first.status in {201, 409, 503}, wire.calls
    assert len(wire.calls) > lost, wire.calls
    ids = {first.body["id"]} if first.status == 201 else set()
    for _retry in range(3):
        answer = post(world)
        if answer.status == 201:
            break
        assert answer.code in {"TPL-0039", "TPL-0018"}
        pass_deadline()
    assert answer.status == 201
    ids.add(answer.body["id"])
    assert len(ids) == 1
    assert [row["id"]["S"] for row in world.rows("reports")] == [answer.body["id"]]
    messages = world.messages()
    assert messages
    running = Worker()
    for message in messages:
        assert running.deliver(RenderMessage.from_text(message["body"]).report_id)
    assert_finished(world, answer.body["id"])


def assert_finished(world: World, report_id: str) -> None:
    report = worker.ports.reports.get(ORGANIZATION, report_id)
    assert report is not None
    assert report.status is Status.FINISHED, report.error
    content = client("s3").get_object(Bucket="documents", Key=report.document_key)["Body"].read()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (report.size, report.sha256)
    versions = client("s3").list_object_versions(Bucket="documents", Prefix=report.document_key)
    assert len(versions["Versions"]) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(EXPECTED_ACCEPT))
def test_a_retry_after_a_crash_gives_one_report_that_ends(world: World, lost: int, after: bool) -> None:
    prepared(world)
    with wired(Wire(lost, after, kill=True)) as wire, pytest.raises(Killed):
        post(world)
    assert len(wire.calls) > lost, wire.calls
    stored = [row["id"]["S"] for row in world.rows("reports")]
    answer = post(world)
    if answer.status == 409:
        assert (answer.code, stored) == ("TPL-0039", [])
        pass_deadline()
        answer = post(world)
    assert answer.status == 201
    assert answer.headers["x-idempotency-replayed"] == ("true" if stored else "false")
    assert [row["id"]["S"] for row in world.rows("reports")] == [answer.body["id"]] == (stored or [answer.body["id"]])
    running = Worker()
    for message in world.messages():
        assert running.deliver(RenderMessage.from_text(message["body"]).report_id)
    assert_finished(world, answer.body["id"])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(EXPECTED_WORKER))
def test_a_redelivery_after_a_crash_finishes_the_report_once(world: World, lost: int, after: bool) -> None:
    prepared(world)
    report_id = post(world).body["id"]
    running = Worker()
    with wired(Wire(lost, after, kill=True)) as wire, pytest.raises(Killed):
        running.deliver(report_id)
    assert len(wire.calls) > lost, wire.calls
    for _redelivery in range(4):
        if running.deliver(report_id):
            break
    assert_finished(world, report_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(EXPECTED_WORKER))
def test_a_redelivery_after_a_lost_call_finishes_the_report_once(world: World, lost: int, after: bool) -> None:
    prepared(world)
    report_id = post(world).body["id"]
    running = Worker()
    with wired(Wire(lost, after)) as wire:
        running.deliver(report_id)
    assert len(wire.calls) > lost, wire.calls
    for _redelivery in range(4):
        if running.deliver(report_id):
            break
    assert_finished(world, report_id)
    before = worker.ports.reports.get(ORGANIZATION, report_id)
    assert running.deliver(report_id)
    assert worker.ports.reports.get(ORGANIZATION, report_id) == before


def test_the_calls_of_both_paths_are_known_and_at_their_minimum(world: World) -> None:
    prepared(world)
    calls = accept_calls(world)
    assert calls == [
        "UpdateItem",  # the organization's count: no minute of it yet
        "UpdateItem",  # the minute begins
        "PutItem",  # the key, in progress
        "GetItem",  # the template
        "GetParametersByPath",  # the sources, once a minute
        "TransactWriteItems",  # report and reservation
        "SendMessage",
        "UpdateItem",  # the key, completed
    ]
    assert len(calls) == EXPECTED_ACCEPT
    with wired(Wire()) as replay:
        assert post(world).headers["x-idempotency-replayed"] == "true"
    assert replay.calls == ["UpdateItem", "PutItem", "GetItem"]
    report_id = post(world).body["id"]
    with wired(Wire()) as wire:
        assert Worker().deliver(report_id)
    assert wire.calls == [
        "UpdateItem",  # claimed
        "GetObject",
        "GetParametersByPath",
        "PutObject",
        "UpdateItem",  # finished
        "PutEvents",
        "UpdateItem",  # told
    ]
    assert len(wire.calls) == EXPECTED_WORKER


def test_a_filter_without_effect_is_told(world: World) -> None:
    prepared(world)
    body = {**BODY, "filters": {"erp": {"customers": {"name": {"eq": ["x"]}}}}}
    report_id = world.call("POST", "/v1/reports", body, HEADERS).body["id"]
    assert Worker().deliver(report_id)
    warnings = world.call("GET", f"/v1/reports/{report_id}", None, HEADERS).body["warnings"]
    assert warnings == ["the filter on erp.public.customers has no effect: the template does not read that table"]

"""Faults between a client's POST and the message in the queue: one key, one report, and nobody is told a lie."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError
from reporter.aws.clients import client
from reporter.aws.idempotency import PowertoolsIdempotency
from reporter.errors import RequestError
from reporter.message import RenderMessage
from reporter.request import ReportRequest
from reporter.workflow.accept import AcceptPorts, accept

from functions.accept import app as door
from tests.faults.injected import FOR_EVER, json_error, meanwhile, refused, stale_reads
from tests.integration.test_lost_calls import BODY, assert_finished, pass_deadline, post, prepared
from tests.wire import Killed, Wire, Worker, wired
from tests.world import ORGANIZATION, TEMPLATE, Answer, Context, World

WITHOUT_KEY = {"X-Organization-Id": ORGANIZATION}


def assert_one(world: World, *answers: Answer) -> str:
    """All of them name the one report there is."""
    stored = [str(row["id"]["S"]) for row in world.rows("reports")]
    assert [(answer.status, answer.body["id"]) for answer in answers] == [(201, *stored)] * len(answers)
    return stored[0]


def test_a_message_sent_twice_makes_one_document(world: World) -> None:
    prepared(world)
    with wired(Wire(lose=6, after=True)) as wire:
        assert post(world).status == 503
    assert wire.calls[6] == "SendMessage"
    report_id = assert_one(world, post(world))
    messages = world.messages()
    assert len(messages) == 2
    running = Worker()
    for message in messages:
        assert running.deliver(RenderMessage.from_text(message["body"]).report_id)
    assert_finished(world, report_id)
    [row] = world.rows("reports")
    assert row["attempts"]["N"] == "1"


def test_a_retry_without_a_key_of_what_was_stored_is_the_same_report(world: World) -> None:
    """Its key is derived, so within its window even this one makes no second report."""
    prepared(world)
    with wired(Wire(lose=5, after=True)) as wire:
        first = world.call("POST", "/v1/reports", BODY, WITHOUT_KEY)
    assert wire.calls[5] == "TransactWriteItems"
    assert first.status == 503
    again = world.call("POST", "/v1/reports", BODY, WITHOUT_KEY)
    report_id = assert_one(world, again)
    assert again.headers["x-idempotency-replayed"] == "true"
    assert Worker().deliver(report_id)
    assert_finished(world, report_id)


@pytest.mark.parametrize(("key", "window"), [({}, 300), ({"X-Idempotency": "k"}, 86_400)], ids=["derived", "sent"])
def test_a_retry_does_not_prolong_its_key(world: World, key: dict[str, str], window: int) -> None:
    """The key is bound from when the report was stored, however late a retry finds that out."""
    prepared(world)
    headers = {**WITHOUT_KEY, **key}
    with wired(Wire(lose=5, after=True)):
        assert world.call("POST", "/v1/reports", BODY, headers).status == 503
    world.age_keys(window - 100)
    again = [world.call("POST", "/v1/reports", BODY, headers) for _twice in range(2)]
    assert_one(world, *again)
    world.age_keys(98)
    assert_one(world, world.call("POST", "/v1/reports", BODY, headers))
    world.age_keys(4)
    later = world.call("POST", "/v1/reports", {**BODY, "metadata": {"n": 2}} if key else BODY, headers)
    assert (later.status, later.headers["x-idempotency-replayed"]) == (201, "false")
    assert len(world.rows("reports")) == 2


def test_what_is_kept_for_a_replay_is_small_however_large_the_report(world: World) -> None:
    prepared(world)
    filters = {"erp": {"customers": {"name": {"in": ["x" * 100] * 1000}}}}
    answer = world.call("POST", "/v1/reports", {**BODY, "filters": filters}, {**WITHOUT_KEY, "X-Idempotency": "k"})
    assert answer.status == 201
    assert max(len(json.dumps(row)) for row in world.rows("idempotency")) < 1000


@pytest.mark.parametrize("key", [{}, {"X-Idempotency": "k"}], ids=["derived", "sent"])
def test_without_the_idempotency_table_nothing_is_accepted(world: World, key: dict[str, str]) -> None:
    prepared(world)

    def down(params: dict[str, Any], **_named: Any) -> None:
        if "'idempotency'" in repr(params):
            raise EndpointConnectionError(endpoint_url="https://down")

    events = client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb", down, unique_id="down")
    try:
        answer = world.call("POST", "/v1/reports", BODY, {**WITHOUT_KEY, **key})
    finally:
        events.unregister("provide-client-params.dynamodb", unique_id="down")
    assert (answer.status, answer.code) == (503, "TPL-0018")
    assert answer.headers["retry-after"].isdigit()
    assert (world.rows("reports"), world.messages()) == ([], [])
    assert_one(world, world.call("POST", "/v1/reports", BODY, {**WITHOUT_KEY, **key}))


def test_an_owner_that_completes_after_the_next_one_gives_the_same_report(world: World) -> None:
    """The first call sleeps past its deadline; the second takes over and is done; then the first goes on."""
    prepared(world)
    answers: list[Answer] = []

    def overtake() -> None:
        pass_deadline()
        answers.append(post(world))

    with meanwhile("dynamodb", "TransactWriteItems", overtake) as overtaken:
        answers.append(post(world))
    assert overtaken
    answers.append(post(world))
    report_id = assert_one(world, *answers)
    assert [answer.headers["x-idempotency-replayed"] for answer in answers] == ["false", "true", "true"]
    running = Worker()
    for message in world.messages():
        assert running.deliver(RenderMessage.from_text(message["body"]).report_id)
    assert_finished(world, report_id)


def test_an_owner_that_fails_after_the_next_one_completed_takes_nothing_away(world: World) -> None:
    prepared(world)
    answers: list[Answer] = []

    def overtake_and_fail() -> None:
        pass_deadline()
        answers.append(post(world))
        raise EndpointConnectionError(endpoint_url="https://late")

    with meanwhile("dynamodb", "TransactWriteItems", overtake_and_fail):
        assert post(world).status == 503
    answers.append(post(world))
    assert_one(world, *answers)
    assert answers[-1].headers["x-idempotency-replayed"] == "true"


@pytest.mark.parametrize("over", [False, True], ids=["still in progress", "past its deadline"])
def test_a_key_whose_first_call_died_after_storing_is_not_lent_to_other_content(world: World, over: bool) -> None:
    prepared(world)
    with wired(Wire(lose=5, after=True, kill=True)) as wire, pytest.raises(Killed):
        post(world)
    assert wire.calls[5] == "TransactWriteItems"
    if over:
        pass_deadline()
    other = {**BODY, "metadata": {"other": "content"}}
    answer = world.call("POST", "/v1/reports", other, {**WITHOUT_KEY, "X-Idempotency": "k"})
    assert (answer.status, answer.code) == (409, "TPL-0040")
    assert_one(world, post(world))


def test_two_hundred_calls_at_once_with_one_key_make_one_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as in a container of its own; the calls to AWS of all of them mix, and each has its effect at one moment."""
    prepared(world)
    calls, lock, together = 200, threading.Lock(), threading.Barrier(200)
    call: Any = BaseClient._make_api_call  # type: ignore[attr-defined]

    def at_one_moment(self: Any, operation: str, parameters: Any) -> Any:
        with lock:
            return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", at_one_moment)
    request = ReportRequest(organization_id=ORGANIZATION, template_id=TEMPLATE, filters={})

    def contained() -> AcceptPorts:
        keys = PowertoolsIdempotency("idempotency", 3600, 60, door.ports.clock, door.ports.new_id)
        return replace(door.ports, idempotency=keys, check_rate=lambda _organization: None)

    containers = [contained() for _call in range(calls)]

    def accepted(ports: AcceptPorts) -> tuple[str, str]:
        together.wait(30)
        try:
            report, replayed = accept(request, "k", ports, Context())
        except RequestError as refused:
            return refused.code, ""
        return ("replayed" if replayed else "made"), report.id

    with ThreadPoolExecutor(calls) as pool:
        answers = list(pool.map(accepted, containers))
    assert [what for what, _id in answers].count("made") == 1
    assert {what for what, _id in answers} <= {"made", "replayed", "TPL-0039"}
    [row] = world.rows("reports")
    assert {report_id for what, report_id in answers if report_id} == {row["id"]["S"]}


def let_a_key_expire(world: World) -> str:
    """A report whose key's time is over, though nothing has removed the key's items; its id."""
    prepared(world)
    report_id = str(post(world).body["id"])
    world.age_keys(10**9)
    return report_id


def test_a_key_that_has_expired_gives_nothing_to_who_comes_while_the_next_call_runs(world: World) -> None:
    first = let_a_key_expire(world)
    answers: list[Answer] = []
    with meanwhile("dynamodb", "TransactWriteItems", lambda: answers.append(post(world))):
        second = post(world)
    assert [(answer.status, answer.code) for answer in answers] == [(409, "TPL-0039")]
    assert (second.status, second.headers["x-idempotency-replayed"]) == (201, "false")
    assert {row["id"]["S"] for row in world.rows("reports")} == {first, second.body["id"]}
    assert first != second.body["id"]


def test_a_key_that_has_expired_gives_nothing_when_the_transaction_is_cancelled(world: World) -> None:
    first = let_a_key_expire(world)
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    content = json_error("TransactionCanceledException", CancellationReasons=reasons)
    with refused("dynamodb", "TransactWriteItems", 400, content, times=1):
        answer = post(world)
    assert (answer.status, answer.code) == (503, "TPL-0018")
    second = post(world)
    assert (second.status, second.headers["x-idempotency-replayed"]) == (201, "false")
    assert second.body["id"] != first


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException"])
@pytest.mark.parametrize("operation", ["PutItem", "GetItem", "TransactWriteItems"])
def test_throttling_is_waited_for_and_then_told(world: World, operation: str, code: str) -> None:
    prepared(world)
    with refused("dynamodb", operation, 400, json_error(code)) as refusals:
        answer = post(world)
    assert (answer.status, answer.code, len(refusals)) == (503, "TPL-0018", 4)
    assert answer.headers["retry-after"].isdigit()
    assert world.rows("reports") == []
    with refused("dynamodb", operation, 400, json_error(code), times=3) as refusals:
        answer = post(world)
    assert len(refusals) == 3
    assert_one(world, answer)


@pytest.mark.parametrize(
    "reasons",
    [
        ["TransactionConflict", "None"],
        ["None", "TransactionConflict"],
        ["None", "ThrottlingError"],
        ["ProvisionedThroughputExceeded", "None"],
        ["None", "ConditionalCheckFailed"],
        ["None", "ItemCollectionSizeLimitExceeded"],
    ],
    ids="-".join,
)
def test_a_transaction_that_is_cancelled_is_an_outage_and_never_a_404(world: World, reasons: list[str]) -> None:
    prepared(world)
    content = json_error("TransactionCanceledException", CancellationReasons=[{"Code": reason} for reason in reasons])
    with refused("dynamodb", "TransactWriteItems", 400, content, times=1):
        answer = post(world)
    assert (answer.status, answer.code) == (503, "TPL-0018")
    assert world.rows("reports") == []
    assert_one(world, post(world))


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("times", [1, FOR_EVER])
def test_a_transaction_still_in_progress_has_one_effect(world: World, applied: bool, times: int) -> None:
    prepared(world)
    content = json_error("TransactionInProgressException")
    with refused("dynamodb", "TransactWriteItems", 400, content, times, applied=applied):
        first = post(world)
    assert first.status == (201 if times == 1 else 503)
    assert len(world.rows("reports")) == (1 if times == 1 or applied else 0)
    assert_one(world, post(world))
    assert len(world.messages()) == 1


def test_what_was_just_written_is_found_although_reads_may_be_stale(world: World) -> None:
    prepared(world)
    with stale_reads():
        answers = [post(world), post(world)]
        report_id = assert_one(world, *answers)
        assert world.call("GET", f"/v1/reports/{report_id}", None, WITHOUT_KEY).status == 200
        assert Worker().deliver(report_id)
        assert world.call("GET", f"/v1/reports/{report_id}/download", None, WITHOUT_KEY).status == 302
        for path in (f"/v1/reports/{report_id}", f"/v1/templates/{BODY['templateId']}"):
            assert world.call("DELETE", path, None, WITHOUT_KEY).status == 204
    assert_gone(world, report_id)


def assert_gone(world: World, report_id: str) -> None:
    assert world.call("GET", f"/v1/reports/{report_id}", None, WITHOUT_KEY).code == "TPL-0011"


def test_refusals_below_the_sdk_are_seen_by_it(world: World) -> None:
    """The injection itself: as many tries as the SDK is configured for, and not one more."""
    with refused("s3", "GetObject", 500, b"", FOR_EVER) as tries, pytest.raises(ClientError):
        client("s3").get_object(Bucket="documents", Key="x")
    assert len(tries) == 4

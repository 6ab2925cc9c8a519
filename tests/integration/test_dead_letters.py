"""Dead letters: reports end or go on, requests are made again, and what nobody can read is kept, not lost."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reporter.aws.accept_function import AcceptFunction
from reporter.aws.clients import client
from reporter.errors import RequestError, Unavailable
from reporter.message import RenderMessage
from reporter.report import Status
from reporter.workflow.dead_letters import RequestRefused
from reporter.workflow.dead_letters import attend as attend_unwatched

from functions.accept import app as accept
from functions.dead_letters import app as dead_letters
from local.paths import ROOT
from tests.conformance.test_api_cases import NOW, REPORT, report_in
from tests.plant import Plant, stored
from tests.rights import acting
from tests.wire import Killed, Wire, hearing, wired
from tests.world import ORGANIZATION, TEMPLATE, Context

MESSAGE = RenderMessage(ORGANIZATION, REPORT)


def ports_of(plant: Plant) -> Any:
    return replace(dead_letters.ports, sweep=plant.sweeping)


def attend(message_id: str, body: str, ports: Any) -> str:
    """What the function does, within its rights; an accept function in this process has its own."""
    if isinstance(ports.requests, Accepting):
        return attend_unwatched(message_id, body, ports)
    with acting("DeadLettersFunction"):
        return attend_unwatched(message_id, body, ports)


def record(body: str, message_id: str = "m-1") -> dict[str, Any]:
    """A record as the event source has it."""
    return {"messageId": message_id, "body": body, "attributes": {"ApproximateReceiveCount": "3"}}


def kept() -> dict[str, Any]:
    """What lies in the bucket for somebody to look at."""
    objects = client("s3").list_objects_v2(Bucket="documents", Prefix="dead-letters/").get("Contents", [])
    bodies = {o["Key"]: client("s3").get_object(Bucket="documents", Key=o["Key"])["Body"].read() for o in objects}
    return {key: json.loads(body) for key, body in bodies.items()}


def requested(detail: dict[str, Any], time: datetime | None = None) -> dict[str, Any]:
    at = (time or datetime.now(UTC)).isoformat()
    return {"id": "e-1", "detail-type": "ReportRequested", "source": "bank", "time": at, "detail": detail}


def test_a_report_that_was_only_throttled_is_queued_again_and_finishes(plant: Plant) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    assert attend("m", message.as_text(), ports_of(plant)) == "Requeued"
    assert plant.waiting() == [message]
    assert plant.work(message) is None
    assert plant.report(report_id).status is Status.FINISHED
    assert plant.report(report_id).attempts == 1


def test_a_report_whose_attempts_are_used_up_ends_with_the_reason(plant: Plant) -> None:
    plant.world.add_report(report_in(ORGANIZATION, status=Status.PROCESSING, attempts=3, lease_until=NOW))
    with hearing() as heard:
        assert attend("m", MESSAGE.as_text(), ports_of(plant)) == "Ended"
    report = plant.report(REPORT)
    assert (report.status, report.error and report.error.code) == (Status.ERROR, "ATTEMPTS_USED_UP")
    assert [kind for kind, _detail in heard] == ["ReportFailed"]
    assert attend("m", MESSAGE.as_text(), ports_of(plant)) == "Left"


def test_a_report_that_was_throttled_for_too_long_ends_too(plant: Plant) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    plant.wait(plant.budget.queue_age + 1)
    assert attend("m", message.as_text(), ports_of(plant)) == "Ended"
    found = plant.report(report_id).error
    assert found is not None
    assert found.code == "WAITED_TOO_LONG"


def test_a_report_that_a_worker_holds_or_that_is_gone_needs_nothing(plant: Plant) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now.replace(year=2100))
    assert attend("m", message.as_text(), ports_of(plant)) == "Left"
    assert attend("m", MESSAGE.as_text(), ports_of(plant)) == "Left"
    assert plant.waiting() == []


def test_an_end_whose_event_never_got_out_is_told_again(plant: Plant) -> None:
    plant.post()
    [message] = plant.waiting()
    with wired(Wire(lose=5)) as wire:
        plant.work(message)
    assert wire.calls[5] == "PutEvents"
    with hearing() as heard:
        assert attend("m", message.as_text(), ports_of(plant)) == "TiedUp"
    assert [kind for kind, _detail in heard] == ["ReportFinished"]
    assert len(stored()) == 1


class Accepting:
    """The accept function, asked in this process."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def request(self, direct: Any) -> None:
        self.asked.append(direct)
        try:
            accept.handler(dict(direct), Context())
        except RequestError as refused:
            raise RequestRefused(str(refused)) from None


def test_a_requested_report_that_was_never_delivered_is_requested_again_once(plant: Plant) -> None:
    event = json.loads((ROOT / "events" / "accept_event.json").read_text()) | {"time": plant.now.isoformat()}
    requests = Accepting()
    ports = replace(ports_of(plant), requests=requests)
    assert attend("m-1", json.dumps(event), ports) == "Requested"
    assert attend("m-2", json.dumps(event), ports) == "Requested"
    assert accept.handler(event, Context())["replayed"] is True
    assert len(plant.world.rows("reports")) == 1
    destination = {"requestContext": {}, "requestPayload": event, "responsePayload": {"errorType": "Unavailable"}}
    assert attend("m-3", json.dumps(destination), ports) == "Requested"
    assert len(plant.world.rows("reports")) == 1
    assert kept() == {}
    sent = event["detail"].get("idempotencyKey") or f"event:{event['id']}"
    assert {asked["idempotencyKey"] for asked in requests.asked} == {sent}


def test_a_request_whose_key_may_be_forgotten_is_kept_and_makes_no_second_report(plant: Plant) -> None:
    detail = {"organizationId": ORGANIZATION, "templateId": TEMPLATE, "filters": {}}
    event = requested(detail, plant.now)
    assert accept.handler(event, Context())["replayed"] is False
    requests = Accepting()
    ports = replace(ports_of(plant), requests=requests)
    plant.wait(23 * 3600)
    assert attend("m-1", json.dumps(event), ports) == "Requested"
    plant.wait(3600 - 300)
    plant.world.age_keys(25 * 3600)
    assert attend("m-2", json.dumps(event), ports) == "Kept"
    assert (len(requests.asked), len(plant.world.rows("reports"))) == (1, 1)
    [found] = kept().values()
    assert event["time"] in found["reason"]
    assert json.loads(found["body"]) == event


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", None])
def test_a_request_with_a_time_that_tells_nothing_is_kept(plant: Plant, time: str | None) -> None:
    detail = {"organizationId": ORGANIZATION, "templateId": TEMPLATE, "filters": {}}
    event = requested(detail, plant.now) | {"time": time or (plant.now + timedelta(hours=1)).isoformat()}
    requests = Accepting()
    assert attend("m-1", json.dumps(event), replace(ports_of(plant), requests=requests)) == "Kept"
    assert requests.asked == []
    assert json.loads(next(iter(kept().values()))["body"]) == event


def test_a_request_that_can_never_be_accepted_is_kept_with_the_reason(plant: Plant) -> None:
    event = requested({"organizationId": ORGANIZATION, "templateId": REPORT, "filters": {}})
    requests = Accepting()
    ports = replace(ports_of(plant), requests=requests)
    assert attend("m-1", json.dumps(event), ports) == "Kept"
    refused = {"errorType": "RequestError", "errorMessage": "TPL-0011: no such template"}
    assert attend("m-2", json.dumps({"requestPayload": event, "responsePayload": refused}), ports) == "Kept"
    assert len(requests.asked) == 1
    assert {name: value["reason"] for name, value in kept().items()} == {
        "dead-letters/m-1.json": "TPL-0011: no such template",
        "dead-letters/m-2.json": "TPL-0011: no such template",
    }


@pytest.mark.parametrize(
    "body",
    [
        *["", "{", "[]", "null", "7", "\x00\ud800", "{}", "[" * 2000],
        *['{"version": 2}', '{"requestPayload": null}', '{"detail-type": "Other", "detail": {}}'],
        '{"detail-type": "ReportRequested", "detail": 7, "id": 1}',
    ],
)
def test_what_nobody_can_read_is_kept_whole(plant: Plant, body: str) -> None:
    for _twice in range(2):
        assert dead_letters.handler({"Records": [record(body)]}, Context()) == {"batchItemFailures": []}
    [found] = kept().values()
    assert found["body"].encode("utf-8", "backslashreplace") == body.encode("utf-8", "backslashreplace")
    assert found["reason"]


def test_only_what_could_not_be_attended_to_comes_back(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.world.add_report(report_in(ORGANIZATION))

    class Down:
        def request(self, _direct: Any) -> None:
            raise Unavailable("the accept function")

    monkeypatch.setattr(dead_letters, "ports", replace(dead_letters.ports, requests=Down()))
    event = requested({"organizationId": ORGANIZATION})
    records = [record(MESSAGE.as_text(), "a"), record(json.dumps(event), "b"), record("garbage", "c")]
    answer = dead_letters.handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "b"}]}
    assert plant.waiting() == [MESSAGE]
    assert list(kept()) == ["dead-letters/c.json"]


ENDING = ["GetItem", "UpdateItem", "PutEvents", "ListObjectVersions", "DeleteObject", "UpdateItem"]


def given_up(plant: Plant) -> dict[str, Any]:
    """The last message of a report that has no attempts left, and whose last worker stored something."""
    plant.world.add_report(report_in(ORGANIZATION, status=Status.PROCESSING, attempts=3, lease_until=NOW))
    client("s3").put_object(Bucket="documents", Key=f"documents/{ORGANIZATION}/{REPORT}/3.html", Body=b"late")
    return {"Records": [record(MESSAGE.as_text())]}


def test_the_calls_of_an_end_are_known(plant: Plant) -> None:
    event = given_up(plant)
    with wired(Wire()) as wire:
        assert dead_letters.handler(event, Context()) == {"batchItemFailures": []}
    assert wire.calls == ENDING


@pytest.mark.parametrize("kills", [False, True], ids=["lost", "killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(len(ENDING)))
def test_an_end_that_lost_a_call_is_whole_in_the_end(plant: Plant, lost: int, after: bool, kills: bool) -> None:
    """A message comes back when its function dies, as when the answer names it."""
    event = given_up(plant)
    with wired(Wire(lost, after, kill=kills)) as wire:
        try:
            back = bool(dead_letters.handler(event, Context())["batchItemFailures"])
        except Killed:
            back = True
    assert len(wire.calls) > lost, wire.calls
    if back:
        assert dead_letters.handler(event, Context()) == {"batchItemFailures": []}
    plant.wait(2)
    plant.sweep()
    report = plant.report(REPORT)
    assert (report.status, report.loose_ends, stored()) == (Status.ERROR, False, [])


def test_a_letter_is_counted_and_nothing_of_it_logged(
    plant: Plant, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    dead_letters.handler({"Records": [record('{"secret": "hush"}')]}, Context())
    told = capsys.readouterr().out
    assert '"DeadLetterKept":[1.0]' in told.replace(" ", "")
    assert "hush" not in told + caplog.text


class Lambda:
    """A stand-in for the Lambda client: the fake cloud does not run functions."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.sent: Any = None

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.sent = json.loads(request["Payload"])
        return {name: io.BytesIO(v.encode()) if name == "Payload" else v for name, v in self.answer.items()}


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ({"Payload": '{"id": "x"}'}, None),
        ({"FunctionError": "Unhandled", "Payload": '{"errorType": "RequestError", "errorMessage": "m"}'}, RequestRefused),
        ({"FunctionError": "Unhandled", "Payload": '{"errorType": "Unavailable"}'}, Unavailable),
        ({"FunctionError": "Unhandled", "Payload": '{"errorMessage": "Task timed out"}'}, Unavailable),
        ({"FunctionError": "Unhandled", "Payload": ""}, Unavailable),
    ],
)
def test_the_accept_functions_answer_is_read(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], raised: type[Exception] | None
) -> None:
    function = AcceptFunction("accept")
    stub = Lambda(**answer)
    monkeypatch.setattr(function, "_client", stub)
    if raised is None:
        function.request({"a": 1})
    else:
        with pytest.raises(raised):
            function.request({"a": 1})
    assert stub.sent == {"a": 1}


def test_a_request_that_fails_again_and_again_is_kept_in_the_end(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def request(self, _direct: Any) -> None:
            raise Unavailable("the accept function")

    monkeypatch.setattr(dead_letters, "ports", replace(dead_letters.ports, requests=Down()))
    letter = record(json.dumps(requested({"organizationId": ORGANIZATION})))
    answers = []
    for received in range(1, 6):
        letter["attributes"]["ApproximateReceiveCount"] = str(received)
        answers.append(bool(dead_letters.handler({"Records": [letter]}, Context())["batchItemFailures"]))
    assert answers == [True] * 4 + [False]
    [found] = kept().values()
    assert found["reason"] == "the accept function is not available, try again: asked 5 times"

"""Cancel, retry and delete over HTTP, beside workers that are early, late or dead."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from reporter.aws.clients import client
from reporter.deadline import Deadline
from reporter.document import Document, RowCounts
from reporter.errors import SourceUnavailable
from reporter.message import RenderMessage
from reporter.report import Report, ReportError, Status
from reporter.workflow.fulfil import FulfilPorts, TryLater, fulfil

from functions.accept import app as accept
from functions.worker import app as worker
from tests.conformance.test_api_cases import NOW, REPORT, add_finished, report_in, template_in
from tests.faults.injected import meanwhile, refused
from tests.wire import Wire, Worker, hearing, wired
from tests.world import ORGANIZATION, OTHER, Answer, World

HEADERS = {"X-Organization-Id": ORGANIZATION}
PATH = f"/v1/reports/{REPORT}"
FAILED: dict[str, Any] = {
    "status": Status.ERROR,
    "error": ReportError("SOURCE_UNAVAILABLE", "down"),
    "attempts": 3,
    "completed_at": NOW,
}


def changed(world: World, action: str, headers: dict[str, str] = HEADERS) -> Answer:
    """POST cancel or retry, or DELETE."""
    if action == "delete":
        return world.call("DELETE", PATH, None, headers)
    return world.call("POST", f"{PATH}/{action}", None, headers)


def stored() -> list[str]:
    """The keys of all versions of all documents, delete markers included."""
    found = client("s3").list_object_versions(Bucket="documents", Prefix="documents/")
    return [version["Key"] for kind in ("Versions", "DeleteMarkers") for version in found.get(kind, ())]


def row() -> Report:
    report = worker.ports.reports.get(ORGANIZATION, REPORT)
    assert report is not None
    return report


class SlowPress:
    """A press that lets something happen while it works."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile

    def make(
        self, _report: Report, folder: Path, _cancelled: Callable[[], bool], _deadline: Deadline
    ) -> tuple[Document, RowCounts]:
        path = folder / "document"
        path.write_bytes(b"made")
        self.meanwhile()
        return Document(path, 4, hashlib.sha256(b"made").hexdigest()), RowCounts(1, 1)


def working(meanwhile: Callable[[], object]) -> FulfilPorts:
    """The worker's ports, with something happening in mid-work."""
    return replace(worker.ports, press=SlowPress(meanwhile))


def work(ports: FulfilPorts) -> None:
    fulfil(RenderMessage(ORGANIZATION, REPORT), ports, worker.limits, lambda _seconds: None, Deadline(60))


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING])
def test_a_report_that_has_not_ended_is_canceled(world: World, status: Status) -> None:
    world.add_report(report_in(ORGANIZATION, status=status, attempts=0 if status is Status.PENDING else 1))
    with hearing() as heard:
        answer = changed(world, "cancel")
    assert answer.status == 200
    assert answer.body["status"] == "Canceled"
    assert answer.body["completedAt"] == answer.body["updatedAt"]
    assert list(answer.body) == list(report_in(ORGANIZATION).as_answer())
    assert world.call("GET", PATH, None, HEADERS).body == answer.body
    assert [(kind, detail["status"]) for kind, detail in heard] == [("ReportCanceled", "Canceled")]


@pytest.mark.parametrize("status", [Status.FINISHED, Status.ERROR, Status.CANCELED])
def test_a_report_that_has_ended_cannot_be_canceled(world: World, status: Status) -> None:
    world.add_report(report_in(ORGANIZATION, status=status))
    before = row()
    answer = changed(world, "cancel")
    assert (answer.status, answer.code) == (409, "TPL-0045")
    assert str(status) in answer.body["detail"]
    assert row() == before


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.ERROR])
def test_only_a_report_in_error_can_be_retried(world: World, status: Status) -> None:
    world.add_report(report_in(ORGANIZATION, status=status))
    answer = changed(world, "retry")
    assert (answer.status, answer.code) == (409, "TPL-0046")
    assert world.messages() == []


@pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
def test_what_is_not_there_is_not_found_and_what_has_expired_is_gone(world: World, action: str) -> None:
    assert (changed(world, action).status, changed(world, action).code) == (404, "TPL-0011")
    world.add_report(report_in(ORGANIZATION, **FAILED))
    assert changed(world, action, {"X-Organization-Id": OTHER}).code == "TPL-0011"
    world.add_report(report_in(ORGANIZATION, **FAILED, expires_at=NOW))
    assert (changed(world, action).status, changed(world, action).code) == (410, "TPL-0043")
    world.add_report(report_in(ORGANIZATION, **FAILED, deleted_at=NOW))
    assert changed(world, action).code == "TPL-0011"
    assert world.call("POST", "/v1/reports/nonsense/cancel", None, HEADERS).code == "TPL-0009"
    assert world.call("POST", f"{PATH}/cancel").code == "TPL-0004"


def test_a_retry_is_one_attempt_more_with_the_version_it_had_and_a_new_budget(world: World) -> None:
    text = b"v1"
    client("s3").put_object(Bucket="documents", Key="templates/v1", Body=text)
    first = template_in(ORGANIZATION, output_format="TXT", content_key="templates/v1")
    failed = replace(
        report_in(ORGANIZATION, **FAILED),
        output_format="TXT",
        template_key=first.content_key,
        template_sha256=hashlib.sha256(text).hexdigest(),
    )
    world.add_template(template_in(ORGANIZATION, version=2, content_key="templates/v2"))
    world.add_report(failed)
    answer = changed(world, "retry")
    assert answer.status == 200
    assert (answer.body["status"], answer.body["attempts"], answer.body["templateVersion"]) == ("PendingExtraction", 4, 1)
    assert answer.body["error"] is None
    assert answer.body["completedAt"] is None
    [message] = world.messages()
    assert RenderMessage.from_text(message["body"]) == RenderMessage(ORGANIZATION, REPORT)
    running = Worker()
    assert running.deliver(REPORT)
    report = world.call("GET", PATH, None, HEADERS).body
    assert (report["status"], report["attempts"], report["templateVersion"]) == ("Finished", 4, 1)
    assert (changed(world, "retry").status, row().attempts) == (409, 4)


def test_a_retried_report_has_all_its_attempts_again(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, **FAILED))
    assert changed(world, "retry").status == 200

    def down() -> None:
        raise SourceUnavailable("erp", "down")

    running = Worker()
    running._ports = replace(running._ports, press=SlowPress(down))
    outcomes = [running.deliver(REPORT) for _delivery in range(worker.limits.max_attempts)]
    assert outcomes == [False] * (worker.limits.max_attempts - 1) + [True]
    assert (row().status, row().attempts) == (Status.ERROR, 3 + worker.limits.max_attempts)


def test_two_retries_at_once_are_one(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, **FAILED))
    answers = [changed(world, "retry") for _call in range(2)]
    assert [answer.status for answer in answers] == [200, 409]
    assert row().attempts == 4
    assert len(world.messages()) == 1


def test_a_retry_whose_message_is_lost_is_due_to_be_looked_at(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, **FAILED))
    with wired(Wire(lose=4)) as wire:
        assert changed(world, "retry").status == 200
    assert wire.calls == ["GetItem", "UpdateItem", "UpdateItem", "UpdateItem", "SendMessage"]
    due = row().due_at
    assert due is not None
    assert timedelta() < due - datetime.now(UTC) <= timedelta(seconds=120)


def test_a_cancel_in_mid_work_stays_and_the_object_goes(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    with hearing() as heard:
        work(working(lambda: changed(world, "cancel")))
    assert row().status is Status.CANCELED
    assert stored() == []
    assert {kind for kind, _detail in heard} == {"ReportCanceled"}


def test_a_delete_in_mid_work_leaves_nothing(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    with hearing() as heard:
        work(working(lambda: changed(world, "delete")))
    assert (row().status, row().deleted) == (Status.CANCELED, True)
    assert stored() == []
    assert {kind for kind, _detail in heard} == {"ReportCanceled"}
    assert world.call("GET", PATH, None, HEADERS).code == "TPL-0011"


def test_a_finish_just_before_the_cancel_wins(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    work(working(lambda: None))
    answer = changed(world, "cancel")
    assert (answer.status, answer.code) == (409, "TPL-0045")
    assert row().status is Status.FINISHED
    assert len(stored()) == 1


def test_a_deleted_report_leaves_no_version_of_any_attempt(world: World) -> None:
    add_finished(world, ORGANIZATION, "TXT")
    neighbour = f"documents/{ORGANIZATION}/{REPORT}0/1.txt"
    for key in (f"documents/{ORGANIZATION}/{REPORT}/1.txt", f"documents/{ORGANIZATION}/{REPORT}/2.txt", neighbour):
        client("s3").put_object(Bucket="documents", Key=key, Body=b"again")
    client("s3").delete_object(Bucket="documents", Key=f"documents/{ORGANIZATION}/{REPORT}/2.txt")
    answer = changed(world, "delete")
    assert (answer.status, answer.body) == (204, "")
    assert stored() == [neighbour]
    for method, path in (("GET", PATH), ("GET", f"{PATH}/download"), ("DELETE", PATH)):
        assert world.call(method, path, None, HEADERS).code == "TPL-0011"
    assert world.call("GET", "/v1/reports", None, HEADERS).body["items"] == []
    assert row().deleted


def test_a_message_of_a_canceled_or_deleted_report_makes_nothing(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    changed(world, "cancel")
    running = Worker()
    assert running.deliver(REPORT)
    changed(world, "delete")
    assert running.deliver(REPORT)
    assert (row().attempts, stored()) == (0, [])


def test_a_derived_key_never_replays_a_deleted_report(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    body = {"templateId": template_in(ORGANIZATION).id, "filters": {}}
    first = world.call("POST", "/v1/reports", body, HEADERS)
    assert world.call("DELETE", f"/v1/reports/{first.body['id']}", None, HEADERS).status == 204
    second = world.call("POST", "/v1/reports", body, HEADERS)
    assert second.headers["x-idempotency-replayed"] == "false"
    assert second.body["id"] != first.body["id"]


def test_the_sdk_repeating_a_change_is_no_conflict(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, **FAILED))
    change = client("dynamodb").update_item

    def twice(**request: Any) -> Any:
        change(**request)
        return change(**request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client("dynamodb"), "update_item", twice)
        answer = changed(world, "retry")
    assert (answer.status, answer.body["attempts"]) == (200, 4)
    assert row().attempts == 4


def test_expiry_makes_a_report_answer_gone_and_its_making_pointless(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, expires_at=NOW - timedelta(seconds=1)))
    for path in (PATH, f"{PATH}/download"):
        answer = world.call("GET", path, None, HEADERS)
        assert (answer.status, answer.code) == (410, "TPL-0043")
    assert Worker().deliver(REPORT)
    found = row()
    assert (found.status, found.error and found.error.code) == (Status.ERROR, "EXPIRED")


@pytest.mark.parametrize("change", ["gone", "other bytes", "same length"])
def test_a_document_that_is_not_there_as_it_was_stored_is_gone(world: World, change: str) -> None:
    add_finished(world, ORGANIZATION, "TXT")
    key = row().document_key
    assert key is not None
    assert world.call("GET", f"{PATH}/download?redirect=false", None, HEADERS).status == 200
    if change == "gone":
        client("s3").delete_object(Bucket="documents", Key=key)
    else:
        client("s3").put_object(Bucket="documents", Key=key, Body=b"other" if change == "other bytes" else b"y")
    for query in ("", "?redirect=false"):
        answer = world.call("GET", f"{PATH}/download{query}", None, HEADERS)
        assert (answer.status, answer.code) == (410, "TPL-0043")
    assert world.call("GET", PATH, None, HEADERS).status == 200


def test_a_list_holds_no_expired_report(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, expires_at=NOW - timedelta(seconds=1)))
    kept = "0192f000-0000-7000-8000-0000000000a2"
    world.add_report(report_in(ORGANIZATION, kept, expires_at=NOW + timedelta(days=1)))
    items = world.call("GET", "/v1/reports", None, HEADERS).body["items"]
    assert [item["id"] for item in items] == [kept]


def test_a_template_says_when_its_reports_expire_and_a_request_may_say_otherwise(world: World) -> None:
    world.add_template(template_in(ORGANIZATION, expires_after_days=7))
    body = {"templateId": template_in(ORGANIZATION).id, "filters": {}}
    by_template = world.call("POST", "/v1/reports", body, HEADERS).body
    expected = datetime.fromisoformat(by_template["createdAt"]) + timedelta(days=7)
    assert datetime.fromisoformat(by_template["expiresAt"]) == expected
    wished = {**body, "expiresAt": "2030-01-31T12:00:00Z"}
    assert world.call("POST", "/v1/reports", wished, HEADERS).body["expiresAt"] == "2030-01-31T12:00:00.000Z"
    expiries = {int(found["expires"]["N"]) for found in world.rows("reports")}
    assert int((expected + timedelta(days=30)).timestamp()) in expiries


def test_no_report_outlives_its_document(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "ports", replace(accept.ports, document_days=5))
    world.add_template(template_in(ORGANIZATION, expires_after_days=7))
    body = {"templateId": template_in(ORGANIZATION).id, "filters": {}}
    by_template = world.call("POST", "/v1/reports", body, HEADERS).body
    expected = datetime.fromisoformat(by_template["createdAt"]) + timedelta(days=5)
    assert datetime.fromisoformat(by_template["expiresAt"]) == expected
    for wished in (expected + timedelta(days=1), datetime.max.replace(tzinfo=UTC)):
        answer = world.call("POST", "/v1/reports", {**body, "expiresAt": wished.isoformat()}, HEADERS)
        assert (answer.status, answer.code) == (400, "TPL-0017")
        assert "5 days ahead (DocumentDays)" in answer.body["fields"]["expiresAt"]["message"]


def test_a_link_dies_with_its_report(world: World) -> None:
    add_finished(world, ORGANIZATION, "TXT", expires_at=datetime.now(UTC) + timedelta(seconds=100))
    told = world.call("GET", f"{PATH}/download?redirect=false", None, HEADERS).body
    assert 90 < int(parse_qs(urlsplit(told["url"]).query)["X-Amz-Expires"][0]) <= 100


def test_the_end_of_a_report_is_told_before_it_is_deleted(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    with refused("events", "PutEvents", 503, b"{}"), pytest.raises(TryLater):
        work(working(lambda: None))
    assert (row().status, row().loose_ends) == (Status.FINISHED, True)
    with hearing() as heard:
        assert changed(world, "delete").status == 204
    assert [kind for kind, _detail in heard] == ["ReportFinished"]
    assert stored() == []


def test_a_delete_waits_until_others_can_hear_of_the_end(world: World) -> None:
    world.add_report(report_in(ORGANIZATION))
    with refused("events", "PutEvents", 503, b"{}"):
        answer = changed(world, "delete")
    assert (answer.status, row().status, row().deleted) == (503, Status.CANCELED, False)
    with hearing() as heard:
        assert changed(world, "delete").status == 204
    assert [kind for kind, _detail in heard] == ["ReportCanceled"]


def test_an_end_between_a_deletes_read_and_its_write_is_told_too(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, **FAILED))

    def retry_and_make() -> None:
        assert changed(world, "retry").status == 200
        with refused("events", "PutEvents", 503, b"{}"), pytest.raises(TryLater):
            work(working(lambda: None))
        heard.clear()

    with hearing() as heard, meanwhile("dynamodb", "UpdateItem", retry_and_make) as done:
        assert changed(world, "delete").status == 204
    assert done
    assert [kind for kind, _detail in heard] == ["ReportFinished"]

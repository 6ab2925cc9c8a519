"""Reports whose message or worker is lost: the sweeper brings every one to its end, within the deadline."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from reporter.aws.clients import client
from reporter.aws.due_reports import TURN
from reporter.aws.report_items import SHARDS, item_of, open_shard, open_shards
from reporter.errors import Unavailable
from reporter.message import RenderMessage
from reporter.report import ENDS, Report, Status
from reporter.workflow.sweep import Outcome, settle

from functions.reports import app as reports
from functions.sweeper import app as sweeper
from tests.conformance.test_api_cases import NOW, report_in
from tests.faults.injected import json_error, meanwhile, refused, xml_error
from tests.plant import BUDGET, REQUEUE, Killed, Killer, Plant, stored
from tests.wire import Killed as Died
from tests.wire import Wire, hearing, wired
from tests.world import ORGANIZATION, OTHER, Context

HEADERS = {"X-Organization-Id": ORGANIZATION}
WORKER_CALLS = 7
FINISHING = 4


def assert_whole(plant: Plant, report_id: str) -> None:
    """Finished, with one document: the row's."""
    report = plant.report(report_id)
    assert report.status is Status.FINISHED, report.error
    head = client("s3").head_object(Bucket="documents", Key=report.document_key)
    assert (head["ContentLength"], head["Metadata"]["sha256"]) == (report.size, report.sha256)


def test_a_report_that_was_accepted_but_never_queued_is_queued(plant: Plant) -> None:
    with refused("sqs", "SendMessage", 503, json_error("ServiceUnavailable")):
        answer = plant.world.call("POST", "/v1/reports", {"templateId": report_in("").template_id, "filters": {}}, HEADERS)
    assert answer.status == 503
    [row] = plant.world.rows("reports")
    report_id = row["id"]["S"]
    assert plant.waiting() == []
    assert plant.sweep() == {}
    plant.wait(REQUEUE + 1)
    assert plant.sweep() == {Outcome.REQUEUED: 1}
    assert plant.waiting() == [RenderMessage(ORGANIZATION, report_id)]
    assert plant.work(RenderMessage(ORGANIZATION, report_id)) is None
    assert_whole(plant, report_id)
    plant.wait(10 * REQUEUE)
    assert plant.sweep() == {}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(WORKER_CALLS))
def test_a_worker_that_dies_anywhere_is_replaced_though_its_message_never_returns(
    plant: Plant, at: int, after: bool
) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    killer = Killer(at, after)
    with hearing() as heard:
        plant.work(message, killer)
        assert len(killer.calls) == at + 1, killer.calls
        assert plant.run_to_the_end(report_id).opened_at + timedelta(seconds=BUDGET.seconds) >= plant.now
        assert_whole(plant, report_id)
        for _sweep in range(8):
            plant.wait(BUDGET.sweep)
            plant.sweep()
    assert {(kind, detail["reportId"]) for kind, detail in heard} == {("ReportFinished", report_id)}
    assert (plant.report(report_id).loose_ends, plant.report(report_id).due_at) == (False, None)
    assert len(stored()) == 1
    assert plant.report(report_id).attempts <= 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(FINISHING + 1))
def test_if_every_worker_dies_the_report_ends_within_the_deadline(plant: Plant, at: int, after: bool) -> None:
    report_id = plant.post()
    report = plant.run_to_the_end(report_id, Killer(at, after))
    if (at, after) >= (FINISHING, True):
        assert_whole(plant, report_id)
    elif at == 0 and not after:
        assert (report.attempts, report.error and report.error.code) == (0, "WAITED_TOO_LONG")
    else:
        assert (report.attempts, report.error and report.error.code) == (3, "ATTEMPTS_USED_UP")
        assert stored() == []
    assert (plant.now - report.opened_at).total_seconds() <= BUDGET.seconds


@pytest.mark.parametrize("waited", [0, 100, BUDGET.queue_age - 1, BUDGET.queue_age])
def test_a_report_whose_first_worker_comes_late_ends_within_the_deadline_too(plant: Plant, waited: int) -> None:
    report_id = plant.post()
    plant.wait(waited)
    report = plant.run_to_the_end(report_id, Killer(2, False))
    assert report.status is Status.ERROR
    assert (plant.now - report.opened_at).total_seconds() <= BUDGET.seconds


def test_a_report_whose_queue_swallows_everything_ends_within_the_deadline(plant: Plant) -> None:
    report_id = plant.post()
    sent = 0
    with hearing() as heard:
        while not plant.report(report_id).ended:
            sent += len(plant.waiting())
            plant.wait(BUDGET.sweep)
            plant.sweep()
    report = plant.report(report_id)
    assert report.error is not None
    assert report.error.code == "WAITED_TOO_LONG"
    assert (plant.now - report.opened_at).total_seconds() <= BUDGET.queue_age + BUDGET.sweep
    assert [(kind, detail["reportId"]) for kind, detail in heard] == [("ReportFailed", report_id)]
    # Twice as long each time: a long queue is not filled with copies.
    assert sent == 1 + 3


def test_a_worker_that_wakes_after_the_sweep_writes_nothing(plant: Plant) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    late = plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now + timedelta(seconds=120))
    plant.wait(181)
    assert plant.sweep() == {Outcome.REQUEUED: 1}
    assert plant.work(message) is None
    before = plant.report(report_id)
    assert (before.status, before.attempts) == (Status.FINISHED, 2)
    with pytest.raises(Exception, match="CONDITION_FAILED"):
        plant.ports.reports.extend_lease(late, plant.now, plant.now + timedelta(seconds=120))
    assert plant.report(report_id) == before


def test_a_report_that_a_live_worker_holds_is_left_alone(plant: Plant) -> None:
    report_id = plant.post()
    plant.waiting()
    held = plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now + timedelta(seconds=120))
    for _heartbeat in range(20):
        plant.wait(30)
        plant.ports.reports.extend_lease(held, plant.now, plant.now + timedelta(seconds=120))
        assert plant.sweep() == {}
    assert plant.waiting() == []


class Stale:
    """An index that still shows what is long over."""

    def __init__(self, *reports: Report) -> None:
        self._reports = reports

    def due(self, _now: datetime) -> Iterator[RenderMessage]:
        return (RenderMessage(report.organization_id, report.id) for report in self._reports)


def test_what_a_stale_index_says_is_checked_against_the_row(plant: Plant) -> None:
    report_id = plant.post()
    plant.waiting()
    early = plant.report(report_id)
    gone = report_in(OTHER)
    assert plant.work(RenderMessage(ORGANIZATION, report_id)) is None
    plant.wait(10_000)
    done = plant.report(report_id)
    assert plant.sweep(Stale(early, gone)) == {}
    assert plant.report(report_id) == done
    assert plant.waiting() == []


def test_a_stale_index_sends_nothing_for_a_report_that_is_held_or_not_due(plant: Plant) -> None:
    held, waiting = plant.post(metadata={"n": 1}), plant.post(metadata={"n": 2})
    plant.waiting()
    plant.ports.reports.claim(ORGANIZATION, held, plant.now, plant.now + timedelta(seconds=120))
    rows = plant.report(held), plant.report(waiting)
    assert plant.sweep(Stale(*rows)) == {}
    assert plant.waiting() == []
    assert (plant.report(held), plant.report(waiting)) == rows


def test_a_late_worker_cannot_write_while_the_next_one_works(plant: Plant) -> None:
    report_id = plant.post()
    late = plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now)
    plant.wait(1)
    plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now + timedelta(seconds=120))
    before = plant.report(report_id)
    with pytest.raises(Exception, match="CONDITION_FAILED"):
        plant.ports.reports.extend_lease(late, plant.now, plant.now + timedelta(days=1))
    assert plant.report(report_id) == before


def test_a_claim_between_read_and_write_wins(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    report_id = plant.post()
    plant.waiting()
    plant.wait(BUDGET.queue_age)
    read = plant.sweeping.ends.reports.get

    def overtaken(organization_id: str, found: str) -> Report | None:
        seen = read(organization_id, found)
        plant.ports.reports.claim(organization_id, found, plant.now, plant.now + timedelta(seconds=120))
        return seen

    monkeypatch.setattr(plant.sweeping.ends.reports, "get", overtaken)
    assert plant.sweep() == {}
    monkeypatch.undo()
    assert plant.report(report_id).status is Status.PROCESSING


def test_two_sweeps_at_once_do_it_once(plant: Plant) -> None:
    plant.post()
    plant.waiting()
    plant.wait(REQUEUE + 1)
    assert plant.sweep() == {Outcome.REQUEUED: 1}
    assert plant.sweep() == {}
    plant.wait(BUDGET.queue_age)
    assert plant.sweep() == {Outcome.ENDED: 1}
    with hearing() as heard:
        assert plant.sweep() == {}
    assert heard == []


def test_a_sweep_that_is_cut_short_goes_on_in_the_next(plant: Plant) -> None:
    for number in range(25):
        overdue = report_in(ORGANIZATION if number % 2 else OTHER, f"0192f000-0000-7000-8000-0000000002{number:02d}")
        plant.world.add_report(replace(overdue, due_at=NOW))
    plant.wait(1)
    found: list[RenderMessage] = []
    for _run in range(3):
        counts = plant.sweep(enough=partial(_used_up, iter(range(10))))
        assert counts[Outcome.REQUEUED] <= 10
        found += plant.waiting()
    assert len(found) == len(set(found)) == 25


def test_a_flood_of_one_organization_keeps_nobody_out_of_a_run(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """More has waited for longer than a run settles, in the parts that come first; a worker of somebody else died."""
    monkeypatch.setattr(random, "shuffle", lambda _parts: None)
    mine = report_in(ORGANIZATION, "0192f000-0000-7000-8000-000000000300", due_at=NOW)
    died = replace(mine, status=Status.PROCESSING, attempts=1, lease_until=NOW)
    plant.world.add_report(died)
    flood = [f"0192f000-0000-7000-8000-0000000004{number:02x}" for number in range(SHARDS * 2 * TURN)]
    for report_id in flood:
        plant.world.add_report(report_in(OTHER, report_id, due_at=NOW - timedelta(days=1)))
    plant.wait(1)
    assert plant.sweep(enough=partial(_used_up, iter(range(SHARDS * TURN + 1)))) == {Outcome.REQUEUED: SHARDS * TURN + 1}
    assert RenderMessage(ORGANIZATION, died.id) in plant.waiting()


def _used_up(left: Iterator[int]) -> bool:
    return next(left, None) is None


def test_one_report_that_cannot_be_settled_keeps_nobody_from_the_others(plant: Plant) -> None:
    broken = item_of(replace(report_in(ORGANIZATION), due_at=NOW))
    client("dynamodb").put_item(TableName="reports", Item={**broken, "status": {"S": "nonsense"}})
    plant.post()
    plant.waiting()
    plant.wait(REQUEUE + 1)
    assert plant.sweep() == {Outcome.REQUEUED: 1, Outcome.FAILED: 1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(3))
def test_a_requeue_that_lost_a_call_is_made_up_for_by_the_next(plant: Plant, lost: int, after: bool) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    plant.wait(REQUEUE + 1)
    with wired(Wire(lost, after)) as wire, pytest.raises(Unavailable):
        settle(message, plant.sweeping)
    assert wire.calls == ["GetItem", "SendMessage", "UpdateItem"][: lost + 1]
    plant.wait(2 * REQUEUE)
    plant.sweep()
    assert message in plant.waiting()
    plant.work(message)
    assert_whole(plant, report_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_index_that_cannot_be_read_fails_the_run_and_the_next_one_goes_on(plant: Plant, after: bool) -> None:
    plant.post()
    plant.waiting()
    plant.wait(REQUEUE + 1)
    with wired(Wire(0, after)), pytest.raises(Unavailable):
        plant.sweep()
    plant.sweep()
    assert len(plant.waiting()) == 1


ENDING = ["GetItem", "UpdateItem", "PutEvents", "ListObjectVersions", "DeleteObject", "UpdateItem"]


def hopeless(plant: Plant) -> RenderMessage:
    """A report whose worker died after storing, and whose time is over."""
    plant.post()
    [message] = plant.waiting()
    plant.work(message, Killer(4, False))
    assert len(stored()) == 1
    plant.wait(BUDGET.seconds)
    return message


def test_the_calls_of_an_end_by_the_sweeper_are_known(plant: Plant) -> None:
    message = hopeless(plant)
    with wired(Wire()) as wire:
        assert settle(message, plant.sweeping) is Outcome.ENDED
    assert wire.calls == ENDING


@pytest.mark.parametrize("kills", [False, True], ids=["lost", "killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", range(len(ENDING)))
def test_an_end_by_the_sweeper_that_lost_a_call_is_whole_after_the_next(
    plant: Plant, lost: int, after: bool, kills: bool
) -> None:
    message = hopeless(plant)
    report_id = message.report_id
    with hearing() as heard, wired(Wire(lost, after, kill=kills)) as wire:
        try:
            settle(message, plant.sweeping)
        except Died:
            assert kills
        except Unavailable:
            assert lost <= 1
    assert len(wire.calls) > lost, wire.calls
    plant.wait(1)
    plant.sweep()
    report = plant.report(report_id)
    assert (report.status, report.loose_ends, stored()) == (Status.ERROR, False, [])
    assert {kind for kind, _detail in heard} <= {"ReportFailed"}
    plant.wait(BUDGET.worker + 1)
    plant.sweep()
    assert plant.report(report_id).due_at is None


def test_a_document_that_a_dying_worker_leaves_of_a_canceled_report_is_removed(plant: Plant) -> None:
    report_id = plant.post()
    [message] = plant.waiting()
    killer = Killer(-1, False)
    cancel = f"/v1/reports/{report_id}/cancel"
    press: Any = plant.ports.press

    class Canceling:
        def make(self, *arguments: Any) -> Any:
            made = press.make(*arguments)
            assert plant.world.call("POST", cancel, None, HEADERS).status == 200
            killer.at, killer.calls = 1, []
            return made

    plant.ports = replace(plant.ports, press=Canceling())
    plant.work(message, killer)
    assert killer.calls == ["PutObject", "UpdateItem"]
    assert plant.report(report_id).status is Status.CANCELED
    assert len(stored()) == 1
    plant.wait(1000)
    assert plant.sweep() == {Outcome.TIED_UP: 1}
    assert stored() == []
    assert plant.report(report_id).due_at is None


@pytest.mark.parametrize(("service", "operation"), [("s3", "ListObjectVersions"), ("events", "PutEvents")])
def test_what_a_retry_has_made_meanwhile_is_not_swept_away(plant: Plant, service: str, operation: str) -> None:
    report_id = plant.post()
    plant.waiting()
    plant.wait(BUDGET.queue_age + 1)

    def retry_and_make() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reports, "ports", replace(reports.ports, ends=plant.sweeping.ends))
            assert plant.world.call("POST", f"/v1/reports/{report_id}/retry", None, HEADERS).status == 200
        for message in plant.waiting():
            plant.work(message)

    with meanwhile(service, operation, retry_and_make) as done:
        assert settle(RenderMessage(ORGANIZATION, report_id), plant.sweeping) is Outcome.ENDED
    assert done
    assert_whole(plant, report_id)
    assert stored() == [plant.report(report_id).document_key]


def test_a_document_whose_storing_seemed_to_fail_is_removed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = replace(BUDGET, max_attempts=1)
    monkeypatch.setattr(plant, "limits", replace(plant.limits, budget=budget))
    report_id = plant.post()
    [message] = plant.waiting()
    with refused("s3", "PutObject", 503, xml_error("SlowDown"), applied=True):
        plant.work(message)
    assert plant.report(report_id).status is Status.ERROR
    assert stored()
    plant.wait(BUDGET.worker + 1)
    assert plant.sweep() == {Outcome.TIED_UP: 1}
    assert stored() == []
    assert plant.sweep() == {}


def test_the_document_of_an_expired_report_goes_and_the_report_is_gone(plant: Plant) -> None:
    expiry = (plant.now + timedelta(hours=1)).replace(microsecond=0)
    report_id = plant.post(expiresAt=expiry.isoformat())
    [message] = plant.waiting()
    plant.work(message)
    assert_whole(plant, report_id)
    plant.wait(3599 - 1)
    plant.sweep()
    assert len(stored()) == 1
    plant.wait(3)
    assert plant.sweep() == {Outcome.TIED_UP: 1}
    assert stored() == []
    assert plant.report(report_id).due_at is None


def test_the_function_sweeps_and_counts(plant: Plant, capsys: pytest.CaptureFixture[str]) -> None:
    plant.world.add_report(replace(report_in(ORGANIZATION), due_at=NOW))
    assert sweeper.handler({}, LongContext()) == {"Requeued": 1}
    told = capsys.readouterr().out
    assert '"ReportRequeued":[1.0]' in told.replace(" ", "")
    assert '"Dimensions":[["stage","service"]]' in told.replace(" ", "")
    assert len(plant.waiting()) == 1
    plant.world.add_report(replace(report_in(ORGANIZATION), due_at=NOW))
    assert sweeper.handler({}, Context()) == {}


class LongContext(Context):
    """An invocation with time."""

    def get_remaining_time_in_millis(self) -> int:
        """A minute."""
        return 60_000


def test_the_index_is_sparse_and_divided(plant: Plant) -> None:
    report_id = plant.post()
    [row] = plant.world.rows("reports")
    assert row["openShard"]["S"] == open_shard(report_id, Status.PENDING)
    assert len(open_shards()) == 3 * SHARDS
    assert {open_shard(report_id, status) for status in ENDS} <= set(open_shards())
    [message] = plant.waiting()
    plant.work(message)
    [row] = plant.world.rows("reports")
    assert "openShard" not in row
    assert "dueAt" not in row


def test_killed_is_nothing_that_a_handler_of_ours_could_swallow() -> None:
    assert not issubclass(Killed, Exception)

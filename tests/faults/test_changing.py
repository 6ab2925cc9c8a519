"""Every AWS call of a cancel and of a delete is lost, or its process dies at it: in the end it is done, whole."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from reporter.aws.clients import client
from reporter.report import Report, Status

from functions.reports import app as reports
from tests.faults.injected import meanwhile
from tests.plant import Killer, Plant, stored
from tests.wire import Killed, Wire, hearing, wired
from tests.world import ORGANIZATION, Answer

WORKER_SECONDS = reports.ports.ends.worker_seconds
"""By then no worker can be alive that the door knows of."""
HEADERS = {"X-Organization-Id": ORGANIZATION}


def cancel(plant: Plant, report_id: str) -> Answer:
    return plant.world.call("POST", f"/v1/reports/{report_id}/cancel", None, HEADERS)


def delete(plant: Plant, report_id: str) -> Answer:
    return plant.world.call("DELETE", f"/v1/reports/{report_id}", None, HEADERS)


def in_work(plant: Plant) -> str:
    """A report whose worker has stored its document, and is heard of no more."""
    report_id = plant.post()
    plant.waiting()
    plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now + timedelta(seconds=120))
    client("s3").put_object(Bucket="documents", Key=f"documents/{ORGANIZATION}/{report_id}/1.txt", Body=b"made")
    return report_id


def finished(plant: Plant) -> str:
    """A report with its document."""
    report_id = plant.post()
    [message] = plant.waiting()
    plant.work(message)
    assert len(stored()) == 1
    return report_id


def untold(plant: Plant) -> str:
    """The same, but its worker died before telling anybody."""
    report_id = plant.post()
    [message] = plant.waiting()
    plant.work(message, Killer(5, False))
    assert plant.report(report_id).loose_ends
    return report_id


CANCELING = ["GetItem", "UpdateItem", "PutEvents", "ListObjectVersions", "DeleteObject", "UpdateItem"]
DELETING = ["GetItem", "GetItem", "UpdateItem", "ListObjectVersions", "DeleteObject", "UpdateItem"]
UNTOLD = [*DELETING[:2], "PutEvents", "ListObjectVersions", "UpdateItem", *DELETING[2:]]
CASES: dict[str, tuple[Callable[[Plant], str], Callable[[Plant, str], Answer], list[str]]] = {
    "cancel": (in_work, cancel, CANCELING),
    "delete": (finished, delete, DELETING),
    "delete untold": (untold, delete, UNTOLD),
    "delete in work": (
        in_work,
        delete,
        [*DELETING[:2], *CANCELING, "GetItem", "UpdateItem", "ListObjectVersions", "UpdateItem"],
    ),
}
TOLD = {
    "cancel": {"ReportCanceled"},
    "delete": set(),
    "delete untold": {"ReportFinished"},
    "delete in work": {"ReportCanceled"},
}
LOST, KILLED, BEFORE, AFTER = False, True, False, True
FATES = [(kills, after) for kills in (LOST, KILLED) for after in (BEFORE, AFTER)]
EACH_CALL = [
    pytest.param(case, at, kills, after, id=f"{case}-{at}-{'killed' if kills else 'lost'}-{'after' if after else 'before'}")
    for case, (_given, _change, calls) in CASES.items()
    for at in range(len(calls))
    # A single fate of what is made of others: those have all of them.
    for kills, after in (FATES if case in {"cancel", "delete"} else [(KILLED, BEFORE)])
]


@pytest.mark.parametrize("case", CASES)
def test_the_calls_of_a_change_are_known(plant: Plant, case: str) -> None:
    given, change, calls = CASES[case]
    report_id = given(plant)
    with wired(Wire()) as wire:
        assert change(plant, report_id).status in {200, 204}
    assert wire.calls == calls


def done(case: str, report: Report) -> bool:
    return report.status is Status.CANCELED if case == "cancel" else report.deleted


@pytest.mark.parametrize(("case", "at", "kills", "after"), EACH_CALL)
def test_a_change_that_lost_a_call_is_whole_in_the_end(plant: Plant, case: str, at: int, kills: bool, after: bool) -> None:
    """The caller asks again only where nothing was changed; the rest the sweeper does alone."""
    given, change, _calls = CASES[case]
    report_id = given(plant)
    with hearing() as heard:
        with wired(Wire(at, after, kill=kills)) as wire:
            if kills:
                with pytest.raises(Killed):
                    change(plant, report_id)
            else:
                told = change(plant, report_id).status
                assert told == 503 or (told in {200, 204} and done(case, plant.report(report_id)))
        assert len(wire.calls) > at
        if not done(case, plant.report(report_id)):
            assert change(plant, report_id).status in {200, 204}
        for _sweep in range(2):
            plant.wait(WORKER_SECONDS)
            plant.sweep()
    report = plant.report(report_id)
    assert done(case, report)
    assert (report.loose_ends, report.due_at, stored(), plant.waiting()) == (False, None, [], [])
    assert {kind for kind, _detail in heard} == TOLD[case]
    assert change(plant, report_id).status == (409 if case == "cancel" else 404)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(len(DELETING)))
def test_a_delete_that_lost_a_call_is_whole_after_another(plant: Plant, at: int, after: bool) -> None:
    report_id = finished(plant)
    with wired(Wire(at, after)):
        first = delete(plant, report_id)
    assert first.status in {204, 503}
    assert delete(plant, report_id).status in ({204, 404} if first.status == 503 else {404})
    assert plant.report(report_id).deleted
    assert stored() == []


def test_a_worker_that_is_slow_to_say_it_is_done_takes_no_deletes_loose_ends(plant: Plant) -> None:
    """It has told others of the end when the report is deleted; the delete dies before the document is removed."""
    report_id = plant.post()
    [message] = plant.waiting()

    def delete_and_die() -> None:
        with wired(Wire(UNTOLD.index("DeleteObject") - 1, kill=True)), pytest.raises(Killed):
            delete(plant, report_id)

    with meanwhile("events", "PutEvents", delete_and_die):
        plant.work(message)
    assert (plant.report(report_id).deleted, len(stored())) == (True, 1)
    plant.wait(1)
    plant.sweep()
    assert stored() == []

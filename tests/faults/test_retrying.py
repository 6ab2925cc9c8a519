"""Every AWS call of a retry is lost, or its process dies at it: the report is on its way once, and ends once."""

import pytest
from reporter.report import ReportError, Status

from tests.faults.injected import meanwhile
from tests.plant import Killed, Killer, Plant, stored
from tests.wire import Wire, hearing, wired
from tests.world import ORGANIZATION

HEADERS = {"X-Organization-Id": ORGANIZATION}
CALLS = [
    *["GetItem", "UpdateItem", "UpdateItem"],  # the report; the organization's count, and its minute begins
    *["PutEvents", "ListObjectVersions", "UpdateItem"],  # what the worker that ended it has left undone
    *["UpdateItem", "SendMessage"],
]


def failed(plant: Plant) -> str:
    """A report whose worker ended it in an error, and died before telling anybody."""
    report_id = plant.post()
    plant.waiting()
    # The count of requests begins anew with the next minute.
    plant.world.client("dynamodb").delete_item(TableName="limits", Key={"id": {"S": ORGANIZATION}})
    mine = plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now)
    plant.ports.reports.fail(mine, ReportError("SOURCE_UNAVAILABLE", "down"), plant.now)
    return report_id


def test_the_calls_of_a_retry_are_known(plant: Plant) -> None:
    report_id = failed(plant)
    with wired(Wire()) as wire:
        assert plant.world.call("POST", f"/v1/reports/{report_id}/retry", None, HEADERS).status == 200
    assert wire.calls == CALLS


@pytest.mark.parametrize("kills", [False, True], ids=["lost", "killed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(len(CALLS)))
def test_a_retry_that_lost_a_call_is_one_retry_in_the_end(plant: Plant, at: int, after: bool, kills: bool) -> None:
    report_id = failed(plant)
    path = f"/v1/reports/{report_id}/retry"
    killer, wire = Killer(at, after), Wire(at, after)
    with hearing() as heard:
        if kills:
            with killer.lurking(), pytest.raises(Killed):
                plant.world.call("POST", path, None, HEADERS)
        else:
            with wired(wire):
                assert plant.world.call("POST", path, None, HEADERS).status in {200, 503}
        assert len(killer.calls or wire.calls) > at
        assert plant.world.call("POST", path, None, HEADERS).status in {200, 409}
        report = plant.run_to_the_end(report_id)
    assert (report.status, report.attempts) == (Status.FINISHED, 2), report.error
    assert stored() == [report.document_key]
    told = {(kind, detail["eventId"]) for kind, detail in heard}
    assert told <= {("ReportFailed", f"{report_id}.1"), ("ReportFinished", f"{report_id}.2")}
    assert ("ReportFinished", f"{report_id}.2") in told


def test_a_retry_that_was_overtaken_never_uses_an_attempt_again(plant: Plant) -> None:
    """Between its read and its write another one retries the report, and that attempt fails too: its number is taken."""
    report_id = failed(plant)
    path = f"/v1/reports/{report_id}/retry"

    def retry_and_fail() -> None:
        assert plant.world.call("POST", path, None, HEADERS).status == 200
        mine = plant.ports.reports.claim(ORGANIZATION, report_id, plant.now, plant.now)
        assert mine.attempts == 2
        plant.ports.reports.fail(mine, ReportError("SOURCE_UNAVAILABLE", "down"), plant.now)

    with meanwhile("dynamodb", "UpdateItem", retry_and_fail):
        answer = plant.world.call("POST", path, None, HEADERS)
    assert (answer.status, answer.code) == (409, "TPL-0046")
    assert (plant.report(report_id).status, plant.report(report_id).attempts) == (Status.ERROR, 2)
    assert len(plant.waiting()) == 1
    assert plant.world.call("POST", path, None, HEADERS).body["attempts"] == 3

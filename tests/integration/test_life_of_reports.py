"""Reports through everything at once, at random: calls, deliveries twice and out of order, deaths, outages, time.

Whatever happened, the invariants hold after every step; and once the faults stop every report ends within its deadline,
every end was heard of, and no byte is left of what was canceled, deleted or ended in error.
"""

import hashlib
import os
from collections import defaultdict
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import moto
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from reporter.aws.clients import client
from reporter.errors import Unavailable
from reporter.message import RenderMessage
from reporter.report import Report, Status
from reporter.workflow.dead_letters import attend

from functions.accept import app as accept
from functions.dead_letters import app as dead_letters
from functions.reports import app as reports
from functions.status import app as status
from tests.plant import Killed, Killer, Plant, stored
from tests.wire import Wire, hearing, wired
from tests.world import ORGANIZATION, TEMPLATE, Answer, World

pytestmark = pytest.mark.timeout(14_400)
EXAMPLES, STEPS = (2000, 40) if os.environ.get("SOAK") else (100, 12)
HEADERS = {"X-Organization-Id": ORGANIZATION}
CODES = {
    "post": {None, "TPL-0018", "TPL-0039", "TPL-0040"},
    "cancel": {None, "TPL-0018", "TPL-0045", "TPL-0011"},
    "retry": {None, "TPL-0018", "TPL-0046", "TPL-0011"},
    "delete": {None, "TPL-0018", "TPL-0011"},
}
KINDS = {Status.FINISHED: "ReportFinished", Status.ERROR: "ReportFailed", Status.CANCELED: "ReportCanceled"}
FORWARD = {
    Status.PENDING: set(Status),
    Status.PROCESSING: {Status.PROCESSING, Status.FINISHED, Status.ERROR, Status.CANCELED},
    Status.FINISHED: {Status.FINISHED},
    Status.CANCELED: {Status.CANCELED},
    # The one way back: somebody retried it, and whoever looks late finds what has come of that.
    Status.ERROR: set(Status),
}


@dataclass(frozen=True)
class Fault:
    """One AWS call of a step goes wrong: the ``at``-th, before or after its effect; ``kills`` its process or not."""

    at: int
    after: bool
    kills: bool

    def lurking(self) -> AbstractContextManager[Any]:
        return Killer(self.at, self.after).lurking() if self.kills else wired(Wire(self.at, self.after))


FAULTS = st.none() | st.builds(Fault, st.integers(0, 7), st.booleans(), st.booleans())
MOMENTS = st.sampled_from([1, 20, 125, 400])
PICKS = st.integers(0, 30)


class LifeOfReports(RuleBasedStateMachine):
    """One organization's reports. Each step may meet one fault."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = ExitStack()
        self.closing.enter_context(moto.mock_aws())
        self.plant = Plant(World())
        self.plant.add_template()
        self.heard = self.closing.enter_context(hearing())
        patch = self.closing.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(accept, "ports", replace(accept.ports, clock=self.plant.clock))
        patch.setattr(reports, "ports", replace(reports.ports, ends=self.plant.sweeping.ends))
        patch.setattr(status, "clock", self.plant.clock)
        self.dead = replace(dead_letters.ports, sweep=self.plant.sweeping)
        self.by_key: dict[str, tuple[int, str]] = {}
        self.sent: list[RenderMessage] = []
        self.known: dict[str, Report] = {}
        self.looked_at: dict[str, Report] = {}
        self.bytes: dict[str, str] = {}
        self.retries: dict[str, int] = defaultdict(int)

    # -- what happens ---------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, fault: Fault | None, body: Any = None, **headers: str) -> Answer | None:
        """A client's call; None when the process died over it. An outage may only be told while there is one."""
        try:
            with fault.lurking() if fault else nullcontext():
                answer = self.plant.world.call(method, path, body, {**HEADERS, **headers})
        except Killed:
            return None
        assert answer.status != 500
        assert answer.status != 503 or fault is not None
        return answer

    @rule(key=st.sampled_from(["a", "b", "c"]), variant=st.integers(0, 1), fault=FAULTS)
    def post(self, key: str, variant: int, fault: Fault | None) -> None:
        body = {"templateId": TEMPLATE, "filters": {}, "metadata": {"variant": variant}}
        answer = self.call("POST", "/v1/reports", fault, body, **{"X-Idempotency": key})
        if answer is None:
            return
        assert answer.code in CODES["post"]
        first = self.by_key.get(key)
        if answer.status == 201:
            made = (variant, answer.body["id"])
            assert first in (None, made), "one key, one report"
            self.by_key[key] = made
        elif answer.code == "TPL-0040":
            assert first is None or first[0] != variant

    @rule(pick=PICKS, fault=FAULTS, fresh=st.booleans())
    def deliver(self, pick: int, fault: Fault | None, fresh: bool) -> None:
        """Any message there ever was, in any order, as often as it happens."""
        arrived = self.plant.waiting()
        self.sent += arrived
        choice = arrived if fresh and arrived else self.sent
        if choice:
            self.work(choice[pick % len(choice)], fault)

    def work(self, message: RenderMessage, fault: Fault | None) -> None:
        if fault is not None and not fault.kills:
            with fault.lurking():
                self.plant.work(message)
        else:
            self.plant.work(message, Killer(fault.at, fault.after) if fault else None)

    @rule(pick=PICKS, seconds=MOMENTS)
    def wake_late(self, pick: int, seconds: int) -> None:
        """A worker that has claimed a report is paused, and goes on when it may be somebody else's."""
        ids = sorted(self.known)
        if not ids:
            return
        reader = self.plant.ports.reports
        try:
            mine = reader.claim(ORGANIZATION, ids[pick % len(ids)], self.plant.now, self.plant.now + timedelta(seconds=120))
        except Exception as error:  # noqa: BLE001 - it has ended, is held or gone: there is nothing to be late for
            note(str(error))
            return
        self.plant.wait(seconds)
        self.plant.sweep()
        before = self.plant.report(mine.id)
        try:
            reader.extend_lease(mine, self.plant.now, self.plant.now + timedelta(seconds=120))
        except Exception as error:  # noqa: BLE001 - refused
            note(str(error))
            assert self.plant.report(mine.id) == before
        else:
            assert (before.attempts, before.status) == (mine.attempts, Status.PROCESSING)
            assert seconds <= 120, "its lease had run out"

    @rule(seconds=MOMENTS)
    def wait(self, seconds: int) -> None:
        self.plant.wait(seconds)

    @rule(fault=FAULTS)
    def sweep(self, fault: Fault | None) -> None:
        self.during(fault, self.plant.sweep)

    @rule(pick=PICKS, fault=FAULTS)
    def give_up_a_message(self, pick: int, fault: Fault | None) -> None:
        if self.sent:
            message = self.sent[pick % len(self.sent)]
            self.during(fault, lambda: attend("m", message.as_text(), self.dead))

    def during(self, fault: Fault | None, work: Any) -> None:
        try:
            with fault.lurking() if fault else nullcontext():
                work()
        except Killed:
            return
        except Unavailable:
            assert fault is not None

    @rule(pick=PICKS, what=st.sampled_from(["cancel", "retry", "retry", "delete"]), fault=FAULTS)
    def change(self, pick: int, what: str, fault: Fault | None) -> None:
        ids = sorted(self.known)
        if not ids:
            return
        report_id = ids[pick % len(ids)]
        if what == "delete":
            answer = self.call("DELETE", f"/v1/reports/{report_id}", fault)
        else:
            answer = self.call("POST", f"/v1/reports/{report_id}/{what}", fault)
        assert answer is None or answer.code in CODES[what]

    # -- what holds -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost_or_goes_backwards(self) -> None:
        rows = {row["id"]["S"]: self.plant.report(row["id"]["S"]) for row in self.plant.world.rows("reports")}
        assert {report_id for _variant, report_id in self.by_key.values()} <= set(rows)
        for report_id, report in rows.items():
            before = self.known.get(report_id)
            if before is not None:
                assert report.status in FORWARD[before.status]
                assert report.attempts >= before.attempts
                assert before.deleted_at in (None, report.deleted_at)
                if before.status in {Status.FINISHED, Status.CANCELED}:
                    assert replace(before, **never_mind(report)) == report
        self.known = rows

    @invariant()
    def what_is_finished_is_whole_and_stays_as_it_is(self) -> None:
        changed = [report for report in self.known.values() if self.looked_at.get(report.id) != report]
        self.looked_at = dict(self.known)
        for report in changed:
            answer = self.plant.world.call("GET", f"/v1/reports/{report.id}", None, HEADERS)
            assert answer.status == (404 if report.deleted else 200)
            if report.status is Status.FINISHED and not report.deleted:
                body = client("s3").get_object(Bucket="documents", Key=report.document_key)["Body"].read()
                digest = hashlib.sha256(body).hexdigest()
                assert (len(body), digest) == (report.size, report.sha256)
                assert self.bytes.setdefault(report.id, digest) == digest
            elif not report.deleted:
                told = self.plant.world.call("GET", f"/v1/reports/{report.id}/download", None, HEADERS)
                assert told.code == "TPL-0029"

    def teardown(self) -> None:
        try:
            self.stop_the_faults()
        finally:
            self.closing.close()

    def stop_the_faults(self) -> None:
        """And see every report to its end, its event and its document: from here on the sweeper runs as it should."""
        stopped = self.plant.now
        for report_id in self.known:
            self.plant.run_to_the_end(report_id, since=stopped)
        for _turn in range(4):
            self.plant.wait(self.plant.budget.worker + 1)
            self.plant.sweep()
        self.nothing_is_lost_or_goes_backwards()
        self.looked_at = {}
        self.what_is_finished_is_whole_and_stays_as_it_is()
        alive = [report for report in self.known.values() if not report.deleted]
        finished = {report.id: report.document_key for report in alive if report.status is Status.FINISHED}
        left = set(stored())
        assert set(finished.values()) <= left
        # A worker that died after its upload leaves bytes that nothing leads to; they go with the report.
        assert {key.split("/")[2] for key in left} == set(finished)
        told = defaultdict(set)
        for kind, detail in self.heard:
            told[detail["reportId"]].add((kind, detail["status"]))
        for report in alive:
            assert (KINDS[report.status], str(report.status)) in told[report.id]
            assert report.status is Status.FINISHED or not any(kind == "ReportFinished" for kind, _ in told[report.id])


def never_mind(report: Report) -> dict[str, Any]:
    """What may still change about an ended report: its deletion, and how far the sweeper is with it."""
    names = ("deleted_at", "due_at", "loose_ends", "updated_at")
    return {name: getattr(report, name) for name in names}


TestLifeOfReports = LifeOfReports.TestCase
TestLifeOfReports.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    # Making a failing life smaller takes minutes; a soak has them.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if os.environ.get("SOAK") else [])],
    suppress_health_check=list(HealthCheck),
)

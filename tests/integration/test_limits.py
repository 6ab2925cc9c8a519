"""What one organization may ask for, and that its thousand reports do not keep another's one waiting."""

import heapq
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import DynamoDBBackend
from reporter.aws.clients import client
from reporter.aws.limit_table import LimitTable
from reporter.aws.render_queue import SqsRenderQueue
from reporter.errors import NotNow, Unavailable
from reporter.message import RenderMessage
from reporter.report import Status
from reporter.workflow.fulfil import TryLater
from reporter.workflow.limits import OrganizationLimits, check_rate
from reporter.workflow.turns import Turns, turn

from functions.accept import app as accept
from functions.reports import app as reports
from functions.status import app as status
from functions.worker import app as worker
from tests.conformance.test_api_cases import NOW, REPORT, break_down, report_in, template_in
from tests.faults.injected import json_error, refused
from tests.wire import Wire, wired
from tests.world import ORGANIZATION, OTHER, TEMPLATE, Context, World

HEADERS = {"X-Organization-Id": ORGANIZATION}
BODY = {"templateId": TEMPLATE, "filters": {}}
MINUTE = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture
def table(world: World) -> LimitTable:
    return LimitTable("limits", 3, 2)


def own(organization: str, **limits: int) -> None:
    """As an operator sets an organization's own limits."""
    names = {f"#{name}": name for name in limits}
    client("dynamodb").update_item(
        TableName="limits",
        Key={"id": {"S": organization}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in limits),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={f":{name}": {"N": str(value)} for name, value in limits.items()},
    )


def test_a_minute_takes_so_many_and_the_next_as_many_again(table: LimitTable) -> None:
    assert [table.count(ORGANIZATION, MINUTE) for _call in range(5)] == [None, None, None, 3, 3]
    assert table.count(OTHER, MINUTE) is None
    assert [table.count(ORGANIZATION, MINUTE + timedelta(minutes=1)) for _call in range(4)] == [None, None, None, 3]


def test_a_clock_that_is_behind_counts_in_the_minute_of_the_one_ahead(table: LimitTable) -> None:
    late = MINUTE - timedelta(minutes=1)
    counted = [table.count(ORGANIZATION, window) for window in (MINUTE, late, MINUTE, late, MINUTE)]
    assert counted == [None, None, None, 3, 3]


def test_a_clock_that_is_far_ahead_shuts_nobody_out(table: LimitTable) -> None:
    ahead = MINUTE + timedelta(minutes=10)
    assert [table.count(ORGANIZATION, ahead) for _call in range(4)] == [None, None, None, 3]
    assert [table.count(ORGANIZATION, MINUTE) for _call in range(4)] == [None, None, None, 3]
    assert table.count(ORGANIZATION, MINUTE + timedelta(minutes=1)) is None


def test_a_place_whose_acknowledgement_is_lost_is_the_place(world: World) -> None:
    """The SDK asks again, and the condition fails on what the first call did."""
    only = LimitTable("limits", 3, 1)
    until = MINUTE + timedelta(seconds=120)
    place = only.take(ORGANIZATION, MINUTE, until)
    assert place is not None
    only.give_back(ORGANIZATION, place)
    for begun, ended in ((MINUTE, until), (until + timedelta(seconds=1), until + timedelta(days=1))):
        # The first time a place is free, the second time that of a silent worker is.
        with refused("dynamodb", "UpdateItem", 500, json_error("InternalServerError"), 1, applied=True) as lost:
            place = only.take(ORGANIZATION, begun, ended)
        assert len(lost) == 1
        assert place is not None
        assert only.take(ORGANIZATION, begun, ended) is None
    only.give_back(ORGANIZATION, place)
    assert only.take(ORGANIZATION, begun, ended) is not None


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_an_organization_may_have_limits_of_its_own(table: LimitTable, limit: int) -> None:
    own(ORGANIZATION, reportsPerMinute=limit, concurrentReports=limit)
    assert [table.count(ORGANIZATION, MINUTE) for _call in range(6)] == [None] * limit + [limit] * (6 - limit)
    places = [table.take(ORGANIZATION, MINUTE, MINUTE + timedelta(seconds=60)) for _call in range(6)]
    assert [place is not None for place in places] == [True] * limit + [False] * (6 - limit)
    assert table.of(ORGANIZATION) == OrganizationLimits(limit, limit)
    assert table.of(OTHER) == OrganizationLimits(3, 2)


def test_many_at_once_are_counted_exactly(table: LimitTable, monkeypatch: pytest.MonkeyPatch) -> None:
    # DynamoDB changes an item at one moment; what stands in for it here reads, thinks and writes.
    update, lock = DynamoDBBackend.update_item, Lock()

    def at_one_moment(*arguments: Any, **named: Any) -> Any:
        with lock:
            return update(*arguments, **named)

    monkeypatch.setattr(DynamoDBBackend, "update_item", at_one_moment)
    crowded = LimitTable("limits", 20, 7)
    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(lambda _n: crowded.count(ORGANIZATION, MINUTE), range(60)))
        until = MINUTE + timedelta(seconds=60)
        places = list(pool.map(lambda _n: crowded.take(ORGANIZATION, MINUTE, until), range(30)))
    assert counted.count(None) == 20
    assert sum(place is not None for place in places) <= 7
    assert crowded.take(ORGANIZATION, MINUTE, until) is None or sum(place is not None for place in places) < 7


@pytest.mark.parametrize("kind", ["table", "stand-in"])
def test_a_place_is_free_again_when_it_is_given_back_or_its_worker_silent(world: World, kind: str) -> None:
    table: Turns = LimitTable("limits", 3, 2) if kind == "table" else Places(2)
    until = MINUTE + timedelta(seconds=120)
    first, second = (table.take(ORGANIZATION, MINUTE, until) for _place in range(2))
    assert first is not None
    assert second is not None
    assert table.take(ORGANIZATION, MINUTE, until) is None
    table.give_back(ORGANIZATION, first)
    third = table.take(ORGANIZATION, MINUTE, until)
    assert third is not None
    table.extend(ORGANIZATION, third, until + timedelta(seconds=120))
    later = until + timedelta(seconds=1)
    assert table.take(ORGANIZATION, later, later + timedelta(seconds=120)) is not None
    assert table.take(ORGANIZATION, later, later + timedelta(seconds=120)) is None
    table.give_back(ORGANIZATION, second)
    table.extend(ORGANIZATION, second, later + timedelta(days=1))
    assert table.take(ORGANIZATION, later, later + timedelta(seconds=120)) is None


def test_a_limit_of_nought_is_off_and_asks_nobody(world: World) -> None:
    unlimited = LimitTable("limits", 0, 0)
    with wired(Wire()) as wire:
        assert all(unlimited.count(ORGANIZATION, MINUTE) is None for _call in range(10))
        place = unlimited.take(ORGANIZATION, MINUTE, MINUTE)
        assert place is not None
        unlimited.extend(ORGANIZATION, place, MINUTE)
        unlimited.give_back(ORGANIZATION, place)
    assert wire.calls == []
    assert unlimited.of(ORGANIZATION) == OrganizationLimits(None, None)


def test_too_many_posts_are_told_the_limit_its_value_and_what_to_do(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    world.add_template(template_in(OTHER))
    own(ORGANIZATION, reportsPerMinute=2)
    answers = [world.call("POST", "/v1/reports", BODY, {**HEADERS, "X-Idempotency": f"k{n}"}) for n in range(6)]
    refused = [answer for answer in answers if answer.status != 201]
    # A minute may end in between: then two more are let in.
    assert len(refused) >= 2
    for answer in refused:
        assert (answer.status, answer.code) == (429, "TPL-0429")
        assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert "2 reports a minute (reportsPerMinute)" in answer.body["detail"]
        assert f"try again in {answer.headers['retry-after']} seconds" in answer.body["detail"]
    assert len(world.rows("reports")) == 6 - len(refused)
    assert world.call("POST", "/v1/reports", BODY, {"X-Organization-Id": OTHER}).status == 201


def test_a_refused_post_leaves_its_key_free(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    own(ORGANIZATION, reportsPerMinute=0)
    headers = {**HEADERS, "X-Idempotency": "k"}
    assert world.call("POST", "/v1/reports", BODY, headers).status == 429
    assert world.rows("idempotency") == []
    own(ORGANIZATION, reportsPerMinute=1)
    assert world.call("POST", "/v1/reports", BODY, headers).status == 201


def test_a_requested_event_over_the_limit_fails_as_one_to_try_again(world: World) -> None:
    world.add_template(template_in(ORGANIZATION))
    own(ORGANIZATION, reportsPerMinute=0)
    with pytest.raises(NotNow, match="TPL-0429"):
        accept.handler({"organizationId": ORGANIZATION, **BODY}, Context())


def test_a_retry_counts_as_a_request(world: World) -> None:
    world.add_report(report_in(ORGANIZATION, status=Status.ERROR))
    own(ORGANIZATION, reportsPerMinute=0)
    assert world.call("POST", f"/v1/reports/{REPORT}/retry", None, HEADERS).code == "TPL-0429"
    assert world.call("POST", f"/v1/reports/{REPORT}/cancel", None, HEADERS).code == "TPL-0045"


def test_a_counter_that_is_down_keeps_nobody_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = LimitTable("limits", 1, 1)
    break_down(monkeypatch, "dynamodb")
    with pytest.raises(Unavailable):
        broken.count(ORGANIZATION, MINUTE)
    check_rate(ORGANIZATION, broken, lambda: NOW)
    with turn(ORGANIZATION, broken, lambda: NOW, 60, 1) as keep:
        keep(60)


def test_the_limits_in_force_can_be_asked_for(world: World) -> None:
    own(ORGANIZATION, concurrentReports=9)
    answer = world.call("GET", "/v1/limits", None, HEADERS)
    assert answer.status == 200
    assert answer.body["reportsPerMinute"] == status.settings.reports_per_minute
    assert answer.body["concurrentReports"] == 9
    assert answer.body["maxUploadBytes"] == 4 * 1024 * 1024
    assert answer.body["deadlineSeconds"] == worker.settings.budget().seconds
    assert world.call("GET", "/v1/limits", None, {"X-Organization-Id": OTHER}).body["concurrentReports"] == 5
    assert world.call("GET", "/v1/limits").code == "TPL-0004"


def record(receives: int = 1) -> dict[str, Any]:
    body = RenderMessage(ORGANIZATION, REPORT).as_text()
    attributes = {"ApproximateReceiveCount": str(receives)}
    return {"messageId": "m", "receiptHandle": "r", "body": body, "attributes": attributes}


@pytest.mark.parametrize(("receives", "hidden"), [(1, range(3, 6)), (3, range(8, 16)), (50, range(30, 61))])
def test_a_message_over_the_limit_comes_back_soon_and_uses_no_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch, receives: int, hidden: range
) -> None:
    world.add_report(report_in(ORGANIZATION))
    own(ORGANIZATION, concurrentReports=0)
    asked: list[int] = []
    monkeypatch.setattr(worker.queue, "hide", lambda _handle, seconds: asked.append(seconds))
    event = {"Records": [record(receives)]}
    assert worker.handler(event, LongContext()) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    [seconds] = asked
    assert seconds in hidden
    report = worker.ports.reports.get(ORGANIZATION, REPORT)
    assert report is not None
    assert (report.status, report.attempts) == (Status.PENDING, 0)


class LongContext(Context):
    """A worker's invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Two minutes."""
        return 120_000


def test_a_place_is_given_back_whatever_comes_of_the_work(table: LimitTable) -> None:
    for _time in range(6):
        with pytest.raises(SystemExit), turn(ORGANIZATION, table, lambda: NOW, 60, 1):
            raise SystemExit
    with turn(ORGANIZATION, table, lambda: NOW, 60, 1), turn(ORGANIZATION, table, lambda: NOW, 60, 1):
        with pytest.raises(TryLater), turn(ORGANIZATION, table, lambda: NOW, 60, 1):
            pass
        with turn(OTHER, table, lambda: NOW, 60, 1):
            pass


def test_the_group_of_a_message_is_its_organization(world: World) -> None:
    sent: list[dict[str, Any]] = []
    events = client("sqs").meta.events
    events.register("provide-client-params.sqs.SendMessage", lambda params, **_n: sent.append(params), unique_id="sent")
    try:
        accept.ports.queue.send(RenderMessage(ORGANIZATION, REPORT), "TXT")
    finally:
        events.unregister("provide-client-params.sqs.SendMessage", unique_id="sent")
    assert [message["MessageGroupId"] for message in sent] == [ORGANIZATION]


class NoGroups:
    """A queue service from before groups on standard queues."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        if "MessageGroupId" in message:
            raise ClientError({"Error": {"Code": "InvalidParameterValue", "Message": "no"}}, "SendMessage")
        self.sent.append(message)


def test_where_queues_know_no_groups_the_message_goes_without(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    queue, old = SqsRenderQueue("url", "pdf"), NoGroups()
    monkeypatch.setattr(queue, "_client", old)
    for output_format in ("TXT", "PDF"):
        queue.send(RenderMessage(ORGANIZATION, REPORT), output_format)
    assert [json.loads(message["MessageBody"])["reportId"] for message in old.sent] == [REPORT, REPORT]
    assert [message["QueueUrl"] for message in old.sent] == ["url", "pdf"]


class Places:
    """``Turns`` in memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[tuple[str, str], datetime] = {}

    def take(self, organization_id: str, now: datetime, until: datetime) -> str | None:
        alive = [key for key, end in self._held.items() if key[0] == organization_id and end >= now]
        if self._limit and len(alive) >= self._limit:
            return None
        place = uuid4().hex
        self._held[organization_id, place] = until
        return place

    def extend(self, organization_id: str, place: str, until: datetime) -> None:
        if (organization_id, place) in self._held:
            self._held[organization_id, place] = until

    def give_back(self, organization_id: str, place: str) -> None:
        self._held.pop((organization_id, place), None)


@dataclass
class Scheduler:
    """A standard queue of the plain kind, first come first served, and some workers, on a clock of its own."""

    limit: Turns
    workers: int = 10
    work_seconds: float = 30
    look_seconds: float = 0.05
    now: datetime = MINUTE
    begun: dict[str, datetime] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)

    def run(self, messages: list[tuple[str, str]]) -> None:
        """Until every message's report is made. Each event: when, its number, and what happens then."""
        visible = list(messages)
        received = dict.fromkeys([name for _organization, name in messages], 0)
        idle, number = self.workers, 0
        coming: list[tuple[datetime, int, Callable[[], int]]] = []

        def at(seconds: float, act: Callable[[], int]) -> None:
            nonlocal number
            number += 1
            heapq.heappush(coming, (self.now + timedelta(seconds=seconds), number, act))

        def back(message: tuple[str, str]) -> int:
            visible.append(message)
            return 0

        while visible or coming:
            while visible and idle:
                idle -= 1
                organization, name = visible.pop(0)
                received[name] += 1
                held = turn(organization, self.limit, lambda: self.now, 120, received[name])
                try:
                    held.__enter__()
                except TryLater as later:
                    at(later.seconds, partial(back, (organization, name)))
                    at(self.look_seconds, lambda: 1)
                    continue
                self.begun[name] = self.now

                def done(held: Any = held, name: str = name) -> int:
                    held.__exit__(None, None, None)
                    self.ended[name] = self.now
                    return 1

                at(self.work_seconds, done)
            self.now, _number, act = heapq.heappop(coming)
            idle += act()


def test_one_organizations_flood_does_not_keep_anothers_report_waiting() -> None:
    flood = [(ORGANIZATION, f"a{n}") for n in range(1000)]
    limited = Scheduler(Places(5))
    limited.run([*flood, (OTHER, "b")])
    open_to_all = Scheduler(Places(0))
    open_to_all.run([*flood, (OTHER, "b")])
    waited = (limited.begun["b"] - MINUTE).total_seconds()
    assert waited < 10
    assert (open_to_all.begun["b"] - MINUTE).total_seconds() > 2900
    assert len(limited.ended) == 1001
    # The flood itself gets its five workers nearly all of the time.
    least = 1000 * limited.work_seconds / 5
    assert (max(limited.ended.values()) - MINUTE).total_seconds() < 1.3 * least


def test_the_reports_door_and_the_accept_door_count_in_one_place() -> None:
    rates = [door.ports.check_rate.keywords["rates"] for door in (accept, reports)]
    assert {(table._table, table._rate) for table in rates} == {("limits", 3000)}
    assert replace(OrganizationLimits(1, 2), concurrent_reports=None).as_answer()["concurrentReports"] is None

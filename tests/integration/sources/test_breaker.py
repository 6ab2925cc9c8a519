"""The circuit breaker: one dead source is left alone by all workers, tried by one, and forgiven for all."""

from collections.abc import Iterator
from typing import Any

import moto
import pytest
from botocore.exceptions import EndpointConnectionError
from reporter.aws.clients import client
from reporter.errors import ReportFailure, SourceResting, SourceUnavailable
from reporter.sources.breaker import SourceBreaker

from tests.wire import Wire, wired

FAILURES, SECONDS = 3, 30


class Clock:
    """Everybody's clock."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    with moto.mock_aws():
        client("dynamodb").create_table(
            TableName="schemas",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "source", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "source", "KeyType": "HASH"}],
        )
        yield Clock()


def worker(clock: Clock, **more: Any) -> SourceBreaker:
    settings = {"failures": FAILURES, "seconds": SECONDS, "cache_seconds": 60, **more}
    return SourceBreaker(client, "schemas", clock=clock, **settings)


def read(breaker: SourceBreaker, error: Exception | None = None, source: str = "erp") -> str:
    """How one report's read goes: read, failed, resting."""
    try:
        with breaker.guarding(source):
            if error is not None:
                raise error
    except SourceResting:
        return "resting"
    except ReportFailure:
        return "failed"
    return "read"


DOWN = SourceUnavailable("erp", "down")


def test_after_some_failures_in_a_row_nobody_tries_any_more(clock: Clock) -> None:
    first, second = worker(clock), worker(clock)
    assert [read(first, DOWN), read(second, DOWN)] == ["failed", "failed"]
    assert read(first, DOWN) == "resting", "the failure that opens it is no attempt"
    asked: list[str] = []
    # One that knows, and one that has just started.
    for breaker in (first, worker(clock)):
        with pytest.raises(SourceResting) as resting, breaker.guarding("erp"):
            asked.append("erp")
        assert 0 < resting.value.seconds <= SECONDS
    assert not asked
    assert read(first, None, "other") == "read"


def test_a_success_in_between_begins_the_count_anew(clock: Clock) -> None:
    breaker = worker(clock)
    assert [read(breaker, DOWN), read(breaker, DOWN), read(breaker)] == ["failed", "failed", "read"]
    assert [read(breaker, DOWN), read(breaker, DOWN), read(breaker)] == ["failed", "failed", "read"]


def test_failures_long_ago_do_not_count(clock: Clock) -> None:
    breaker = worker(clock)
    for _day in range(5):
        assert read(breaker, DOWN) == "failed"
        clock.now += 86_400


def open_it(clock: Clock) -> SourceBreaker:
    breaker = worker(clock)
    for _failure in range(FAILURES):
        read(breaker, DOWN)
    return breaker


def test_a_source_that_has_rested_is_tried_by_one_report_only(clock: Clock) -> None:
    first, second = open_it(clock), worker(clock)
    assert read(second) == "resting"
    clock.now += SECONDS + 1
    with first.guarding("erp"):
        assert read(second) == "resting"
        assert read(worker(clock)) == "resting"
    assert read(worker(clock)) == "read"
    # The one that had seen it resting lets it rest to the end at most.
    clock.now += SECONDS + 1
    assert read(second) == "read"


def test_a_trial_that_fails_lets_the_source_rest_again(clock: Clock) -> None:
    first, second = open_it(clock), worker(clock)
    clock.now += SECONDS + 1
    assert read(second, DOWN) == "resting"
    assert read(first) == read(second) == "resting"
    clock.now += SECONDS + 1
    assert read(first) == "read"


def test_a_trial_whose_worker_dies_is_repeated(clock: Clock) -> None:
    first, second = open_it(clock), worker(clock)
    clock.now += SECONDS + 1
    with pytest.raises(KeyboardInterrupt), first.guarding("erp"):
        raise KeyboardInterrupt
    assert read(second) == "resting"
    clock.now += SECONDS + 1
    assert read(second) == "read"


@pytest.mark.parametrize(
    "error",
    [
        ReportFailure("SOURCE_CHANGED", "a table went"),
        SourceUnavailable("erp", "a query took too long", dead=False),
        SourceUnavailable("other", "another source of the same report"),
    ],
    ids=["changed", "slow", "another"],
)
def test_what_does_not_show_that_the_source_is_dead_is_not_counted(clock: Clock, error: ReportFailure) -> None:
    breaker = worker(clock)
    assert [read(breaker, error) for _report in range(FAILURES + 1)] == ["failed"] * (FAILURES + 1)


def test_a_healthy_source_costs_one_read_a_minute(clock: Clock) -> None:
    breaker = worker(clock)
    with wired(Wire()) as wire:
        assert [read(breaker) for _report in range(100)] == ["read"] * 100
    assert wire.calls == ["GetItem"]


def test_what_one_network_cannot_reach_another_may(clock: Clock) -> None:
    outside = [worker(clock, network="outside") for _door in range(2)]
    assert [read(outside[0], DOWN) for _failure in range(FAILURES)] == ["failed", "failed", "resting"]
    assert read(outside[1]) == "resting"
    inside = open_it(clock)
    assert read(worker(clock), None, "other") == "read"
    clock.now += SECONDS + 1
    # A success there says nothing of here.
    assert read(outside[0]) == read(worker(clock, network="outside")) == "read"
    assert read(inside, DOWN) == "resting"


def test_who_may_not_write_goes_by_what_others_say_and_by_what_it_has_seen(clock: Clock) -> None:
    silent = worker(clock, shares=False)
    with wired(Wire()) as wire:
        assert [read(silent, DOWN) for _failure in range(FAILURES)] == ["failed", "failed", "resting"]
        assert read(silent) == "resting"
        clock.now += SECONDS + 1
        assert [read(silent, DOWN), read(silent)] == ["resting", "resting"]
        clock.now += SECONDS + 1
        assert [read(silent), read(silent)] == ["read", "read"]
    assert set(wire.calls) == {"GetItem"}
    assert read(worker(clock)) == "read"
    open_it(clock)
    assert read(worker(clock, shares=False)) == "resting"


def test_without_the_table_each_worker_goes_by_what_it_has_seen(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = worker(clock)

    def lost(**_request: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://lost")

    for call in ("get_item", "update_item", "delete_item"):
        monkeypatch.setattr(client("dynamodb"), call, lost)
    assert [read(breaker, DOWN) for _failure in range(FAILURES)] == ["failed", "failed", "resting"]
    assert read(breaker) == "resting"
    clock.now += SECONDS + 1
    assert read(breaker) == "read"

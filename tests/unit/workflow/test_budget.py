"""The deadline of every report, computed from the settings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from reporter.report import Report, Status
from reporter.settings import BudgetSettings

from tests.conformance.test_api_cases import report_in

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DEFAULTS = BudgetSettings().budget()


def waiting(**more: object) -> Report:
    return replace(report_in("o"), created_at=NOW, **more)  # type: ignore[arg-type]


def test_the_deadline_is_queue_age_plus_attempts_times_worker_lease_and_sweep() -> None:
    assert DEFAULTS.seconds == 86_400 + 3 * (900 + 120 + 60)
    assert BudgetSettings(max_attempts=2, queue_age_seconds=10, worker_seconds=60, sweep_minutes=2).budget().seconds == (
        10 + 2 * (60 + 120 + 120)
    )


@pytest.mark.parametrize("attempts", range(4))
def test_the_next_attempt_must_begin_so_early_that_the_rest_fits(attempts: int) -> None:
    rest = (DEFAULTS.max_attempts - attempts) * DEFAULTS.attempt
    assert DEFAULTS.begin_by(waiting(), attempts) + timedelta(seconds=rest) == NOW + timedelta(seconds=DEFAULTS.seconds)


def test_a_report_is_hopeless_from_the_very_second_on() -> None:
    last = DEFAULTS.begin_by(waiting(), 0)
    assert DEFAULTS.hopeless(waiting(), 0, last - timedelta(milliseconds=1)) is None
    found = DEFAULTS.hopeless(waiting(), 0, last)
    assert found is not None
    assert found.code == "WAITED_TOO_LONG"


def test_a_retry_begins_the_time_and_the_attempts_anew() -> None:
    later = NOW + timedelta(days=40)
    retried = waiting(status=Status.PENDING, attempts=4, attempts_before=3, retried_at=later)
    assert retried.tries == 0
    assert DEFAULTS.hopeless(retried, retried.tries, later + timedelta(hours=23)) is None
    working = replace(retried, status=Status.PROCESSING)
    assert working.tries == 1


def test_a_report_that_has_expired_is_hopeless_at_once() -> None:
    found = DEFAULTS.hopeless(waiting(expires_at=NOW), 0, NOW)
    assert found is not None
    assert found.code == "EXPIRED"

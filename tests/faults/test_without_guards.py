"""Each guard is taken out, and the test that shows it must fail: a test that passes without its guard shows nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from reporter.aws import reservations
from reporter.aws.document_bucket import DocumentBucket
from reporter.aws.due_reports import DueIndex
from reporter.aws.idempotency import _Attempt
from reporter.aws.report_table import ReportTable
from reporter.sources.postgresql_session import Session
from reporter.workflow import describe, sweep

from functions.worker import app as worker
from local.postgresql import EmbeddedPostgres
from tests.faults import test_accepting as accepting
from tests.faults import test_changing as deleting
from tests.faults import test_retrying as retrying
from tests.faults import test_waiting as waiting
from tests.faults import test_working as working
from tests.faults.injected import without
from tests.integration import test_changing_reports as changing
from tests.integration import test_sweeping as sweeping
from tests.plant import Plant
from tests.world import World


@dataclass(frozen=True)
class Guard:
    """``function`` without the piece ``guard`` of its source, which ``instead`` replaces, makes ``check`` fail."""

    fault: str
    function: Any
    guard: str
    instead: str
    check: Callable[..., None]


CLAIM = "(#status = :pending OR (#status = :processing AND leaseUntil < :updatedAt))"
ANY_CLAIM = "(#status IN (:pending, :processing) OR attribute_exists(id))"
MINE = "#status = :mine AND attempts = :attempt"
SEEN = """if report.ended:
        return _tied_up(report, ports) if due or (dead and report.loose_ends) else Outcome.LEFT
    if report.held(now) or not (due or dead):
        return Outcome.LEFT"""
EXPIRED = ' or found["expiration"] < now'
LONE = working.test_a_worker_that_wakes_after_its_lease_writes_nothing_though_nobody_has_the_report
BOUND = "attribute_not_exists(id) OR expiration < :now"


def on_plant(check: Callable[..., None], *more: Any) -> Callable[[World], None]:
    """A check that is given a plant."""

    def run(world: World) -> None:
        plant = Plant(world)
        plant.add_template()
        check(plant, *more)

    return run


GUARDS = [
    Guard(
        "F1",
        sweep.settle,
        "ports.queue.send(message, report.output_format)",
        "pass",
        on_plant(sweeping.test_a_report_that_was_accepted_but_never_queued_is_queued),
    ),
    Guard("F2", ReportTable.claim, CLAIM, ANY_CLAIM, accepting.test_a_message_sent_twice_makes_one_document),
    Guard(
        "F4",
        reservations.bound_to,
        EXPIRED,
        "",
        accepting.test_a_key_that_has_expired_gives_nothing_to_who_comes_while_the_next_call_runs,
    ),
    Guard(
        "F5",
        _Attempt.adopt,
        "bound.content_hash != self.call.content_hash",
        "False",
        partial(accepting.test_a_key_whose_first_call_died_after_storing_is_not_lent_to_other_content, over=True),
    ),
    Guard(
        "F9",
        reservations.add_with_reservation,
        BOUND,
        f"{BOUND} OR attribute_exists(id)",
        accepting.test_an_owner_that_completes_after_the_next_one_gives_the_same_report,
    ),
    Guard(
        "F10",
        reservations.add_with_reservation,
        BOUND,
        f"{BOUND} OR attribute_exists(id)",
        accepting.test_an_owner_that_fails_after_the_next_one_completed_takes_nothing_away,
    ),
    Guard("F12", ReportTable.claim, CLAIM, ANY_CLAIM, working.test_a_second_delivery_changes_nothing_and_tells_nobody),
    Guard("F13", ReportTable.claim, CLAIM, ANY_CLAIM, working.test_of_two_workers_at_the_same_moment_one_gets_the_report),
    Guard(
        "F14",
        ReportTable._work,
        MINE,
        "#status = :mine AND attempts >= :attempt",
        working.test_a_worker_that_wakes_after_its_lease_writes_nothing_while_another_works,
    ),
    Guard(
        "F14",
        ReportTable._work,
        " AND leaseUntil >= :asOf",
        " AND :asOf = :asOf",
        lambda world: working.test_a_worker_that_wakes_after_its_lease_writes_nothing_though_nobody_has_the_report(
            world, False
        ),
    ),
    Guard(
        "F17",
        ReportTable.get,
        ", ConsistentRead=True",
        "",
        accepting.test_what_was_just_written_is_found_although_reads_may_be_stale,
    ),
    Guard(
        "F23",
        worker.done,
        "except BaseException as error:",
        "except Exception as error:",
        lambda world: with_patch(working.test_of_a_batch_exactly_the_bad_and_the_late_come_back, world),
    ),
    Guard(
        "F26",
        DocumentBucket._put,
        'IfNoneMatch="*",',
        "",
        working.test_an_upload_whose_acknowledgement_is_lost_is_found_to_be_ours,
    ),
    Guard(
        "F26",
        DocumentBucket._settle,
        '.get("sha256") != sha256',
        '.get("sha256") is None',
        working.test_an_upload_over_other_bytes_is_never_taken_for_ours,
    ),
    Guard(
        "F28",
        describe.download,
        "not links.holds(report)",
        "False",
        lambda world: changing.test_a_document_that_is_not_there_as_it_was_stored_is_gone(world, "gone"),
    ),
    Guard(
        "F29",
        DocumentBucket.read_bytes,
        "!= sha256",
        "== ''",
        lambda world: working.test_a_template_that_is_missing_cut_or_another_ends_the_report(world, b"another template"),
    ),
    Guard(
        "F32",
        reservations.bound_to,
        EXPIRED,
        "",
        accepting.test_a_key_that_has_expired_gives_nothing_when_the_transaction_is_cancelled,
    ),
    Guard(
        "F34",
        ReportTable._work,
        MINE,
        "(#status = :mine OR attempts = :attempt)",
        changing.test_a_cancel_in_mid_work_stays_and_the_object_goes,
    ),
    Guard(
        "F35",
        sweep.settle,
        SEEN,
        "pass",
        on_plant(sweeping.test_what_a_stale_index_says_is_checked_against_the_row),
    ),
    Guard(
        "F37",
        DueIndex.due,
        "turns.append(pages)",
        "pass",
        waiting.test_what_fills_many_pages_is_settled_whole,
    ),
    Guard(
        "F37",
        DueIndex.due,
        "turns.append(pages)",
        "turns.appendleft(pages)",
        lambda world: with_patch(
            on_plant_with_patch(sweeping.test_a_flood_of_one_organization_keeps_nobody_out_of_a_run), world
        ),
    ),
    Guard(
        "F36",
        ReportTable._unchanged,
        "#status = :seen AND attempts = :seenAttempts AND {lease}",
        "attribute_exists(id)",
        lambda world: with_patch(on_plant_with_patch(sweeping.test_a_claim_between_read_and_write_wins), world),
    ),
    Guard(
        "Retry",
        ReportTable.retry,
        " AND attempts = :seenAttempts",
        " AND attempts >= :seenAttempts",
        on_plant(retrying.test_a_retry_that_was_overtaken_never_uses_an_attempt_again),
    ),
    Guard(
        "Delete",
        ReportTable.tied_up,
        "updatedAt = :seenUpdate",
        "updatedAt >= :seenUpdate",
        on_plant(deleting.test_a_worker_that_is_slow_to_say_it_is_done_takes_no_deletes_loose_ends),
    ),
]


def with_patch(check: Callable[..., None], world: World) -> None:
    """A check that is given something to patch with."""
    with pytest.MonkeyPatch.context() as patch:
        check(world, patch)


def on_plant_with_patch(check: Callable[..., None]) -> Callable[[World, pytest.MonkeyPatch], None]:
    """A check that is given a plant and something to patch with."""
    return lambda world, patch: on_plant(check, patch)(world)


@pytest.mark.parametrize("guard", GUARDS, ids=[f"{guard.fault}-{guard.function.__name__}" for guard in GUARDS])
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, world: World) -> None:
    with without(guard.function, guard.guard, guard.instead), pytest.raises((AssertionError, SystemExit)):
        guard.check(world)


def test_a_count_that_is_not_compared_is_missed(world: World, postgres: EmbeddedPostgres) -> None:
    """F39: the server's own count of rows."""
    guard = "counted + len(lines) != cursor.rowcount"
    with without(Session.copy, guard, "False"), pytest.raises(AssertionError):
        working.test_a_lost_row_never_makes_a_short_document(world, postgres)


def test_the_faults_whose_guards_must_be_shown_are_among_them() -> None:
    shown = {guard.fault for guard in GUARDS} | {"F39"}
    assert {"F2", "F9", "F13", "F14", "F26", "F34", "F39"} <= shown

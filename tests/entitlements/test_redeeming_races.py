"""Two at once, and processes that are killed: one entitlement is used for one run, once."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.services.locking import EntitlementFrozenError
from entitlements.services.redeeming import RunUsedError
from programs.models import CourseRun
from tests.core.outbox.test_races import at_once
from tests.entitlements.factories import EntitlementFactory
from tests.entitlements.sessions import (
    AT,
    deliver,
    leave,
    offered_run,
    redeem,
    run_of,
    run_used,
    stored,
)
from tests.forks import was_killed
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + timedelta(hours=1)
ROUNDS = 50 if os.environ.get("FULL") else 3
STEP = 1 if os.environ.get("FULL") else 3
MOST_STATEMENTS = 200


def redeeming(entitlement: CourseEntitlement, run: CourseRun) -> Callable[[], object]:
    return lambda: redeem(entitlement, run)


def active_at(lms: StandInLms, user: User) -> set[str]:
    return {
        key
        for (name, key), one in lms.enrollments.items()
        if name == user.username and one.is_active
    }


def assert_settled(entitlement: CourseEntitlement, run: CourseRun, lms: StandInLms) -> None:
    """It is used for this run, there and here, and nothing is under way."""
    assert run_of(entitlement) == run
    assert active_at(lms, entitlement.user) == {run.key}
    active = entitlement.user.course_enrollments.filter(is_active=True)
    assert [one.course_run for one in active] == [run]
    assert not entitlement.redemptions.filter(status="pending").exists()
    assert not OutboxMessage.objects.filter(
        kind__in=["entitlements.enroll", "entitlements.unenroll"], status__in=["pending", "dead"]
    ).exists()
    assert rows_without_true_history(CourseEntitlement) == 0


# --- Two at once ----------------------------------------------------------------------------------


def test_of_two_that_redeem_for_two_runs_one_is_refused(lms: StandInLms) -> None:
    def work(run: CourseRun) -> Callable[[], object]:
        def until_the_other_was_refused() -> object:
            try:
                return redeem(entitlement, run)
            except EntitlementFrozenError as refusal:
                lms.release()
                return refusal

        return until_the_other_was_refused

    for _round in range(ROUNDS):
        entitlement = EntitlementFactory.create()
        runs = offered_run(entitlement), offered_run(entitlement)
        lms.hold()

        results = at_once(*(work(run) for run in runs))

        (attempt,) = (one for one in results if isinstance(one, CourseEntitlementRedemption))
        assert attempt.status == "done"
        assert sum(isinstance(one, EntitlementFrozenError) for one in results) == 1
        assert_settled(entitlement, attempt.course_run, lms)
        assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 2


def test_two_that_redeem_for_the_same_run_do_it_once(lms: StandInLms) -> None:
    for _round in range(ROUNDS):
        entitlement = EntitlementFactory.create()
        run = offered_run(entitlement)

        at_once(redeeming(entitlement, run), redeeming(entitlement, run), lambda: deliver(LATER))
        deliver(LATER)

        assert_settled(entitlement, run, lms)
        assert entitlement.redemptions.count() == 1
        assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 2


def test_of_two_entitlements_for_one_run_one_is_used(lms: StandInLms) -> None:
    def work(entitlement: CourseEntitlement) -> Callable[[], object]:
        def redeem_if_possible() -> object:
            try:
                return redeem(entitlement, run)
            except RunUsedError as refusal:
                return refusal

        return redeem_if_possible

    for _round in range(ROUNDS):
        first = EntitlementFactory.create()
        run = offered_run(first)
        second = EntitlementFactory.create(user=first.user, course=run.course)

        at_once(work(first), work(second))
        deliver(LATER)

        used, unused = sorted((first, second), key=lambda one: run_of(one) is None)
        assert_settled(used, run, lms)
        assert run_of(unused) is None
        assert not unused.redemptions.exclude(status="refused").exists()


def test_one_that_is_left_and_switched_at_once_is_used_for_one_run_or_none(
    lms: StandInLms,
) -> None:
    def if_possible(work: Callable[[], object]) -> Callable[[], object]:
        def tried() -> object:
            try:
                return work()
            except EntitlementFrozenError as refusal:
                return refusal

        return tried

    for _round in range(ROUNDS):
        entitlement = EntitlementFactory.create(redeemed=True)
        old, new = used_at(lms, entitlement), offered_run(entitlement)

        at_once(
            if_possible(lambda: leave(entitlement)),  # noqa: B023 - done within the round
            if_possible(redeeming(entitlement, new)),
        )
        deliver(LATER)

        if run_of(entitlement):
            assert_settled(entitlement, new, lms)
        assert old.key not in active_at(lms, entitlement.user)


def used_at(lms: StandInLms, entitlement: CourseEntitlement) -> CourseRun:
    run = run_used(entitlement)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("verified", is_active=True)
    return run


# --- Killed ---------------------------------------------------------------------------------------


def test_who_switches_again_after_a_kill_at_any_statement_has_done_it_once(
    lms: StandInLms,
) -> None:
    kills_after_the_call = 0
    for statement in range(1, MOST_STATEMENTS, STEP):
        entitlement = EntitlementFactory.create(redeemed=True)
        used_at(lms, entitlement)
        run = offered_run(entitlement)
        is_alive = not was_killed(statement, redeeming(entitlement, run))
        is_done = run_of(entitlement) == run
        kills_after_the_call += not is_done and run.key in active_at(lms, entitlement.user)

        redeem(entitlement, run, at=LATER)
        deliver(LATER)

        assert_settled(entitlement, run, lms)
        assert entitlement.redemptions.count() == 1
        changes = CourseEntitlement.history.filter(id=entitlement.pk)
        assert changes.count() == 2
        assert stored(entitlement).redeemed_at in {AT, LATER}
        if is_alive:
            break
    else:
        pytest.fail("No process got to the end.")
    assert kills_after_the_call

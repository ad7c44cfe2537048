"""What the LMS hears of sessions, and what comes of its answers."""

from datetime import timedelta

import pytest

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from entitlements.enums import ExpiryReason, RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.services import states
from entitlements.services.locking import EntitlementFrozenError
from entitlements.services.states import Ending
from tests.entitlements.at_lms import known_to, mode_at
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, EntitlementFactory, by_at
from tests.entitlements.sessions import (
    AT,
    deliver,
    enrolled,
    leave,
    offered_run,
    redeem,
    run_of,
    stored,
)
from tests.programs.factories import LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=1)


def end(entitlement: CourseEntitlement) -> None:
    states.end({entitlement.pk: Ending(ExpiryReason.REVOKE)}, by=by_at(AT))


def message_of(attempt: CourseEntitlementRedemption) -> OutboxMessage:
    return OutboxMessage.objects.get(dedupe_key=f"entitlements.enroll:{attempt.pk}")


# --- Enrolling ------------------------------------------------------------------------------------


def test_enrolls_at_the_lms(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)

    attempt = redeem(entitlement, run)

    assert attempt
    assert attempt.status == RedemptionStatus.DONE
    assert mode_at(lms, entitlement, run) == "verified"
    assert run_of(entitlement) == run
    assert enrolled(entitlement.user) == {run.key: "verified"}


def test_upgrades_who_is_in_the_run_for_free_though_the_portal_does_not_know(
    lms: StandInLms,
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("honor", is_active=True)

    redeem(entitlement, run)

    assert mode_at(lms, entitlement, run) == "verified"
    assert run_of(entitlement) == run


def test_leaves_alone_who_takes_the_run_in_another_paid_mode(
    lms: StandInLms, announced: Heard
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("professional", is_active=True)

    attempt = redeem(entitlement, run)

    assert attempt
    assert (attempt.status, attempt.refusal) == ("refused", "already_paid")
    assert mode_at(lms, entitlement, run) == "professional"
    assert run_of(entitlement) is None
    assert announced == []


def test_a_switch_enrolls_first_and_then_leaves(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    old, new = known_to(lms, entitlement), offered_run(entitlement)

    redeem(entitlement, new)

    posted = [call.body for call in lms.calls if call.method == "POST" and "enroll" in call.path]
    assert [(body["course_details"]["course_id"], body["is_active"]) for body in posted] == [
        (new.key, True),
        (old.key, False),
    ]
    assert (mode_at(lms, entitlement, old), mode_at(lms, entitlement, new)) == (None, "verified")
    assert enrolled(entitlement.user) == {new.key: "verified"}


@pytest.mark.parametrize("told", ["closed", "expired"])
def test_a_refused_switch_leaves_the_old_session_intact(
    lms: StandInLms, announced: Heard, told: str
) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    old, new = known_to(lms, entitlement), offered_run(entitlement)
    if told == "closed":
        lms.closed_runs.add(new.key)
    else:
        lms.expired_modes.add((new.key, "verified"))

    attempt = redeem(entitlement, new)

    assert attempt
    assert (attempt.status, attempt.refusal) == ("refused", "http_400")
    assert run_of(entitlement) == old
    assert mode_at(lms, entitlement, old) == "verified"
    assert enrolled(entitlement.user) == {old.key: "verified"}
    assert announced == []


def test_a_learner_whom_the_lms_does_not_know_keeps_the_entitlement(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create()
    lms.unknown_learners.add(entitlement.user.username)

    attempt = redeem(entitlement, offered_run(entitlement))

    assert attempt
    assert (attempt.status, attempt.refusal) == ("refused", "http_406")
    assert run_of(entitlement) is None


# --- Answers that do not come ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 500, 503])
def test_while_the_lms_is_down_it_is_being_used_and_then_it_is(
    lms: StandInLms, status: int
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.fail(status, path="/enrollment")

    attempt = redeem(entitlement, run)

    assert attempt
    assert attempt.status == RedemptionStatus.PENDING
    assert run_of(entitlement) is None
    with pytest.raises(EntitlementFrozenError):
        leave(entitlement)
    lms.recover()
    deliver(LATER)
    attempt.refresh_from_db()
    assert attempt.status == RedemptionStatus.DONE
    assert run_of(entitlement) == run


def test_asking_again_while_the_lms_is_down_is_the_same_attempt(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.fail(500, path="/enrollment")

    attempts = [redeem(entitlement, run) for _ in range(3)]

    assert len(set(attempts)) == 1
    assert OutboxMessage.objects.count() == 1


def test_an_answer_that_was_lost_after_the_work_enrolls_once(
    lms: StandInLms, announced: Heard
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.fail(0, path="/enrollment/v1/enrollment", body="verified", after_work=True, times=1)

    attempt = redeem(entitlement, run)
    deliver(LATER)

    assert attempt
    attempt.refresh_from_db()
    assert attempt.status == RedemptionStatus.DONE
    assert len([call for call in lms.calls if "is_active" in str(call.body)]) == 1
    assert len(announced) == 1
    assert stored(entitlement).redeemed_at == LATER


def test_a_switch_stands_though_leaving_fails_and_is_told_later(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    old, new = known_to(lms, entitlement), offered_run(entitlement)
    lms.fail(500, path="/enrollment", body=old.key)

    redeem(entitlement, new)

    assert run_of(entitlement) == new
    assert mode_at(lms, entitlement, old) == "verified"
    lms.recover()
    deliver(LATER)
    assert mode_at(lms, entitlement, old) is None
    assert enrolled(entitlement.user) == {new.key: "verified"}


# --- What happened meanwhile ----------------------------------------------------------------------


def ended_while_under_way(
    lms: StandInLms, entitlement: CourseEntitlement, *, after_work: bool
) -> CourseEntitlementRedemption:
    run = offered_run(entitlement)
    lms.fail(0, path="/enrollment/v1/enrollment", body="verified", after_work=after_work, times=1)
    attempt = redeem(entitlement, run)
    assert attempt
    end(entitlement)
    deliver(LATER)
    attempt.refresh_from_db()
    return attempt


@pytest.mark.parametrize("after_work", [True, False])
def test_one_that_was_ended_meanwhile_is_not_used_and_its_learner_unenrolled_again(
    lms: StandInLms, after_work: bool
) -> None:
    entitlement = EntitlementFactory.create()

    attempt = ended_while_under_way(lms, entitlement, after_work=after_work)

    assert (attempt.status, attempt.refusal) == ("abandoned", "entitlement_ended")
    assert mode_at(lms, entitlement, attempt.course_run) is None
    assert run_of(entitlement) is None
    assert enrolled(entitlement.user) == {}


def test_one_that_is_ended_while_the_lms_answers_is_not_used(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.fail(500, path="/enrollment", times=1)
    attempt = redeem(entitlement, run)
    assert attempt
    # The LMS has enrolled the learner; then staff end the entitlement; then we record.
    message = message_of(attempt)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("verified", is_active=True)
    end(entitlement)
    outbox.settle(
        [dead(message).pk],
        verdict=outbox.Verdict.MARK_DONE,
        actor=LearnerFactory.create(),
        reason="The LMS has it",
        at=LATER,
    )
    deliver(LATER)

    attempt.refresh_from_db()
    assert attempt.status == RedemptionStatus.ABANDONED
    assert mode_at(lms, entitlement, run) is None


def dead(message: OutboxMessage) -> OutboxMessage:
    OutboxMessage.objects.filter(pk=message.pk).update(status="dead", attempts=8)
    return message


def test_staff_give_up_an_attempt_that_nobody_answers(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    lms.fail(0, path="/enrollment/v1/enrollment", body="verified", after_work=True, times=1)
    attempt = redeem(entitlement, run)
    assert attempt

    outbox.settle(
        [dead(message_of(attempt)).pk],
        verdict=outbox.Verdict.GIVE_UP,
        actor=LearnerFactory.create(),
        reason="The LMS is gone",
        at=LATER,
    )
    deliver(LATER)

    attempt.refresh_from_db()
    assert (attempt.status, attempt.refusal) == ("refused", "settled_by_staff")
    assert mode_at(lms, entitlement, run) is None
    redeem(entitlement, run, at=AT + DAY)
    assert run_of(entitlement) == run

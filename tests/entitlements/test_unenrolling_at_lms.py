"""What the LMS hears of sessions that are left, and what comes of its answers."""

from datetime import timedelta

import pytest

from credentials_portal.accounts.services import retire_user
from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from entitlements.services.unenrolling import UNENROLL
from tests.entitlements.at_lms import known_to, mode_at
from tests.entitlements.factories import EntitlementFactory
from tests.entitlements.sessions import (
    AT,
    deliver,
    enrolled,
    leave,
    redeem,
    run_of,
)
from tests.programs.factories import LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=1)


def test_leaving_unenrolls_at_the_lms(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = known_to(lms, entitlement)

    leave(entitlement)

    assert lms.enrollments == {
        (entitlement.user.username, run.key): Enrolled("verified", is_active=False)
    }
    assert enrolled(entitlement.user) == {}


def test_one_who_leaves_and_comes_back_while_the_lms_is_down_is_enrolled_in_the_end(
    lms: StandInLms,
) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = known_to(lms, entitlement)
    lms.fail(500, path="/enrollment")
    leave(entitlement)
    redeem(entitlement, run)
    lms.recover()

    for hours in range(1, 4):
        deliver(AT + timedelta(hours=hours))

    assert mode_at(lms, entitlement, run) == "verified"
    assert enrolled(entitlement.user) == {run.key: "verified"}
    assert run_of(entitlement) == run


def test_coming_back_at_once_waits_for_the_leaving(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = known_to(lms, entitlement)
    leave(entitlement)

    redeem(entitlement, run)

    assert mode_at(lms, entitlement, run) == "verified"
    assert run_of(entitlement) == run


def test_who_takes_the_run_in_another_mode_by_now_is_not_unenrolled(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = known_to(lms, entitlement)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("professional", is_active=True)

    leave(entitlement)

    assert mode_at(lms, entitlement, run) == "professional"
    assert OutboxMessage.objects.get(kind=UNENROLL).reason == "changed_since"


def test_a_refused_unenrollment_is_for_people_to_look_at(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    known_to(lms, entitlement)
    lms.unknown_learners.add(entitlement.user.username)

    leave(entitlement)

    assert run_of(entitlement) is None
    message = OutboxMessage.objects.get(kind=UNENROLL)
    assert (message.status, message.reason) == ("dead", "http_406")


def test_staff_who_retry_an_old_unenrollment_do_not_take_the_run_from_who_came_back(
    lms: StandInLms,
) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = known_to(lms, entitlement)
    lms.unknown_learners.add(entitlement.user.username)
    leave(entitlement)
    lms.unknown_learners.clear()
    redeem(entitlement, run)

    message = OutboxMessage.objects.get(kind=UNENROLL)
    outbox.settle(
        [message.pk],
        verdict=outbox.Verdict.TRY_AGAIN,
        actor=LearnerFactory.create(),
        reason="The LMS knows the learner again",
        at=LATER,
    )
    deliver(LATER)

    message.refresh_from_db()
    assert (message.status, message.reason) == ("skipped", "taken_again")
    assert mode_at(lms, entitlement, run) == "verified"
    assert run_of(entitlement) == run


def test_who_left_the_portal_is_not_looked_for_at_the_lms(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    known_to(lms, entitlement)
    lms.fail(500, path="/enrollment")
    leave(entitlement)
    retire_user(user=entitlement.user, at=AT, actor=None, reason="for a test")

    lms.recover()
    deliver(LATER)

    assert OutboxMessage.objects.get(kind=UNENROLL).reason == "learner_left"

import logging
from datetime import datetime
from typing import Any

import pytest

from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.services.leaving import leave_entitlement
from entitlements.services.locking import (
    EntitlementExpiredError,
    EntitlementFrozenError,
    EntitlementNotFoundError,
)
from entitlements.services.unenrolling import UNENROLL
from entitlements.signals import (
    EntitlementFact,
    entitlement_expired,
    entitlement_refund_opened,
    entitlement_released,
)
from programs.models import CourseRun
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, INSTANT, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import (
    AT,
    enrolled,
    leave,
    offered_run,
    redeem,
    run_of,
    run_used,
    stored,
    unenroll,
)
from tests.programs.factories import CourseCertificateFactory

pytestmark = pytest.mark.django_db

DAY_20 = SOLD + 20 * DAY


def certify(entitlement: CourseEntitlement) -> None:
    CourseCertificateFactory.create(user=entitlement.user, course_run=run_used(entitlement))


# --- By the learner's wish ------------------------------------------------------------------------


def test_who_leaves_is_unenrolled_and_may_use_the_entitlement_again(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = run_used(entitlement)

    left = leave(entitlement)

    assert (left.enrollment_course_run, left.redeemed_at, left.expired_at) == (None, None, None)
    assert enrolled(entitlement.user) == {}
    assert [(signal, facts[0].course_run_id) for signal, facts in announced] == [
        (entitlement_released, run.pk)
    ]
    assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 2
    redeem(entitlement, run)
    assert run_of(entitlement) == run


def test_leaving_without_a_run_does_nothing(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()

    left = leave(entitlement)

    assert left == entitlement
    assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 1
    assert announced == []


@pytest.mark.parametrize(
    ("at", "is_late"), [(SOLD + 15 * DAY - INSTANT, False), (SOLD + 15 * DAY, True)]
)
def test_a_run_can_be_left_through_the_whole_of_day_14(at: datetime, is_late: bool) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    if is_late:
        with pytest.raises(EntitlementExpiredError):
            leave(entitlement, at=at)
    else:
        leave(entitlement, at=at)

    assert (run_of(entitlement) is None) is not is_late


def test_who_earned_a_certificate_cannot_leave() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    certify(entitlement)

    with pytest.raises(EntitlementExpiredError):
        leave(entitlement)

    assert enrolled(entitlement.user) == {run_used(entitlement).key: "verified"}


def test_nobody_leaves_while_a_refund_is_under_way() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    CourseEntitlementRefund.objects.create(
        entitlement=entitlement, gateway="orders", requested_at=AT
    )

    with pytest.raises(EntitlementFrozenError):
        leave(entitlement)

    assert run_of(entitlement)


def test_nobody_leaves_for_another_learner() -> None:
    entitlement, other = EntitlementFactory.create_batch(2, redeemed=True)

    with pytest.raises(EntitlementNotFoundError):
        leave_entitlement(entitlement_uuid=entitlement.uuid, by=by_at(AT), user=other.user)

    assert run_of(entitlement)


# --- Because the enrollment ended elsewhere -------------------------------------------------------


def test_an_unenrollment_on_day_10_is_refunded_once(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = run_used(entitlement)

    left = unenroll(entitlement.user, run)
    again = unenroll(entitlement.user, run)

    assert left
    assert again is None
    assert left.refund == CourseEntitlementRefund.objects.get()
    assert left.refund is not None
    assert left.refund.status == "opened"
    assert (left.entitlement.enrollment_course_run, left.entitlement.expired_reason) == (
        None,
        "refund",
    )
    assert enrolled(entitlement.user) == {}
    assert [signal for signal, _facts in announced] == [
        entitlement_released,
        entitlement_expired,
        entitlement_refund_opened,
    ]


def test_an_unenrollment_without_refund_leaves_the_entitlement_to_be_used(
    announced: Heard,
) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    left = unenroll(entitlement.user, run_used(entitlement), skip_refund=True)

    assert left
    assert left.refund is None
    assert left.entitlement.expired_at is None
    assert run_of(entitlement) is None
    assert not CourseEntitlementRefund.objects.exists()
    assert [signal for signal, _facts in announced] == [entitlement_released]
    other = offered_run(entitlement)
    redeem(entitlement, other)
    assert run_of(entitlement) == other


@pytest.mark.parametrize("fields", [{"refund_locked": True}, {"order_number": None}])
def test_what_is_not_refundable_is_released_all_the_same(fields: dict[str, Any]) -> None:
    entitlement = EntitlementFactory.create(redeemed=True, **fields)

    left = unenroll(entitlement.user, run_used(entitlement))

    assert left
    assert left.refund is None
    assert left.entitlement.expired_at is None
    assert run_of(entitlement) is None


def test_after_day_14_it_ends_and_is_not_refunded(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = run_used(entitlement)

    left = unenroll(entitlement.user, run, at=DAY_20)

    assert left
    ended = left.entitlement
    assert (ended.expired_at, ended.expired_reason) == (DAY_20, "regain")
    assert run_of(entitlement) is None
    assert not CourseEntitlementRefund.objects.exists()
    assert enrolled(entitlement.user) == {}
    fact = EntitlementFact(
        ended.pk, ended.uuid, ended.user_id, ended.course_uuid, "verified", run.pk, "regain"
    )
    assert announced == [(entitlement_expired, (fact,)), (entitlement_released, (fact,))]


def test_with_a_certificate_it_ends_and_is_not_refunded() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    certify(entitlement)

    left = unenroll(entitlement.user, run_used(entitlement))

    assert left
    assert left.entitlement.expired_reason == "certificate"
    assert left.refund is None


def test_whether_a_sweep_came_before_makes_no_difference() -> None:
    entitlement = EntitlementFactory.create(redeemed=True, expired=True)
    run = run_used(entitlement)

    left = unenroll(entitlement.user, run, at=DAY_20)

    assert left
    assert (left.entitlement.expired_at, left.refund) == (SOLD + 10 * DAY, None)
    assert run_of(entitlement) is None
    assert enrolled(entitlement.user) == {}


def test_the_entitlement_that_paid_is_found_though_a_newer_one_exists() -> None:
    older = EntitlementFactory.create(redeemed=True)
    run = run_used(older)
    newer = EntitlementFactory.create(
        user=older.user, course=run.course, created=SOLD + DAY, redeemed=True
    )

    left = unenroll(older.user, run, skip_refund=True)

    assert left
    assert left.entitlement == older
    assert run_of(older) is None
    assert run_of(newer)


def test_one_that_is_just_being_switched_is_released_and_then_switched() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run, other = run_used(entitlement), offered_run(entitlement)
    attempt = entitlement.redemptions.create(
        course_run=other, left_enrollment=entitlement.enrollment_course_run, requested_at=AT
    )

    left = unenroll(entitlement.user, run)

    assert left
    assert (left.entitlement.expired_at, left.refund) == (None, None)
    assert run_of(entitlement) is None
    attempt.refresh_from_db()
    assert attempt.status == "pending"


def test_an_unknown_run_is_ignored_and_logged(announced: Heard, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    entitlement = EntitlementFactory.create()

    for run in (CourseRun(key="course-v1:Org+C+Unknown"), offered_run(entitlement)):
        assert unenroll(entitlement.user, run) is None

    assert caplog.messages.count("unenrollment_ignored") == 2
    assert stored(entitlement).modified == entitlement.modified
    assert announced == []
    assert not OutboxMessage.objects.filter(kind=UNENROLL).exists()

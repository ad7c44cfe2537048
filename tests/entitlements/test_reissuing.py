import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRefund,
)
from entitlements.selectors.judging import judge
from entitlements.services.remedies import (
    EnrollmentPaidError,
    EntitlementUsedError,
)
from entitlements.services.supporting import (
    reissue_entitlement,
)
from entitlements.signals import (
    entitlement_reissued,
    entitlement_released,
)
from programs.models import CourseEnrollment
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory
from tests.entitlements.sessions import (
    AT,
    deliver,
    enrolled,
    refund,
    run_of,
)
from tests.entitlements.support import LATE, act, assert_noted, assert_nothing_happened, heard
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return LearnerFactory.create(username="staff")


def test_a_reissued_entitlement_has_a_new_period_and_no_run(staff: User, announced: Heard) -> None:
    ended = EntitlementFactory.create(redeemed=True, expired=True)
    run = run_of(ended)
    assert run

    reissued = act(reissue_entitlement, ended, at=LATE, actor=staff)
    deliver(LATE)

    assert (reissued.expired_at, reissued.expired_reason) == (None, "")
    assert (reissued.enrollment_course_run, reissued.redeemed_at) == (None, None)
    assert (reissued.extended_until, reissued.refund_locked) == (LATE + 90 * DAY, True)
    (judged,) = judge([reissued], at=LATE + 90 * DAY - DAY)
    assert judged.decision.is_redeemable
    assert enrolled(ended.user) == {}
    assert heard(announced) == [entitlement_reissued, entitlement_released]
    assert {fact.course_run_id for _, facts in announced for fact in facts} == {run.pk}
    detail = reissued.support_details.get()
    assert (detail.support_user, detail.unenrolled_run) == (staff, run)
    assert not CourseEntitlementRefund.objects.exists()
    assert CourseEntitlement.history.filter(id=ended.pk).count() == 2
    assert_noted(reissued, "REISSUE")


def test_a_reissued_entitlement_keeps_an_end_that_is_later() -> None:
    ended = EntitlementFactory.create(expired=True)

    assert act(reissue_entitlement, ended).extended_until == SOLD + 730 * DAY


def test_one_that_a_rule_ended_and_nobody_marked_is_reissued(announced: Heard) -> None:
    lapsed = EntitlementFactory.create()

    reissued = act(reissue_entitlement, lapsed, at=LATE)

    assert reissued.extended_until == LATE + 90 * DAY
    assert heard(announced) == [entitlement_reissued]


def test_what_was_refundable_stays_so(announced: Heard) -> None:
    live = EntitlementFactory.create(redeemed=True)

    reissued = act(reissue_entitlement, live)

    (judged,) = judge([reissued], at=AT)
    assert judged.decision.is_refundable
    assert heard(announced) == [entitlement_released]


def test_a_session_can_be_kept_while_it_can_be_changed() -> None:
    ended = EntitlementFactory.create(redeemed=True, expired=True)

    reissued = act(reissue_entitlement, ended, leaves_run=False)

    assert (reissued.expired_at, reissued.redeemed_at) == (None, SOLD)
    assert reissued.enrollment_course_run == ended.enrollment_course_run
    assert reissued.support_details.get().unenrolled_run is None
    assert not OutboxMessage.objects.exists()


def test_a_session_that_would_end_it_at_once_cannot_be_kept(announced: Heard) -> None:
    ended = EntitlementFactory.create(redeemed=True, expired=True)

    with pytest.raises(EntitlementUsedError):
        act(reissue_entitlement, ended, at=SOLD + 15 * DAY, leaves_run=False)

    assert_nothing_happened(ended, announced)


def test_a_session_that_another_entitlement_is_used_for_cannot_be_kept() -> None:
    ended = EntitlementFactory.create(redeemed=True, expired=True)
    EntitlementFactory.create(
        user=ended.user, enrollment_course_run=ended.enrollment_course_run, redeemed_at=SOLD
    )

    with pytest.raises(EnrollmentPaidError):
        act(reissue_entitlement, ended, leaves_run=False)

    reissued = act(reissue_entitlement, ended)
    deliver(AT)
    assert reissued.enrollment_course_run is None
    assert CourseEnrollment.objects.get().is_active


def test_what_was_refunded_is_reissued_without_a_right_to_a_refund() -> None:
    refunded = EntitlementFactory.create()
    refund(refunded)

    assert act(reissue_entitlement, refunded).refund_locked

"""Any order of what learners, staff, time and remote systems do to two entitlements of a learner."""

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.core import outbox
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from entitlements.enums import UNSETTLED_REFUNDS, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.selectors.judging import judge
from entitlements.services.expiring import expire_page, expiry_pages
from entitlements.services.redeeming import ENROLL
from entitlements.services.refunding import REFUND
from entitlements.services.reviews import review_page
from entitlements.services.settling import confirm_refund, deny_refund
from entitlements.services.supporting import (
    expire_entitlement,
    reissue_entitlement,
    revoke_entitlement,
)
from entitlements.services.unenrolling import UNENROLL
from entitlements.signals import (
    EntitlementFact,
    entitlement_expired,
    entitlement_redeemed,
    entitlement_released,
)
from programs.models import CourseEnrollment
from programs.services import CertificateRecord, leave_run, record_course_certificates
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import (
    deliver,
    leave,
    offered_run,
    redeem,
    refund,
    unenroll,
    used_for,
)
from tests.programs.factories import LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

BOTH = st.integers(0, 1)
RUNS = st.integers(0, 2)
FAILURES = st.sampled_from([{}, {"status": 500}, {"status": 0}, {"status": 0, "after_work": True}])

ANNOUNCED = {
    entitlement_redeemed: "redeemed",
    entitlement_released: "released",
    entitlement_expired: "expired",
}


class Uses(RuleBasedStateMachine):
    """Two entitlements for a course of three runs, the later one sold a year after the first."""

    lms: ClassVar[StandInLms]
    orders: ClassVar[StandInOrders]

    @initialize()
    def start(self) -> None:
        # Each history begins with an empty database, and nobody enrolled or refunded.
        self.savepoint = transaction.savepoint()
        self.recover()
        self.lms.enrollments.clear()
        self.orders.refunds.clear()
        self.now = SOLD + DAY
        self.heard: Counter[tuple[int, str]] = Counter()
        first = EntitlementFactory.create()
        self.user, self.staff = first.user, LearnerFactory.create()
        self.runs = [offered_run(first, end_date=None, start_date=SOLD + n * DAY) for n in range(3)]
        course = self.runs[0].course
        second = EntitlementFactory.create(user=self.user, course=course, created=SOLD + DAY)
        self.pks = [first.pk, second.pk]
        for signal in ANNOUNCED:
            signal.connect(self.hear)

    def hear(self, signal: Any, items: tuple[EntitlementFact, ...], **_kwargs: Any) -> None:
        self.heard.update((fact.entitlement_id, ANNOUNCED[signal]) for fact in items)

    def entitlement(self, number: int) -> CourseEntitlement:
        return CourseEntitlement.objects.get(pk=self.pks[number])

    # --- What learners do --------------------------------------------------------------------

    @rule(which=BOTH, run=RUNS)
    def redeem(self, which: int, run: int) -> None:
        entitlement = self.entitlement(which)
        (before,) = judge([entitlement], at=self.now)
        known = set(entitlement.redemptions.values_list("pk", flat=True))
        with suppress(DomainError):
            attempt = redeem(entitlement, self.runs[run], at=self.now)
            if attempt and attempt.pk not in known:
                assert before.decision.is_redeemable or before.decision.is_regainable
                assert not before.decision.is_expired

    @rule(run=RUNS)
    def enroll_elsewhere(self, run: int) -> None:
        used_for(self.user, self.runs[run], at=self.now)

    @rule(which=BOTH)
    def leave(self, which: int) -> None:
        with suppress(DomainError):
            leave(self.entitlement(which), at=self.now)

    @rule(which=BOTH)
    def refund(self, which: int) -> None:
        entitlement = self.entitlement(which)
        (before,) = judge([entitlement], at=self.now)
        unsettled = entitlement.refunds.filter(status__in=UNSETTLED_REFUNDS).exists()
        with suppress(DomainError):
            refund(entitlement, at=self.now)
            assert unsettled or before.decision.is_refundable

    @rule(run=RUNS, skip_refund=st.booleans())
    def unenroll_elsewhere(self, run: int, skip_refund: bool) -> None:
        self.end_at_lms(run)
        unenroll(self.user, self.runs[run], skip_refund=skip_refund, at=self.now)

    # --- What the LMS and time do ------------------------------------------------------------

    @rule(run=RUNS)
    def end_enrollment(self, run: int) -> None:
        self.end_at_lms(run)
        leave_run(user_id=self.user.pk, course_run_id=self.runs[run].pk, by=by_at(self.now))

    def end_at_lms(self, run: int) -> None:
        found = self.lms.enrollments.get((self.user.username, self.runs[run].key))
        if found:
            found.is_active = False

    @rule(run=RUNS)
    def certify(self, run: int) -> None:
        enrolled = CourseEnrollment.objects.filter(user=self.user, course_run=self.runs[run])
        if enrolled.filter(is_active=True).exists():
            record = CertificateRecord(self.user.pk, self.runs[run].pk, awarded_at=self.now)
            record_course_certificates([record], by=by_at(self.now))

    @rule(days=st.sampled_from([1, 14, 50, 650]))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(how=FAILURES)
    def let_lms_fail(self, how: dict[str, Any]) -> None:
        self.lms.recover()
        if how:
            self.lms.fail(path="/enrollment/v1/enrollment", **how)

    @rule(how=FAILURES)
    def let_orders_fail(self, how: dict[str, Any]) -> None:
        self.orders.recover()
        if how:
            self.orders.fail(path="/refunds/", **how)

    def recover(self) -> None:
        self.lms.recover()
        self.orders.recover()

    # --- What staff and workers do -----------------------------------------------------------

    @rule(which=BOTH)
    def reissue(self, which: int) -> None:
        entitlement = self.entitlement(which)
        (before,) = judge([entitlement], at=self.now)
        is_refunded = entitlement.refunds.exclude(status=RefundStatus.FAILED).exists()
        if not is_refunded and not before.decision.is_redeemable:
            with suppress(DomainError):
                reissue_entitlement(
                    entitlement_uuid=entitlement.uuid, comments="x", by=by_at(self.now)
                )

    @rule(which=BOTH, leaves_run=st.booleans())
    def expire(self, which: int, leaves_run: bool) -> None:
        with suppress(DomainError):
            expire_entitlement(
                entitlement_uuid=self.entitlement(which).uuid,
                comments="x",
                by=by_at(self.now),
                leaves_run=leaves_run,
            )

    @rule(which=BOTH)
    def revoke(self, which: int) -> None:
        revoke_entitlement(entitlement_uuid=self.entitlement(which).uuid, by=by_at(self.now))

    @rule(which=BOTH, run=RUNS, after_work=st.booleans())
    def revoke_while_the_lms_is_asked(self, which: int, run: int, after_work: bool) -> None:
        self.lms.fail(0, path="/enrollment/v1/enrollment", body="mode", after_work=after_work)
        self.redeem(which, run)
        self.revoke(which)
        self.lms.recover()

    @rule()
    def sweep(self) -> None:
        for page in expiry_pages(size=1):
            assert not expire_page(page, by=by_at(self.now)).failed

    @rule()
    def review(self) -> None:
        after = 0
        while page := review_page(size=1, by=by_at(self.now), after=after):
            assert page.errors == 0
            after = page.last_id

    @rule()
    def work(self) -> None:
        self.now += timedelta(hours=1)
        deliver(self.now)

    @rule()
    def bring_all_to_its_end(self) -> None:
        self.recover()
        for _again in range(3):
            self.now += timedelta(hours=1)
            outbox.wake((ENROLL, UNENROLL, REFUND), at=self.now)
            deliver(self.now)
        for unclear in CourseEntitlementRefund.objects.filter(status=RefundStatus.NEEDS_REVIEW):
            settle = confirm_refund if self.is_refunded(unclear) else deny_refund
            settle(refund_id=unclear.pk, comments="x", by=by_at(self.now, actor=self.staff))
        self.review()
        deliver(self.now)
        self.everybody_agrees()

    def is_refunded(self, refund: CourseEntitlementRefund) -> bool:
        return (refund.order_number, str(refund.entitlement.uuid)) in self.orders.refunds

    # --- What is always true -----------------------------------------------------------------

    def everybody_agrees(self) -> None:
        """What is paid for is taken, what is taken is paid for, and what is refunded is over."""
        assert not CourseEntitlementRedemption.objects.filter(status="pending").exists()
        assert not CourseEntitlementRefund.objects.filter(status__in=UNSETTLED_REFUNDS).exists()
        used = CourseEntitlement.objects.filter(enrollment_course_run__isnull=False)
        keys = dict(used.values_list("pk", "enrollment_course_run__course_run__key"))
        live = {keys[pk] for pk in used.filter(expired_at=None).values_list("pk", flat=True)}
        taken = {key for (_name, key), one in self.lms.enrollments.items() if one.is_active}
        assert live <= taken <= set(keys.values())
        active = CourseEnrollment.objects.filter(user=self.user, is_active=True)
        assert set(active.values_list("course_run__key", flat=True)) == taken
        for paid in CourseEntitlementRefund.objects.select_related("entitlement"):
            assert self.is_refunded(paid) == (paid.status == RefundStatus.OPENED)
            if paid.status == RefundStatus.OPENED:
                assert paid.entitlement.expired_at

    @invariant()
    def none_is_refunded_twice(self) -> None:
        if self.has_begun():
            for entitlement in CourseEntitlement.objects.all():
                kept = entitlement.refunds.exclude(status=RefundStatus.FAILED)
                assert kept.count() <= 1

    @invariant()
    def an_enrollment_is_paid_once(self) -> None:
        if self.has_begun():
            used = CourseEntitlement.objects.filter(expired_at=None)
            ids = list(used.values_list("enrollment_course_run", flat=True))
            held = [pk for pk in ids if pk]
            assert len(held) == len(set(held))

    @invariant()
    def each_change_has_its_history_row_and_is_announced_once(self) -> None:
        if not self.has_begun():
            return
        told: Counter[tuple[int, str]] = Counter()
        for pk in self.pks:
            rows = list(CourseEntitlement.history.filter(id=pk).order_by("history_id"))
            for before, after in pairwise(rows):
                told.update((pk, what) for what in changes(before, after))
        assert told == self.heard
        assert rows_without_true_history(CourseEntitlement) == 0
        assert rows_without_true_history(CourseEntitlementRefund) == 0

    def teardown(self) -> None:
        for signal in ANNOUNCED:
            signal.disconnect(self.hear)
        if self.has_begun():
            self.bring_all_to_its_end()
            transaction.savepoint_rollback(self.savepoint)

    def has_begun(self) -> bool:
        return hasattr(self, "pks")


def changes(before: Any, after: Any) -> list[str]:
    """What one history row says of the one before it; at least something."""
    states = ("enrollment_course_run_id", "expired_at", "extended_until", "refund_locked")
    assert any(getattr(before, name) != getattr(after, name) for name in states)
    found = []
    if after.enrollment_course_run_id != before.enrollment_course_run_id:
        is_used = after.enrollment_course_run_id is not None
        assert not (is_used and after.expired_at), "used after its end"
        found.append("redeemed" if is_used else "released")
    if after.expired_at and not before.expired_at:
        found.append("expired")
    return found


@pytest.mark.django_db
def test_entitlements_are_used_once_and_refunded_once_in_any_history(
    lms: StandInLms, orders: StandInOrders
) -> None:
    Uses.lms, Uses.orders = lms, orders

    run_state_machine_as_test(Uses, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=300 if os.environ.get("FULL") else 12,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

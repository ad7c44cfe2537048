from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devorders import StandInOrders
from entitlements.deliveries.acting import deliver_refund
from entitlements.enums import RefundGateway, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.services.notes import CommentMissingError
from entitlements.services.refunding import (
    EntitlementNotRefundableError,
    RefundNotFoundError,
    open_refund,
)
from entitlements.services.settling import (
    RefundNotOpenError,
    confirm_refund,
    deny_refund,
    mark_refund_paid,
    retry_refund,
)
from entitlements.services.supporting import revoke_entitlement
from entitlements.signals import (
    entitlement_expired,
    entitlement_refund_failed,
    entitlement_refund_opened,
    entitlement_released,
)
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import AT, deliver, offered_run, redeem, refund, stored
from tests.programs.factories import LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

LATER = AT + DAY
Decision = Callable[..., CourseEntitlementRefund]


@pytest.fixture
def staff() -> User:
    return LearnerFactory.create(username="staff")


@pytest.fixture
def unclear() -> CourseEntitlementRefund:
    """A refund of an entitlement in use, of which nobody knows whether it was made."""
    entitlement = EntitlementFactory.create(redeemed=True, order_number="EDX-1")
    refund = CourseEntitlementRefund(
        entitlement=entitlement,
        order_number="EDX-1",
        gateway=RefundGateway.ORDERS,
        status=RefundStatus.NEEDS_REVIEW,
        refusal="http_400",
        may_have_arrived=True,
        requested_by=entitlement.user,
        requested_at=AT,
    )
    refund.save()
    return refund


def decide(decision: Decision, refund: CourseEntitlementRefund, **fields: Any) -> None:
    by = by_at(LATER, actor=fields.pop("actor", None))
    decision(**{"refund_id": refund.pk, "comments": "Looked it up.", "by": by, **fields})
    refund.refresh_from_db()


def assert_noted(refund: CourseEntitlementRefund, staff: User) -> None:
    detail = refund.entitlement.support_details.get()
    assert (detail.action, detail.comments) == ("REFUND", "Looked it up.")
    assert (detail.support_user, detail.created) == (staff, LATER)
    for model in (CourseEntitlement, CourseEntitlementRefund, CourseEntitlementSupportDetail):
        assert rows_without_true_history(model) == 0


def test_a_refund_that_was_made_ends_the_entitlement(
    unclear: CourseEntitlementRefund, staff: User, announced: Heard
) -> None:
    decide(confirm_refund, unclear, actor=staff)

    assert (unclear.status, unclear.refusal) == ("opened", "")
    assert (unclear.settled_by, unclear.settled_at) == (staff, LATER)
    ended = stored(unclear.entitlement)
    assert (ended.expired_at, ended.expired_reason) == (LATER, "refund")
    assert ended.enrollment_course_run is None
    assert OutboxMessage.objects.filter(kind="entitlements.unenroll").exists()
    assert [signal for signal, _ in announced] == [
        entitlement_expired,
        entitlement_released,
        entitlement_refund_opened,
    ]
    assert_noted(unclear, staff)


def test_a_refund_that_was_not_made_leaves_the_entitlement_usable(
    unclear: CourseEntitlementRefund, staff: User, announced: Heard
) -> None:
    decide(deny_refund, unclear, actor=staff)

    assert (unclear.status, unclear.refusal) == ("failed", "denied_by_staff")
    assert (unclear.settled_by, unclear.settled_at) == (staff, LATER)
    assert [signal for signal, _ in announced] == [entitlement_refund_failed]
    assert not OutboxMessage.objects.filter(kind="entitlements.unenroll").exists()
    assert_noted(unclear, staff)
    used = redeem(unclear.entitlement, offered_run(unclear.entitlement), at=LATER)
    assert used
    assert used.status == "done"


def test_staff_ask_the_order_service_again(
    unclear: CourseEntitlementRefund, staff: User, orders: StandInOrders
) -> None:
    decide(retry_refund, unclear, actor=staff)
    assert (unclear.status, unclear.refusal, unclear.may_have_arrived) == ("pending", "", True)

    deliver_refund(unclear, clock=lambda: LATER)

    assert (unclear.status, unclear.settled_by) == ("opened", None)
    assert len(orders.refunds) == 1
    assert_noted(unclear, staff)


def test_a_refusal_after_asking_again_is_still_unclear(
    unclear: CourseEntitlementRefund, orders: StandInOrders
) -> None:
    orders.unknown_orders.add("EDX-1")
    for _time in range(2):
        decide(retry_refund, unclear)
        deliver_refund(unclear, clock=lambda: LATER)

        assert unclear.status == "needs_review"
    assert len(orders.calls_to("/refunds/")) == 2


def test_what_was_revoked_meanwhile_stays_so(
    unclear: CourseEntitlementRefund, announced: Heard
) -> None:
    """The order service takes the entitlement back when staff there approve the refund."""
    revoke_entitlement(entitlement_uuid=unclear.entitlement.uuid, by=by_at(AT))
    announced.clear()

    decide(confirm_refund, unclear)

    assert unclear.status == "opened"
    assert stored(unclear.entitlement).expired_reason == "revoke"
    assert [signal for signal, _ in announced] == [entitlement_refund_opened]


@pytest.mark.parametrize("decision", [confirm_refund, deny_refund, retry_refund])
def test_what_the_order_service_is_still_asked_is_not_staffs_to_decide(
    decision: Decision, orders: StandInOrders
) -> None:
    orders.fail(503, path="refunds")
    pending = refund(EntitlementFactory.create())
    assert pending.status == "pending"

    with pytest.raises(RefundNotOpenError):
        decide(decision, pending)

    assert not CourseEntitlementSupportDetail.objects.exists()


@pytest.mark.parametrize("decision", [confirm_refund, deny_refund, retry_refund])
def test_a_pending_refund_that_nobody_asks_for_any_more_is_staffs_to_decide(
    decision: Decision, orders: StandInOrders
) -> None:
    pending = open_refund(entitlement_uuid=EntitlementFactory.create().uuid, by=by_at(AT))
    OutboxMessage.objects.filter(kind="entitlements.refund").delete()

    decide(decision, pending)

    assert CourseEntitlementSupportDetail.objects.exists()


@pytest.mark.parametrize("decision", [confirm_refund, deny_refund, retry_refund, mark_refund_paid])
def test_a_settled_refund_stays_as_it_is(
    decision: Decision, unclear: CourseEntitlementRefund, announced: Heard
) -> None:
    decide(deny_refund, unclear)
    announced.clear()

    with pytest.raises(RefundNotOpenError):
        decide(decision, unclear)

    assert CourseEntitlementRefund.objects.get().status == "failed"
    assert CourseEntitlementSupportDetail.objects.count() == 1
    assert announced == []


@pytest.mark.parametrize("decision", [confirm_refund, deny_refund, retry_refund, mark_refund_paid])
def test_without_a_comment_nothing_is_decided(
    decision: Decision, unclear: CourseEntitlementRefund
) -> None:
    if decision is mark_refund_paid:
        decide(confirm_refund, unclear)
    before = CourseEntitlementRefund.history.count()

    with pytest.raises(CommentMissingError):
        decide(decision, unclear, comments=" ")

    assert CourseEntitlementRefund.history.count() == before


def test_an_unknown_refund_is_not_found() -> None:
    with pytest.raises(RefundNotFoundError):
        confirm_refund(refund_id=0, comments="So.", by=by_at(AT))


# --- Paid by hand ---------------------------------------------------------------------------------


def test_staff_mark_what_they_paid(staff: User) -> None:
    opened = refund(EntitlementFactory.create())
    assert (opened.gateway, opened.status) == ("manual", "opened")

    decide(mark_refund_paid, opened, actor=staff)

    assert (opened.status, opened.settled_by, opened.settled_at) == ("paid", staff, LATER)
    assert_noted(opened, staff)
    with pytest.raises(RefundNotOpenError):
        decide(mark_refund_paid, opened)


def test_an_unclear_refund_cannot_be_asked_for_once_it_was_made(
    unclear: CourseEntitlementRefund,
) -> None:
    decide(confirm_refund, unclear)

    with pytest.raises(EntitlementNotRefundableError):
        refund(unclear.entitlement, at=LATER)

    assert CourseEntitlementRefund.objects.count() == 1


def test_an_unclear_refund_waits_however_long(unclear: CourseEntitlementRefund) -> None:
    deliver(SOLD + 900 * DAY + timedelta(hours=1))

    assert CourseEntitlementRefund.objects.get().status == "needs_review"
    assert stored(unclear.entitlement).expired_at is None

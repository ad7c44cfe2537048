"""Refunds, asked of an order service over real HTTP, or left to staff to pay."""

from datetime import datetime
from typing import Any

import pytest

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.devorders import FIRST_REFUND, StandInOrders
from entitlements.enums import RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.services.locking import EntitlementFrozenError
from entitlements.services.redeeming import open_redemption
from entitlements.services.refunding import (
    REFUND,
    EntitlementNotRefundableError,
    open_refund,
    record_refunds,
)
from entitlements.services.states import fact_of
from entitlements.signals import (
    entitlement_expired,
    entitlement_refund_failed,
    entitlement_refund_opened,
    entitlement_released,
)
from programs.models import CourseEnrollment
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, INSTANT, SOLD, EntitlementFactory, by_at
from tests.entitlements.refunds import (  # noqa: F401 - one is a fixture
    HOUR,
    asked,
    assert_ended_by_refund,
    assert_nothing_changed,
    entitlement_in_use,
)
from tests.entitlements.sessions import AT, deliver, offered_run, refund, run_of, stored
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


# --- What the order service answers ---------------------------------------------------------------


def test_a_refund_ends_the_entitlement_and_the_enrollment(
    redeemed: CourseEntitlement, orders: StandInOrders, announced: Heard
) -> None:
    run = run_of(redeemed)
    assert run

    opened = refund(redeemed)

    assert orders.refunds == {("EDX-1", str(redeemed.uuid)): FIRST_REFUND}
    assert (opened.status, opened.remote_ids, opened.gateway) == (
        "opened",
        [FIRST_REFUND],
        "orders",
    )
    assert (opened.requested_by, opened.settled_by, opened.settled_at) == (redeemed.user, None, AT)
    assert not opened.may_have_arrived
    assert_ended_by_refund(redeemed)
    assert stored(redeemed).expired_at == AT
    assert not CourseEnrollment.objects.get().is_active
    ended = fact_of(redeemed, course_run_id=run.pk, reason="refund")
    assert announced == [
        (entitlement_expired, (ended,)),
        (entitlement_released, (ended,)),
        (entitlement_refund_opened, (fact_of(redeemed, course_run_id=run.pk),)),
    ]


@pytest.mark.parametrize(
    ("known", "refusal"),
    [("unknown_orders", "http_400"), ("free_orders", "nothing_to_refund")],
)
def test_a_refusal_changes_nothing_else(
    redeemed: CourseEntitlement,
    orders: StandInOrders,
    announced: Heard,
    known: str,
    refusal: str,
) -> None:
    getattr(orders, known).add("EDX-1")

    failed = refund(redeemed)

    assert (failed.status, failed.refusal, failed.settled_at) == ("failed", refusal, AT)
    assert_nothing_changed(redeemed)
    assert [signal for signal, _ in announced] == [entitlement_refund_failed]


def test_after_a_refusal_a_refund_can_be_asked_for_again(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.unknown_orders.add("EDX-1")
    first = refund(redeemed)
    orders.unknown_orders.clear()

    second = refund(redeemed)

    assert first != second
    assert second.status == "opened"
    assert asked(orders) == 2


# --- Who may be refunded ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entitlement", "at"),
    [
        ({}, SOLD + 61 * DAY),
        ({"refund_locked": True}, AT),
        ({"order_number": None}, AT),
        ({"expired": True}, AT),
        ({"redeemed": True}, SOLD + 15 * DAY),
        (
            {
                "redeemed": True,
                "enrollment_course_run__certificate_status": "downloadable",
            },
            AT,
        ),
    ],
)
def test_what_is_not_refundable_is_refused(
    entitlement: dict[str, Any], at: datetime, announced: Heard
) -> None:
    status = entitlement.pop("enrollment_course_run__certificate_status", "")
    sold = EntitlementFactory.create(**entitlement)
    CourseEnrollment.objects.update(certificate_status=status)

    with pytest.raises(EntitlementNotRefundableError):
        refund(sold, at=at)

    assert not CourseEntitlementRefund.objects.exists()
    assert not OutboxMessage.objects.exists()
    assert announced == []


def test_it_is_refundable_through_the_whole_of_day_60() -> None:
    assert refund(EntitlementFactory.create(), at=SOLD + 61 * DAY - INSTANT).status == "opened"


def test_while_it_is_being_used_it_is_not_refunded() -> None:
    sold = EntitlementFactory.create()
    open_redemption(entitlement_uuid=sold.uuid, course_run_key=offered_run(sold).key, by=by_at(AT))

    with pytest.raises(EntitlementFrozenError):
        refund(sold)

    assert not CourseEntitlementRefund.objects.exists()


def test_what_was_refunded_is_not_refunded_again() -> None:
    sold = EntitlementFactory.create()
    refund(sold)
    CourseEntitlement.objects.update(expired_at=None, expired_reason="")

    with pytest.raises(EntitlementNotRefundableError):
        refund(sold)

    assert CourseEntitlementRefund.objects.count() == 1


# --- By hand ---------------------------------------------------------------------------------------


def test_without_an_order_service_staff_pay(announced: Heard) -> None:
    sold = EntitlementFactory.create(redeemed=True)

    opened = refund(sold)

    assert (opened.status, opened.gateway, opened.remote_ids) == ("opened", "manual", [])
    assert_ended_by_refund(sold)
    assert [signal for signal, _ in announced][-1] == entitlement_refund_opened


# --- What staff did meanwhile ---------------------------------------------------------------------


def test_a_message_that_staff_closed_leaves_its_refund_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    pending = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    message = OutboxMessage.objects.get(kind=REFUND)
    done = outbox.Outcome(OutboxStatus.DONE, "settled_by_staff")

    record_refunds([outbox.Delivery(message, done)], AT)

    pending.refresh_from_db()
    assert (pending.status, pending.refusal) == ("needs_review", "settled_by_staff")


def test_a_refund_that_was_settled_is_not_asked_for(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    pending = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    CourseEntitlementRefund.objects.filter(pk=pending.pk).update(
        status=RefundStatus.FAILED, settled_at=AT
    )

    deliver(AT + HOUR)

    assert asked(orders) == 0
    assert OutboxMessage.objects.get(kind=REFUND).status == "skipped"


def test_a_refund_for_a_service_that_is_gone_is_left_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders, settings: Any
) -> None:
    pending = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    settings.ORDERS_BASE_URL = ""

    deliver(AT + HOUR)
    settings.ORDERS_BASE_URL = orders.url

    pending.refresh_from_db()
    assert (pending.status, pending.refusal) == ("needs_review", "no_orders")

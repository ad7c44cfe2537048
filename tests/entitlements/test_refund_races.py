"""Two at once, on connections of their own, and an order service over real HTTP: one effect."""

from collections.abc import Callable
from contextlib import closing
from threading import Thread

import pytest
from django.db import connection

from credentials_portal.core import outbox
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.locks import direct_connection
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from entitlements.deliveries.acting import deliver_refund
from entitlements.enums import RefundGateway, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.services.granting import grant_entitlement
from entitlements.services.locking import EntitlementFrozenError
from entitlements.services.redeeming import open_redemption
from entitlements.services.refunding import REFUND, open_refund
from entitlements.services.settling import RefundNotOpenError, confirm_refund, deny_refund
from tests.core.outbox.test_races import at_once
from tests.core.test_history import wait_for_a_waiting_session
from tests.entitlements.factories import DAY, EntitlementFactory, by_at
from tests.entitlements.sessions import AT, offered_run, refund, stored
from tests.programs.factories import CourseFactory, LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


def assert_sound() -> None:
    for model in (CourseEntitlement, CourseEntitlementRefund, CourseEntitlementSupportDetail):
        assert rows_without_true_history(model) == 0


def test_two_refunds_at_once_are_asked_for_once(lms: StandInLms, orders: StandInOrders) -> None:
    for number in range(1, ROUNDS + 1):
        sold = EntitlementFactory.create()

        statuses = at_once(*[lambda: refund(sold).status] * 2)  # noqa: B023 - used at once

        assert "opened" in statuses
        assert len(orders.calls_to("/refunds/")) == number
        assert CourseEntitlementRefund.objects.get(entitlement=sold).status == "opened"
        assert CourseEntitlement.history.filter(id=sold.pk, expired_reason="refund").count() == 1
    assert_sound()


def test_who_waits_for_the_answer_and_a_sweeper_ask_once(
    lms: StandInLms, orders: StandInOrders
) -> None:
    for number in range(1, ROUNDS + 1):
        sold = EntitlementFactory.create()
        opened = open_refund(entitlement_uuid=sold.uuid, by=by_at(AT))

        at_once(
            lambda: deliver_refund(opened, clock=lambda: AT + DAY),  # noqa: B023 - used at once
            lambda: outbox.deliver_due(clock=lambda: AT + DAY, only=[REFUND]),
        )

        assert len(orders.calls_to("/refunds/")) == number
        assert CourseEntitlementRefund.objects.get(entitlement=sold).status == "opened"
    assert_sound()


def test_of_a_refund_and_a_use_at_once_one_is_under_way() -> None:
    for _round in range(ROUNDS):
        sold = EntitlementFactory.create()
        run = offered_run(sold)

        results = at_once(
            unless_frozen(lambda: open_refund(entitlement_uuid=sold.uuid, by=by_at(AT))),  # noqa: B023 - used at once
            unless_frozen(
                lambda: open_redemption(
                    entitlement_uuid=sold.uuid,  # noqa: B023 - used at once
                    course_run_key=run.key,  # noqa: B023 - used at once
                    by=by_at(AT),
                )
            ),
        )

        assert sorted(map(bool, results)) == [False, True]
        assert sold.refunds.count() + sold.redemptions.count() == 1


def unless_frozen(work: Callable[[], object]) -> Callable[[], object]:
    def attempt() -> object:
        try:
            return work()
        except EntitlementFrozenError:
            return None

    return attempt


def test_of_two_who_decide_on_a_refund_one_does() -> None:
    for _round in range(ROUNDS):
        unclear = CourseEntitlementRefund.objects.create(
            entitlement=EntitlementFactory.create(),
            order_number="EDX-1",
            gateway=RefundGateway.ORDERS,
            status=RefundStatus.NEEDS_REVIEW,
            requested_at=AT,
        )

        results = at_once(
            *[deciding(decision, unclear.pk) for decision in (confirm_refund, deny_refund)]
        )

        unclear.refresh_from_db()
        assert sorted(map(str, results)) == sorted(["None", unclear.status])
        assert unclear.entitlement.support_details.count() == 1
        assert (stored(unclear.entitlement).expired_at is None) == (unclear.status == "failed")
    assert_sound()


def deciding(
    decision: Callable[..., CourseEntitlementRefund], refund_id: int
) -> Callable[[], object]:
    def work() -> object:
        try:
            return decision(refund_id=refund_id, comments="So.", by=by_at(AT)).status
        except RefundNotOpenError:
            return None

    return work


def test_a_decision_that_staff_are_just_making_is_waited_for(
    lms: StandInLms, orders: StandInOrders
) -> None:
    denied = open_refund(entitlement_uuid=EntitlementFactory.create().uuid, by=by_at(AT))

    def deliver() -> None:
        with closing(connection):
            outbox.deliver_due(clock=lambda: AT + DAY, only=[REFUND])

    delivering = Thread(target=deliver)
    with closing(direct_connection()) as staff, staff.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "UPDATE entitlements_courseentitlementrefund"
            " SET status = 'failed', settled_at = %s WHERE id = %s",
            [AT, denied.pk],
        )
        delivering.start()
        wait_for_a_waiting_session()
        cursor.execute("COMMIT")
    delivering.join(timeout=60)

    assert OutboxMessage.objects.get(kind=REFUND).reason == "settled"
    assert orders.calls_to("/refunds/") == []


def test_an_order_that_arrives_twice_at_once_pays_for_one() -> None:
    for number in range(ROUNDS):
        learner, course = LearnerFactory.create(), CourseFactory.create()

        def granting() -> object:
            return grant_entitlement(
                user=learner,  # noqa: B023 - used at once
                course_uuid=course.uuid,  # noqa: B023 - used at once
                mode="verified",
                order_number=f"EDX-{number}",  # noqa: B023 - used at once
                by=by_at(AT),
            ).is_new

        assert sorted(map(bool, at_once(granting, granting))) == [False, True]
        assert CourseEntitlement.objects.filter(user=learner).count() == 1
    assert_sound()

"""An order service that does not answer, and deliverers that are lost: one refund, never in limbo."""

from typing import Any

import pytest

from credentials_portal.clients import orders as clients
from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox.claiming import claim
from credentials_portal.core.outbox.kinds import registered
from credentials_portal.core.outbox.recording import TRIES
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from entitlements.deliveries.refunds import deliver_refunds
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.services.locking import EntitlementFrozenError
from entitlements.services.redeeming import open_redemption
from entitlements.services.refunding import REFUND, open_refund
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import by_at
from tests.entitlements.refunds import (  # noqa: F401 - one is a fixture
    HOUR,
    asked,
    assert_ended_by_refund,
    assert_nothing_changed,
    entitlement_in_use,
)
from tests.entitlements.sessions import AT, deliver, offered_run, refund
from tests.licenses.factories import refuse
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


# --- Silence --------------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", [{"status": 503}, {"status": 0, "after_work": True}])
def test_without_an_answer_the_refund_stays_pending_and_the_entitlement_frozen(
    redeemed: CourseEntitlement, orders: StandInOrders, announced: Heard, silence: dict[str, Any]
) -> None:
    orders.fail(**silence, path="refunds")

    pending = refund(redeemed)

    assert (pending.status, pending.may_have_arrived) == ("pending", True)
    assert_nothing_changed(redeemed)
    assert announced == []
    with pytest.raises(EntitlementFrozenError):
        open_redemption(
            entitlement_uuid=redeemed.uuid,
            course_run_key=offered_run(redeemed).key,
            by=by_at(AT),
        )


def test_while_it_is_pending_nothing_is_asked_again(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.fail(503, path="refunds")
    first = refund(redeemed)

    again = refund(redeemed)

    assert (again, again.status) == (first, "pending")
    assert asked(orders) == 1


def test_the_outbox_asks_again_and_the_answer_counts(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.fail(503, path="refunds", times=1)
    pending = refund(redeemed)

    deliver(AT + HOUR)

    pending.refresh_from_db()
    assert (pending.status, pending.settled_at) == ("opened", AT + HOUR)
    assert_ended_by_refund(redeemed)
    assert asked(orders) == 2


@pytest.mark.parametrize("known", ["unknown_orders", "free_orders"])
def test_a_refusal_after_silence_is_left_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders, announced: Heard, known: str
) -> None:
    """Nobody can tell whether the lost answer was a refund."""
    orders.fail(503, path="refunds", times=1)
    getattr(orders, known).add("EDX-1")
    unclear = refund(redeemed)

    deliver(AT + HOUR)

    unclear.refresh_from_db()
    assert (unclear.status, unclear.settled_at) == ("needs_review", None)
    assert unclear.refusal in {"http_400", "nothing_to_refund"}
    assert_nothing_changed(redeemed)
    assert announced == []


def test_a_refund_whose_answer_was_lost_is_made_once_and_left_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.fail(0, path="refunds", after_work=True, times=1)
    unclear = refund(redeemed)

    deliver(AT + HOUR)

    unclear.refresh_from_db()
    assert len(orders.refunds) == 1
    assert unclear.status == "needs_review"


def test_where_nothing_was_sent_a_later_refusal_is_a_refusal(
    redeemed: CourseEntitlement, orders: StandInOrders, lms: StandInLms
) -> None:
    lms.fail(503, path="access_token", times=1)
    orders.unknown_orders.add("EDX-1")
    pending = refund(redeemed)
    assert (pending.status, pending.may_have_arrived) == ("pending", False)

    deliver(AT + HOUR)

    pending.refresh_from_db()
    assert pending.status == "failed"


def test_without_a_connection_nothing_was_sent(
    redeemed: CourseEntitlement, orders: StandInOrders, settings: Any
) -> None:
    settings.ORDERS_BASE_URL = "http://127.0.0.1:1"
    unreachable = clients.orders()
    assert unreachable

    pending = refund(redeemed)
    unreachable.close()
    settings.ORDERS_BASE_URL = orders.url

    assert (pending.status, pending.may_have_arrived) == ("pending", False)


def test_who_used_up_the_tries_is_left_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    orders.fail(503, path="refunds")
    given_up = refund(redeemed)

    for hours in range(1, 60, 4):
        deliver(AT + hours * HOUR)

    given_up.refresh_from_db()
    assert asked(orders) == 8
    assert given_up.status == "needs_review"
    with pytest.raises(EntitlementFrozenError):
        open_redemption(
            entitlement_uuid=redeemed.uuid,
            course_run_key=offered_run(redeemed).key,
            by=by_at(AT),
        )


# --- Crashes --------------------------------------------------------------------------------------


def crash_after_the_call() -> None:
    """Leave what a deliverer leaves that is killed with the answer in its hands."""
    batch = claim(
        registered[REFUND], at=AT, only=OutboxMessage.objects.values_list("pk", flat=True)
    )
    deliver_refunds(batch, AT)


def test_a_crash_before_our_commit_leaves_it_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    unclear = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    crash_after_the_call()
    assert len(orders.refunds) == 1
    assert_nothing_changed(redeemed)

    deliver(AT + HOUR)

    unclear.refresh_from_db()
    assert (unclear.status, unclear.may_have_arrived) == ("needs_review", True)
    assert len(orders.refunds) == 1


def test_a_deliverer_that_is_lost_again_and_again_leaves_it_to_staff(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    unclear = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    crash_after_the_call()
    OutboxMessage.objects.filter(kind=REFUND).update(attempts=TRIES)

    deliver(AT + HOUR)

    unclear.refresh_from_db()
    assert (unclear.status, unclear.refusal) == ("needs_review", "lease_expired")
    assert unclear.may_have_arrived
    assert asked(orders) == 1


def test_an_answer_that_cannot_be_stored_is_never_taken_for_a_refusal(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    unclear = open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))
    refuse("entitlements_courseentitlementrefund", "status = 'opened'")
    deliver(AT + HOUR)
    message = OutboxMessage.objects.get(kind=REFUND)
    assert (message.status, message.reason) == ("dead", "record_failed")
    assert_nothing_changed(redeemed)

    outbox.settle(
        [message.pk],
        verdict=outbox.Verdict.TRY_AGAIN,
        actor=redeemed.user,
        reason="Mended.",
        at=AT + HOUR,
    )
    deliver(AT + HOUR)

    unclear.refresh_from_db()
    assert (unclear.status, unclear.refusal) == ("needs_review", "http_400")
    assert len(orders.refunds) == 1


def test_a_crash_before_the_call_is_made_good(
    redeemed: CourseEntitlement, orders: StandInOrders
) -> None:
    open_refund(entitlement_uuid=redeemed.uuid, by=by_at(AT))

    deliver(AT + HOUR)

    assert CourseEntitlementRefund.objects.get().status == "opened"
    assert asked(orders) == 1

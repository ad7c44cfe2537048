"""Refunds that wait for staff: in which order, what can be decided, and what follows from it."""

from typing import Any

import pytest
from django.test import Client

from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from entitlements.enums import ExpiryReason, RefundGateway, RefundStatus, SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from tests.entitlements.admin.desk import being_asked, found, member_of, read, refund_of, send, url
from tests.entitlements.factories import DAY
from tests.entitlements.pages.now import NOW, bought, course, learner, run_of, used
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

DECISIONS = ("confirm", "deny", "retry", "paid")
WHY = "The order shows it."


@pytest.fixture
def desk() -> Client:
    return member_of("Refunds", username="rafi")


def sold(**fields: Any) -> CourseEntitlement:
    return bought(learner(), course(), **fields)


def address(decision: str, refund: CourseEntitlementRefund) -> str:
    return url(f"courseentitlementrefund_{decision}", refund.pk)


def offered(desk: Client, refund: CourseEntitlementRefund) -> set[str]:
    html = desk.get(address("change", refund)).content.decode()
    return {decision for decision in DECISIONS if f'href="{address(decision, refund)}"' in html}


def status_of(refund: CourseEntitlementRefund) -> str:
    return CourseEntitlementRefund.objects.get(pk=refund.pk).status


def test_what_waits_comes_in_the_order_in_which_staff_must_act(desk: Client) -> None:
    def waiting(status: RefundStatus, gateway: RefundGateway, days: int) -> CourseEntitlementRefund:
        return refund_of(sold(), status, gateway, requested_at=NOW - days * DAY)

    unanswered = being_asked(waiting(RefundStatus.PENDING, RefundGateway.ORDERS, 9))
    to_pay = waiting(RefundStatus.OPENED, RefundGateway.MANUAL, 8)
    newer = waiting(RefundStatus.NEEDS_REVIEW, RefundGateway.ORDERS, 2)
    older = waiting(RefundStatus.NEEDS_REVIEW, RefundGateway.ORDERS, 3)
    given_up = waiting(RefundStatus.PENDING, RefundGateway.ORDERS, 1)
    over = waiting(RefundStatus.OPENED, RefundGateway.ORDERS, 9)

    assert found(desk, "courseentitlementrefund") == [older, newer, given_up, to_pay, unanswered]
    assert found(desk, "courseentitlementrefund", waits_for="review") == [older, newer, given_up]
    assert found(desk, "courseentitlementrefund", waits_for="payment") == [to_pay]
    assert found(desk, "courseentitlementrefund", waits_for="answer") == [unanswered]
    assert over in found(desk, "courseentitlementrefund", waits_for="all")


def test_finds_refunds_by_whole_words(desk: Client) -> None:
    entitlement = sold(order_number="EDX-7")
    refund = refund_of(entitlement)
    refund_of(sold(order_number="EDX-77"))

    for term in ("EDX-7", str(entitlement.uuid), entitlement.user.username):
        assert found(desk, "courseentitlementrefund", q=term) == [refund], term
    assert found(desk, "courseentitlementrefund", q="EDX") == []


@pytest.mark.parametrize(
    ("status", "gateway", "expected"),
    [
        (RefundStatus.NEEDS_REVIEW, RefundGateway.ORDERS, {"confirm", "deny", "retry"}),
        (RefundStatus.PENDING, RefundGateway.ORDERS, {"confirm", "deny", "retry"}),
        (RefundStatus.OPENED, RefundGateway.MANUAL, {"paid"}),
        (RefundStatus.OPENED, RefundGateway.ORDERS, set()),
        (RefundStatus.PAID, RefundGateway.MANUAL, set()),
        (RefundStatus.FAILED, RefundGateway.ORDERS, set()),
    ],
)
def test_offers_what_can_be_decided(
    desk: Client, status: RefundStatus, gateway: RefundGateway, expected: set[str]
) -> None:
    assert offered(desk, refund_of(sold(), status, gateway)) == expected


@pytest.mark.parametrize(
    ("status", "next_action"),
    [
        (RefundStatus.PENDING, "Nothing: the portal asks for it."),
        (RefundStatus.NEEDS_REVIEW, "Nothing: the order service is asked again."),
    ],
)
def test_while_the_order_service_is_asked_nothing_is_to_be_decided(
    desk: Client, status: RefundStatus, next_action: str
) -> None:
    refund = being_asked(refund_of(sold(), status))

    assert offered(desk, refund) == set()
    assert next_action in read(desk, address("change", refund))


def test_tells_state_reason_age_and_next_action(desk: Client) -> None:
    refund = refund_of(sold(order_number="EDX-7"), refusal="http_400", may_have_arrived=True)

    page = read(desk, address("change", refund))

    assert "Order EDX-7 of" in page
    assert "unclear, staff must look It has waited for 1 day" in page
    assert "http_400" in page
    assert "the order service may have given the refund" in page
    assert "settle the refund as given, as not given, or ask again" in page


@pytest.mark.parametrize("role", ["Support", "Operators", "Auditors", "Registrars"])
def test_others_see_them_and_decide_nothing(role: str) -> None:
    unclear = refund_of(sold())
    to_pay = refund_of(sold(), RefundStatus.OPENED, RefundGateway.MANUAL)
    browser = member_of(role)

    for refund in (unclear, to_pay):
        assert offered(browser, refund) == set()
        for decision in DECISIONS:
            assert browser.post(address(decision, refund), {"comments": WHY}).status_code == 403
    assert status_of(unclear) == RefundStatus.NEEDS_REVIEW
    assert status_of(to_pay) == RefundStatus.OPENED


@pytest.mark.parametrize("decision", ["confirm", "deny", "retry"])
def test_asks_for_a_comment_and_shows_what_follows_first(desk: Client, decision: str) -> None:
    refund = refund_of(sold())

    asked = read(desk, address(decision, refund))
    refused = send(desk, address(decision, refund), comments="  ")

    assert "What happens" in asked
    assert "Nothing was changed." in refused
    assert status_of(refund) == RefundStatus.NEEDS_REVIEW
    assert not OutboxMessage.objects.exists()


def test_one_that_was_given_ends_the_entitlement(desk: Client) -> None:
    entitlement = used(learner(), run_of(course()))
    refund = refund_of(entitlement)

    done = send(desk, address("confirm", refund), comments=WHY)

    assert "Settled: it was refunded." in done
    assert status_of(refund) == RefundStatus.OPENED
    entitlement.refresh_from_db()
    assert entitlement.expired_reason == ExpiryReason.REFUND
    assert entitlement.enrollment_course_run is None
    detail = entitlement.support_details.get()
    assert (detail.action, detail.comments) == (SupportAction.REFUND, WHY)
    assert str(detail.support_user) == "rafi"


def test_one_that_was_not_given_leaves_the_entitlement_as_it_was(desk: Client) -> None:
    entitlement = used(learner(), run_of(course()))
    refund = refund_of(entitlement)

    done = send(desk, address("deny", refund), comments=WHY)

    assert "The entitlement can be used again." in done
    assert status_of(refund) == RefundStatus.FAILED
    entitlement.refresh_from_db()
    assert entitlement.expired_at is None
    assert entitlement.enrollment_course_run is not None
    assert not OutboxMessage.objects.filter(kind="entitlements.unenroll").exists()


def test_one_that_nobody_asks_for_any_more_is_settled(desk: Client) -> None:
    """The message that asked was closed without telling the refund."""
    refund = being_asked(refund_of(sold(), RefundStatus.PENDING))
    OutboxMessage.objects.update(status=OutboxStatus.DEAD, reason="record_failed")

    page = read(desk, address("change", refund))
    send(desk, address("deny", refund), comments=WHY)

    assert "settle the refund as given, as not given, or ask again" in page
    assert status_of(refund) == RefundStatus.FAILED


def test_a_refund_is_settled_once(desk: Client) -> None:
    refund = refund_of(sold())
    send(desk, address("deny", refund), comments=WHY)

    shown = read(desk, address("confirm", refund))
    refused = send(desk, address("confirm", refund), comments=WHY)

    assert "the refund is not in a state for it any more" in shown
    assert "This refund was settled." in refused
    assert status_of(refund) == RefundStatus.FAILED


def test_one_to_be_paid_by_hand_is_marked_as_paid(desk: Client) -> None:
    refund = refund_of(sold(), RefundStatus.OPENED, RefundGateway.MANUAL)

    done = send(desk, address("paid", refund), comments=WHY)

    assert "The refund is paid." in done
    assert status_of(refund) == RefundStatus.PAID
    assert found(desk, "courseentitlementrefund") == []


@pytest.mark.django_db(transaction=True)
def test_asking_again_asks_the_order_service_at_once(
    lms: StandInLms, orders: StandInOrders, desk: Client
) -> None:
    entitlement = sold(order_number="EDX-7")
    refund = refund_of(entitlement, may_have_arrived=True)

    done = send(desk, address("retry", refund), comments=WHY)

    assert "The order service was asked again. Its answer is below." in done
    assert "accepted, to be paid" in done
    assert status_of(refund) == RefundStatus.OPENED

"""What waits for staff, as their start page tells it."""

from datetime import timedelta

import pytest

from credentials_portal.core.counting import Count
from entitlements.enums import RedemptionStatus, RefundGateway, RefundStatus
from entitlements.models import CourseEntitlementRedemption, EntitlementReview
from entitlements.selectors.overview import entitlements_standing
from tests.entitlements.admin.desk import being_asked, refund_of
from tests.entitlements.factories import DAY, INSTANT, EntitlementFactory, PolicyFactory
from tests.entitlements.pages.now import NOW, bought, course, learner, run_of
from tests.letters.conftest import Statements

pytestmark = pytest.mark.django_db


def sold(ago: timedelta, **fields: object) -> None:
    bought(learner(), course(), ago=ago, **fields)


def ending() -> Count:
    return entitlements_standing(NOW).ending


def test_tells_refunds_by_what_they_wait_for() -> None:
    for status, gateway, ago in [
        (RefundStatus.NEEDS_REVIEW, RefundGateway.ORDERS, 3 * DAY),
        (RefundStatus.NEEDS_REVIEW, RefundGateway.ORDERS, 2 * DAY),
        (RefundStatus.OPENED, RefundGateway.MANUAL, 2 * DAY),
        (RefundStatus.OPENED, RefundGateway.ORDERS, 4 * DAY),
        (RefundStatus.PAID, RefundGateway.MANUAL, 4 * DAY),
        (RefundStatus.FAILED, RefundGateway.ORDERS, 4 * DAY),
        (RefundStatus.PENDING, RefundGateway.ORDERS, 2 * DAY),
    ]:
        refund_of(EntitlementFactory.create(), status, gateway, requested_at=NOW - ago)
    for ago in (2 * DAY, timedelta(minutes=5)):
        asked_at = NOW - ago
        being_asked(
            refund_of(EntitlementFactory.create(), RefundStatus.PENDING, requested_at=asked_at)
        )

    standing = entitlements_standing(NOW)

    assert (standing.to_review, standing.to_pay, standing.unanswered) == (
        *(Count(3), Count(1), Count(1)),
    )
    assert standing.waiting_since == NOW - 3 * DAY


def test_tells_uses_that_take_too_long_and_what_is_to_be_looked_at() -> None:
    run = run_of(course())
    for ago in (2 * DAY, timedelta(minutes=5)):
        CourseEntitlementRedemption.objects.create(
            entitlement=EntitlementFactory.create(),
            course_run=run,
            status=RedemptionStatus.PENDING,
            requested_at=NOW - ago,
        )
    EntitlementReview.objects.create(user=learner(), course_run=run, opened_at=NOW)

    standing = entitlements_standing(NOW)

    assert (standing.stuck_uses, standing.reviews) == (Count(1), Count(1))


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (700 * DAY - INSTANT, 0),
        (700 * DAY, 1),
        (730 * DAY - INSTANT, 1),
        (730 * DAY, 0),
    ],
)
def test_tells_unused_ones_that_end_within_30_days(ago: timedelta, expected: int) -> None:
    sold(ago)

    assert ending() == Count(expected)


def test_each_ends_by_its_own_policy() -> None:
    short = PolicyFactory.create(mode="professional", expiration_period=100 * DAY)
    sold(90 * DAY, policy=short)
    sold(90 * DAY)
    sold(710 * DAY, policy=short)

    assert ending() == Count(1)


def test_an_extension_counts_in_place_of_the_policy() -> None:
    sold(710 * DAY, extended_until=NOW + 100 * DAY)
    sold(100 * DAY, extended_until=NOW + 10 * DAY)
    sold(100 * DAY, extended_until=NOW - DAY)

    assert ending() == Count(1)


def test_takes_as_many_statements_for_many_as_for_none(statements: Statements) -> None:
    with statements.counted() as for_none:
        entitlements_standing(NOW)
    for _ in range(3):
        refund_of(EntitlementFactory.create(created=NOW - 710 * DAY))
    with statements.counted() as for_some:
        entitlements_standing(NOW)

    assert len(for_some) == len(for_none) == 8

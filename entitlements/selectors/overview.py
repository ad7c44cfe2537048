"""How entitlements stand at a glance: what waits for staff, however many there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min, Q, QuerySet

from credentials_portal.core.counting import Count
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementPolicy,
    CourseEntitlementRefund,
    EntitlementReview,
)
from entitlements.rules import DEFAULT_PERIODS
from entitlements.selectors.standing import (
    ASKED,
    TO_PAY,
    TO_REVIEW,
    WAITING,
    stuck_redemptions,
    stuck_refunds,
)

ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True)
class EntitlementsStanding:
    """What waits: refunds for a decision or a payment, refunds and uses for an answer that should
    have come, enrollments for a look, and unused entitlements for their end within `ENDS_SOON`."""

    to_review: Count
    to_pay: Count
    unanswered: Count
    waiting_since: datetime | None
    stuck_uses: Count
    reviews: Count
    ending: Count


def entitlements_standing(at: datetime) -> EntitlementsStanding:
    """Eight statements, none of which takes longer the more entitlements there are."""
    refunds = CourseEntitlementRefund.objects
    return EntitlementsStanding(
        to_review=Count.of(refunds.filter(WAITING & TO_REVIEW)),
        to_pay=Count.of(refunds.filter(WAITING & TO_PAY)),
        unanswered=Count.of(stuck_refunds(at).filter(WAITING & ASKED)),
        waiting_since=refunds.filter(WAITING).aggregate(oldest=Min("requested_at"))["oldest"],
        stuck_uses=Count.of(stuck_redemptions(at)),
        reviews=Count.of(EntitlementReview.objects.all()),
        ending=Count.of(ending_soon(at)),
    )


def ending_soon(at: datetime) -> "QuerySet[CourseEntitlement]":
    """Unused entitlements that end within `ENDS_SOON`, found by their dates, period by period."""
    soon = Q(extended_until__gt=at, extended_until__lte=at + ENDS_SOON)
    for period, policies in _policies_by_period().items():
        sold = Q(created__gt=at - period, created__lte=at + ENDS_SOON - period)
        soon |= policies & sold & Q(extended_until=None)
    return CourseEntitlement.objects.filter(soon, expired_at=None, enrollment_course_run=None)


def _policies_by_period() -> dict[timedelta, Q]:
    found = {DEFAULT_PERIODS.expiration: Q(policy=None)}
    for pk, period in CourseEntitlementPolicy.objects.values_list("pk", "expiration_period"):
        found[period] = found.get(period, Q()) | Q(policy=pk)
    return found

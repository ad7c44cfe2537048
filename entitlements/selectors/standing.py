"""What should have been settled by now, for people to look at."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from credentials_portal.core.models.outbox import UNFINISHED, OutboxMessage
from entitlements.enums import (
    UNSETTLED_REFUNDS,
    RedemptionStatus,
    RefundGateway,
    RefundStatus,
)
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)

PATIENCE = timedelta(days=1)

REFUND_KEY = "entitlement_refund:"
_ASKING = OutboxMessage.objects.filter(
    key=Concat(Value(REFUND_KEY), Cast(OuterRef("pk"), TextField())), status__in=UNFINISHED
)

ASKED = Q(status__in=UNSETTLED_REFUNDS) & Q(Exists(_ASKING))
"""Refunds for which the gateway is still asked."""
TO_REVIEW = Q(status__in=UNSETTLED_REFUNDS) & ~Q(Exists(_ASKING))
"""Refunds that staff must decide: unclear, or nobody asks for them any more."""
TO_PAY = Q(status=RefundStatus.OPENED, gateway=RefundGateway.MANUAL)
WAITING = Q(status__in=UNSETTLED_REFUNDS) | TO_PAY
"""Refunds that are not over, in the words of their index."""


def refund_key(refund_id: int) -> str:
    """The outbox' ordering key of what is asked about one refund."""
    return f"{REFUND_KEY}{refund_id}"


def is_to_review(refund: CourseEntitlementRefund) -> bool:
    """Whether staff must decide it, as stored now."""
    return CourseEntitlementRefund.objects.filter(TO_REVIEW, pk=refund.pk).exists()


def stuck_redemptions(at: datetime) -> "QuerySet[CourseEntitlementRedemption]":
    """Attempts to use entitlements whose end nobody knows a day later."""
    return CourseEntitlementRedemption.objects.filter(
        status=RedemptionStatus.PENDING, requested_at__lte=at - PATIENCE
    )


def stuck_refunds(at: datetime) -> "QuerySet[CourseEntitlementRefund]":
    """Refunds that were asked for a day ago, and neither accepted nor refused."""
    return CourseEntitlementRefund.objects.filter(
        status__in=UNSETTLED_REFUNDS, requested_at__lte=at - PATIENCE
    )


def out_of_step() -> "QuerySet[CourseEntitlement]":
    """Entitlements that are used for enrollments which are over."""
    return CourseEntitlement.objects.filter(expired_at=None, enrollment_course_run__is_active=False)

"""Which of many entitlements have ended, judged now and not as the last sweep left them."""

from datetime import datetime

from django.db.models import Q, QuerySet, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Least

from entitlements.models import CourseEntitlement, CourseEntitlementPolicy
from entitlements.rules import DAY, DEFAULT_PERIODS
from entitlements.sql import THIS_ROW, due_entitlements


def having_ended(
    entitlements: "QuerySet[CourseEntitlement]", *, has_ended: bool, at: datetime
) -> "QuerySet[CourseEntitlement]":
    """Those of these entitlements that have ended by `at`, marked so or not; or that have not."""
    is_over = Q(expired_at__isnull=False) | (_can_be_due(at) & Q(pk__in=_due(at)))
    return entitlements.filter(is_over if has_ended else ~is_over)


def _due(at: datetime) -> RawSQL:
    due = due_entitlements(THIS_ROW, at=at)
    only_ids = f"SELECT due.entitlement_id FROM ({due.sql}) AS due"  # noqa: S608 - the rule
    return RawSQL(only_ids, due.params)  # noqa: S611 - all values are parameters


def _can_be_due(at: datetime) -> Q:
    """What is so of each that is due, and costs nothing to look at.

    A day more is for PostgreSQL, which counts days by the calendar of the session's zone.
    """
    policies = CourseEntitlementPolicy.objects.order_by("expiration_period")
    shortest = Subquery(policies.values("expiration_period")[:1])
    period = Least(shortest, Value(DEFAULT_PERIODS.expiration))
    is_old = Q(created__lt=Value(at + DAY) - period) | Q(extended_until__lt=at)
    return Q(enrollment_course_run__isnull=False) | is_old

"""Entitlements around the moment at which the pages look, and who looks at them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.history import save_with_history
from entitlements.enums import RefundGateway
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from programs.models import Course, CourseRun
from tests.entitlements.factories import DAY, EntitlementFactory, OfferedRunFactory, by_at
from tests.licenses.pages.now import day
from tests.programs.factories import CourseFactory, LearnerFactory

NOW = timezone.now()
HOUR = timedelta(hours=1)


def learner(**fields: Any) -> User:
    person: User = LearnerFactory.create(**fields)
    return person


def course(title: str = "Probability") -> Course:
    found: Course = CourseFactory.create(title=title)
    return found


def run_of(course: Course, *, starts: timedelta = 30 * DAY, **fields: Any) -> CourseRun:
    """A session of 100 days."""
    start = NOW + starts
    run: CourseRun = OfferedRunFactory.create(
        course=course, start_date=start, end_date=start + 100 * DAY, **fields
    )
    return run


def starts_on(run: CourseRun) -> str:
    assert run.start_date
    return day(run.start_date)


def bought(
    person: User, course: Course, *, ago: timedelta = HOUR, **fields: Any
) -> CourseEntitlement:
    entitlement: CourseEntitlement = EntitlementFactory.create(
        user=person, course=course, created=NOW - ago, **fields
    )
    return entitlement


def used(
    person: User, run: CourseRun, *, ago: timedelta = HOUR, **fields: Any
) -> CourseEntitlement:
    """Bought, and used for this session at once."""
    return bought(person, run.course, ago=ago, redeemed=True, course_run=run, **fields)


def refund_of(
    entitlement: CourseEntitlement, status: str, **fields: Any
) -> CourseEntitlementRefund:
    """As it stands an hour after somebody asked for it."""
    is_settled = status not in {"pending", "needs_review"}
    refund = CourseEntitlementRefund(
        entitlement=entitlement,
        order_number=entitlement.order_number or "",
        gateway=RefundGateway.ORDERS,
        status=status,
        requested_at=NOW - HOUR,
        settled_at=NOW if is_settled else None,
        **fields,
    )
    save_with_history(refund, by=by_at(NOW))
    return refund


def page_of(entitlement: CourseEntitlement) -> str:
    return f"/access/entitlements/{entitlement.uuid}/"

"""Learners who use entitlements for sessions, leave them and come back; time is an argument."""

from datetime import datetime
from typing import Any

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from entitlements.deliveries import acting
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.services.leaving import Left
from entitlements.services.redeeming import ENROLL, Use
from entitlements.services.refunding import REFUND
from entitlements.services.unenrolling import UNENROLL
from programs.models import Course, CourseRun
from tests.entitlements.factories import DAY, SOLD, OfferedRunFactory, by_at

AT = SOLD + 10 * DAY


def offered_run(entitlement: CourseEntitlement, **fields: Any) -> CourseRun:
    """Another run of the entitlement's course, which it can be used for unless `fields` forbid."""
    course = Course.objects.get(uuid=entitlement.course_uuid)
    return OfferedRunFactory.create(course=course, **fields)


def redeem(
    entitlement: CourseEntitlement, run: CourseRun, *, at: datetime = AT
) -> CourseEntitlementRedemption | None:
    return acting.redeem_now(
        entitlement_uuid=entitlement.uuid,
        course_run_key=run.key,
        by=by_at(at, actor=entitlement.user),
        user=entitlement.user,
        clock=lambda: at,
    )


def used_for(user: User, run: CourseRun, *, at: datetime = AT) -> Use | None:
    return acting.use_now(user=user, course_run_key=run.key, by=by_at(at), clock=lambda: at)


def leave(entitlement: CourseEntitlement, *, at: datetime = AT) -> CourseEntitlement:
    return acting.leave_now(
        entitlement_uuid=entitlement.uuid,
        by=by_at(at, actor=entitlement.user),
        user=entitlement.user,
        clock=lambda: at,
    )


def unenroll(
    user: User, run: CourseRun, *, skip_refund: bool = False, at: datetime = AT
) -> Left | None:
    return acting.unenroll_now(
        user=user,
        course_run_key=run.key,
        skip_refund=skip_refund,
        by=by_at(at),
        clock=lambda: at,
    )


def refund(entitlement: CourseEntitlement, *, at: datetime = AT) -> CourseEntitlementRefund:
    return acting.refund_now(
        entitlement_uuid=entitlement.uuid,
        by=by_at(at, actor=entitlement.user),
        user=entitlement.user,
        clock=lambda: at,
    )


def deliver(at: datetime) -> None:
    """What workers do all the time, but for the mails."""
    outbox.deliver_due(clock=lambda: at, only=(ENROLL, UNENROLL, REFUND))


def stored(entitlement: CourseEntitlement) -> CourseEntitlement:
    return CourseEntitlement.objects.get(pk=entitlement.pk)


def run_of(entitlement: CourseEntitlement) -> CourseRun | None:
    """The run that it is used for, as stored."""
    enrollment = stored(entitlement).enrollment_course_run
    return enrollment.course_run if enrollment else None


def run_used(entitlement: CourseEntitlement) -> CourseRun:
    """The run of one that is used for one."""
    run = run_of(entitlement)
    assert run
    return run


def enrolled(user: User) -> dict[str, str]:
    """The runs that the learner is in, with the mode, as the portal knows it."""
    active = user.course_enrollments.filter(is_active=True).order_by("pk")
    return dict(active.values_list("course_run__key", "mode"))

"""Enrollments as the LMS has them."""

from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from entitlements.models import CourseEntitlement
from programs.models import CourseRun
from tests.entitlements.sessions import run_used


def known_to(lms: StandInLms, entitlement: CourseEntitlement) -> CourseRun:
    """The run that the entitlement is used for, as the LMS has it."""
    run = run_used(entitlement)
    lms.enrollments[entitlement.user.username, run.key] = Enrolled("verified", is_active=True)
    return run


def mode_at(lms: StandInLms, entitlement: CourseEntitlement, run: CourseRun) -> str | None:
    return lms.active_mode(entitlement.user.username, run.key)

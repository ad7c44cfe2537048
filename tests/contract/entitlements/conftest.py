"""The entitlements that the recorded answers tell of."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.utils import timezone

from credentials_portal.accounts.models import User
from entitlements.enums import SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from programs.models import Course, CourseEnrollment
from tests.entitlements.api.conftest import allow
from tests.entitlements.factories import DAY, EnrollmentFactory, EntitlementFactory
from tests.entitlements.factories import OfferedRunFactory as RunFactory
from tests.programs.factories import CourseFactory, LearnerFactory

SOLD = datetime(2021, 1, 1, tzinfo=UTC)
STARTS = datetime(2098, 12, 1, tzinfo=UTC)
ENDS = datetime(2099, 1, 1, tzinfo=UTC)
RUNS = ("course-v1:NBx+DS1+1T2098", "course-v1:NBx+DS1+2T2098")


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


@pytest.fixture
def callers(db: None) -> dict[str, User]:
    """By name: a learner, somebody of the support, and the order service's worker."""
    cache.clear()
    people = {name: LearnerFactory.create(username=name) for name in ("ada", "ines", "worker")}
    for name in ("ines", "worker"):
        allow(people[name], "support_entitlements")
    course = CourseFactory.create(uuid=uuid(1))
    enrollments = [_enrollment(people["ada"], course, key) for key in RUNS]
    _fill(people, enrollments[0])
    CourseEnrollment.objects.filter(pk=enrollments[1].pk).delete()
    return people


def _enrollment(learner: User, course: Course, key: str) -> CourseEnrollment:
    run = RunFactory.create(course=course, key=key, start_date=STARTS, end_date=None)
    enrollment: CourseEnrollment = EnrollmentFactory.create(user=learner, course_run=run)
    return enrollment


def _fill(people: dict[str, User], enrollment: CourseEnrollment) -> None:
    """One is used, one waits, of another course; one has ended; one was sold just now."""
    theirs: dict[str, Any] = {"user": people["ada"], "created": SOLD, "modified": SOLD}
    used = EntitlementFactory.create(
        **theirs,
        uuid=uuid(10),
        course_uuid=uuid(1),
        order_number="EDX-10",
        enrollment_course_run=enrollment,
        redeemed_at=SOLD,
        extended_until=ENDS,
    )
    EntitlementFactory.create(
        **theirs, uuid=uuid(11), course_uuid=uuid(2), order_number=None, extended_until=ENDS
    )
    EntitlementFactory.create(
        **theirs, uuid=uuid(12), course_uuid=uuid(3), order_number="EDX-12", expired=True
    )
    EntitlementFactory.create(
        **{**theirs, "created": timezone.now() - DAY},
        uuid=uuid(13),
        course_uuid=uuid(1),
        order_number="EDX-13",
        mode="professional",
    )
    detail = CourseEntitlementSupportDetail.objects.create(
        entitlement=used,
        support_user=people["ines"],
        action=SupportAction.CREATE,
        comments="Lost in a migration.",
    )
    stamps = {"created": SOLD, "modified": SOLD}
    CourseEntitlementSupportDetail.objects.filter(pk=detail.pk).update(**stamps)
    CourseEntitlement.objects.update(modified=SOLD)

"""Entitlements for tests, as an order service would have sold them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory

from credentials_portal.core.history import Attribution
from entitlements.enums import EntitlementMode, ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementPolicy
from programs.models import CourseEnrollment, CourseMode, CourseRun
from tests.programs.factories import CourseFactory, CourseRunFactory, LearnerFactory

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
SOLD = datetime(2024, 1, 1, tzinfo=UTC)
BY = Attribution(at=SOLD, reason="for a test", cause="test")


def by_at(at: datetime, **fields: Any) -> Attribution:
    return replace(BY, at=at, **fields)


def enrollment_of(entitlement: CourseEntitlement) -> CourseEnrollment:
    """The enrollment that it is used for."""
    assert entitlement.enrollment_course_run
    return entitlement.enrollment_course_run


class PolicyFactory(DjangoModelFactory[CourseEntitlementPolicy]):
    class Meta:
        model = CourseEntitlementPolicy


class OfferedRunFactory(CourseRunFactory):
    """A run that is open for enrollment from `SOLD` on, verified, and has started."""

    start_date = SOLD
    end_date = SOLD + 400 * DAY

    @classmethod
    def _create(cls, model_class: type[CourseRun], *args: Any, **kwargs: Any) -> CourseRun:
        modes = kwargs.pop("modes", ("verified",))
        run: CourseRun = super()._create(model_class, *args, **kwargs)
        CourseMode.objects.bulk_create(CourseMode(course_run=run, slug=mode) for mode in modes)
        return run


class EnrollmentFactory(DjangoModelFactory[CourseEnrollment]):
    class Meta:
        model = CourseEnrollment

    user = SubFactory(LearnerFactory)
    course_run = SubFactory(OfferedRunFactory)
    mode = "verified"
    created = SOLD


class EntitlementFactory(DjangoModelFactory[CourseEntitlement]):
    """`redeemed` is in use for a run that starts at `SOLD`; `course` names the course."""

    class Meta:
        model = CourseEntitlement
        exclude = ("course", "course_run")

    class Params:
        redeemed = Trait(
            course_run=SubFactory(
                OfferedRunFactory, course=LazyAttribute(lambda run: run.factory_parent.course)
            ),
            enrollment_course_run=LazyAttribute(
                lambda entitlement: EnrollmentFactory.create(
                    user=entitlement.user,
                    course_run=entitlement.course_run,
                    mode=entitlement.mode,
                )
            ),
            redeemed_at=LazyAttribute(lambda entitlement: entitlement.created),
        )
        expired = Trait(
            expired_at=LazyAttribute(lambda entitlement: entitlement.created + 10 * DAY),
            expired_reason=ExpiryReason.SUPPORT,
        )

    course = SubFactory(CourseFactory)
    course_run = None
    user = SubFactory(LearnerFactory)
    uuid = LazyFunction(uuid4)
    course_uuid = LazyAttribute(lambda entitlement: entitlement.course.uuid)
    mode = EntitlementMode.VERIFIED
    order_number = Sequence(lambda number: f"EDX-{number}")
    created = SOLD

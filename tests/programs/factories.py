"""Rows for tests. Programs get their runs and requirements through the services."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import factory
from django.contrib.auth import get_user_model
from factory.django import DjangoModelFactory

from credentials_portal.core.history import Attribution
from programs.enums import CertificateSource, CertificateStatus
from programs.models import (
    Course,
    CourseCertificate,
    CourseEnrollment,
    CourseGrade,
    CourseRun,
    Organization,
    Program,
    ProgramCertificate,
    ProgramEnrollment,
)
from programs.services import RequiredGroup, define_requirements, include_runs

FOUNDED = datetime(2020, 1, 1, tzinfo=UTC)
RUN_STARTS = datetime(2024, 1, 15, tzinfo=UTC)
RUN_ENDS = datetime(2024, 5, 15, tzinfo=UTC)
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
BY = Attribution(at=AT, reason="for a test", cause="test")


class LearnerFactory(DjangoModelFactory):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda number: f"learner{number}")
    email = factory.LazyAttribute(lambda learner: f"{learner.username}@example.org")
    full_name = factory.LazyAttribute(lambda learner: f"Full Name of {learner.username}")


class OrganizationFactory(DjangoModelFactory):
    class Meta:
        model = Organization

    key = factory.Sequence(lambda number: f"Org{number}")
    name = factory.LazyAttribute(lambda organization: f"{organization.key} University")


class CourseFactory(DjangoModelFactory):
    class Meta:
        model = Course

    key = factory.Sequence(lambda number: f"Org+C{number}")
    title = factory.LazyAttribute(lambda course: f"Course {course.key}")


class CourseRunFactory(DjangoModelFactory):
    """A run that has ended at `AT`."""

    class Meta:
        model = CourseRun

    class Params:
        running = factory.Trait(end_date=datetime(2026, 1, 1, tzinfo=UTC))
        endless = factory.Trait(end_date=None)

    course = factory.SubFactory(CourseFactory)
    key = factory.Sequence(lambda number: f"course-v1:Org+C+R{number}")
    start_date = RUN_STARTS
    end_date = RUN_ENDS


class ProgramFactory(DjangoModelFactory):
    class Meta:
        model = Program

    title = factory.Sequence(lambda number: f"Program {number}")


class ProgramEnrollmentFactory(DjangoModelFactory):
    class Meta:
        model = ProgramEnrollment

    user = factory.SubFactory(LearnerFactory)
    program = factory.SubFactory(ProgramFactory)


class CourseEnrollmentFactory(DjangoModelFactory):
    class Meta:
        model = CourseEnrollment

    user = factory.SubFactory(LearnerFactory)
    course_run = factory.SubFactory(CourseRunFactory)
    mode = "verified"


class GradeFactory(DjangoModelFactory):
    """A final, verified grade that passes."""

    class Meta:
        model = CourseGrade

    class Params:
        failing = factory.Trait(percent_grade=Decimal("0.4"), passed=False)
        unverified = factory.Trait(verified=False)
        provisional = factory.Trait(is_final=False)

    user = factory.SubFactory(LearnerFactory)
    course_run = factory.SubFactory(CourseRunFactory)
    percent_grade = Decimal("0.8")
    passed = True
    is_final = True


class CourseCertificateFactory(DjangoModelFactory):
    class Meta:
        model = CourseCertificate

    class Params:
        revoked = factory.Trait(status=CertificateStatus.REVOKED, revoked_at=AT)

    user = factory.SubFactory(LearnerFactory)
    course_run = factory.SubFactory(CourseRunFactory)
    awarded_at = RUN_ENDS


class ProgramCertificateFactory(DjangoModelFactory):
    """An awarded certificate that the portal computed."""

    class Meta:
        model = ProgramCertificate

    class Params:
        from_lms = factory.Trait(source=CertificateSource.LMS)
        revoked = factory.Trait(
            status=CertificateStatus.REVOKED,
            revoked_at=AT,
            revocation_reason=ProgramCertificate.NOT_COMPLETE,
        )

    user = factory.SubFactory(LearnerFactory)
    program = factory.SubFactory(ProgramFactory)
    source = CertificateSource.COMPUTED
    awarded_at = RUN_ENDS


def program_requiring(
    *,
    core: Sequence[Course] = (),
    electives: Iterable[tuple[int, Sequence[Course]]] = (),
    including: Sequence[CourseRun] | None = None,
    effective_from: datetime = FOUNDED,
    **fields: Any,
) -> Program:
    """A program with requirements, that includes these runs; None: all runs of its courses."""
    program = ProgramFactory(**fields)
    courses = [*core, *(course for _needed, members in electives for course in members)]
    if including is None:
        including = CourseRun.objects.filter(course__in=courses).order_by("pk")
    include_runs(program=program, course_run_ids=[run.pk for run in including], by=BY)
    groups = [RequiredGroup(tuple(course.pk for course in core))] if core else []
    groups += [RequiredGroup(tuple(c.pk for c in members), n) for n, members in electives]
    define_requirements(program=program, groups=groups, effective_from=effective_from, by=BY)
    return program

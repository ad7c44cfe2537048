"""Rows for tests. Programs get their runs and requirements through the services."""

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from factory.declarations import LazyAttribute, SelfAttribute, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from programs.enums import (
    CertificateSource,
    CertificateStatus,
    CreditRequestSource,
    CreditRequestStatus,
    PathwayStatus,
    PathwayType,
    RevocationKind,
    ShareEnd,
    ShareKind,
)
from programs.models import (
    Course,
    CourseCertificate,
    CourseCertificateConfiguration,
    CourseEnrollment,
    CourseGrade,
    CourseRun,
    Organization,
    Pathway,
    Program,
    ProgramCertificate,
    ProgramEnrollment,
    SharedProgramRecord,
    UserCreditPathway,
)
from programs.services import RequiredGroup, define_requirements, include_runs

FOUNDED = datetime(2020, 1, 1, tzinfo=UTC)
RUN_STARTS = datetime(2024, 1, 15, tzinfo=UTC)
RUN_ENDS = datetime(2024, 5, 15, tzinfo=UTC)
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
BY = Attribution(at=AT, reason="for a test", cause="test")


class LearnerFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    username = Sequence(lambda number: f"learner{number}")
    email = LazyAttribute(lambda learner: f"{learner.username}@example.org")
    full_name = LazyAttribute(lambda learner: f"Full Name of {learner.username}")


class OrganizationFactory(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    key = Sequence(lambda number: f"Org{number}")
    name = LazyAttribute(lambda organization: f"{organization.key} University")


class CourseFactory(DjangoModelFactory[Course]):
    class Meta:
        model = Course

    key = Sequence(lambda number: f"Org+C{number}")
    title = LazyAttribute(lambda course: f"Course {course.key}")


class CourseRunFactory(DjangoModelFactory[CourseRun]):
    """A run that has ended at `AT`."""

    class Meta:
        model = CourseRun

    class Params:
        running = Trait(end_date=datetime(2026, 1, 1, tzinfo=UTC))
        endless = Trait(end_date=None)

    course = SubFactory(CourseFactory)
    key = Sequence(lambda number: f"course-v1:Org+C+R{number}")
    start_date = RUN_STARTS
    end_date = RUN_ENDS


class ProgramFactory(DjangoModelFactory[Program]):
    class Meta:
        model = Program

    title = Sequence(lambda number: f"Program {number}")


class ProgramEnrollmentFactory(DjangoModelFactory[ProgramEnrollment]):
    class Meta:
        model = ProgramEnrollment

    user = SubFactory(LearnerFactory)
    program = SubFactory(ProgramFactory)


class CourseEnrollmentFactory(DjangoModelFactory[CourseEnrollment]):
    class Meta:
        model = CourseEnrollment

    user = SubFactory(LearnerFactory)
    course_run = SubFactory(CourseRunFactory)
    mode = "verified"


class GradeFactory(DjangoModelFactory[CourseGrade]):
    """A final, verified grade that passes."""

    class Meta:
        model = CourseGrade

    class Params:
        failing = Trait(percent_grade=Decimal("0.4"), passed=False)
        unverified = Trait(verified=False)
        provisional = Trait(is_final=False)

    user = SubFactory(LearnerFactory)
    course_run = SubFactory(CourseRunFactory)
    percent_grade = Decimal("0.8")
    passed = True
    is_final = True


class CourseCertificateConfigurationFactory(DjangoModelFactory[CourseCertificateConfiguration]):
    """A run's certificates, seen by learners at once."""

    class Meta:
        model = CourseCertificateConfiguration

    course_run = SubFactory(CourseRunFactory)
    certificate_type = "verified"
    is_active = True


class CourseCertificateFactory(DjangoModelFactory[CourseCertificate]):
    class Meta:
        model = CourseCertificate

    class Params:
        revoked = Trait(status=CertificateStatus.REVOKED, revoked_at=AT)

    user = SubFactory(LearnerFactory)
    course_run = SubFactory(CourseRunFactory)
    awarded_at = RUN_ENDS


class ProgramCertificateFactory(DjangoModelFactory[ProgramCertificate]):
    """An awarded certificate that the portal computed."""

    class Meta:
        model = ProgramCertificate

    class Params:
        from_lms = Trait(source=CertificateSource.LMS)
        revoked = Trait(
            status=CertificateStatus.REVOKED,
            revoked_at=AT,
            revocation_kind=RevocationKind.NOT_COMPLETE,
        )

    user = SubFactory(LearnerFactory)
    program = SubFactory(ProgramFactory)
    source = CertificateSource.COMPUTED
    awarded_at = RUN_ENDS


class PathwayFactory(DjangoModelFactory[Pathway]):
    """A published credit pathway of no program: `pathway_of` links it."""

    class Meta:
        model = Pathway

    class Params:
        industry = Trait(pathway_type=PathwayType.INDUSTRY)
        retired = Trait(status=PathwayStatus.RETIRED)
        unpublished = Trait(status=PathwayStatus.UNPUBLISHED)

    name = Sequence(lambda number: f"Pathway {number}")
    org_name = LazyAttribute(lambda pathway: f"Institution of {pathway.name}")
    email = LazyAttribute(
        lambda pathway: f"{pathway.name.lower().replace(' ', '-')}@institution.example"
    )


class SharedRecordFactory(DjangoModelFactory[SharedProgramRecord]):
    """A learner's own link."""

    class Meta:
        model = SharedProgramRecord

    class Params:
        of_request = Trait(kind=ShareKind.CREDIT_REQUEST, show_email=True, show_username=True)
        revoked = Trait(revoked_at=AT, end=ShareEnd.REVOKED)

    user = SubFactory(LearnerFactory)
    program = SubFactory(ProgramFactory)


class CreditRequestFactory(DjangoModelFactory[UserCreditPathway]):
    """A request that was sent, with its link."""

    class Meta:
        model = UserCreditPathway

    class Params:
        queued = Trait(status=CreditRequestStatus.QUEUED, sent_at=None)
        failed = Trait(status=CreditRequestStatus.FAILED, sent_at=None, failure="smtp_550")
        legacy = Trait(
            source=CreditRequestSource.IMPORT, program=None, shared_record=None, was_completed=None
        )

    user = SubFactory(LearnerFactory)
    program = SubFactory(ProgramFactory)
    pathway = SubFactory(PathwayFactory)
    shared_record = SubFactory(
        SharedRecordFactory,
        of_request=True,
        user=SelfAttribute("..user"),
        program=SelfAttribute("..program"),
    )
    source = CreditRequestSource.WEB
    status = CreditRequestStatus.SENT
    requested_at = AT
    sent_at = AT
    was_completed = False


def pathway_of(*programs: Program, **fields: Any) -> Pathway:
    """A pathway that takes these programs."""
    pathway = PathwayFactory.create(**fields)
    pathway.programs.set(programs)
    return pathway


def program_requiring(
    *,
    core: SequenceOf[Course] = (),
    electives: Iterable[tuple[int, SequenceOf[Course]]] = (),
    including: Iterable[CourseRun] | None = None,
    effective_from: datetime = FOUNDED,
    **fields: Any,
) -> Program:
    """A program with requirements, that includes these runs; None: all runs of its courses."""
    program = ProgramFactory.create(**fields)
    courses = [*core, *(course for _needed, members in electives for course in members)]
    runs = CourseRun.objects.filter(course__in=courses) if including is None else including
    include_runs(program=program, course_run_ids=[run.pk for run in runs], by=BY)
    groups = [RequiredGroup(tuple(course.pk for course in core))] if core else []
    groups += [RequiredGroup(tuple(c.pk for c in members), n) for n, members in electives]
    define_requirements(program=program, groups=groups, effective_from=effective_from, by=BY)
    return program

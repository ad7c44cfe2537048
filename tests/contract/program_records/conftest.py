"""The programs, and what ada has earned in them, that the recorded answers tell of."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.cache import cache

from credentials_portal.accounts.models import User
from programs.enums import ProgramStatus
from programs.models import CourseGrade, CourseRun, Program
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    OrganizationFactory,
    ProgramCertificateFactory,
    SharedRecordFactory,
    pathway_of,
    program_requiring,
)
from tests.programs.record_api.conftest import VIEW, allow

GRADED = datetime(2024, 5, 16, 8, 30, tzinfo=UTC)


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


@pytest.fixture
def callers(db: None) -> dict[str, User]:
    """By name: ada, who has completed one program and not another; eve, another learner; ines of
    the support, who sees records and sends them.

    Of the second program, a link of ada's is with somebody.
    """
    cache.clear()
    people: dict[str, User] = {
        name: LearnerFactory.create(username=name, full_name=f"{name.title()} Example")
        for name in ("ada", "eve", "ines")
    }
    allow(people["ines"], *VIEW, "request_credit_for_learner")
    school = OrganizationFactory.create(name="Northbridge University")
    runs = [_run(number) for number in range(3)]
    for run in runs:
        run.course.owners.add(school)
    chains = program_requiring(
        core=[runs[0].course, runs[1].course],
        uuid=uuid(1),
        title="Supply Chain Practice",
        type="MicroMasters",
    )
    design = program_requiring(
        core=[runs[2].course],
        uuid=uuid(2),
        title="Design",
        type="Professional Certificate",
        status=ProgramStatus.RETIRED,
    )
    for program in (chains, design):
        program.authoring_organizations.add(school)
    _earn(people["ada"], runs[0], "0.7000", "C")
    _earn(people["ada"], runs[2], "1.0000", "")
    ProgramCertificateFactory.create(user=people["ada"], program=design, from_lms=True)
    SharedRecordFactory.create(user=people["ada"], program=design, uuid=uuid(20))
    _pathways(chains)
    return people


def _run(number: int) -> CourseRun:
    course = CourseFactory.create(key=f"NBx+C{number}", title=f"Course {number}")
    run: CourseRun = CourseRunFactory.create(course=course, key=f"course-v1:NBx+C{number}+1T2024")
    return run


def _earn(learner: User, run: CourseRun, percent: str, letter: str) -> None:
    grade: CourseGrade = GradeFactory.create(
        user=learner, course_run=run, percent_grade=Decimal(percent), letter_grade=letter
    )
    CourseGrade.objects.filter(pk=grade.pk).update(modified=GRADED)
    CourseCertificateFactory.create(user=learner, course_run=run)


def _pathways(program: Program) -> None:
    pathway_of(program, pk=301, name="Master of Logistics")
    pathway_of(program, pk=302, name="Master of Trade")
    pathway_of(program, pk=303, name="Old Master", retired=True)

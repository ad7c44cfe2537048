from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from credentials_portal.accounts.models import User
from programs.models import CourseCertificate, CourseRun, Program
from programs.selectors import ListedRecord, ProgramRecord, RecordRow, record_of, records_of_learner
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    program_requiring,
)

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
TOMORROW = AT + DAY


@pytest.fixture
def learner() -> User:
    return LearnerFactory.create()


@pytest.fixture
def run() -> CourseRun:
    return CourseRunFactory.create()


@pytest.fixture
def program(run: CourseRun) -> Program:
    """A program of one course with one run."""
    return program_requiring(core=[run.course])


def read(learner: User, program: Program, *, at: datetime = AT) -> ProgramRecord:
    return record_of(user_id=learner.pk, program_uuid=program.uuid, at=at)


def row_of(learner: User, program: Program, *, at: datetime = AT) -> RecordRow:
    [row] = read(learner, program, at=at).rows
    return row


def listed(learner: User, *, at: datetime = AT) -> list[ListedRecord]:
    return records_of_learner(user_id=learner.pk, at=at)


def earn(
    learner: User, run: CourseRun, percent: str | None = None, *, at: datetime = RUN_ENDS
) -> CourseCertificate:
    """A certificate, with a grade where there is a percentage."""
    if percent:
        GradeFactory.create(user=learner, course_run=run, percent_grade=Decimal(percent))
    return CourseCertificateFactory.create(user=learner, course_run=run, awarded_at=at)

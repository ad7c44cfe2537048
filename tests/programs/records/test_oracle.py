"""Records and lists of random learners against the oracle, and their number of statements."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from credentials_portal.accounts.models import User
from programs.enums import CertificateSource, CertificateStatus, ProgramStatus, RevocationKind
from programs.models import (
    Course,
    CourseCertificate,
    CourseCertificateConfiguration,
    CourseGrade,
    CourseRun,
    Program,
    ProgramCertificate,
    ProgramCourseRun,
)
from programs.selectors import ProgramRecord, record_of, records_of_learner
from tests.programs.factories import AT, CourseRunFactory, ProgramFactory
from tests.programs.records import oracle
from tests.programs.records.conftest import INSTANT, earn

pytestmark = pytest.mark.django_db

COURSES = 3
LEARNERS = 8
DATES = st.sampled_from([AT - timedelta(days=400), AT - INSTANT, AT, AT + INSTANT])
OFTEN = st.sampled_from([True, True, True, False])

runs = st.builds(
    oracle.Run,
    course=st.integers(0, COURSES - 1),
    is_included=OFTEN,
    ends_at=st.none() | DATES,
    available_at=st.none() | DATES,
)
grades = st.builds(
    oracle.Grade,
    percent=st.none() | st.sampled_from([Decimal("0.5"), Decimal("0.7"), Decimal(1)]),
    letter=st.sampled_from(["", "B"]),
    is_verified=OFTEN,
    is_passed=st.booleans(),
    is_final=st.booleans(),
    modified=DATES,
)
certificates = st.builds(
    oracle.Certificate, is_awarded=OFTEN, awarded_at=DATES, override=st.none() | DATES
)
learners = st.builds(
    oracle.Learner,
    attempts=st.dictionaries(
        st.integers(0, 5),
        st.builds(oracle.Attempt, grade=st.none() | grades, certificate=st.none() | certificates),
    ),
    certificate=st.none()
    | st.builds(
        oracle.ProgramCertificate, is_awarded=OFTEN, is_computed=st.booleans(), awarded_at=DATES
    ),
)
worlds = st.builds(
    oracle.World,
    status=st.sampled_from(ProgramStatus.values),
    runs=st.lists(runs, min_size=6, max_size=6).map(tuple),
    learners=st.lists(learners, min_size=LEARNERS, max_size=LEARNERS).map(tuple),
)


@given(world=worlds)
@settings(
    max_examples=1000 if os.environ.get("FULL") else 120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_records_and_lists_agree_with_the_oracle(world: oracle.World) -> None:
    with built(world) as (program, users):
        for user, learner in zip(users, world.learners, strict=True):
            expected = oracle.record(world, learner, AT)

            record = record_of(user_id=user.pk, program_uuid=program.uuid, at=AT)
            listed = records_of_learner(user_id=user.pk, at=AT)

            assert as_the_oracle_says(record) == expected
            is_listed = oracle.is_listed(world, learner, AT)
            assert [(each.program_id, each.is_completed) for each in listed] == (
                [(program.pk, expected.is_completed)] if is_listed else []
            )


def as_the_oracle_says(record: ProgramRecord) -> oracle.Record:
    return oracle.Record(
        rows=[
            oracle.Row(
                course=int(row.course_key),
                run=int(row.run_key) if row.run_key else None,
                attempts=row.attempts,
                issued_at=row.issued_at,
                percent=row.percent_grade,
                letter=row.letter_grade,
                reason=row.reason,
                until=row.reason_until,
                so_far=row.percent_so_far,
            )
            for row in record.rows
        ],
        is_completed=record.is_completed,
        is_empty=record.is_empty,
        last_updated=record.last_updated,
    )


@contextmanager
def built(world: oracle.World) -> Iterator[tuple[Program, list[User]]]:
    """The world as rows, whose keys are the oracle's numbers; gone afterwards."""
    with transaction.atomic():
        program = Program.objects.create(title="World", status=world.status)
        run_rows = build_runs(world, program)
        users = get_user_model().objects.bulk_create(
            User(username=f"world{number}") for number in range(LEARNERS)
        )
        build_results(world, users, run_rows)
        ProgramCertificate.objects.bulk_create(
            program_certificate(user, program, learner.certificate)
            for user, learner in zip(users, world.learners, strict=True)
            if learner.certificate
        )
        yield program, users
        transaction.set_rollback(True)


def build_runs(world: oracle.World, program: Program) -> list[CourseRun]:
    courses = Course.objects.bulk_create(Course(key=str(number)) for number in range(COURSES))
    rows = CourseRun.objects.bulk_create(
        CourseRun(course=courses[run.course], key=str(number), end_date=run.ends_at)
        for number, run in enumerate(world.runs)
    )
    included = [
        ProgramCourseRun(program=program, course_run=row, position=number)
        for number, (row, run) in enumerate(zip(rows, world.runs, strict=True))
        if run.is_included
    ]
    # Their keys rise against their positions.
    ProgramCourseRun.objects.bulk_create(reversed(included))
    CourseCertificateConfiguration.objects.bulk_create(
        CourseCertificateConfiguration(course_run=row, certificate_available_date=run.available_at)
        for row, run in zip(rows, world.runs, strict=True)
        if run.available_at
    )
    return rows


def build_results(world: oracle.World, users: list[User], run_rows: list[CourseRun]) -> None:
    results = [
        (user, run_rows[number], attempt)
        for user, learner in zip(users, world.learners, strict=True)
        for number, attempt in learner.attempts.items()
    ]
    CourseGrade.objects.bulk_create(
        CourseGrade(
            user=user,
            course_run=run,
            percent_grade=attempt.grade.percent,
            letter_grade=attempt.grade.letter,
            verified=attempt.grade.is_verified,
            passed=attempt.grade.is_passed,
            is_final=attempt.grade.is_final,
            modified=attempt.grade.modified,
        )
        for user, run, attempt in results
        if attempt.grade
    )
    CourseCertificate.objects.bulk_create(
        CourseCertificate(
            user=user,
            course_run=run,
            awarded_at=attempt.certificate.awarded_at,
            date_override=attempt.certificate.override,
            status=status_of(attempt.certificate),
            revoked_at=None if attempt.certificate.is_awarded else AT,
        )
        for user, run, attempt in results
        if attempt.certificate
    )


def program_certificate(
    user: User, program: Program, certificate: oracle.ProgramCertificate
) -> ProgramCertificate:
    is_awarded = certificate.is_awarded
    return ProgramCertificate(
        user=user,
        program=program,
        source=CertificateSource.COMPUTED if certificate.is_computed else CertificateSource.LMS,
        awarded_at=certificate.awarded_at,
        status=status_of(certificate),
        revoked_at=None if is_awarded else AT,
        revocation_kind="" if is_awarded else RevocationKind.DECIDED,
    )


def status_of(certificate: oracle.Certificate | oracle.ProgramCertificate) -> CertificateStatus:
    return CertificateStatus.AWARDED if certificate.is_awarded else CertificateStatus.REVOKED


# --- Statements ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    runs: int
    programs: int


@pytest.mark.parametrize("size", [Size(runs=1, programs=1), Size(runs=50, programs=10)])
def test_a_record_takes_two_statements_and_the_list_one(
    learner: User, size: Size, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    course_runs = CourseRunFactory.create_batch(size.runs)
    programs = ProgramFactory.create_batch(size.programs)
    for program in programs:
        program.course_runs.set(course_runs)
    for run in course_runs:
        earn(learner, run, "0.8")

    with django_assert_num_queries(2):
        record = record_of(user_id=learner.pk, program_uuid=programs[0].uuid, at=AT)
        fingerprint = record.fingerprint
    with django_assert_num_queries(1):
        listed = records_of_learner(user_id=learner.pk, at=AT)

    assert (record.earned, len(fingerprint), len(listed)) == (size.runs, 64, size.programs)

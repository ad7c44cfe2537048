"""Why a course does not count, and what changes a record's fingerprint."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from credentials_portal.accounts.models import User
from programs.enums import RowReason
from programs.models import Course, CourseCertificate, CourseGrade, CourseRun, Program
from tests.programs.factories import (
    AT,
    CourseCertificateConfigurationFactory,
    CourseCertificateFactory,
    CourseRunFactory,
    GradeFactory,
    ProgramCertificateFactory,
    ProgramFactory,
)
from tests.programs.records.conftest import DAY, INSTANT, TOMORROW, earn, read, row_of

pytestmark = pytest.mark.django_db

Give = Callable[[User, CourseRun], object]


def grade(**fields: Any) -> Give:
    return lambda learner, run: GradeFactory.create(user=learner, course_run=run, **fields)


def revoked_certificate(learner: User, run: CourseRun) -> None:
    GradeFactory.create(user=learner, course_run=run)
    CourseCertificateFactory.create(user=learner, course_run=run, revoked=True)


@pytest.mark.parametrize(
    ("give", "reason"),
    [
        (lambda _learner, _run: None, RowReason.NO_GRADE),
        (grade(failing=True), RowReason.NOT_PASSED),
        (grade(unverified=True), RowReason.UNVERIFIED),
        (grade(), RowReason.NO_CERTIFICATE),
        (revoked_certificate, RowReason.REVOKED),
    ],
)
def test_says_why_a_course_does_not_count(
    learner: User, run: CourseRun, program: Program, give: Give, reason: RowReason
) -> None:
    give(learner, run)

    row = row_of(learner, program)

    assert (row.reason, row.reason_until, row.is_earned) == (reason, None, False)


def test_a_grade_is_not_final_while_the_run_goes_on(
    learner: User, run: CourseRun, program: Program
) -> None:
    CourseRun.objects.update(end_date=AT)
    GradeFactory.create(user=learner, course_run=run, provisional=True)

    reasons = [row_of(learner, program, at=at).reason for at in (AT - INSTANT, AT)]

    assert reasons == [RowReason.NOT_FINAL, RowReason.NO_CERTIFICATE]


@pytest.mark.parametrize("give", [earn, grade()])
def test_a_course_taken_in_a_run_that_is_not_included_does_not_count(
    learner: User, run: CourseRun, program: Program, give: Give
) -> None:
    give(learner, CourseRunFactory.create(course=run.course))

    row = row_of(learner, program)

    assert (row.reason, row.run_key, row.attempts) == (RowReason.EXCLUDED_RUN, "", None)


@pytest.mark.parametrize("give", [grade(failing=True), grade(unverified=True), revoked_certificate])
def test_another_run_that_would_not_count_either_is_no_reason(
    learner: User, run: CourseRun, program: Program, give: Give
) -> None:
    give(learner, CourseRunFactory.create(course=run.course))

    assert row_of(learner, program).reason == RowReason.NO_GRADE


def test_the_first_of_several_dates_is_awaited(learner: User, program: Program) -> None:
    course = Course.objects.get()
    for days in (3, 1, 2):
        run = CourseRunFactory.create(course=course)
        program.course_runs.add(run)
        CourseCertificateConfigurationFactory.create(
            course_run=run, certificate_available_date=AT + days * DAY
        )
        earn(learner, run)

    row = row_of(learner, program)

    assert (row.reason, row.reason_until) == (RowReason.NOT_AVAILABLE_UNTIL, TOMORROW)


def test_a_course_passed_again_after_a_revocation_waits_for_its_certificate(
    learner: User, run: CourseRun, program: Program
) -> None:
    revoked_certificate(learner, run)
    again = CourseRunFactory.create(course=run.course)
    program.course_runs.add(again)
    GradeFactory.create(user=learner, course_run=again)

    assert row_of(learner, program).reason == RowReason.NO_CERTIFICATE


# --- The fingerprint -----------------------------------------------------------------------------


def better_grade(learner: User, program: Program) -> None:
    CourseGrade.objects.update(percent_grade=Decimal("0.9"))


def another_letter(learner: User, program: Program) -> None:
    CourseGrade.objects.update(letter_grade="B")


def another_date(learner: User, program: Program) -> None:
    CourseCertificate.objects.update(date_override=AT)


def revocation(learner: User, program: Program) -> None:
    CourseCertificate.objects.update(status="revoked", revoked_at=AT)


def another_attempt(learner: User, program: Program) -> None:
    run = CourseRunFactory.create(course=Course.objects.get())
    program.course_runs.add(run)
    earn(learner, run, "0.5")


def another_certificate(learner: User, program: Program) -> None:
    run = CourseRunFactory.create()
    program.course_runs.add(run)
    earn(learner, run)


def completion(learner: User, program: Program) -> None:
    ProgramCertificateFactory.create(user=learner, program=program)


@pytest.mark.parametrize(
    "change",
    [
        better_grade,
        another_letter,
        another_date,
        revocation,
        another_attempt,
        another_certificate,
        completion,
    ],
)
def test_the_fingerprint_changes_with_what_the_record_says(
    learner: User, run: CourseRun, program: Program, change: Callable[[User, Program], None]
) -> None:
    earn(learner, run, "0.8")
    before = read(learner, program).fingerprint

    change(learner, program)

    assert read(learner, program).fingerprint != before


def other_names(program: Program) -> None:
    Program.objects.update(title="Renamed", status="retired")
    Course.objects.update(title="Renamed")


def other_order(program: Program) -> None:
    program.included_runs.update(position=1 - F("position"))


def elsewhere(program: Program) -> None:
    ProgramFactory.create()
    GradeFactory.create(course_run=CourseRun.objects.latest("pk"))


def same_grade_again(program: Program) -> None:
    CourseGrade.objects.update(percent_grade=Decimal("0.80"), modified=AT)


@pytest.mark.parametrize("change", [other_names, other_order, elsewhere, same_grade_again])
def test_the_fingerprint_stays_while_the_record_says_the_same(
    learner: User, run: CourseRun, program: Program, change: Callable[[Program], None]
) -> None:
    program.course_runs.add(CourseRunFactory.create(), through_defaults={"position": 1})
    earn(learner, run, "0.8")
    before = read(learner, program)

    change(program)

    after = read(learner, program, at=AT + DAY)
    assert after.fingerprint == before.fingerprint


def test_two_programs_with_the_same_courses_have_fingerprints_of_their_own(
    learner: User, run: CourseRun, program: Program
) -> None:
    other = ProgramFactory.create()
    other.course_runs.add(run)
    earn(learner, run)

    assert read(learner, program).fingerprint != read(learner, other).fingerprint

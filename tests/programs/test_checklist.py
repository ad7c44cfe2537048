"""What a learner's page says of a program: each course with its evidence, or why it is open."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from programs.enums import RowReason
from programs.models import CourseRun, Program
from programs.selectors import record_of
from programs.selectors.checklist import (
    Checklist,
    CourseStep,
    CreditOffer,
    checklist_of,
    credit_offers,
    takes_part,
)
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    LearnerFactory,
    ProgramEnrollmentFactory,
    ProgramFactory,
    pathway_of,
    program_requiring,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def learner() -> User:
    learner: User = LearnerFactory.create()
    return learner


def run_of(title: str, **fields: Any) -> CourseRun:
    run: CourseRun = CourseRunFactory.create(course=CourseFactory.create(title=title), **fields)
    return run


def checklist(learner: User, program: Program, *, at: datetime = AT) -> Checklist:
    ProgramEnrollmentFactory.create(user=learner, program=program)
    record = record_of(user_id=learner.pk, program_uuid=program.uuid, at=at)
    found = checklist_of(record=record, at=at)
    assert found
    return found


def only_step(learner: User, run: CourseRun) -> CourseStep:
    [only] = checklist(learner, program_requiring(core=[run.course])).sets
    [step] = only.courses
    return step


def test_a_course_is_met_by_a_certificate_with_its_date_and_the_grade_of_its_run(
    learner: User,
) -> None:
    run = run_of("Statistics")
    CourseCertificateFactory.create(user=learner, course_run=run)
    GradeFactory.create(user=learner, course_run=run, percent_grade=Decimal("0.87"))

    assert only_step(learner, run) == CourseStep(
        "Statistics", True, RUN_ENDS, Decimal("0.87"), None
    )


def test_a_course_is_met_by_a_grade_with_its_own_date(learner: User) -> None:
    run = run_of("Statistics")
    graded_at = RUN_ENDS - timedelta(days=13)
    GradeFactory.create(user=learner, course_run=run, graded_at=graded_at)

    assert only_step(learner, run) == CourseStep(
        "Statistics", True, graded_at, Decimal("0.8"), None
    )


def test_a_met_course_shows_the_grade_of_the_run_that_met_it(learner: User) -> None:
    """Not a better one of a run that does not count yet."""
    run = run_of("Statistics")
    running = CourseRunFactory.create(course=run.course, running=True)
    GradeFactory.create(user=learner, course_run=run, percent_grade=Decimal("0.7"))
    GradeFactory.create(
        user=learner, course_run=running, percent_grade=Decimal("0.9"), is_final=False
    )

    assert only_step(learner, run).percent_grade == Decimal("0.7")


def test_a_certificate_without_a_grade_meets_a_course_without_one(learner: User) -> None:
    run = run_of("Statistics")
    CourseCertificateFactory.create(user=learner, course_run=run)

    assert only_step(learner, run).percent_grade is None


def test_an_open_course_says_why_and_how_far_it_is(learner: User) -> None:
    run = run_of("Statistics")
    GradeFactory.create(user=learner, course_run=run, failing=True)

    assert only_step(learner, run) == CourseStep(
        "Statistics", False, None, Decimal("0.4"), RowReason.NOT_PASSED
    )


def test_a_grade_that_is_not_final_leaves_a_course_open_though_it_passes(learner: User) -> None:
    run = run_of("Statistics", running=True)
    GradeFactory.create(user=learner, course_run=run, is_final=False)

    step = only_step(learner, run)

    assert (step.is_met, step.reason) == (False, RowReason.NOT_FINAL)


def test_a_grade_so_far_is_of_a_run_that_goes_on_not_of_one_that_was_failed(
    learner: User,
) -> None:
    failed = run_of("Statistics", key="a")
    runs = [CourseRunFactory.create(course=failed.course, running=True) for _ in range(2)]
    GradeFactory.create(user=learner, course_run=failed, failing=True, percent_grade="0.55")
    for run, percent in zip(runs, ("0.2", "0.3"), strict=True):
        GradeFactory.create(user=learner, course_run=run, percent_grade=percent, is_final=False)

    step = only_step(learner, failed)

    assert (step.percent_grade, step.reason) == (Decimal("0.3"), RowReason.NOT_FINAL)


def test_a_grade_is_final_from_the_instant_at_which_its_run_ends(learner: User) -> None:
    run = run_of("Statistics", end_date=AT)
    GradeFactory.create(user=learner, course_run=run, failing=True, is_final=False)
    program = program_requiring(core=[run.course])
    before, then = (
        record_of(user_id=learner.pk, program_uuid=program.uuid, at=at).rows[0]
        for at in (AT - timedelta(microseconds=1), AT)
    )

    assert (before.percent_so_far, before.reason) == (Decimal("0.4"), RowReason.NOT_FINAL)
    assert (then.percent_so_far, then.reason) == (Decimal("0.4"), RowReason.NOT_PASSED)


def test_unverified_grades_are_not_shown(learner: User) -> None:
    run = run_of("Statistics")
    GradeFactory.create(user=learner, course_run=run, unverified=True)

    step = only_step(learner, run)

    assert (step.percent_grade, step.reason) == (None, RowReason.UNVERIFIED)


def test_a_course_of_which_the_program_includes_no_run_has_no_reason_of_the_learners(
    learner: User,
) -> None:
    run = run_of("Statistics")

    found = checklist(learner, program_requiring(core=[run.course], including=[]))

    assert found.sets[0].courses[0].reason is None
    assert not found.is_possible


def test_a_set_counts_as_one_and_the_core_by_its_courses(learner: User) -> None:
    core, electives = [run_of("A"), run_of("B")], [run_of("C"), run_of("D"), run_of("E")]
    for run in (core[0], electives[1]):
        GradeFactory.create(user=learner, course_run=run)
    program = program_requiring(
        core=[run.course for run in core], electives=[(2, [run.course for run in electives])]
    )

    found = checklist(learner, program)

    assert [each.is_core for each in found.sets] == [True, False]
    assert [[c.title for c in each.courses] for each in found.sets] == [["A", "B"], ["C", "D", "E"]]
    assert (found.met, found.total, found.is_complete) == (1, 3, False)
    assert (found.sets[1].needed, found.sets[1].still_needed) == (2, 1)


def test_a_program_without_requirements_asks_for_nothing_yet(learner: User) -> None:
    found = checklist(learner, ProgramFactory.create())

    assert (found.sets, found.total, found.is_complete) == ((), 0, False)


def test_who_has_nothing_in_a_program_has_no_checklist(learner: User) -> None:
    program = program_requiring(core=[run_of("Statistics").course])
    record = record_of(user_id=learner.pk, program_uuid=program.uuid, at=AT)

    assert checklist_of(record=record, at=AT) is None
    assert not takes_part(user_id=learner.pk, program_id=program.pk)


@pytest.mark.parametrize("through", ["enrollment", "grade", "certificate"])
def test_who_has_anything_in_a_program_takes_part(learner: User, through: str) -> None:
    run = run_of("Statistics")
    program = program_requiring(core=[run.course])
    if through == "enrollment":
        ProgramEnrollmentFactory.create(user=learner, program=program)
    elif through == "grade":
        GradeFactory.create(user=learner, course_run=run, failing=True)
    else:
        CourseCertificateFactory.create(user=learner, course_run=run, revoked=True)

    assert takes_part(user_id=learner.pk, program_id=program.pk)


def test_two_statements_whatever_there_is(learner: User) -> None:
    def statements(courses: int) -> int:
        runs = [run_of(f"Course {number}") for number in range(courses)]
        for run in runs:
            GradeFactory.create(user=learner, course_run=run)
        program = program_requiring(core=[run.course for run in runs])
        record = record_of(user_id=learner.pk, program_uuid=program.uuid, at=AT)
        with CaptureQueriesContext(connection) as queries:
            found = checklist_of(record=record, at=AT)
        assert found
        assert found.met == courses
        return len(queries)

    assert [statements(1), statements(50)] == [2, 2]


def test_offers_tell_where_the_record_was_sent(learner: User) -> None:
    program = ProgramFactory.create()
    asked, failed, other = (
        pathway_of(program, name=name) for name in ("Asked", "Failed", "Of somebody else")
    )
    pathway_of(program, name="Retired", retired=True)
    mine = {"user": learner, "program": program}
    CreditRequestFactory.create(**mine, pathway=asked)
    CreditRequestFactory.create(
        **mine, pathway=asked, number=2, requested_at=AT + timedelta(days=1)
    )
    CreditRequestFactory.create(**mine, pathway=failed, failed=True)
    CreditRequestFactory.create(program=program, pathway=other)

    assert credit_offers(program_id=program.pk, user_id=learner.pk) == [
        CreditOffer(asked.pk, "Asked", "Institution of Asked", AT + timedelta(days=1)),
        CreditOffer(failed.pk, "Failed", "Institution of Failed", None),
        CreditOffer(other.pk, "Of somebody else", "Institution of Of somebody else", None),
    ]

"""What a program record says: one test for each sentence of its rules."""

from decimal import Decimal
from uuid import uuid4

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import NotFoundError
from programs.enums import RowReason
from programs.models import CourseCertificate, CourseGrade, CourseRun, Program, ProgramCertificate
from programs.selectors import RecordRow, record_of
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseCertificateConfigurationFactory,
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    OrganizationFactory,
    ProgramCertificateFactory,
    ProgramFactory,
    program_requiring,
)
from tests.programs.records.conftest import DAY, INSTANT, TOMORROW, earn, listed, read, row_of

pytestmark = pytest.mark.django_db


# --- One course ----------------------------------------------------------------------------------


def test_the_best_of_two_awarded_runs_gives_the_whole_row(learner: User) -> None:
    course = CourseFactory.create(title="Supply Chains")
    first, second = CourseRunFactory.create_batch(2, course=course)
    program = program_requiring(core=[course])
    earn(learner, first, "0.70", at=RUN_ENDS + DAY)
    earn(learner, second, "1.00")

    row = row_of(learner, program)

    assert row == RecordRow(
        name="Supply Chains",
        school="",
        course_key=course.key,
        run_key=second.key,
        attempts=2,
        issued_at=RUN_ENDS,
        percent_grade=Decimal(1),
    )
    assert row.is_earned


def test_of_equal_grades_the_one_issued_last_counts(learner: User) -> None:
    first, second, third = CourseRunFactory.create_batch(3, course=CourseFactory.create())
    program = program_requiring(core=[first.course])
    earn(learner, first, "0.8")
    earn(learner, second, "0.8", at=RUN_ENDS + DAY)
    earn(learner, third, "0.8")

    assert row_of(learner, program).run_key == second.key


def test_a_verified_grade_outweighs_a_later_certificate_without_one(learner: User) -> None:
    first, second = CourseRunFactory.create_batch(2, course=CourseFactory.create())
    program = program_requiring(core=[first.course])
    earn(learner, first, "0.6")
    earn(learner, second, at=RUN_ENDS + DAY)

    row = row_of(learner, program)

    assert (row.run_key, row.attempts) == (first.key, 1)


def test_a_certificate_without_a_grade_is_earned(
    learner: User, run: CourseRun, program: Program
) -> None:
    earn(learner, run)

    row = row_of(learner, program)

    assert (row.run_key, row.issued_at, row.is_earned) == (run.key, RUN_ENDS, True)
    assert (row.percent_grade, row.letter_grade, row.attempts) == (None, "", None)
    assert read(learner, program).is_empty


def test_an_unverified_grade_counts_neither_as_best_nor_as_an_attempt(learner: User) -> None:
    first, second = CourseRunFactory.create_batch(2, course=CourseFactory.create())
    program = program_requiring(core=[first.course])
    earn(learner, first, "0.7")
    earn(learner, second, "0.9")
    CourseGrade.objects.filter(course_run=second).update(verified=False)

    row = row_of(learner, program)

    assert (row.run_key, row.percent_grade, row.attempts) == (first.key, Decimal("0.7"), 1)


def test_an_unverified_grade_does_not_outweigh_a_later_certificate(learner: User) -> None:
    first, second = CourseRunFactory.create_batch(2, course=CourseFactory.create())
    program = program_requiring(core=[first.course])
    earn(learner, first, "0.9")
    CourseGrade.objects.update(verified=False)
    earn(learner, second, at=RUN_ENDS + DAY)

    assert row_of(learner, program).run_key == second.key


def test_a_grade_without_a_certificate_is_shown_as_nothing(
    learner: User, run: CourseRun, program: Program
) -> None:
    GradeFactory.create(user=learner, course_run=run)

    record = read(learner, program)

    assert record.rows == (
        RecordRow(run.title, "", run.course.key, reason=RowReason.NO_CERTIFICATE),
    )
    assert record.is_empty
    assert listed(learner) == []


def test_a_revoked_attempt_is_counted_and_does_not_earn(learner: User) -> None:
    first, second = CourseRunFactory.create_batch(2, course=CourseFactory.create())
    program = program_requiring(core=[first.course])
    earn(learner, first, "0.7")
    GradeFactory.create(user=learner, course_run=second, percent_grade=Decimal("0.9"))
    CourseCertificateFactory.create(user=learner, course_run=second, revoked=True)

    row = row_of(learner, program)

    assert (row.run_key, row.percent_grade, row.attempts) == (first.key, Decimal("0.7"), 2)


def test_a_run_without_a_title_bears_its_courses_and_that_its_key(learner: User) -> None:
    titled = CourseRunFactory.create(title_override="Spring School")
    plain = CourseRunFactory.create(course=CourseFactory.create(title="Statistics"))
    nameless = CourseRunFactory.create(course=CourseFactory.create(title="", key="MIT+X1"))
    program = program_requiring(core=[titled.course, plain.course, nameless.course])
    earn(learner, titled)

    names = {row.name for row in read(learner, program).rows}

    assert names == {"Spring School", "Statistics", "MIT+X1"}


def test_schools_stand_in_the_order_of_their_owners(
    learner: User, run: CourseRun, program: Program
) -> None:
    last, first = (OrganizationFactory.create(name=name) for name in ("A School", "B School"))
    for position, organization in enumerate((first, last)):
        run.course.owners.add(organization, through_defaults={"position": position})
        program.authoring_organizations.add(organization, through_defaults={"position": position})
    earn(learner, run)

    record = read(learner, program)
    [in_list] = listed(learner)

    assert {record.school, record.rows[0].school, in_list.school} == {"B School, A School"}


# --- When it is seen -----------------------------------------------------------------------------


def test_a_certificate_is_hidden_until_it_is_available(
    learner: User, run: CourseRun, program: Program
) -> None:
    CourseCertificateConfigurationFactory.create(
        course_run=run, certificate_available_date=TOMORROW
    )
    earn(learner, run, "0.8")

    before, then = (row_of(learner, program, at=at) for at in (TOMORROW - INSTANT, TOMORROW))

    assert (before.reason, before.reason_until) == (RowReason.NOT_AVAILABLE_UNTIL, TOMORROW)
    assert not before.is_earned
    assert (then.issued_at, then.attempts, then.reason) == (TOMORROW, 1, None)
    assert listed(learner, at=TOMORROW - INSTANT) == []
    assert [each.program_id for each in listed(learner, at=TOMORROW)] == [program.pk]


def test_the_date_of_another_kind_of_certificate_hides_nothing(
    learner: User, run: CourseRun, program: Program
) -> None:
    CourseCertificateConfigurationFactory.create(
        course_run=run, certificate_type="honor", certificate_available_date=TOMORROW
    )
    earn(learner, run)

    assert row_of(learner, program).issued_at == RUN_ENDS


def test_an_overridden_date_is_shown_and_moves_nothing_else(
    learner: User, run: CourseRun, program: Program
) -> None:
    CourseCertificateConfigurationFactory.create(course_run=run, certificate_available_date=AT)
    earn(learner, run)
    CourseCertificate.objects.update(date_override=TOMORROW)
    ProgramCertificateFactory.create(user=learner, program=program, from_lms=True)

    record = read(learner, program)

    assert record.rows[0].issued_at == TOMORROW
    assert (record.is_completed, record.last_updated) == (True, AT)
    assert not read(learner, program, at=AT - INSTANT).is_completed


# --- The program ---------------------------------------------------------------------------------


@pytest.fixture
def completed(learner: User, run: CourseRun, program: Program) -> ProgramCertificate:
    earn(learner, run, "0.8")
    return ProgramCertificateFactory.create(user=learner, program=program, from_lms=True)


@pytest.mark.usefixtures("completed")
def test_a_program_is_completed_by_its_certificate(learner: User, program: Program) -> None:
    record = read(learner, program)

    assert (record.is_completed, record.completed_at, record.earned) == (True, RUN_ENDS, 1)
    assert [each.is_completed for each in listed(learner)] == [True]


def test_no_number_of_courses_completes_a_program(
    learner: User, run: CourseRun, program: Program
) -> None:
    earn(learner, run, "0.8")

    assert not read(learner, program).is_completed
    assert [each.is_completed for each in listed(learner)] == [False]


def test_a_revoked_program_certificate_completes_nothing(
    learner: User, run: CourseRun, program: Program
) -> None:
    earn(learner, run, "0.8")
    ProgramCertificateFactory.create(user=learner, program=program, revoked=True)

    assert not read(learner, program).is_completed
    assert [each.is_completed for each in listed(learner)] == [False]


@pytest.mark.usefixtures("completed")
def test_a_program_certificate_waits_for_the_last_course_certificate(
    learner: User, program: Program
) -> None:
    late = CourseRunFactory.create()
    program.course_runs.add(late)
    CourseCertificateConfigurationFactory.create(
        course_run=late, certificate_available_date=TOMORROW
    )
    earn(learner, late)

    assert read(learner, program).completion_shown_from == TOMORROW
    verdicts = [
        (read(learner, program, at=at).is_completed, listed(learner, at=at)[0].is_completed)
        for at in (TOMORROW - INSTANT, TOMORROW)
    ]

    assert verdicts == [(False, False), (True, True)]


@pytest.mark.parametrize(("source", "is_completed"), [("computed", True), ("lms", False)])
def test_without_a_course_certificate_only_what_the_portal_computed_is_seen(
    learner: User, program: Program, source: str, is_completed: bool
) -> None:
    ProgramCertificateFactory.create(user=learner, program=program, source=source)

    assert read(learner, program).is_completed is is_completed


@pytest.mark.usefixtures("completed")
def test_one_learners_record_says_nothing_of_another(program: Program) -> None:
    stranger = LearnerFactory.create()

    record = read(stranger, program)

    assert (record.is_completed, record.is_empty, record.earned) == (False, True, 0)
    assert [row.reason for row in record.rows] == [RowReason.NO_GRADE]
    assert listed(stranger) == []


def test_a_record_was_updated_when_a_certificate_was_seen_or_its_grade_changed(
    learner: User, run: CourseRun, program: Program
) -> None:
    empty = read(learner, program)
    earn(learner, run, "0.8")
    CourseGrade.objects.update(modified=AT - DAY)
    graded = read(learner, program)
    CourseGrade.objects.update(verified=False)
    seen = read(learner, program)

    updates = [record.last_updated for record in (empty, graded, seen)]

    assert updates == [AT, AT - DAY, RUN_ENDS]


def test_rows_stand_where_the_first_run_of_their_course_does(learner: User) -> None:
    one, other = CourseFactory.create_batch(2)
    runs = [CourseRunFactory.create(course=course) for course in (other, one, other)]
    program = ProgramFactory.create()
    for position, run in enumerate(reversed(runs)):
        program.course_runs.add(run, through_defaults={"position": position})
    earn(learner, runs[0])

    keys = [row.course_key for row in read(learner, program).rows]

    assert keys == [other.key, one.key]


def test_there_is_no_record_of_an_unknown_program(learner: User) -> None:
    with pytest.raises(NotFoundError):
        record_of(user_id=learner.pk, program_uuid=uuid4(), at=AT)


@pytest.mark.usefixtures("completed")
@pytest.mark.parametrize(
    ("status", "is_listed"),
    [("active", True), ("retired", True), ("unpublished", False), ("deleted", False)],
)
def test_a_program_that_is_withdrawn_is_not_listed_and_its_record_stays(
    learner: User, program: Program, status: str, is_listed: bool
) -> None:
    Program.objects.update(status=status)

    assert bool(listed(learner)) is is_listed
    assert read(learner, program).is_completed


def test_the_list_names_each_program_once_by_title(learner: User) -> None:
    for title in ("B", "C", "A"):
        course = CourseFactory.create()
        runs = CourseRunFactory.create_batch(2, course=course)
        program_requiring(core=[course], title=title)
        for run in runs:
            earn(learner, run)

    assert [each.title for each in listed(learner)] == ["A", "B", "C"]

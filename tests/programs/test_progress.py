"""How far a learner is in all of their programs; the rule itself is held by test_completion.py."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from programs.models import Course
from programs.selectors import Requirement, completion_of, programs_of_learner
from programs.services import RequiredGroup, define_requirements
from tests.programs.factories import (
    AT,
    BY,
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramEnrollmentFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db


def course(title: str) -> Course:
    made: Course = CourseFactory.create(title=title)
    CourseRunFactory.create(course=made)
    return made


def test_tells_each_requirement_by_the_titles_of_its_courses() -> None:
    learner = LearnerFactory.create()
    core, sets = [course("A"), course("B")], [course("C"), course("D"), course("E")]
    program = program_requiring(core=core, electives=[(2, sets)])
    for passed in (core[1], sets[2]):
        GradeFactory.create(user=learner, course_run=passed.course_runs.get())

    [progress] = programs_of_learner(user_id=learner.pk, at=AT)

    assert progress.program == program
    assert progress.requirements == (
        Requirement(is_met=False, still_needed=1, passed=(), open=("A",)),
        Requirement(is_met=True, still_needed=0, passed=("B",), open=()),
        Requirement(is_met=False, still_needed=1, passed=("E",), open=("C", "D")),
    )
    assert (progress.met, progress.is_complete, progress.is_possible) == (1, False, True)
    assert progress.missing == [progress.requirements[0], progress.requirements[2]]


def test_judges_by_the_requirements_in_force() -> None:
    learner, [old, new] = LearnerFactory.create(), [course("Old"), course("New")]
    program = program_requiring(
        core=[old], including=[*old.course_runs.all(), *new.course_runs.all()]
    )
    GradeFactory.create(user=learner, course_run=old.course_runs.get())
    define_requirements(
        program=program, groups=[RequiredGroup((new.pk,))], effective_from=AT, by=BY
    )

    before, after = (
        programs_of_learner(user_id=learner.pk, at=at)[0] for at in (AT - timedelta(days=1), AT)
    )

    assert (before.is_complete, after.is_complete) == (True, False)
    assert [requirement.open for requirement in after.missing] == [("New",)]


def test_agrees_with_the_completion_of_each_program() -> None:
    learner = LearnerFactory.create()
    complete, started, empty = (
        program_requiring(core=[course("A")], title="Complete"),
        program_requiring(core=[course("B"), course("C")], title="Started"),
        program_requiring(title="Empty"),
    )
    GradeFactory.create(user=learner, course_run=complete.course_runs.get())
    CourseCertificateFactory.create(user=learner, course_run=started.course_runs.first())
    ProgramEnrollmentFactory.create(user=learner, program=empty)

    found = programs_of_learner(user_id=learner.pk, at=AT)

    assert [(each.program, each.met, each.is_complete) for each in found] == [
        (complete, 1, True),
        (empty, 0, False),
        (started, 1, False),
    ]
    for each in found:
        judged = completion_of(user_id=learner.pk, program_id=each.program.pk, at=AT)
        assert each.is_complete == judged.is_complete


def test_knows_only_programs_in_which_there_is_something_to_show() -> None:
    learner, other = LearnerFactory.create_batch(2)
    held = ProgramCertificateFactory.create(user=learner).program
    ProgramEnrollmentFactory.create(user=learner, is_active=False)
    ProgramEnrollmentFactory.create(user=other)

    found = programs_of_learner(user_id=learner.pk, at=AT)

    assert [each.program for each in found] == [held]


def test_takes_three_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    learner = LearnerFactory.create()
    for number in range(5):
        program = program_requiring(core=[course(f"A{number}")], electives=[(1, [course("B")])])
        ProgramEnrollmentFactory.create(user=learner, program=program)

    with django_assert_num_queries(3):
        found = programs_of_learner(user_id=learner.pk, at=AT)

    assert len(found) == 5

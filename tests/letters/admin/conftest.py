import pytest

from letters.models import ProgramLetter
from programs.models import CourseRun, Program
from tests.letters.factories import graduates, imported, issue, one_course_program
from tests.programs.factories import LearnerFactory


@pytest.fixture
def course() -> tuple[Program, CourseRun]:
    return one_course_program(title="Data Science")


@pytest.fixture
def program(course: tuple[Program, CourseRun]) -> Program:
    return course[0]


@pytest.fixture
def run(course: tuple[Program, CourseRun]) -> CourseRun:
    return course[1]


@pytest.fixture
def true_letter(program: Program, run: CourseRun) -> ProgramLetter:
    return issue(program, *graduates(run))[0]


@pytest.fixture
def false_letter(program: Program) -> ProgramLetter:
    """Its holder passed nothing."""
    return imported(program, LearnerFactory.create(username="ada", full_name="Ada"))[0]

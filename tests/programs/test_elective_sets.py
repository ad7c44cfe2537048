"""An elective set stays the same one from version to version, and says so by its number."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from credentials_portal.accounts.models import User
from programs.enums import GroupKind
from programs.models import Course, Program, RequirementGroup
from programs.selectors import completion_of, titles_of_elective_sets
from programs.services import (
    ImpossibleRequirementsError,
    RequiredGroup,
    define_requirements,
    requirements_of,
)
from tests.programs.factories import AT, BY, CourseFactory, LearnerFactory, ProgramFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return ProgramFactory.create()


@pytest.fixture
def courses() -> list[Course]:
    return CourseFactory.create_batch(6)


def electives(*courses: Course, title: str = "", number: int | None = None) -> RequiredGroup:
    return RequiredGroup(tuple(course.pk for course in courses), 1, title, number)


def define(program: Program, *groups: RequiredGroup) -> list[int | None]:
    """The numbers of the groups in the version that says so."""
    version = define_requirements(program=program, groups=groups, by=BY)
    return [group.number for group in requirements_of(version)]


def test_sets_are_numbered_from_one_and_a_core_has_no_number(
    program: Program, courses: list[Course]
) -> None:
    core = RequiredGroup((courses[0].pk,))

    assert define(program, electives(courses[1]), core, electives(courses[2])) == [1, None, 2]


def test_each_program_counts_its_own_sets(program: Program, courses: list[Course]) -> None:
    define(program, electives(courses[0]))

    assert define(ProgramFactory.create(), electives(courses[0])) == [1]


def test_a_set_of_the_same_title_is_the_same_one(program: Program, courses: list[Course]) -> None:
    define(program, electives(courses[0], title="Tools"), electives(courses[1], title="Theory"))

    assert define(
        program,
        electives(courses[2], courses[3], title="Theory"),
        electives(courses[4], title="History"),
        electives(courses[0], courses[5], title="Tools"),
    ) == [2, 3, 1]


def test_a_set_of_the_same_courses_is_the_same_one_under_another_title(
    program: Program, courses: list[Course]
) -> None:
    define(program, electives(courses[0], courses[1], title="Tools"), electives(courses[2]))

    assert define(
        program, electives(courses[2], title="Theory"), electives(courses[1], courses[0])
    ) == [2, 1]


def test_of_sets_of_the_same_title_each_keeps_its_courses(
    program: Program, courses: list[Course]
) -> None:
    first, second = electives(courses[0], title="Tools"), electives(courses[1], title="Tools")
    define(program, first, second)

    assert define(program, second, first) == [2, 1]


def test_a_set_that_comes_back_is_the_one_that_it_was(
    program: Program, courses: list[Course]
) -> None:
    tools = electives(courses[0], title="Tools")
    define(program, tools)
    define(program, electives(courses[1]))
    define(program)

    assert define(program, electives(courses[2]), tools) == [3, 1]


def test_who_names_the_number_may_change_all_else(program: Program, courses: list[Course]) -> None:
    define(program, electives(courses[0], title="Tools"), electives(courses[1], title="Theory"))

    assert define(
        program,
        electives(courses[2], title="Instruments", number=1),
        electives(courses[3], title="Tools"),
    ) == [1, 3]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [((2, None), "no elective set of this number"), ((1, 1), "stands in it twice")],
)
def test_numbers_that_cannot_be_are_refused(
    program: Program, courses: list[Course], numbers: tuple[int | None, ...], words: str
) -> None:
    define(program, electives(courses[0]))

    with pytest.raises(ImpossibleRequirementsError, match=words):
        define(
            program,
            electives(courses[1], number=numbers[0]),
            electives(courses[2], number=numbers[1]),
        )

    assert program.requirements_versions.count() == 1


def test_a_set_that_becomes_the_core_gives_up_its_number(
    program: Program, courses: list[Course]
) -> None:
    define(program, electives(courses[0]))

    assert define(program, RequiredGroup((courses[0].pk,), number=1)) == [None]


def test_the_check_of_a_set_has_the_same_name_in_every_version(
    program: Program, courses: list[Course]
) -> None:
    learner = LearnerFactory.create()
    missing = []
    for group in (
        electives(courses[0], title="Tools"),
        electives(courses[0], courses[1], title="Tools"),
        electives(courses[0], courses[1], title="Instruments"),
    ):
        define(program, electives(courses[2]), group)
        completion = completion_of(user_id=learner.pk, program_id=program.pk, at=AT)
        missing.append(completion.missing[-1])

    assert missing == ["elective_set:2"] * 3


def test_sets_are_told_by_their_newest_titles(program: Program, courses: list[Course]) -> None:
    define(program, electives(courses[0], title="Tools"), electives(courses[1]))
    define(program, electives(courses[0], title="Instruments"))
    other = ProgramFactory.create()

    assert titles_of_elective_sets([program.pk, other.pk]) == {
        program.pk: {"elective_set:1": "Instruments"},
        other.pk: {},
    }


# --- What the database refuses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "number", "constraint"),
    [
        (GroupKind.ELECTIVES, None, "requirement_group_sets_have_numbers"),
        (GroupKind.CORE, 3, "requirement_group_sets_have_numbers"),
        (GroupKind.ELECTIVES, 1, "requirements_version_has_set_once"),
    ],
)
def test_a_set_without_a_number_of_its_own_is_refused(
    program: Program,
    courses: list[Course],
    kind: GroupKind,
    number: int | None,
    constraint: str,
) -> None:
    define(program, electives(courses[0]))
    version = program.requirements_versions.get()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        RequirementGroup.objects.create(
            version=version, kind=kind, number=number, required_number=1, course_count=1
        )


# --- The admin -------------------------------------------------------------------------------------


def test_a_set_that_staff_rename_and_change_keeps_its_number(
    client: Client, program: Program, courses: list[Course]
) -> None:
    define(program, electives(courses[0], title="Tools"))
    client.force_login(User.objects.create_superuser("registrar"))
    url = reverse("admin:programs_program_define_requirements", args=[program.pk])
    page = client.get(url)
    (shown, *_empty) = page.context["formset"]
    form = {
        "seen": page.context["form"]["seen"].value(),
        "reason": "the senate decided",
        "groups-TOTAL_FORMS": 2,
        "groups-INITIAL_FORMS": 0,
        "groups-0-number": shown["number"].value(),
        "groups-0-title": "Instruments",
        "groups-0-required_number": 1,
        "groups-0-courses": courses[1].key,
        "groups-1-title": "Tools",
        "groups-1-required_number": 1,
        "groups-1-courses": courses[2].key,
        "confirm": "yes",
    }

    response = client.post(url, form)

    assert response.status_code == 302
    version = program.requirements_versions.get(number=2)
    assert [(group.number, group.title) for group in version.groups.all()] == [
        (1, "Instruments"),
        (2, "Tools"),
    ]
    change = client.get(reverse("admin:programs_program_change", args=[program.pk]))
    assert "elective_set:2" in change.content.decode()

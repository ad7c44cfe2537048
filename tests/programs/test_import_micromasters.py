import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun
from programs.enums import GroupKind
from programs.models import (
    Course,
    CourseEnrollment,
    CourseGrade,
    CourseMode,
    CourseRun,
    Program,
    ProgramEnrollment,
)
from programs.selectors import completed_learners
from programs.services import RequiredGroup, define_requirements, requirements_of
from programs.signals import ProgramChange
from tests.programs.conftest import Announcement
from tests.programs.factories import AT, BY, CourseFactory, CourseRunFactory, LearnerFactory

pytestmark = pytest.mark.django_db

Record = dict[str, Any]
KINDS = (
    "programs",
    "courses",
    "course_runs",
    "learners",
    "course_enrollments",
    "program_enrollments",
    "grades",
)
NOTHING = {"created": 0, "changed": 0, "unchanged": 0}


def run_record(key: str, **fields: Any) -> Record:
    return {
        "title": f"Title of {key}",
        "edx_course_key": key,
        "start_date": "2016-01-15T00:00:00+00:00",
        "end_date": "2016-05-15T00:00:00+00:00",
        "enrollment_start": "2016-01-01T00:00:00+00:00",
        "enrollment_end": "2016-01-29T00:00:00+00:00",
        "upgrade_deadline": "2016-01-22T00:00:00+00:00",
    } | fields


def course_record(number: int, *runs: Record) -> Record:
    return {
        "title": f"Weaving {number}",
        "position_in_program": number,
        "description": "A course",
        "course_runs": list(runs) or [run_record(f"course-v1:Loom+W+{number}+Spring")],
    }


def program_record(**fields: Any) -> Record:
    """A core of two courses, and one of two electives."""
    return {
        "title": "Weaving",
        "price": 1000,
        "description": "All about weaving",
        "num_required_courses": 2,
        "courses": [course_record(1), course_record(2)],
        "elective_sets": [
            {
                "title": "ELECTIVE",
                "required_number": 1,
                "courses": [course_record(3), course_record(4)],
            }
        ],
    } | fields


def key_of(number: int) -> str:
    return f"course-v1:Loom+W+{number}+Spring"


def user_record(name: str = "ada", **fields: Any) -> Record:
    return {
        "email": f"{name}@example.org",
        "first_name": name.title(),
        "last_name": "Loom",
        "preferred_name": "Preferred",
        "edx_name": "Edx",
        "gender": "f",
        "date_of_birth": "1973-09-26",
        "country": "ZZ-country",
        "nationality": "ZZ-nationality",
        "birth_country": "ZZ-birth",
        "city": "Lafayetteville",
        "state_or_territory": "US-OREGON",
        "education": [
            {
                "degree_name": "degree-hs",
                "graduation_date": "1991-09-27",
                "school_name": "Lafayetteville High School",
                "field_of_study": "38.0201",
            }
        ],
        "work_history": [
            {
                "position": "Mechanician",
                "company_name": "Toyotomi",
                "start_date": "2015-01-17",
                "industry": "Automotives",
            }
        ],
        "_enrollments": [{"edx_course_key": key_of(1)}],
        "_grades": [{"edx_course_key": key_of(1), "grade": "0.68"}],
    } | fields


Import = Callable[..., tuple[dict[str, Any], list[str]]]


@pytest.fixture
def load(tmp_path: Path) -> Import:
    """Imports records, or raw bytes, as a command; the summary and the lines on stderr."""

    def run(programs: Any, users: Any, *options: str) -> tuple[dict[str, Any], list[str]]:
        paths = {"programs": tmp_path / "programs.json", "users": tmp_path / "users.json"}
        for path, content in zip(paths.values(), (programs, users), strict=True):
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            path.write_bytes(raw)
        stdout, stderr = StringIO(), StringIO()
        arguments = [f"--{name}={path}" for name, path in paths.items()]
        try:
            call_command(
                "import_micromasters",
                *arguments,
                *options,
                "--format=json",
                stdout=stdout,
                stderr=stderr,
            )
        except CommandError as error:
            if error.returncode != 1:
                raise
        told = [line.rpartition("/")[2] for line in stderr.getvalue().splitlines()]
        return json.loads(stdout.getvalue().splitlines()[-1]), told

    return run


def created(**counts: int) -> dict[str, Any]:
    return {kind: NOTHING | {"created": counts.get(kind, 0)} for kind in KINDS} | {
        "errors": counts.get("errors", 0)
    }


# --- What is loaded --------------------------------------------------------------------------------


def test_loads_programs_with_their_courses_runs_and_requirements(load: Import) -> None:
    summary, _told = load([program_record()], [])

    assert summary == created(programs=1, courses=4, course_runs=4)
    program = Program.objects.get()
    assert [row.course_run.key for row in program.included_runs.all()] == [
        key_of(number) for number in (1, 2, 3, 4)
    ]
    version = program.requirements_versions.get()
    assert [
        (
            group.kind,
            group.title,
            group.required_number,
            [row.course.key for row in group.courses.all()],
        )
        for group in version.groups.all()
    ] == [
        (GroupKind.CORE, "", 2, ["Loom+W+1", "Loom+W+2"]),
        (GroupKind.ELECTIVES, "ELECTIVE", 1, ["Loom+W+3", "Loom+W+4"]),
    ]
    run = CourseRun.objects.get(key=key_of(1))
    assert (run.title, run.course.title) == (f"Title of {key_of(1)}", "Weaving 1")
    assert (run.start_date, run.end_date, run.enrollment_start, run.enrollment_end) == (
        datetime(2016, 1, 15, tzinfo=UTC),
        datetime(2016, 5, 15, tzinfo=UTC),
        datetime(2016, 1, 1, tzinfo=UTC),
        datetime(2016, 1, 29, tzinfo=UTC),
    )
    mode = run.modes.get()
    assert (mode.slug, mode.upgrade_deadline) == ("verified", datetime(2016, 1, 22, tzinfo=UTC))


def test_loads_learners_with_their_enrollments_and_grades(
    load: Import, announced: list[Announcement]
) -> None:
    summary, _told = load([program_record()], [user_record()])

    assert summary == created(
        programs=1,
        courses=4,
        course_runs=4,
        learners=1,
        course_enrollments=1,
        program_enrollments=1,
        grades=1,
    )
    user = User.objects.get()
    assert (user.username, user.email, user.full_name) == ("ada", "ada@example.org", "Ada Loom")
    assert not user.has_usable_password()
    grade = CourseGrade.objects.get()
    assert (grade.user, grade.course_run.key, grade.percent_grade) == (
        user,
        key_of(1),
        Decimal("0.68"),
    )
    assert (grade.passed, grade.verified, grade.is_final) == (True, True, True)
    enrollment = CourseEnrollment.objects.get()
    assert (enrollment.user, enrollment.mode, enrollment.is_active) == (user, "verified", True)
    assert ProgramEnrollment.objects.get().user == user
    assert {name for name, _items in announced} == {
        "program_requirements_changed",
        "course_enrollment_changed",
        "course_grade_changed",
    }


def test_all_that_is_loaded_has_true_history(load: Import) -> None:
    load([program_record()], [user_record()])

    for model in (Program, Course, CourseRun, CourseMode, CourseEnrollment, CourseGrade):
        assert rows_without_true_history(model) == 0
        history: Any = model
        assert set(history.history.values_list("cause", flat=True)) == {
            "command:import_micromasters"
        }


def test_whoever_completed_the_program_is_complete_at_once(load: Import) -> None:
    complete = [{"edx_course_key": key_of(number), "grade": "0.6"} for number in (1, 2, 4)]
    without_elective = complete[:2]
    failed = [*without_elective, {"edx_course_key": key_of(3), "grade": "0.59"}]

    load(
        [program_record()],
        [
            user_record("ada", _grades=complete),
            user_record("ben", _grades=without_elective),
            user_record("cleo", _grades=failed),
        ],
    )

    program = Program.objects.get()
    long_ago = datetime(2016, 6, 1, tzinfo=UTC)
    expected = set(User.objects.filter(username="ada").values_list("pk", flat=True))
    assert completed_learners(program_id=program.pk, at=long_ago) == expected


def test_requirements_take_effect_when_the_first_run_began(load: Import) -> None:
    early = run_record(key_of(1), start_date="2014-02-01T00:00:00+00:00")
    load([program_record(courses=[course_record(1, early)])], [])

    version = Program.objects.get().requirements_versions.get()
    assert version.effective_from == datetime(2014, 2, 1, tzinfo=UTC)


def test_requirements_of_a_program_that_begins_later_take_effect_at_once(load: Import) -> None:
    future = run_record(
        key_of(1), start_date="2190-01-01T00:00:00Z", end_date="2190-05-01T00:00:00Z"
    )
    load(
        [program_record(courses=[course_record(1, future)], elective_sets=[])],
        [],
        "--as-of",
        AT.isoformat(),
    )

    assert Program.objects.get().requirements_versions.get().effective_from == AT


def test_a_grade_is_final_only_once_its_run_has_ended(load: Import) -> None:
    running = run_record(key_of(1), end_date="2190-05-01T00:00:00Z")

    load([program_record(courses=[course_record(1, running)])], [user_record()])

    assert not CourseGrade.objects.get().is_final


def test_a_program_may_have_no_electives(load: Import) -> None:
    record = program_record()
    del record["elective_sets"]

    summary, _told = load([record], [])

    assert summary["errors"] == 0
    assert Program.objects.get().requirements_versions.get().groups.count() == 1


def test_a_course_whose_runs_have_no_common_key_is_named_after_its_title(load: Import) -> None:
    course = course_record(1, run_record("Loom/W1/2016"), run_record("course-v1:Loom+W+9+R"))

    load([program_record(courses=[course], elective_sets=[])], [])

    assert Course.objects.get().key == "weaving-weaving-1"


@pytest.mark.parametrize(
    ("fields", "username", "full_name"),
    [
        ({"username": "chosen"}, "chosen", "Ada Loom"),
        ({"email": "O'Hara+x@Example.org"}, "o_hara+x", "Ada Loom"),
        ({"email": "noémie@example.org"}, "noémie", "Ada Loom"),
        ({"first_name": "", "last_name": None}, "ada", "Preferred"),
        ({"first_name": "", "last_name": "", "preferred_name": ""}, "ada", "Edx"),
        ({"last_name": ""}, "ada", "Ada"),
    ],
)
def test_names_of_a_new_learner(
    load: Import, fields: Record, username: str, full_name: str
) -> None:
    load([program_record()], [user_record(**fields)])

    user = User.objects.get()
    assert (user.username, user.full_name) == (username, full_name)


def test_two_addresses_with_one_local_part_are_two_learners(load: Import) -> None:
    users = [user_record(email="ada@example.org"), user_record(email="ada@example.com")]

    first, _told = load([program_record()], users)
    second, _told = load([program_record()], users)

    assert (first["learners"]["created"], second["learners"]["unchanged"]) == (2, 2)
    names = dict(User.objects.values_list("email", "username"))
    assert names["ada@example.org"] == "ada"
    assert names["ada@example.com"].startswith("ada_")


def test_a_username_that_the_file_gives_to_one_is_made_for_nobody_else(load: Import) -> None:
    users = [user_record("ada"), user_record(email="other@example.org", username="ada")]

    summary, told = load([program_record()], users)

    assert (summary["learners"]["created"], told) == (2, [])
    assert User.objects.get(username="ada").email == "other@example.org"


# --- Again -------------------------------------------------------------------------------------------


def test_a_second_import_changes_nothing_and_says_so(
    load: Import, announced: list[Announcement]
) -> None:
    files = [program_record()], [user_record("ada"), user_record("ben")]
    first, _told = load(*files)
    before = everything(but=JobRun)
    announced.clear()

    second, _told = load(*files)

    expected = {kind: NOTHING | {"unchanged": first[kind]["created"]} for kind in KINDS}
    assert second == expected | {"errors": 0}
    assert everything(but=JobRun) == before
    assert announced == []


def test_a_dry_run_tells_the_same_and_writes_nothing(load: Import) -> None:
    files = [program_record()], [user_record("ada"), user_record("ben", email=7)]
    before = everything(but=JobRun)

    dry = load(*files, "--dry-run")
    after_dry = everything(but=JobRun)
    real = load(*files)

    assert dry == real
    assert after_dry == before
    assert JobRun.objects.count() == 1


def test_a_dry_run_counts_once_what_two_programs_share(load: Import) -> None:
    programs = [program_record(), program_record(title="Spinning")]

    dry = load(programs, [], "--dry-run")
    real = load(programs, [])

    assert dry == real
    assert real[0]["courses"] == {"created": 4, "changed": 0, "unchanged": 4}
    assert real[0]["course_runs"] == {"created": 4, "changed": 0, "unchanged": 4}


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]], ids=["real", "dry"])
@pytest.mark.parametrize(
    ("course", "reason"),
    [
        (course_record(1) | {"title": "Else"}, "the course Loom+W+1"),
        (course_record(1, run_record(key_of(1), title="Else")), f"the run {key_of(1)}"),
    ],
    ids=["course", "run"],
)
def test_two_programs_must_tell_the_same_of_what_they_share(
    load: Import, course: Record, reason: str, dry_run: list[str]
) -> None:
    shared = program_record(title="Spinning", courses=[course], elective_sets=[])

    summary, told = load([program_record(), shared], [], *dry_run)

    assert told == [f"programs.json[1]: another program of the file tells otherwise of {reason}"]
    assert summary["programs"] == NOTHING | {"created": 1}


def test_a_dry_run_over_what_is_there_tells_the_same(load: Import) -> None:
    load([program_record()], [user_record("ada")])
    moved = run_record(key_of(1), end_date="2190-01-01T00:00:00Z")
    programs = [program_record(courses=[course_record(1, moved), course_record(5)])]
    grades = [{"edx_course_key": key, "grade": 0.7} for key in (key_of(1), key_of(5))]
    users = [user_record("ada", _grades=grades), user_record("ben")]

    dry = load(programs, users, "--dry-run")
    real = load(programs, users)

    assert dry == real
    assert real[0] == {
        "programs": {"created": 0, "changed": 1, "unchanged": 0},
        "courses": {"created": 1, "changed": 0, "unchanged": 3},
        "course_runs": {"created": 1, "changed": 1, "unchanged": 2},
        "learners": {"created": 1, "changed": 0, "unchanged": 1},
        "course_enrollments": {"created": 1, "changed": 0, "unchanged": 1},
        "program_enrollments": {"created": 1, "changed": 0, "unchanged": 1},
        "grades": {"created": 2, "changed": 1, "unchanged": 0},
        "errors": 0,
    }
    assert Program.objects.get().requirements_versions.count() == 2


@pytest.mark.parametrize(
    ("fields", "is_announced"),
    [({"title": "Looms"}, False), ({"end_date": "2017-01-01T00:00:00Z"}, True)],
    ids=["title", "end"],
)
def test_another_end_of_a_run_is_announced(
    load: Import, announced: list[Announcement], fields: Record, is_announced: bool
) -> None:
    load([program_record()], [])
    program = Program.objects.get()
    announced.clear()

    changed = run_record(key_of(1), **fields)
    load([program_record(courses=[course_record(1, changed), course_record(2)])], [])

    assert CourseRun.history.filter(key=key_of(1)).count() == 2
    items = (ProgramChange(program.pk),)
    assert announced == [("program_requirements_changed", items)] * is_announced


def test_completes_a_user_who_is_there_and_replaces_nothing(load: Import) -> None:
    named = LearnerFactory.create(username="x", email="ada@example.org", full_name="Countess")
    nameless = LearnerFactory.create(username="y", email="ben@example.org", full_name="")
    without_address = LearnerFactory.create(username="cleo", email="", full_name="")
    users = [user_record("ada"), user_record("ben"), user_record("cleo", username="cleo")]

    summary, _told = load([program_record()], users)

    assert summary["learners"] == {"created": 0, "changed": 2, "unchanged": 1}
    names = dict(User.objects.values_list("pk", "full_name"))
    assert names == {
        named.pk: "Countess",
        nameless.pk: "Ben Loom",
        without_address.pk: "Cleo Loom",
    }
    without_address.refresh_from_db()
    assert without_address.email == ""


def test_leaves_grades_that_the_lms_dated(load: Import) -> None:
    load([program_record()], [user_record()])
    CourseGrade.objects.update(lms_last_updated_at=AT, percent_grade=Decimal("0.9"))

    summary, _told = load([program_record()], [user_record()])

    assert summary["grades"] == {"created": 0, "changed": 0, "unchanged": 1}
    assert CourseGrade.objects.get().percent_grade == Decimal("0.9")


def test_leaves_enrollments_that_ended(load: Import) -> None:
    load([program_record()], [user_record()])
    CourseEnrollment.objects.update(is_active=False)

    summary, _told = load([program_record()], [user_record()])

    assert summary["course_enrollments"] == {"created": 0, "changed": 0, "unchanged": 1}
    assert not CourseEnrollment.objects.get().is_active


def test_requirements_that_were_edited_become_the_files_again_from_now_on(load: Import) -> None:
    load([program_record()], [])
    program = Program.objects.get()
    edited = define_requirements(
        program=program, groups=[RequiredGroup((Course.objects.all()[0].pk,))], by=BY
    )

    summary, _told = load([program_record()], [])

    assert summary["programs"]["changed"] == 1
    latest = program.requirements_versions.get(number=3)
    assert latest.effective_from > edited.effective_from
    assert latest.groups.count() == 2


def test_requirements_that_take_effect_later_are_told_again_in_peace(load: Import) -> None:
    load([program_record()], [])
    program = Program.objects.get()
    groups = requirements_of(program.requirements_versions.get())
    define_requirements(program=program, groups=[], by=BY)
    define_requirements(program=program, groups=groups, by=BY)

    summary, told = load([program_record()], [], "--as-of", (AT - timedelta(days=1)).isoformat())

    assert (summary["programs"], told) == (NOTHING | {"unchanged": 1}, [])
    assert program.requirements_versions.count() == 3


# --- Bad records -----------------------------------------------------------------------------------


def with_run(**fields: Any) -> Record:
    return program_record(courses=[course_record(1, run_record(key_of(1), **fields))])


def without(record: Record, key: str) -> Record:
    return {name: value for name, value in record.items() if name != key}


RUN = "courses[0].course_runs[0]"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (["Weaving"], "the record is no object"),
        (without(program_record(), "title"), "title is missing"),
        (without(program_record(), "courses"), "courses is missing"),
        (program_record(title=7), "title is no text"),
        (program_record(title=" "), "title is empty"),
        (program_record(title="x" * 256), "title is longer than 255 characters"),
        (program_record(title="a\0b"), "title has control characters"),
        (program_record(title="\ud800"), "title has control characters"),
        (program_record(courses={}), "courses is no list"),
        (program_record(courses=[None]), "courses[0] is no object"),
        (program_record(elective_sets=None), "elective_sets is no list"),
        (program_record(courses=[course_record(1)] * 2), "the same course stands in it twice"),
        (
            program_record(
                courses=[course_record(1, run_record("a")), course_record(2, run_record("a"))]
            ),
            "the same run stands in it twice",
        ),
        (
            with_run(start_date="2016-13-01T00:00:00Z"),
            f"{RUN}.start_date is no instant with a zone",
        ),
        (with_run(start_date="2016-01-15T00:00:00"), f"{RUN}.start_date is no instant with a zone"),
        (with_run(start_date=20160115), f"{RUN}.start_date is no instant with a zone"),
        (with_run(end_date=None), f"{RUN}.end_date is no instant with a zone"),
        (with_run(end_date="9999-12-31T00:00:00Z"), f"{RUN}.end_date lies outside 1900 to 2199"),
        (with_run(end_date="2016-01-15T00:00:00Z"), f"{RUN}.end_date is not after start_date"),
        (
            with_run(enrollment_end="2015-01-01T00:00:00Z"),
            f"{RUN}.enrollment_end is not after enrollment_start",
        ),
        (with_run(upgrade_deadline="soon"), f"{RUN}.upgrade_deadline is no instant with a zone"),
        (with_run(edx_course_key=None), f"{RUN}.edx_course_key is no text"),
    ],
)
def test_a_bad_program_is_told_and_the_others_are_loaded(
    load: Import, record: object, reason: str
) -> None:
    summary, told = load([record, program_record(title="Spinning")], [])

    assert told == [f"programs.json[0]: {reason}"]
    assert (summary["errors"], summary["programs"]["created"]) == (1, 1)
    assert Program.objects.get().title == "Spinning"


@pytest.mark.parametrize("required", [0, 3, "1", True, 1.0, None])
def test_electives_that_nobody_can_choose_are_told(load: Import, required: object) -> None:
    electives = {"title": "E", "required_number": required, "courses": [course_record(3)]}

    summary, told = load([program_record(elective_sets=[electives])], [])

    assert told == [
        "programs.json[0]: elective_sets[0].required_number is no whole number from 1 to 1"
    ]
    assert summary == created(errors=1)


def test_a_second_program_of_the_same_title_is_told(load: Import) -> None:
    summary, told = load([program_record(), program_record()], [])

    assert told == ["programs.json[1]: another program of the file has this title"]
    assert summary["programs"] == NOTHING | {"created": 1}


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]], ids=["real", "dry"])
def test_a_run_that_changed_its_course_is_told(load: Import, dry_run: list[str]) -> None:
    CourseRunFactory.create(key="x", course=CourseFactory.create(key="elsewhere"))
    of_the_portal = program_record(title="A", courses=[course_record(1, run_record("x"))])
    first = program_record(title="B", courses=[course_record(1, run_record("y"))])
    of_the_file = program_record(title="C", courses=[course_record(2, run_record("y"))])

    summary, told = load([of_the_portal, first, of_the_file], [], *dry_run)

    assert told == [
        "programs.json[0]: the run x belongs to another course",
        "programs.json[2]: the run y belongs to another course",
    ]
    assert summary["programs"] == NOTHING | {"created": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("ada", "the record is no object"),
        (without(user_record(), "email"), "email is missing"),
        (user_record(email=None), "email is no text"),
        (user_record(email="ada at example.org"), "email is no e-mail address"),
        (user_record(email=f"{'x' * 250}@example.org"), "email is longer than 254 characters"),
        (user_record(username="white space"), "username is no username"),
        (user_record(username=["ada"]), "username is no text"),
        (user_record(first_name={}), "first_name is no text"),
        (user_record(_grades={}), "_grades is no list"),
        (user_record(_grades=None), "_grades is no list"),
        (user_record(_enrollments=[7]), "_enrollments[0] is no object"),
        (user_record(_enrollments=[{}]), "_enrollments[0].edx_course_key is missing"),
        (user_record(_enrollments=[{"edx_course_key": "x"}]), "the run x is unknown"),
        (user_record(_grades=[{"edx_course_key": "x", "grade": "1"}]), "the run x is unknown"),
        (
            user_record(_grades=[{"edx_course_key": key_of(1), "grade": "1"}] * 2),
            "the same graded run stands in it twice",
        ),
        (user_record(_grades=[{"edx_course_key": key_of(1)}]), "_grades[0].grade is missing"),
    ],
)
def test_a_bad_learner_is_told_and_the_others_are_loaded(
    load: Import, record: object, reason: str
) -> None:
    summary, told = load([program_record()], [record, user_record("ben")])

    assert told == [f"users.json[0]: {reason}"]
    assert (summary["errors"], summary["learners"]["created"]) == (1, 1)
    assert User.objects.get().username == "ben"
    assert CourseGrade.objects.get().user.username == "ben"


@pytest.mark.parametrize(
    "grade", ["1.01", "-0.1", "A", "", "nan", 2, -1, True, None, [], float("nan"), "0_1", "1e-1"]
)
def test_a_grade_must_be_a_number_from_0_to_1(load: Import, grade: object) -> None:
    record = user_record(_grades=[{"edx_course_key": key_of(1), "grade": grade}])

    summary, told = load([program_record()], [record])

    assert told == ["users.json[0]: _grades[0].grade is no number from 0 to 1"]
    assert summary["learners"] == NOTHING
    assert not User.objects.exists()


@pytest.mark.parametrize("grade", ["0", "1", "1.0", " 0.5 ", ".5", 0, 1, 0.5, 0.12345])
def test_a_grade_may_be_text_or_number(load: Import, grade: object) -> None:
    record = user_record(_grades=[{"edx_course_key": key_of(1), "grade": grade}])

    summary, told = load([program_record()], [record])

    assert told == []
    stored = CourseGrade.objects.get().percent_grade
    assert stored is not None
    assert abs(float(stored) - float(str(grade))) <= 0.00005
    assert summary["grades"]["created"] == 1


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (user_record(email="ADA@example.org"), "another learner of the file has this email"),
        (
            user_record("ben", username="countess"),
            "another learner of the file has this username",
        ),
    ],
)
def test_two_records_for_one_person_are_told(load: Import, second: Record, reason: str) -> None:
    summary, told = load([program_record()], [user_record(username="countess"), second])

    assert told == [f"users.json[1]: {reason}"]
    assert summary["learners"]["created"] == 1


@pytest.mark.parametrize(
    ("existing", "record", "reason"),
    [
        (
            {"username": "somebody", "email": "ada@example.org"},
            {"username": "ada"},
            "email belongs to another user",
        ),
        (
            {"username": "ada", "email": "somebody@example.org"},
            {"username": "ada"},
            "username belongs to a user with another email",
        ),
        (
            {"username": "ada", "email": "", "retired_at": AT},
            {"username": "ada"},
            "username belongs to a retired account",
        ),
    ],
)
def test_nobody_gets_somebody_elses_account(
    load: Import, existing: Record, record: Record, reason: str
) -> None:
    user = LearnerFactory.create(**existing)

    summary, told = load([program_record()], [user_record(**record)])

    assert told == [f"users.json[0]: {reason}"]
    assert summary["learners"] == NOTHING
    assert not user.course_grades.exists()
    assert User.objects.count() == 1


def test_a_learner_whom_the_database_refuses_stands_alone(load: Import) -> None:
    """As one batch all would fail: it is halved until the learner is alone, and told by name
    of the constraint, which shows nothing of the learner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE accounts_user ADD CONSTRAINT no_mallory CHECK (username <> 'mallory')"
        )
    names = ["ada", "ben", "mallory", "cleo", "dora"]

    summary, told = load([program_record()], [user_record(name) for name in names])

    assert told == ["users.json[2]: the database refuses it: no_mallory"]
    assert summary["learners"] == NOTHING | {"created": 4}
    assert summary["grades"] == NOTHING | {"created": 4}
    assert not User.objects.filter(username="mallory").exists()


def test_the_report_names_file_index_and_reason(load: Import, tmp_path: Path) -> None:
    output = tmp_path / "errors.csv"

    load([program_record()], [user_record(email=7)], "--output", str(output))

    assert output.read_text().splitlines() == [
        "file,index,reason",
        f"{tmp_path / 'users.json'},0,email is no text",
    ]


# --- Bad files ---------------------------------------------------------------------------------------

GOOD = json.dumps([program_record()]).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'[{"title": "caf\xe9"}]', "is not UTF-8: byte 15."),
        (b'[\n{"title": }\n]', "is not JSON: line 2, column 11: Expecting value."),
        (b"", "is not JSON: line 1, column 1: Expecting value."),
        (b"{}", "is not a list of records."),
        (b"[" * 100_000, "is not JSON that can be read"),
        (b"[" + b"9" * 5_000 + b"]", "is not JSON that can be read"),
    ],
    ids=["latin-1", "broken", "empty", "object", "deep", "long number"],
)
@pytest.mark.parametrize("broken", ["programs", "users"])
def test_a_file_that_cannot_be_read_loads_nothing(
    load: Import, content: bytes, reason: str, broken: str, tmp_path: Path
) -> None:
    files = (content, b"[]") if broken == "programs" else (GOOD, content)

    with pytest.raises(CommandError) as refusal:
        load(*files)

    assert refusal.value.returncode == 2
    assert str(refusal.value).startswith(f"{tmp_path / broken}.json {reason}")
    assert not Program.objects.exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere.json cannot be read: No such file") as refusal:
        call_command(
            "import_micromasters", "--programs=nowhere.json", f"--users={tmp_path}/users.json"
        )

    assert refusal.value.returncode == 2


def test_a_byte_order_mark_is_tolerated(load: Import) -> None:
    summary, _told = load(b"\xef\xbb\xbf" + GOOD, b"\xef\xbb\xbf[]")

    assert summary["programs"]["created"] == 1


# --- Size and privacy ----------------------------------------------------------------------------------


def test_statements_do_not_grow_with_the_learners(load: Import) -> None:
    load([program_record()], [])
    counts = []
    for learners in (1, 50):
        users = [user_record(f"one-of-{learners}-{number}") for number in range(learners)]
        with CaptureQueriesContext(connection) as captured:
            summary, _told = load([], users)
        counts.append(len(captured))
        assert summary["grades"]["created"] == learners

    assert counts[0] == counts[1]


PRIVATE = [
    "1973-09-26",
    "ZZ-country",
    "ZZ-nationality",
    "ZZ-birth",
    "Lafayetteville",
    "US-OREGON",
    "degree-hs",
    "1991-09-27",
    "38.0201",
    "Mechanician",
    "Toyotomi",
    "2015-01-17",
    "Automotives",
]


def test_stores_no_birth_date_address_education_or_employment(load: Import, tmp_path: Path) -> None:
    load(
        [program_record()],
        [user_record("ada"), user_record("ben", email=None)],
        "--output",
        str(tmp_path / "errors.csv"),
    )

    stored = everything()
    assert "Ada Loom" in stored
    assert [value for value in PRIVATE if value in stored] == []


def everything(*, but: type[models.Model] | None = None) -> str:
    """All that stands in a text or JSON column of any table."""
    found = []
    for model in set(apps.get_models(include_auto_created=True)) - {but}:
        columns = [
            field.attname
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField | models.JSONField)
        ]
        if columns:
            rows = model._base_manager.order_by("pk").values_list("pk", *columns)
            found += [f"{model._meta.label} {row}" for row in rows]
    return "\n".join(sorted(found))

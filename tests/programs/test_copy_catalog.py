"""`copy_catalog`: what a Discovery service says becomes ours, once, in order, and in sets."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from credentials_portal.core.history import models_with_history, rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from credentials_portal.devcatalog import StandInCatalog
from programs.management.commands import copy_catalog
from programs.models import (
    Course,
    CourseMode,
    CourseRun,
    Organization,
    Pathway,
    PathwayProgram,
    Program,
    ProgramRequirementsVersion,
)
from programs.selectors import completed_learners
from programs.services import RequiredGroup, copying, define_requirements, include_runs
from programs.services.copying import NOTE
from programs.signals import ProgramChange
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import (
    Statements,
    statements,  # noqa: F401 - a fixture
)
from tests.programs.catalogs import (
    Item,
    course,
    organization,
    pathway,
    program,
    run,
    uuid_of,
)
from tests.programs.conftest import Announcement
from tests.programs.factories import (
    AT,
    BY,
    CourseFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    PathwayFactory,
    ProgramFactory,
    SharedRecordFactory,
    program_requiring,
)
from tests.standins.catalog import standing_in_catalog  # noqa: F401 - a fixture
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

NOTHING = {"created": 0, "changed": 0, "unchanged": 0, "merged": 0, "rejected": 0}
TABLES = ("organizations", "courses", "course_runs", "programs", "pathways")


@pytest.fixture(autouse=True)
def weaving(catalog: StandInCatalog) -> StandInCatalog:
    """A catalog with one program of two courses, and one pathway."""
    courses = [course("EX+1"), course("EX+2")]
    programs = [program("Weaving", *courses)]
    catalog.tables |= {
        "organizations": [organization("EX")],
        "courses": courses,
        "programs": programs,
        "pathways": [pathway("To a degree", *programs)],
    }
    return catalog


def copy(*options: object) -> Ran:
    return run_command("copy_catalog", *options)


def counted(ran: Ran) -> dict[str, dict[str, int]]:
    """What happened, table by table, without what did not."""
    told = {
        table: {name: count for name, count in ran.summary[table].items() if count}
        for table in TABLES
    }
    return {table: counts for table, counts in told.items() if counts}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def core_of(stored: Program) -> list[str]:
    """The keys of the courses that the program asks for, all of them."""
    latest = stored.requirements_versions.order_by("number").last()
    assert latest
    (group,) = latest.groups.all()
    assert group.kind == "core"
    return [member.course.key for member in group.courses.order_by("position")]


def runs_of(stored: Program) -> list[str]:
    return list(stored.included_runs.values_list("course_run__key", flat=True))


def history_rows() -> int:
    total = 0
    for model in models_with_history():
        manager: Any = model
        total += manager.history.count()
    return total


def test_brings_everything_in_order(weaving: StandInCatalog) -> None:
    ran = copy("--page-size", "1")

    (stored,) = Program.objects.all()
    (way,) = Pathway.objects.all()
    first_run = CourseRun.objects.get(key="course-v1:EX+1+R1")
    assert (stored.uuid, stored.title, stored.type, stored.type_slug) == (
        uuid_of("Weaving"),
        "Weaving",
        "MicroMasters",
        "micromasters",
    )
    assert (stored.status, stored.total_hours_of_effort) == ("active", 40)
    assert [str(one) for one in stored.authoring_organizations.all()] == ["EX University"]
    assert core_of(stored) == ["EX+1", "EX+2"]
    assert runs_of(stored) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    assert (first_run.uuid, first_run.course.uuid) == (
        uuid_of("course-v1:EX+1+R1"),
        uuid_of("EX+1"),
    )
    assert first_run.title == "Title of course-v1:EX+1+R1"
    assert (way.name, way.org_name, way.email) == (
        "To a degree",
        "Institution",
        "registrar@institution.example",
    )
    assert list(way.programs.all()) == [stored]
    assert Organization.objects.get().certificate_logo_image_url == "https://example.org/EX.png"
    assert ran.code == 0
    assert counted(ran) == {
        "organizations": {"created": 1},
        "courses": {"created": 2},
        "course_runs": {"created": 2},
        "programs": {"created": 1},
        "pathways": {"created": 1},
    }
    asked = [call.path.split("?")[0].split("/")[3] for call in weaving.calls]
    assert list(dict.fromkeys(asked)) == ["organizations", "courses", "programs", "pathways"]


def test_keeps_the_history_and_tells_who_requires_what(announced: list[Announcement]) -> None:
    copy()

    stored = Program.objects.get()
    assert {rows_without_true_history(model) for model in models_with_history()} == {0}
    assert stored.history.get().cause == "command:copy_catalog"
    assert announced == [("program_requirements_changed", (ProgramChange(stored.pk),))] * 2
    assert not OutboxMessage.objects.exists()
    # The first requirements hold since the first run began.
    version = stored.requirements_versions.get()
    assert version.effective_from.isoformat() == "2024-01-15T00:00:00+00:00"
    assert version.note == NOTE


def test_a_second_copy_changes_nothing(announced: list[Announcement]) -> None:
    copy()
    announced.clear()
    before = history_rows()

    ran = copy()

    assert counted(ran) == {
        "organizations": {"unchanged": 1},
        "courses": {"unchanged": 2},
        "course_runs": {"unchanged": 2},
        "programs": {"unchanged": 1},
        "pathways": {"unchanged": 1},
    }
    assert (ran.code, history_rows(), announced) == (0, before, [])
    assert JobRun.objects.count() == 2


def test_a_dry_run_tells_the_same_and_writes_nothing(weaving: StandInCatalog) -> None:
    rehearsed = copy("--dry-run")
    assert not Organization.objects.exists()
    assert not JobRun.objects.exists()

    ran = copy()

    assert rehearsed.summary == ran.summary
    weaving.tables["programs"][0]["courses"].pop()
    weaving.tables["courses"][0]["owners"] = []
    assert counted(copy("--dry-run")) == counted(copy())


def test_what_changed_there_changes_here(weaving: StandInCatalog) -> None:
    copy()
    weaving.tables["organizations"][0]["name"] = "Another name"
    weaving.tables["courses"][0]["title"] = "Another title"
    weaving.tables["courses"][0]["course_runs"][0]["end"] = "2024-06-15T00:00:00Z"
    weaving.tables["pathways"][0]["email"] = "credit@institution.example"

    ran = copy()

    assert counted(ran) == {
        "organizations": {"changed": 1},
        "courses": {"changed": 1, "unchanged": 1},
        "course_runs": {"changed": 1, "unchanged": 1},
        "programs": {"unchanged": 1},
        "pathways": {"changed": 1},
    }
    assert Organization.objects.get().name == "Another name"
    assert Pathway.objects.get().email == "credit@institution.example"
    assert Course.objects.get(key="EX+1").history.count() == 2


def test_another_end_of_a_run_is_announced(
    weaving: StandInCatalog, announced: list[Announcement]
) -> None:
    copy()
    announced.clear()
    weaving.tables["courses"][0]["course_runs"][0]["end"] = "2024-06-15T00:00:00Z"

    copy()

    stored = Program.objects.get()
    assert announced == [("program_requirements_changed", (ProgramChange(stored.pk),))]


def test_what_a_catalog_does_not_tell_stays(weaving: StandInCatalog) -> None:
    copy()
    stored = CourseRun.objects.get(key="course-v1:EX+1+R1")
    CourseRun.objects.filter(pk=stored.pk).update(passing_grade="0.7")
    CourseMode.objects.create(course_run=stored, slug="verified")
    Pathway.objects.update(cooldown_days=7, consent_text="Ours", requires_completion=True)
    weaving.tables["courses"][0]["course_runs"][0]["title"] = "Another"
    weaving.tables["pathways"][0]["name"] = "Another"

    copy()

    stored.refresh_from_db()
    way = Pathway.objects.get()
    assert (stored.title_override, str(stored.passing_grade)) == ("Another", "0.7000")
    assert [mode.slug for mode in stored.modes.all()] == ["verified"]
    assert (way.name, way.cooldown_days, way.consent_text, way.requires_completion) == (
        "Another",
        7,
        "Ours",
        True,
    )


@pytest.mark.parametrize(
    ("start", "stored"),
    [(None, None), ("2024-02-01T12:30:00.5+02:00", datetime(2024, 2, 1, 10, 30, 0, 500_000, UTC))],
)
def test_runs_have_dates_or_none(
    weaving: StandInCatalog, start: str | None, stored: datetime | None
) -> None:
    weaving.tables["courses"][0]["course_runs"][0] |= {"start": start}

    copy()

    assert CourseRun.objects.get(key="course-v1:EX+1+R1").start_date == stored


def test_dates_may_have_the_longer_names_of_other_versions(weaving: StandInCatalog) -> None:
    child = weaving.tables["courses"][0]["course_runs"][0]
    child |= {"start_date": child.pop("start"), "end_date": child.pop("end")}

    copy()

    stored = CourseRun.objects.get(key="course-v1:EX+1+R1")
    assert stored.end_date
    assert stored.end_date.isoformat() == "2024-05-15T00:00:00+00:00"


def test_a_run_called_like_its_course_has_no_title_of_its_own(weaving: StandInCatalog) -> None:
    weaving.tables["courses"][0]["course_runs"][0]["title"] = "Course EX+1"

    copy()

    assert CourseRun.objects.get(key="course-v1:EX+1+R1").title_override == ""


def test_the_order_of_the_catalog_is_kept(weaving: StandInCatalog) -> None:
    weaving.tables["organizations"].append(organization("ZX"))
    weaving.tables["courses"][0]["owners"] = [{"uuid": str(uuid_of(key))} for key in ("ZX", "EX")]
    copy()
    weaving.tables["programs"][0]["courses"].reverse()
    weaving.tables["courses"][0]["owners"].reverse()

    ran = copy()

    stored = Program.objects.get()
    first = Course.objects.get(key="EX+1")
    assert runs_of(stored) == ["course-v1:EX+2+R1", "course-v1:EX+1+R1"]
    owners = first.courseowner_set.values_list("organization__key", flat=True)
    assert list(owners) == ["EX", "ZX"]
    # The same set of courses is the same requirement.
    assert stored.requirements_versions.count() == 1
    assert counted(ran)["programs"] == {"changed": 1}


def test_another_set_of_courses_is_another_version(
    weaving: StandInCatalog, announced: list[Announcement]
) -> None:
    copy()
    announced.clear()
    weaving.tables["programs"][0]["courses"].pop()

    ran = copy()

    stored = Program.objects.get()
    assert core_of(stored) == ["EX+1"]
    assert [version.number for version in stored.requirements_versions.all()] == [1, 2]
    assert runs_of(stored) == ["course-v1:EX+1+R1"]
    assert announced == [("program_requirements_changed", (ProgramChange(stored.pk),))] * 2
    assert counted(ran)["programs"] == {"changed": 1}


def test_learners_complete_what_was_copied() -> None:
    copy()
    stored = Program.objects.get()
    grade = GradeFactory.create(course_run=CourseRun.objects.get(key="course-v1:EX+1+R1"))
    GradeFactory.create(user=grade.user, course_run=CourseRun.objects.get(key="course-v1:EX+2+R1"))

    assert completed_learners(program_id=stored.pk, at=BY.at) == {grade.user_id}


def test_a_pathway_that_is_not_published_keeps_its_row_without_programs(
    weaving: StandInCatalog,
) -> None:
    copy()
    weaving.tables["pathways"][0]["status"] = "retired"

    ran = copy()

    way = Pathway.objects.get()
    assert (way.status, list(way.programs.all())) == ("retired", [])
    assert [row.history_type for row in PathwayProgram.history.order_by("history_id")] == ["+", "-"]
    assert counted(ran)["pathways"] == {"changed": 1}


def test_a_pathway_of_an_older_discovery_has_no_status(weaving: StandInCatalog) -> None:
    del weaving.tables["pathways"][0]["status"]

    copy()

    assert Pathway.objects.get().status == "published"


# --- Requirements that somebody defined here ---------------------------------------------------


def test_requirements_that_staff_defined_stay(weaving: StandInCatalog, tmp_path: Path) -> None:
    copy()
    stored = Program.objects.get()
    first, second = (Course.objects.get(key=key).pk for key in ("EX+1", "EX+2"))
    electives = [RequiredGroup((first,)), RequiredGroup((second,), 1, "Electives")]
    define_requirements(program=stored, groups=electives, note="agreed", by=BY, effective_from=None)
    weaving.tables["programs"][0] |= {"title": "New title"}

    ran = copy("--output", tmp_path / "rows.csv")

    (row,) = (row for row in rows_of(tmp_path / "rows.csv") if row["table"] == "programs")
    stored.refresh_from_db()
    assert stored.title == "New title"
    assert stored.requirements_versions.count() == 2
    assert (row["outcome"], row["reason"]) == (
        "changed",
        "its requirements and runs were changed here, and stay",
    )
    assert ran.code == 0


def test_runs_that_staff_included_stay(weaving: StandInCatalog) -> None:
    copy()
    stored = Program.objects.get()
    chosen = CourseRun.objects.get(key="course-v1:EX+1+R1")
    include_runs(program=stored, course_run_ids=[chosen.pk], by=BY)

    ran = copy()

    assert runs_of(stored) == ["course-v1:EX+1+R1"]
    assert counted(ran)["programs"] == {"unchanged": 1}


def test_a_program_can_be_given_back_to_the_catalog(weaving: StandInCatalog) -> None:
    copy()
    stored = Program.objects.get()
    first, second = (Course.objects.get(key=key).pk for key in ("EX+1", "EX+2"))
    define_requirements(program=stored, groups=[RequiredGroup((first, second), 1)], by=BY)
    include_runs(program=stored, course_run_ids=[], by=BY)

    ran = copy("--replace", stored.uuid)

    assert core_of(stored) == ["EX+1", "EX+2"]
    assert len(runs_of(stored)) == 2
    assert counted(ran)["programs"] == {"changed": 1}
    assert counted(copy())["programs"] == {"unchanged": 1}


def test_nobody_is_asked_for_less_because_a_course_is_unknown(weaving: StandInCatalog) -> None:
    weaving.tables["programs"][0]["courses"].append(
        {"uuid": str(uuid_of("gone")), "course_runs": []}
    )

    copy()

    stored = Program.objects.get()
    assert not stored.requirements_versions.exists()
    assert runs_of(stored) == []


def test_requirements_do_not_end_because_a_list_is_empty(
    weaving: StandInCatalog, tmp_path: Path
) -> None:
    copy()
    weaving.tables["programs"][0] |= {"courses": [], "title": "New title"}

    ran = copy("--output", tmp_path / "rows.csv")

    stored = Program.objects.get()
    (row,) = (row for row in rows_of(tmp_path / "rows.csv") if row["table"] == "programs")
    assert (stored.title, core_of(stored)) == ("New title", ["EX+1", "EX+2"])
    assert runs_of(stored) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    assert row["reason"] == "the catalog lists no course of it: what it requires stays as it is"
    assert ran.code == 0


def test_a_program_without_courses_never_had_requirements(weaving: StandInCatalog) -> None:
    weaving.tables["programs"][0]["courses"] = []

    assert counted(copy())["programs"] == {"created": 1}
    assert counted(copy())["programs"] == {"unchanged": 1}
    assert not ProgramRequirementsVersion.objects.exists()


# --- One row for each key ----------------------------------------------------------------------


def test_what_is_here_under_another_uuid_is_the_same(
    weaving: StandInCatalog, tmp_path: Path
) -> None:
    local = CourseRunFactory.create(key="course-v1:EX+1+R1", course__key="EX+1")
    before = (local.course.uuid, local.uuid)

    ran = copy("--output", tmp_path / "rows.csv")

    local.refresh_from_db()
    assert (local.course.uuid, local.uuid) == before
    assert local.course.title == "Course EX+1"
    assert core_of(Program.objects.get()) == ["EX+1", "EX+2"]
    assert runs_of(Program.objects.get()) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    noted = {row["name"]: row["reason"] for row in rows_of(tmp_path / "rows.csv") if row["reason"]}
    assert noted == {
        "EX+1": "it is here under another uuid, which stays",
        "course-v1:EX+1+R1": "it is here under another uuid, which stays",
    }
    assert ran.code == 0
    assert counted(copy())["course_runs"] == {"unchanged": 2}


def test_a_run_that_was_made_here_is_not_taken_from_its_course(
    weaving: StandInCatalog, tmp_path: Path
) -> None:
    local = CourseRunFactory.create(key="course-v1:EX+1+R1", course__key="weaving-1")
    ours = program_requiring(core=[local.course])
    learner = GradeFactory.create(course_run=local).user_id

    ran = copy("--output", tmp_path / "rows.csv")

    local.refresh_from_db()
    assert local.course.key == "weaving-1"
    assert completed_learners(program_id=ours.pk, at=AT) == {learner}
    assert (ran.code, ran.summary["course_runs"]["rejected"]) == (1, 1)
    copied = Program.objects.get(uuid=uuid_of("Weaving"))
    assert runs_of(copied) == ["course-v1:EX+2+R1"]
    assert completed_learners(program_id=copied.pk, at=AT) == set()


def test_no_run_ceases_to_count_because_a_row_is_rejected(
    weaving: StandInCatalog, tmp_path: Path
) -> None:
    CourseRunFactory.create(key="course-v1:EX+1+R1", course__key="EX+1")
    copy()
    weaving.tables["courses"][0]["course_runs"][0]["start"] = "soon"

    ran = copy("--output", tmp_path / "rows.csv")

    (row,) = (row for row in rows_of(tmp_path / "rows.csv") if row["table"] == "programs")
    assert runs_of(Program.objects.get()) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    assert (row["outcome"], row["reason"]) == ("unchanged", "1 of its runs are not here")
    assert ran.code == 1


def test_of_two_runs_with_one_key_one_stands_for_both(weaving: StandInCatalog) -> None:
    twin = run("course-v1:EX+1+R1", uuid=str(uuid_of("twin")), title="Twin")
    weaving.tables["courses"][1]["course_runs"].append(twin)
    weaving.tables["programs"][0]["courses"][1]["course_runs"].append({"uuid": twin["uuid"]})

    ran = copy()

    assert counted(ran)["course_runs"] == {"created": 2, "merged": 1}
    assert CourseRun.objects.get(key="course-v1:EX+1+R1").course.key == "EX+1"
    assert runs_of(Program.objects.get()) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]
    assert counted(copy())["course_runs"] == {"unchanged": 2, "merged": 1}


def test_the_one_whose_uuid_is_here_stands_for_the_other(weaving: StandInCatalog) -> None:
    copy()
    weaving.tables["courses"][0]["course_runs"].insert(
        0, run("course-v1:EX+1+R1", uuid=str(uuid_of("twin")), title="Twin")
    )

    ran = copy()

    assert counted(ran)["course_runs"] == {"unchanged": 2, "merged": 1}


def test_a_row_that_was_to_stand_for_another_and_is_rejected_does_not(
    weaving: StandInCatalog,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE programs_courserun ADD CONSTRAINT refuse_for_test"
            " CHECK (title_override <> 'Bad')"
        )
    twin = run("course-v1:EX+1+R1", uuid=str(uuid_of("twin")), title="Bad")
    weaving.tables["courses"][0]["course_runs"].insert(0, twin)

    ran = copy()

    stored = CourseRun.objects.get(key="course-v1:EX+1+R1")
    assert stored.uuid == uuid_of("course-v1:EX+1+R1")
    assert ran.summary["course_runs"] == NOTHING | {"created": 2, "rejected": 1}
    assert runs_of(Program.objects.get()) == ["course-v1:EX+1+R1", "course-v1:EX+2+R1"]


def test_a_key_that_changed_there_stays_here(weaving: StandInCatalog, tmp_path: Path) -> None:
    copy()
    weaving.tables["courses"][0] |= {"key": "EX+other"}

    ran = copy("--output", tmp_path / "rows.csv")

    (row,) = (row for row in rows_of(tmp_path / "rows.csv") if row["reason"])
    assert sorted(Course.objects.values_list("key", flat=True)) == ["EX+1", "EX+2"]
    assert row["reason"] == "it has another key here, which stays"
    assert ran.code == 0


# --- What the catalog dropped ------------------------------------------------------------------


def dropped(weaving: StandInCatalog) -> None:
    """The catalog loses a course that no program has, its run, its owner, and a pathway."""
    weaving.tables["organizations"].append(organization("ZX"))
    weaving.tables["courses"].append(course("ZX+9", owners=["ZX"]))
    weaving.tables["pathways"].append(pathway("To nowhere"))
    copy()
    for table in ("organizations", "courses", "pathways"):
        weaving.tables[table].pop()


def test_what_was_dropped_stays_and_is_told(weaving: StandInCatalog) -> None:
    dropped(weaving)

    ran = copy()

    assert Course.objects.filter(key="ZX+9").exists()
    assert (ran.code, ran.error) == (1, "4 stuck.")
    assert ran.summary["obsolete"] == {"deleted": 0, "to_delete": 4, "kept": 0}


def test_what_was_dropped_is_deleted_if_wanted(weaving: StandInCatalog) -> None:
    dropped(weaving)
    rehearsed = copy("--delete", "--dry-run")

    ran = copy("--delete")

    assert rehearsed.summary["obsolete"] == {"deleted": 0, "to_delete": 4, "kept": 0}
    assert ran.summary["obsolete"] == {"deleted": 4, "to_delete": 0, "kept": 0}
    assert not Course.objects.filter(key="ZX+9").exists()
    assert not CourseRun.objects.filter(course__key="ZX+9").exists()
    assert not Organization.objects.filter(key="ZX").exists()
    assert Pathway.objects.count() == 1
    assert Pathway.history.filter(history_type="-").get().cause == "command:copy_catalog"
    assert ran.code == 0
    assert copy("--delete").summary["obsolete"]["deleted"] == 0


def test_what_others_refer_to_is_never_deleted(weaving: StandInCatalog, tmp_path: Path) -> None:
    dropped(weaving)
    GradeFactory.create(course_run=CourseRun.objects.get(key="course-v1:ZX+9+R1"))
    CreditRequestFactory.create(pathway=Pathway.objects.get(name="To nowhere"))

    ran = copy("--delete", "--output", tmp_path / "rows.csv")

    kept = {row["name"] for row in rows_of(tmp_path / "rows.csv") if row["outcome"] == "kept"}
    assert kept == {"To nowhere", "course-v1:ZX+9+R1", "Course ZX+9", "ZX University"}
    assert ran.summary["obsolete"] == {"deleted": 0, "to_delete": 0, "kept": 4}
    assert ran.code == 0


def test_a_course_that_entitlements_name_by_uuid_is_referred_to(weaving: StandInCatalog) -> None:
    from tests.entitlements.factories import EntitlementFactory

    weaving.tables["courses"].append(course("ZX+9", course_runs=[]))
    copy()
    weaving.tables["courses"].pop()
    EntitlementFactory.create(course_uuid=uuid_of("ZX+9"))

    ran = copy("--delete")

    assert Course.objects.filter(key="ZX+9").exists()
    assert ran.summary["obsolete"] == {"deleted": 0, "to_delete": 0, "kept": 1}


def test_a_program_that_had_requirements_is_never_deleted(weaving: StandInCatalog) -> None:
    copy()
    weaving.tables["programs"].clear()
    weaving.tables["pathways"].clear()

    ran = copy("--delete")

    assert Program.objects.get().status == "active"
    assert ran.summary["obsolete"] == {"deleted": 1, "to_delete": 0, "kept": 1}


def test_what_was_made_here_is_nobodys_to_delete(weaving: StandInCatalog) -> None:
    CourseFactory.create()
    ProgramFactory.create()
    PathwayFactory.create()

    ran = copy("--delete")

    assert ran.summary["obsolete"] == {"deleted": 0, "to_delete": 0, "kept": 0}
    assert (Course.objects.count(), Program.objects.count(), Pathway.objects.count()) == (3, 2, 2)


def test_more_than_the_cap_is_refused_before_anything_changes(weaving: StandInCatalog) -> None:
    dropped(weaving)
    weaving.tables["organizations"][0]["name"] = "Another name"

    ran = copy("--delete", "--max-changes", "3")

    assert ran.code == 2
    assert Organization.objects.filter(name="EX University").exists()
    assert Course.objects.filter(key="ZX+9").exists()


@pytest.mark.parametrize(("percent", "code"), [(36, 2), (37, 0)])
def test_a_cap_in_percent_is_one_of_all_rows_that_are_here(
    weaving: StandInCatalog, percent: int, code: int
) -> None:
    """4 of 11 go: 2 organizations, 3 courses with a run each, a program, 2 pathways."""
    dropped(weaving)

    ran = copy("--delete", "--max-percent", percent)

    assert ran.code == code
    assert Course.objects.filter(key="ZX+9").exists() is (code == 2)


def test_nothing_is_obsolete_of_a_table_with_a_row_that_nobody_can_tell(
    weaving: StandInCatalog,
) -> None:
    dropped(weaving)
    weaving.tables["courses"].append({"uuid": "?"})

    ran = copy("--delete")

    assert Course.objects.filter(key="ZX+9").exists()
    assert CourseRun.objects.filter(course__key="ZX+9").exists()
    assert ran.summary["obsolete"] == {"deleted": 1, "to_delete": 0, "kept": 1}
    assert ran.code == 1


# --- A catalog that fails, or says strange things ----------------------------------------------


@pytest.mark.parametrize("table", ["organizations", "courses", "programs", "pathways"])
@pytest.mark.parametrize(("status", "reason"), [(500, "http_500"), (0, "lost.RemoteProtocolError")])
def test_without_the_whole_catalog_nothing_changes(
    weaving: StandInCatalog, table: str, status: int, reason: str
) -> None:
    weaving.fail(status, path=f"/{table}/")

    ran = copy()

    assert (ran.code, ran.summary) == (1, {"not_read": {table: reason}})
    assert not Organization.objects.exists()
    assert not Program.objects.exists()


def test_without_a_catalog_it_is_refused(settings: Any) -> None:
    settings.CATALOG_BASE_URL = ""

    assert copy().code == 2


def test_each_night_it_is_expected_only_where_there_is_a_catalog(settings: Any) -> None:
    assert copy_catalog.Command().scheduled

    settings.CATALOG_BASE_URL = ""

    assert not copy_catalog.Command().scheduled


BAD_ROWS: list[tuple[str, dict[str, Any]]] = [
    ("organizations", {"uuid": 17}),
    ("organizations", {"name": "N" * 10_000_000}),
    ("courses", {"key": "with\x00nul"}),
    ("courses", {"title": "half \ud800 a letter"}),
    ("courses", {"owners": {"uuid": 1}}),
    ("courses", {"course_runs": "none"}),
    ("programs", {"status": "unheard of"}),
    ("programs", {"total_hours_of_effort": 99_999}),
    ("programs", {"total_hours_of_effort": "40"}),
    ("programs", {"type_attrs": {"slug": "no slug!"}}),
    ("programs", {"courses": [17]}),
    ("programs", {"title": ""}),
    ("pathways", {"email": "nobody"}),
    ("pathways", {"email": "a@example.org\nBcc: b@example.org"}),
    ("pathways", {"pathway_type": "shortcut"}),
]
MAKERS: dict[str, Callable[[str], Item]] = {
    "organizations": organization,
    "courses": course,
    "programs": program,
    "pathways": pathway,
}


def test_bad_rows_hinder_no_others(weaving: StandInCatalog) -> None:
    for number, (table, bad) in enumerate(BAD_ROWS):
        weaving.tables[table].insert(0, MAKERS[table](f"Bad{number}") | bad)

    ran = copy()

    rejected = {table: ran.summary[table]["rejected"] for table in TABLES}
    assert rejected == Counter(table for table, _bad in BAD_ROWS) | {"course_runs": 0}
    assert (ran.code, ran.error) == (1, f"{len(BAD_ROWS)} failed.")
    assert core_of(Program.objects.get()) == ["EX+1", "EX+2"]
    assert (Organization.objects.count(), Course.objects.count()) == (1, 2)
    assert Pathway.objects.count() == 1


@pytest.mark.parametrize("logo", ["javascript:alert(1)", "/media/logo.png"])
def test_a_logo_that_no_page_can_show_is_left_out(
    weaving: StandInCatalog, tmp_path: Path, logo: str
) -> None:
    weaving.tables["organizations"][0]["certificate_logo_image_url"] = logo

    ran = copy("--output", tmp_path / "rows.csv")

    (row,) = (row for row in rows_of(tmp_path / "rows.csv") if row["reason"])
    assert row["reason"] == "its logo has no address that pages can show: left out"
    assert Organization.objects.get().certificate_logo_image_url == ""
    assert ran.code == 0


def test_a_catalog_that_does_not_answer_in_time_changes_nothing(
    weaving: StandInCatalog, settings: Any
) -> None:
    settings.CATALOG_TIMEOUT_SECONDS = 0.1
    weaving.hold()

    ran = copy()
    weaving.release()

    assert (ran.code, ran.summary) == (1, {"not_read": {"organizations": "lost.ReadTimeout"}})
    assert not Organization.objects.exists()


def test_what_is_no_row_is_rejected(weaving: StandInCatalog) -> None:
    weaving.tables["programs"] += [None, 17, "text", [], {}]

    ran = copy()

    assert ran.summary["programs"] == NOTHING | {"created": 1, "rejected": 5}


def test_a_bad_run_hinders_neither_its_course_nor_the_others(weaving: StandInCatalog) -> None:
    weaving.tables["courses"][0]["course_runs"].append(run("course-v1:EX+1+R2", start="soon"))

    ran = copy()

    assert ran.summary["course_runs"] == NOTHING | {"created": 2, "rejected": 1}
    assert ran.code == 1


def test_what_the_database_refuses_is_rejected_alone(weaving: StandInCatalog) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE programs_course ADD CONSTRAINT refuse_for_test CHECK (key <> 'EX+1')"
        )

    ran = copy()

    assert ran.summary["courses"] == NOTHING | {"created": 1, "rejected": 1}
    assert ran.summary["course_runs"] == NOTHING | {"created": 1, "rejected": 1}
    assert not Program.objects.get().requirements_versions.exists()
    assert ran.code == 1


# --- Sets, and interruptions -------------------------------------------------------------------


def large(weaving: StandInCatalog, size: int, prefix: str = "L") -> None:
    """`size` more rows: courses with three runs, each with two owners."""
    weaving.tables["courses"] += [
        course(
            f"EX+{prefix}{number}",
            *(run(f"course-v1:EX+{prefix}{number}+R{each}") for each in range(3)),
            owners=("ZX", "EX"),
        )
        for number in range(size // 4)
    ]


def test_a_batch_takes_the_same_statements_whatever_its_rows(
    weaving: StandInCatalog,
    statements: Statements,  # noqa: F811 - the fixture
) -> None:
    weaving.tables["organizations"].append(organization("ZX"))
    copy()
    counts = []
    for prefix, size in (("Few", 4), ("Many", 400)):
        large(weaving, size, prefix)
        with statements.counted() as texts:
            copy("--page-size", "1000")
        counts.append(len(texts))

    assert counts[0] == counts[1]


def test_many_batches_come_and_stay_in_few_statements(
    weaving: StandInCatalog,
    statements: Statements,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many batches as 10,000 rows have."""
    monkeypatch.setattr(copying, "BATCH", 100)
    weaving.tables["organizations"].append(organization("ZX"))
    large(weaving, 1_000)

    with statements.counted() as first:
        ran = copy("--page-size", "100")
    with statements.counted() as second:
        again = copy("--page-size", "100")

    assert ran.summary["course_runs"]["created"] == 752
    assert again.summary["course_runs"]["unchanged"] == 752
    assert len(first) < 180
    assert len(second) < 75


def test_shared_records_keep_their_program(weaving: StandInCatalog) -> None:
    copy()
    link = SharedRecordFactory.create(program=Program.objects.get())
    weaving.tables["programs"].clear()

    copy("--delete")

    link.refresh_from_db()
    assert link.program.title == "Weaving"

"""Thousands of corrected grades in one import: each learner is queued once for each program."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Count

from letters.models import LetterRevalidation
from programs.models import CourseGrade, CourseRun, Program
from tests.letters.commands import run_command
from tests.letters.conftest import Statements
from tests.letters.factories import empty_queue, grade
from tests.programs.factories import AT, CourseRunFactory, LearnerFactory, program_requiring

pytestmark = pytest.mark.django_db

RUNS = 3


@pytest.fixture
def programs() -> list[Program]:
    """Two programs of three courses each; one course is part of both."""
    runs = CourseRunFactory.create_batch(2 * RUNS - 1)
    return [
        program_requiring(core=[run.course for run in part])
        for part in (runs[:RUNS], runs[RUNS - 1 :])
    ]


def runs_of(*programs: Program) -> list[CourseRun]:
    return list(CourseRun.objects.filter(programs__in=programs).distinct().order_by("pk"))


def users_file(path: Path, *, count: int, percent: str, runs: list[CourseRun]) -> Path:
    grades = [{"edx_course_key": run.key, "grade": percent} for run in runs]
    records: list[dict[str, Any]] = [
        {
            "email": f"burst{number}@example.org",
            "username": f"burst{number}",
            "first_name": "Ada",
            "_grades": grades,
        }
        for number in range(count)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_an_import_of_thousands_of_corrected_grades_queues_each_learner_once(
    programs: list[Program], tmp_path: Path
) -> None:
    """500 learners with grades in 5 runs of 2 programs: 2,500 grades, 1,000 rows."""
    none = tmp_path / "programs.json"
    none.write_text("[]", encoding="utf-8")

    def load(percent: str) -> dict[str, int]:
        users = users_file(
            tmp_path / "users.json", count=500, percent=percent, runs=runs_of(*programs)
        )
        ran = run_command("import_micromasters", "--programs", none, "--users", users)
        grades: dict[str, int] = ran.summary["grades"]
        return grades

    assert load("0.8") == {"created": 2_500, "changed": 0, "unchanged": 0}
    empty_queue()

    assert load("0.3") == {"created": 0, "changed": 2_500, "unchanged": 0}

    assert not CourseGrade.objects.filter(passed=True).exists()
    queue = LetterRevalidation.objects.all()
    assert set(queue.values_list("version", "cause")) == {
        (1, "course_grade_changed:command:import_micromasters")
    }
    assert dict(queue.values_list("program").annotate(rows=Count("user", distinct=True))) == {
        program.pk: 500 for program in programs
    }
    assert queue.count() == 1_000


def test_the_same_grades_again_queue_nobody(programs: list[Program]) -> None:
    learners = LearnerFactory.create_batch(3)
    for run in runs_of(*programs):
        grade(run, *learners)
    empty_queue()

    for run in runs_of(*programs):
        grade(run, *learners)

    assert not LetterRevalidation.objects.exists()


def test_corrections_one_after_the_other_leave_one_row(programs: list[Program]) -> None:
    (learner,) = LearnerFactory.create_batch(1)

    for percent in ("0.8", "0.3", "0.7"):
        for run in runs_of(*programs):
            grade(run, learner, percent=percent)

    rows = LetterRevalidation.objects.order_by("program_id")
    assert [(row.program_id, row.version, row.opened_at) for row in rows] == [
        (program.pk, 3 * RUNS, AT) for program in programs
    ]


def test_statements_of_an_import_do_not_grow_with_its_learners(
    programs: list[Program], tmp_path: Path, statements: Statements
) -> None:
    none = tmp_path / "programs.json"
    none.write_text("[]", encoding="utf-8")
    counts, queued = [], []

    for count in (1, 50):
        for percent in ("0.8", "0.3"):
            users = users_file(
                tmp_path / "users.json", count=count, percent=percent, runs=runs_of(*programs)
            )
            empty_queue()
            with statements.counted() as texts:
                run_command("import_micromasters", "--programs", none, "--users", users)
        counts.append(len(texts))
        queued.append(sum("INTO letters_letterrevalidation" in text for text in texts))

    assert LetterRevalidation.objects.count() == 100
    assert counts[0] == counts[1]
    assert queued == [1, 1]

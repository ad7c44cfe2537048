"""A command whose process is killed, at any statement, and run again ends as if nothing had been."""

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from credentials_portal.core.models import JobRun
from letters.models import LetterEvent, LetterRevalidation, LetterValidationRun, ProgramLetter
from letters.services import PlanScope
from programs.models import CourseRun, Program
from tests.forks import was_killed
from tests.letters.commands import Ran, run_command
from tests.letters.factories import (
    DAY,
    applied,
    assert_sound,
    grade,
    graduates,
    imported,
    issue,
    letters_of,
    one_course_program,
    planned,
    states,
    story,
)
from tests.letters.incident import build_incident
from tests.letters.test_commands import write_letters
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)

STEP = 1 if os.environ.get("FULL") else 2
AS_OF = ("--as-of", AT.isoformat())

Check = Callable[[Ran], None]
Prepare = Callable[[Program, CourseRun, Path], tuple[tuple[object, ...], Check]]


def command_was_killed(at_statement: int, *arguments: object) -> bool:
    return was_killed(at_statement, lambda: run_command(*arguments))


def run_again(*arguments: object) -> Ran:
    """Run it to its end, as soon as the server has noticed that the killed one is gone."""
    ran = run_command(*arguments)
    while ran.code == 3:
        time.sleep(0.01)
        ran = run_command(*arguments)
    return ran


# --- What is prepared, and what must have become of it -----------------------------------------


def applying(program: Program, _run: CourseRun, _folder: Path) -> tuple[tuple[object, ...], Check]:
    letters = imported(program, *LearnerFactory.create_batch(5))
    plan = planned(PlanScope(letter_uuids=tuple(letter.uuid for letter in letters)))

    def check(ran: Ran) -> None:
        assert (ran.code, ran.summary["outcomes"]) == (0, {"changed": 5})
        assert ran.summary["state_counts"] == {"suspended": 5}
        assert LetterEvent.objects.filter(run=plan).count() == 5

    line = ("apply_letter_plan", plan.uuid, "--yes-really", "--reason", "x", "--batch-size", 2)
    return line, check


def rolling_back(
    program: Program, _run: CourseRun, _folder: Path
) -> tuple[tuple[object, ...], Check]:
    letters = imported(program, *LearnerFactory.create_batch(5))
    plan = planned(PlanScope(letter_uuids=tuple(letter.uuid for letter in letters)))
    applied(plan)

    def check(ran: Ran) -> None:
        assert (ran.code, ran.summary["outcomes"]) == (0, {"restored": 5})
        assert ran.summary["state_counts"] == {"active": 5}
        assert LetterEvent.objects.filter(run=plan).count() == 10

    return ("rollback_letter_run", plan.uuid, "--reason", "x", "--batch-size", 2), check


def issuing(program: Program, run: CourseRun, _folder: Path) -> tuple[tuple[object, ...], Check]:
    learners = graduates(run, 5)

    def check(ran: Ran) -> None:
        assert (ran.code, ran.summary["errors"]) == (0, 0)
        for letter in letters_of(program, *learners):
            assert story(letter) == [("issued", "active", "")]

    return ("issue_letters", "--program", program.pk), check


def revalidating(
    program: Program, run: CourseRun, _folder: Path
) -> tuple[tuple[object, ...], Check]:
    failing = issue(program, *graduates(run, 2), at=AT - 9 * DAY)
    new = LearnerFactory.create_batch(3)
    grade(run, *[letter.user for letter in failing], percent="0.1", at=AT - 2 * DAY)
    grade(run, *new, at=AT - DAY)

    def check(ran: Ran) -> None:
        assert (ran.code, ran.summary["queued"]) == (0, 0)
        assert states(*failing, *letters_of(program, *new)) == ["suspended"] * 2 + ["active"] * 3
        assert not LetterRevalidation.objects.exists()

    return ("revalidate_letters", "--batch-size", 2), check


def importing(program: Program, _run: CourseRun, folder: Path) -> tuple[tuple[object, ...], Check]:
    file = folder / f"{uuid4()}.csv"
    uuids = [uuid4() for _ in range(5)]
    names = [learner.username for learner in LearnerFactory.create_batch(5)]
    write_letters(
        file, *((uuid, name, program.pk) for uuid, name in zip(uuids, names, strict=True))
    )

    def check(ran: Ran) -> None:
        assert ran.code == 0
        assert ran.summary["imported"] + ran.summary["unchanged"] == 5
        assert ProgramLetter.objects.filter(uuid__in=uuids, state="active").count() == 5

    return ("import_letters", file), check


def planning(program: Program, _run: CourseRun, _folder: Path) -> tuple[tuple[object, ...], Check]:
    letters = imported(program, *LearnerFactory.create_batch(5))

    def check(ran: Ran) -> None:
        plan = LetterValidationRun.objects.get(uuid=UUID(ran.summary["run"]))
        assert (ran.code, plan.status, ran.summary["total"]) == (0, "done", 5)
        assert plan.results.count() == 5
        assert not LetterValidationRun.objects.filter(status="running").exists()
        assert states(*letters) == ["active"] * 5

    scope = [part for letter in letters for part in ("--letter", letter.uuid)]
    return ("validate_letters", *scope, "--batch-size", 2), check


@pytest.mark.parametrize(
    "prepare", [applying, rolling_back, issuing, revalidating, importing, planning]
)
def test_a_command_that_was_killed_at_any_statement_ends_well(
    prepare: Prepare, tmp_path: Path, settings: Any
) -> None:
    settings.LETTER_BREAKER_LIMIT = 1_000_000
    program, run = one_course_program()
    issue(program, *graduates(run), at=AT - 9 * DAY)
    kills = 0
    for statement in count(1, STEP):
        arguments, check = prepare(program, run, tmp_path)
        is_over = not command_was_killed(statement, *arguments, *AS_OF)

        check(run_again(*arguments, *AS_OF))

        if is_over:
            break
        kills += 1
    assert kills >= 9 / STEP
    assert_sound()
    assert set(JobRun.objects.values_list("outcome", flat=True)) <= {"done", "crashed"}


def test_the_incidents_plan_is_applied_exactly_though_it_is_killed_again_and_again() -> None:
    incident = build_incident()
    plan = run_command("validate_letters", *AS_OF).summary["run"]
    override = ("--yes-really", "--reason", "Issued while the program was empty.")
    line = ("apply_letter_plan", plan, *override, "--batch-size", 100, *AS_OF)

    kills = 0
    while command_was_killed(29, *line):
        kills += 1
        assert kills < 20
        time.sleep(0.05)

    ran = run_again(*line)
    assert kills >= 3
    assert ran.code == 0
    assert ran.summary["outcomes"] == {"changed": 1027}
    assert ran.summary["state_counts"] == {"active": 40, "suspended": 1027}
    assert LetterEvent.objects.filter(run__uuid=plan).count() == 1027
    assert set(ProgramLetter.objects.filter(state="active")) == set(incident.true)


def test_dry_runs_look_at_the_whole_incident_on_a_connection_that_cannot_write(
    tmp_path: Path,
) -> None:
    build_incident()
    plan = run_command("validate_letters", *AS_OF).summary["run"]
    report = tmp_path / "report.csv"

    found = run_command("validate_letters", "--dry-run", "--output", report, *AS_OF)
    would = run_command(
        *("apply_letter_plan", plan, "--dry-run", "--yes-really", "--reason", "x"),
        *("--output", report, *AS_OF),
    )

    assert (found.summary["run"], found.summary["invalid"]) == (None, 1027)
    assert (would.summary["changed"], would.summary["outcomes"]) == (1027, {"open": 1027})
    assert len(report.read_text(encoding="utf-8").splitlines()) == 1068

"""The incident that the portal was built to end: found, withdrawn, restored, and not made again."""

import csv
from pathlib import Path

import pytest

from credentials_portal.core.models import OutboxMessage
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter
from letters.services import revoke_letter
from programs.services import enroll_in_programs
from tests.letters.commands import run_command
from tests.letters.factories import BY, by_at, grade, require, revalidate, rows
from tests.letters.incident import FALSE, Incident, build_incident, people
from tests.programs.factories import AT, RUN_ENDS, CourseRunFactory, ProgramFactory

pytestmark = pytest.mark.django_db

AS_OF = ("--as-of", AT.isoformat())
LETTERS = ("letters_programletter", "letters_letterevent")


@pytest.fixture
def incident(db: None) -> Incident:
    return build_incident()


@pytest.fixture
def plan(incident: Incident) -> str:
    uuid: str = run_command("validate_letters", *AS_OF).summary["run"]
    return uuid


def apply(plan: str) -> dict[str, object]:
    override = ("--yes-really", "--reason", "Issued while the program was empty.")
    return run_command("apply_letter_plan", plan, *override, *AS_OF).summary


def test_the_plan_finds_exactly_the_false_letters_and_changes_nothing(
    incident: Incident, tmp_path: Path
) -> None:
    report = tmp_path / "plan.csv"
    before = rows(*LETTERS)

    ran = run_command("validate_letters", "--output", report, *AS_OF)

    counts = [ran.summary[key] for key in ("total", "valid", "invalid", "indeterminate")]
    assert counts == [1067, 40, 1027, 0]
    assert ran.summary["reasons"] == incident.reasons
    assert ran.summary["actions"] == {"suspend": 1027}
    assert rows(*LETTERS) == before
    with report.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    of_program = " ".join(["program_started", *list(incident.reasons)[1:4]])
    assert len(lines) == 1067
    assert sum(line["failed_checks"] == of_program for line in lines) == FALSE
    assert {line["letter_uuid"] for line in lines if line["verdict"] == "valid"} == {
        str(letter.uuid) for letter in incident.true
    }


def test_the_cap_stops_the_plan_before_anything_changes(incident: Incident, plan: str) -> None:
    before = rows(*LETTERS)

    ran = run_command("apply_letter_plan", plan, *AS_OF)

    assert ran.code == 2
    assert ran.error == (
        "1027 of 1067 (96.3%) would change, more than --max-percent 5; nothing was changed."
    )
    assert rows(*LETTERS) == before


def test_the_override_suspends_exactly_those_with_one_event_each_and_no_mail(
    incident: Incident, plan: str
) -> None:
    events = LetterEvent.objects.count()

    summary = apply(plan)

    assert [summary[key] for key in ("changed", "skipped", "failed")] == [1027, 0, 0]
    assert summary["state_counts"] == {"active": 40, "suspended": 1027}
    active = ProgramLetter.objects.filter(state="active")
    assert set(active) == set(incident.true)
    assert LetterEvent.objects.count() == events + 1027
    changes = LetterEvent.objects.filter(run__uuid=plan).select_related("letter")
    assert {(one.action, one.letter.state) for one in changes} == {("suspended", "suspended")}
    assert len({one.letter_id for one in changes}) == 1027
    assert not OutboxMessage.objects.exists()


def test_a_rollback_restores_all_but_what_a_person_touched_since(
    incident: Incident, plan: str
) -> None:
    apply(plan)
    revoke_letter(letter_uuid=incident.lost_grade.uuid, by=by_at(AT, reason="Copied."))

    ran = run_command("rollback_letter_run", plan, "--reason", "Early.", *AS_OF)
    again = run_command("rollback_letter_run", plan, "--reason", "Early.", *AS_OF)

    assert (ran.summary["restored"], ran.summary["skipped"]) == (1026, 1)
    assert (again.summary["restored"], again.summary["skipped"]) == (0, 0)
    assert ran.summary["state_counts"] == {"active": 1066, "revoked": 1}


def test_who_completes_the_program_later_gets_the_same_letter_with_a_true_date(
    incident: Incident, plan: str
) -> None:
    apply(plan)
    learner = incident.false[0]
    former = ProgramLetter.objects.get(user=learner)
    for run in incident.runs:
        grade(run, learner, at=AT, graded_at=RUN_ENDS)

    assert revalidate(AT) == {"reissued": 1}

    letter = ProgramLetter.objects.get(user=learner)
    assert (letter.uuid, letter.state, letter.issued_at) == (former.uuid, "active", AT)
    assert set(letter.evidence) == {f"core_course:{run.course.key}" for run in incident.runs}
    assert run_command("validate_letters", *AS_OF).summary["valid"] == 41


def test_the_nightly_sweep_suspends_no_more_than_the_breaker_lets(incident: Incident) -> None:
    run_command("revalidate_letters", "--sweep", "--as-of", by_at(RUN_ENDS).at.isoformat())

    ran = run_command("revalidate_letters", "--sweep", *AS_OF)

    assert ran.summary["outcomes"] == {"held": FALSE - 50, "suspended": 53}
    assert (ran.code, ran.error, ran.summary["held"]) == (1, f"{FALSE - 50} stuck.", FALSE - 50)
    assert LetterValidationRun.objects.get().held_revalidations.count() == FALSE - 50


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_an_empty_program_gives_a_thousand_enrolled_no_letter(db: None, options: list[str]) -> None:
    program = ProgramFactory.create()
    learners = people("enrolled", 1000)
    enroll_in_programs(user_ids=[one.pk for one in learners], program=program, by=BY)

    ran = run_command("issue_letters", "--program", program.uuid, *options)

    assert ran.code == 2
    assert "requirements_defined" in ran.error
    assert ran.summary == {
        "issued": 0,
        "pending": 0,
        "not_eligible": 1000,
        "errors": 0,
        "reasons": {"requirements_defined": 1000},
        "run": None,
    }
    assert not ProgramLetter.objects.exists()


def test_requirements_edited_later_change_no_verdict(incident: Incident, plan: str) -> None:
    """But of the letters from before there were any: those are judged by the ones of today."""
    elsewhere = incident.lost_grade.program
    runs = [include.course_run for include in elsewhere.included_runs.all()]
    require(elsewhere, *runs, CourseRunFactory.create(), at=AT)

    ran = run_command("validate_letters", *AS_OF)
    against_current = run_command("validate_letters", "--against", "current", *AS_OF)

    assert ran.summary["reasons"] == incident.reasons
    assert (ran.summary["valid"], against_current.summary["valid"]) == (40, 10)

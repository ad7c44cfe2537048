"""The contract of the commands: what they print, how they end, and that they do nothing by halves."""

import csv
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import load_command_class
from django.db import connection
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.locks import SessionLock
from credentials_portal.core.models import JobRun, OutboxMessage
from letters.enums import RunKind
from letters.models import (
    LetterEvent,
    LetterRevalidation,
    LetterValidationResult,
    LetterValidationRun,
    ProgramLetter,
)
from letters.services import issue_letters, new_run, revoke_letter
from programs.models import CourseRun, Program
from programs.services import enroll_in_programs
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.letters.factories import (
    BY,
    DAY,
    GRACE,
    INSTANT,
    applied,
    by_at,
    empty_queue,
    grade,
    graduates,
    imported,
    issue,
    letters_of,
    one_course_program,
    planned,
    rows,
    states,
)
from tests.programs.factories import AT, FOUNDED, LearnerFactory, ProgramFactory

pytestmark = pytest.mark.django_db

AS_OF = ("--as-of", AT.isoformat())


@dataclass(frozen=True)
class World:
    """One of everything that a command may meet."""

    program: Program
    run: CourseRun
    empty: Program
    good: ProgramLetter
    false: list[ProgramLetter]
    revoked: ProgramLetter
    plan: LetterValidationRun
    applied: LetterValidationRun
    held: LetterValidationRun
    file: Path

    def words(self) -> dict[str, object]:
        return {
            "program": self.program.uuid,
            "empty": self.empty.pk,
            "good": self.good.uuid,
            "revoked": self.revoked.uuid,
            "plan": self.plan.uuid,
            "applied": self.applied.uuid,
            "held": self.held.uuid,
            "file": self.file,
        }


@pytest.fixture
def world(tmp_path: Path, db: None) -> World:
    program, run = one_course_program()
    (good, revoked) = issue(program, *graduates(run, 2), at=AT - 9 * DAY)
    earlier = imported(program, *LearnerFactory.create_batch(2), at=AT - 9 * DAY)
    was_applied = planned(at=AT - 9 * DAY)
    applied(was_applied, at=AT - 9 * DAY)
    revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT - 8 * DAY))
    false = imported(program, *LearnerFactory.create_batch(3), at=AT - 8 * DAY)
    assert states(*earlier) == ["suspended", "suspended"]
    plan = planned(at=AT - 8 * DAY)

    other_program, other_run = one_course_program()
    held = new_run(RunKind.ISSUE, by=by_at(AT - 8 * DAY))
    user_ids = [learner.pk for learner in graduates(other_run, 2)]
    issue_letters(program_id=other_program.pk, user_ids=user_ids, run=held, by=BY)

    empty = ProgramFactory.create()
    enroll_in_programs(user_ids=[good.user_id], program=empty, by=BY)
    grade(run, LearnerFactory.create(), at=AT - DAY)
    grade(run, good.user, percent="0.1", at=AT - 2 * DAY)
    file = tmp_path / "letters.csv"
    write_letters(file, (uuid4(), LearnerFactory.create().username, program.pk))
    return World(program, run, empty, good, false, revoked, plan, was_applied, held, file)


def write_letters(file: Path, *letters: tuple[object, ...]) -> None:
    lines = [f"{uuid},{name},{program},t,{FOUNDED}" for uuid, name, program in letters]
    text = "\n".join(["uuid,username,program,is_active,created_on", *lines])
    file.write_text(text, encoding="utf-8")


def run_in(world: World, line: str, *more: object) -> Ran:
    """Run a command line in which `{plan}`, `{good}`, … stand for the world's."""
    return run_command(*line.format(**world.words()).split(), *more)


LINES = {
    "issue_letters": "issue_letters --program {program}",
    "validate_letters": "validate_letters",
    "apply_letter_plan": "apply_letter_plan {plan} --yes-really --reason False.",
    "rollback_letter_run": "rollback_letter_run {applied}",
    "revalidate_letters": "revalidate_letters --sweep",
    "release": "revalidate_letters --release {held} --reason Seen.",
    "revoke_letter": "revoke_letter {good} --reason Copied.",
    "reinstate_letter": "reinstate_letter {revoked} --reason Appeal.",
    "import_letters": "import_letters {file}",
    "letters_status": "letters_status",
    "letters_status_of_run": "letters_status {plan}",
}
WRITING = [name for name in LINES if not name.startswith("letters_status")]


# --- What they print ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("issue_letters", "issued pending not_eligible errors reasons run"),
        (
            "validate_letters",
            "run as_of dry_run total valid invalid indeterminate reasons actions",
        ),
        ("apply_letter_plan", "run changed skipped failed told state_counts outcomes"),
        ("rollback_letter_run", "run restored skipped failed state_counts outcomes"),
        ("revalidate_letters", "opened looked_at outcomes errors run queued held pending"),
        ("release", "opened looked_at outcomes errors run queued held pending"),
        ("revoke_letter", "letter changed told"),
        ("reinstate_letter", "letter changed"),
        ("import_letters", "imported inactive unchanged errors"),
        ("letters_status", "letters suspended_because queued held runs_that_hold"),
        (
            "letters_status_of_run",
            (
                "run kind status against as_of started_at finished_at found outcomes"
                " state_counts pending held"
            ),
        ),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_the_keys_of_the_summary_are_a_contract(
    world: World, name: str, keys: str, dry: bool
) -> None:
    options = ["--dry-run"] if dry and name in WRITING else []

    ran = run_in(world, LINES[name], *options, *AS_OF)

    assert (ran.code, ran.error) == (0, "")
    assert " ".join(ran.summary) == keys


@pytest.mark.parametrize("name", WRITING)
def test_a_dry_run_writes_nothing_at_all(world: World, name: str) -> None:
    before = rows()

    ran = run_in(world, LINES[name], "--dry-run", *AS_OF)

    assert ran.code == 0
    assert rows() == before


@pytest.mark.parametrize("name", WRITING)
def test_a_dry_run_says_what_the_real_run_then_says(world: World, name: str) -> None:
    dry = run_in(world, LINES[name], "--dry-run", *AS_OF).summary
    real = run_in(world, LINES[name], *AS_OF).summary

    # What only a real run can say.
    left_over = ("queued", "held", "pending") if "looked_at" in dry else ("outcomes",)
    for key in ("run", "dry_run", "state_counts", *left_over):
        dry.pop(key, None)
        real.pop(key, None)
    assert dry == real


@pytest.mark.parametrize("name", WRITING)
def test_a_run_leaves_one_record_and_no_mail(world: World, name: str) -> None:
    run_in(world, LINES[name], *AS_OF)

    record = JobRun.objects.get()
    assert record.name == LINES[name].split()[0]
    assert (record.outcome, record.judged_at) == ("done", AT)
    assert not OutboxMessage.objects.exists()


# --- Wrong use: exit 2, a clear message, nothing done ------------------------------------------

NOBODY = UUID("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"issue_letters --program {NOBODY}", f"There is no program {NOBODY}."),
        ("issue_letters --program 0", "There is no program 0."),
        ("issue_letters --program five", "“five” is neither a uuid nor a number."),
        (f"validate_letters --program {NOBODY}", f"There is no program {NOBODY}."),
        ("issue_letters --program=", "“” is neither a uuid nor a number."),
        ("validate_letters --program=", "“” is neither a uuid nor a number."),
        ("revalidate_letters --program=", "“” is neither a uuid nor a number."),
        (f"validate_letters --letter {NOBODY}", f"There is no letter {NOBODY}."),
        (f"apply_letter_plan {NOBODY}", f"There is no run {NOBODY}."),
        (f"rollback_letter_run {NOBODY} --reason x", f"There is no run {NOBODY}."),
        (f"revalidate_letters --program {NOBODY}", f"There is no program {NOBODY}."),
        (f"revalidate_letters --release {NOBODY} --reason x", f"There is no run {NOBODY}."),
        ("revalidate_letters --release {held}", "--release needs --reason."),
        (f"revoke_letter {NOBODY} --reason x", f"There is no letter {NOBODY}."),
        ("revoke_letter {good} --reason=", "Say why: a reason is required."),
        (f"reinstate_letter {NOBODY} --reason x", f"There is no letter {NOBODY}."),
        (f"letters_status {NOBODY}", f"There is no run {NOBODY}."),
        ("validate_letters --actor nobody", "--actor: there is no active user of this name."),
        (
            "revalidate_letters --release {held} --reason x --sweep",
            "--release takes neither --sweep nor --program: it names a run.",
        ),
        (
            "revalidate_letters --release {held} --reason x --program=",
            "--release takes neither --sweep nor --program: it names a run.",
        ),
        ("apply_letter_plan {plan} --yes-really", "--yes-really needs --reason."),
        (
            "validate_letters --as-of 2999-01-01T00:00:00Z",
            "--as-of lies in the future: only together with --dry-run.",
        ),
    ],
)
def test_wrong_use_is_refused(world: World, line: str, message: str) -> None:
    before = rows("letters_programletter", "letters_letterevent", "letters_letterrevalidation")

    ran = run_in(world, line)

    assert (ran.code, ran.error, ran.summary) == (2, message, {})
    assert rows(*before) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("validate_letters --letter nonsense", "'nonsense' is no uuid."),
        ("validate_letters --as-of 2025-06-01T12:00:00", "names no zone"),
        ("validate_letters --issued-from 2025-06-01", "is no instant"),
        ("validate_letters --state lost", "invalid choice: 'lost'"),
        ("validate_letters --against yesterday", "invalid choice: 'yesterday'"),
        ("validate_letters --batch-size 0", "is no whole number from 1 up."),
        ("apply_letter_plan nonsense", "'nonsense' is no uuid."),
        ("apply_letter_plan", "the following arguments are required: RUN"),
        (f"apply_letter_plan {NOBODY} --max-percent 101", "is no number from 0 to 100."),
        ("rollback_letter_run nonsense --reason x", "'nonsense' is no uuid."),
        ("rollback_letter_run", "the following arguments are required: RUN"),
        ("revalidate_letters --release nonsense", "'nonsense' is no uuid."),
        ("revoke_letter nonsense --reason x", "'nonsense' is no uuid."),
        (f"revoke_letter {NOBODY}", "the following arguments are required: --reason"),
        (f"reinstate_letter {NOBODY}", "the following arguments are required: --reason"),
        ("import_letters", "the following arguments are required: FILE"),
        ("letters_status nonsense", "'nonsense' is no uuid."),
    ],
)
def test_malformed_arguments_are_refused_at_once(
    capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    name, *arguments = line.split()

    with pytest.raises(SystemExit) as end:
        load_command_class("letters", name).run_from_argv(["manage.py", name, *arguments])

    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("place", ["missing/report.csv", ".", "report.txt"])
def test_a_report_that_cannot_be_written_stops_before_any_work(
    world: World, tmp_path: Path, name: str, place: str
) -> None:
    before = rows()
    output = tmp_path / place

    ran = run_in(world, LINES[name], "--output", output, *AS_OF)

    assert ran.code == 2
    assert ran.error.startswith(f"--output {output}")
    assert rows() == before


@pytest.mark.parametrize("name", WRITING)
def test_a_second_run_at_the_same_time_says_so(world: World, name: str) -> None:
    command = LINES[name].split()[0]
    before = rows()

    with SessionLock(command):
        ran = run_in(world, LINES[name], *AS_OF)

    assert (ran.code, ran.error) == (3, f"{command} is already running.")
    assert rows() == before


# --- issue_letters -----------------------------------------------------------------------------


@pytest.mark.parametrize("dry", [False, True])
def test_a_program_without_requirements_is_refused_by_name(world: World, dry: bool) -> None:
    ran = run_in(world, "issue_letters --program {empty}", *["--dry-run"] * dry)

    assert ran.code == 2
    assert ran.error == (
        f"requirements_defined: program {world.empty.pk} has no requirements,"
        " so nobody completed it."
    )
    assert (ran.summary["issued"], ran.summary["pending"]) == (0, 0)
    assert ran.summary["reasons"] == {"requirements_defined": 1}


@pytest.mark.parametrize("status", ["retired", "deleted", "unpublished"])
def test_a_program_that_is_not_active_issues_nothing(world: World, status: str) -> None:
    Program.objects.filter(pk=world.program.pk).update(status=status)

    ran = run_in(world, "issue_letters --program {program}")

    assert (ran.code, ran.summary) == (2, {})
    assert ran.error == f"Program {world.program.uuid} is {status}: no letters are issued."


def test_issuing_reports_what_it_did_and_finishes_the_rest(
    world: World, refuse_letters_of: Callable[..., None]
) -> None:
    issue_to_all = ("issue_letters", "--program", str(world.program.pk), *AS_OF)
    good, bad = graduates(world.run, 2)
    refuse_letters_of(bad.pk)

    ran = run_command(*issue_to_all)
    refuse_letters_of()
    again = run_command(*issue_to_all)

    assert (ran.code, ran.error) == (1, "1 failed.")
    assert (ran.summary["issued"], ran.summary["errors"]) == (2, 1)
    assert (again.code, again.summary["issued"]) == (0, 1)
    assert states(*letters_of(world.program, good, bad)) == ["active", "active"]


def test_a_thousand_enrolled_take_about_twenty_statements(statements: Statements) -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    User.objects.bulk_create(User(username=f"many{n}", full_name="Many") for n in range(1000))
    learners = list(User.objects.filter(full_name="Many"))
    enroll_in_programs(user_ids=[one.pk for one in learners], program=program, by=BY)
    grade(run, *learners)
    empty_queue()

    with statements.counted() as texts:
        ran = run_command("issue_letters", "--program", program.pk)

    assert (ran.summary["issued"], ran.summary["pending"]) == (50, 950)
    assert len(texts) <= 25


# --- validate_letters --------------------------------------------------------------------------


def test_a_plan_is_told_in_numbers_and_line_by_line(world: World, tmp_path: Path) -> None:
    report = tmp_path / "plan.csv"
    User.objects.filter(pk=world.false[0].user_id).update(username="=SUM(A1)")
    before = rows("letters_programletter", "letters_letterevent")

    ran = run_in(world, "validate_letters --program {program}", "--output", report, *AS_OF)

    code = f"core_course:{world.run.course.key}"
    assert ran.summary["reasons"] == {code: 6}
    assert ran.summary["actions"] == {"suspend": 4}
    counts = [ran.summary[key] for key in ("total", "valid", "invalid", "indeterminate")]
    assert counts == [6, 0, 6, 0]
    assert (ran.summary["as_of"], ran.summary["dry_run"]) == (AT.isoformat(), False)
    assert rows(*before) == before
    with report.open(newline="", encoding="utf-8") as file:
        lines = {line["letter_uuid"]: line for line in csv.DictReader(file)}
    assert len(lines) == 6
    line = lines[str(world.false[0].uuid)]
    assert line["username"] == "'=SUM(A1)"
    assert (line["verdict"], line["planned_action"], line["state"]) == (
        "invalid",
        "suspend",
        "active",
    )
    assert line["failed_checks"] == code
    assert line["reasons"] == f"the core course {world.run.course.key} is not passed"


def test_an_empty_scope_is_told_as_nothing(world: World) -> None:
    ran = run_in(world, "validate_letters --program {empty}")

    assert (ran.code, ran.summary["total"], ran.summary["reasons"]) == (0, 0, {})
    assert LetterValidationRun.objects.get(uuid=ran.summary["run"]).status == "done"


def test_letters_are_named_in_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text(f"\ufeff{world.false[0].uuid}\n\n {world.false[1].uuid.hex} \n")
    empty = tmp_path / "none.txt"
    empty.touch()

    some = run_command("validate_letters", "--ids-file", file)
    none = run_command("validate_letters", "--ids-file", empty)

    assert (some.summary["total"], none.summary["total"]) == (2, 0)


@pytest.mark.parametrize("dry", [False, True])
def test_a_letter_that_is_named_is_judged_in_any_state(
    world: World, tmp_path: Path, dry: bool
) -> None:
    file = tmp_path / "ids.txt"
    file.write_text(str(world.revoked.uuid))
    options = ["--dry-run"] * dry

    named = run_in(world, "validate_letters --letter {revoked}", *options)
    listed = run_command("validate_letters", "--ids-file", file, *options)
    active = run_in(world, "validate_letters --letter {revoked} --state active", *options)

    assert [ran.summary["total"] for ran in (named, listed, active)] == [1, 1, 0]
    assert named.summary["actions"] == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (b"nonsense\n", "line 1: no uuid."),
        (str(NOBODY).encode(), f"There is no letter {NOBODY}."),
    ],
)
def test_a_file_of_letters_that_cannot_be_used_is_refused(
    world: World, tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes(content)
    before = LetterValidationRun.objects.count()

    ran = run_command("validate_letters", "--ids-file", file)

    assert ran.code == 2
    assert message in ran.error
    assert LetterValidationRun.objects.count() == before


# --- apply_letter_plan -------------------------------------------------------------------------


@pytest.mark.parametrize("dry", ["", " --dry-run"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("apply_letter_plan {plan} --only core_course:Typo", "fails the check core_course:Typo."),
        ("apply_letter_plan {held} --yes-really --reason x", "is no plan to apply."),
    ],
)
def test_what_is_no_part_of_a_plan_is_not_applied(
    world: World, line: str, message: str, dry: str
) -> None:
    before = rows("letters_programletter", "letters_letterevent")

    ran = run_in(world, line + dry)

    assert ran.code == 2
    assert message in ran.error
    assert rows(*before) == before


def test_the_cap_stops_before_anything_changes(world: World) -> None:
    before = rows("letters_programletter", "letters_letterevent", "letters_lettervalidationrun")

    ran = run_in(world, "apply_letter_plan {plan}")

    assert (ran.code, ran.summary) == (2, {})
    assert ran.error == (
        "3 of 6 (50.0%) would change, more than --max-percent 5; nothing was changed."
    )
    assert rows(*before) == before


def test_applying_again_changes_nothing(world: World) -> None:
    first = run_in(world, LINES["apply_letter_plan"], *AS_OF)
    again = run_in(world, "apply_letter_plan {plan}", *AS_OF)

    # The learner of the fourth letter lost their grade after the plan was made.
    assert (first.summary["changed"], first.summary["skipped"]) == (3, 0)
    assert first.summary["state_counts"] == {"active": 1, "suspended": 5}
    assert (again.code, again.summary["changed"], again.summary["skipped"]) == (0, 0, 0)
    assert again.summary["outcomes"] == {"changed": 3}
    assert run_in(world, "apply_letter_plan {plan} --dry-run").summary["changed"] == 0


def test_who_applied_a_plan_and_why_is_kept(world: World) -> None:
    LearnerFactory.create(username="olga")

    run_in(world, LINES["apply_letter_plan"], "--actor", "olga", *AS_OF)

    world.plan.refresh_from_db()
    assert world.plan.approved_by
    assert (world.plan.approved_by.username, world.plan.approval_reason) == ("olga", "False.")
    assert (JobRun.objects.get().actor, JobRun.objects.get().reason) == (
        world.plan.approved_by,
        "False.",
    )


# --- import_letters ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: [Errno 2] No such file or directory"),
        (b"", "lacks the column uuid, program, is_active, created_on."),
        (b"uuid,program,is_active,created_on\n", "lacks the column username or email."),
        (b"username;uuid;program\n", "lacks the column uuid, program, is_active, created_on."),
        (
            "uuid,username,program,is_active,created_on\n1,Zoë,1,t,x".encode("latin-1"),
            "cannot be read: 'utf-8' codec can't decode byte 0xeb",
        ),
        (
            b'uuid,username,program,is_active,created_on\n1,"open,1,t,x',
            "cannot be read: unexpected end of data",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    db: None, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "letters.csv"
    if content is not None:
        file.write_bytes(content)

    ran = run_command("import_letters", file)

    assert (ran.code, ran.summary) == (2, {})
    assert message in ran.error
    assert not ProgramLetter.objects.exists()


def test_bad_records_are_told_by_line_and_name_nobody(world: World, tmp_path: Path) -> None:
    file, report = tmp_path / "some.csv", tmp_path / "errors.csv"
    learner = LearnerFactory.create(username="lena")
    write_letters(
        file,
        ("nonsense", "lena", world.program.pk),
        (UUID(int=7), "lena", world.program.pk),
        (uuid4(), "lena", world.program.pk),
        (uuid4(), "nobody-of-that-name", world.program.pk),
        (uuid4(), "le\0na", world.program.pk),
    )

    ran = run_command("import_letters", file, "--output", report)

    assert (ran.code, ran.error) == (1, "4 failed.")
    assert ran.summary == {"imported": 1, "inactive": 0, "unchanged": 0, "errors": 4}
    assert letters_of(world.program, learner)[0].uuid == UUID(int=7)
    expected = {
        "2": "the uuid is malformed",
        "4": "the learner has another letter of this program",
        "5": "there is no such learner",
        "6": "it holds a NUL character",
    }
    assert sorted(ran.stderr.splitlines()) == [f"line {n}: {text}" for n, text in expected.items()]
    with report.open(newline="", encoding="utf-8") as lines:
        assert {line["line"]: line["error"] for line in csv.DictReader(lines)} == expected
    assert "lena" not in str(JobRun.objects.values())


def test_importing_the_same_file_again_changes_nothing(world: World) -> None:
    first = run_in(world, LINES["import_letters"])
    before = rows("letters_programletter", "letters_letterevent")

    again = run_in(world, LINES["import_letters"])

    assert first.summary["imported"] == 1
    assert again.summary == {"imported": 0, "inactive": 0, "unchanged": 1, "errors": 0}
    assert rows(*before) == before


# --- revalidate_letters and letters_status -----------------------------------------------------


def test_the_queue_is_worked_off_page_by_page(world: World) -> None:
    (before,) = (LetterRevalidation.objects.count(),)

    ran = run_in(world, "revalidate_letters --batch-size 1", *AS_OF)

    assert before == 2
    assert ran.summary["outcomes"] == {"issued": 1, "suspended": 1}
    assert (ran.summary["looked_at"], ran.summary["queued"], ran.summary["run"]) == (2, 0, None)


@pytest.mark.parametrize("scope", ["", " --program {program}"])
def test_a_dry_sweep_says_what_the_real_one_then_does(world: World, scope: str) -> None:
    """Queued: one without a letter, one whose grace is over. Found: three false letters."""
    dry = run_in(world, f"revalidate_letters --sweep --dry-run{scope}", *AS_OF).summary
    real = run_in(world, f"revalidate_letters --sweep{scope}", *AS_OF).summary

    expected = {"issued": 1, "suspended": 1, "waiting": 3}
    assert (dry["opened"], dry["looked_at"], dry["outcomes"]) == (3, 5, expected)
    assert (real["opened"], real["looked_at"], real["outcomes"]) == (3, 5, expected)


def test_a_dry_sweep_leaves_out_who_waits_in_the_queue(world: World) -> None:
    run_in(world, "revalidate_letters --sweep", *AS_OF)

    dry = run_in(world, "revalidate_letters --sweep --dry-run", *AS_OF).summary

    assert (dry["opened"], dry["looked_at"], dry["outcomes"]) == (0, 0, {})


@pytest.mark.parametrize("dry", [False, True])
def test_what_a_breaker_stops_ends_the_run_with_1(
    world: World, settings: Settings, dry: bool
) -> None:
    settings.LETTER_BREAKER_LIMIT = 0

    ran = run_in(world, "revalidate_letters", *["--dry-run"] * dry, *AS_OF)

    assert (ran.code, ran.error) == (1, "2 stuck.")
    assert ran.summary["outcomes"] == {"pending": 1, "held": 1}
    totals = (ran.summary["held"], ran.summary["pending"])
    assert totals == ((0, 2) if dry else (1, 3))


def test_what_is_held_is_told_again_a_day_later(world: World, settings: Settings) -> None:
    settings.LETTER_BREAKER_LIMIT = 0
    run_in(world, "revalidate_letters", *AS_OF)

    soon = run_in(world, "revalidate_letters", "--as-of", AT + DAY - INSTANT)
    late = run_in(world, "revalidate_letters", "--as-of", AT + DAY)

    assert (soon.code, soon.summary["looked_at"], soon.summary["held"]) == (0, 0, 1)
    assert (late.code, late.error, late.summary["looked_at"]) == (1, "1 stuck.", 0)


def test_one_program_is_looked_at_alone(world: World) -> None:
    ran = run_in(world, "revalidate_letters --program {empty}", *AS_OF)

    assert (ran.summary["looked_at"], ran.summary["queued"]) == (0, 2)


def test_a_release_can_be_run_again(world: World) -> None:
    first = run_in(world, LINES["release"], *AS_OF)
    again = run_in(world, LINES["release"], *AS_OF)

    assert (first.summary["outcomes"], again.summary["outcomes"]) == ({"released": 2}, {})
    assert (first.code, again.code) == (0, 0)


def test_a_plan_is_not_released(world: World) -> None:
    ran = run_in(world, "revalidate_letters --release {plan} --reason x")

    assert (ran.code, ran.error) == (2, f"Run {world.plan.uuid} is a plan: apply it instead.")


def test_the_status_tells_what_is_held(world: World) -> None:
    ran = run_in(world, "letters_status")

    assert ran.summary == {
        "letters": {"active": 4, "pending": 2, "revoked": 1, "suspended": 2},
        "suspended_because": {f"core_course:{world.run.course.key}": 2},
        "queued": 2,
        "held": 0,
        "runs_that_hold": [str(world.held.uuid)],
    }


# --- Interrupted -------------------------------------------------------------------------------


@contextmanager
def interrupted(text: str) -> Iterator[None]:
    """Send this process SIGTERM at the first statement that holds the text."""
    sent: list[str] = []

    def interrupt(execute: Callable[..., object], sql: str, *rest: Any) -> object:
        if text in sql and not sent:
            sent.append(sql)
            os.kill(os.getpid(), signal.SIGTERM)
        return execute(sql, *rest)

    with connection.execute_wrapper(interrupt):
        yield


def test_a_plan_that_was_interrupted_cannot_be_applied(world: World) -> None:
    with interrupted("INSERT INTO letters_lettervalidationresult"):
        ran = run_in(world, "validate_letters --batch-size 2")

    plan = LetterValidationRun.objects.get(uuid=ran.summary["run"])
    assert (ran.code, ran.summary["total"], plan.status) == (4, 2, "aborted")
    assert run_command("apply_letter_plan", plan.uuid).code == 2


def test_an_application_goes_on_where_it_was_interrupted(world: World) -> None:
    line = LINES["apply_letter_plan"] + " --batch-size 1"
    with interrupted("UPDATE letters_programletter"):
        first = run_in(world, line, *AS_OF)
    again = run_in(world, line, *AS_OF)

    assert (first.code, first.summary["changed"]) == (4, 1)
    assert (again.code, again.summary["changed"]) == (0, 2)
    assert LetterEvent.objects.filter(run=world.plan).count() == 3


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize(("run", "told"), [("plan", "plan, done"), ("held", "issue, holding")])
def test_only_what_was_applied_is_rolled_back(world: World, run: str, told: str, dry: bool) -> None:
    before = rows("letters_programletter", "letters_lettervalidationrun")

    ran = run_in(world, f"rollback_letter_run {{{run}}} --reason x", *["--dry-run"] * dry)

    uuid = getattr(world, run).uuid
    assert (ran.code, ran.error) == (2, f"Run {uuid} ({told}) was not applied.")
    assert rows(*before) == before


def test_a_rollback_tells_what_the_database_refused_and_does_the_rest(
    world: World, refuse_letters_of: Callable[..., None]
) -> None:
    refused = world.applied.results.filter(outcome="changed")[0]
    refuse_letters_of(refused.letter.user_id)

    ran = run_in(world, LINES["rollback_letter_run"], *AS_OF)
    refuse_letters_of()
    again = run_in(world, LINES["rollback_letter_run"], *AS_OF)

    assert (ran.code, ran.error) == (1, "1 failed.")
    assert (ran.summary["restored"], ran.summary["failed"]) == (1, 1)
    assert (again.code, again.summary["restored"], again.summary["failed"]) == (0, 1, 0)


def test_a_rollback_goes_on_where_it_was_interrupted(world: World) -> None:
    line = LINES["rollback_letter_run"] + " --batch-size 1"
    with interrupted("UPDATE letters_programletter"):
        first = run_in(world, line, *AS_OF)
    again = run_in(world, line, *AS_OF)

    assert [(one.code, one.summary["restored"]) for one in (first, again)] == [(4, 1), (0, 1)]
    assert LetterValidationResult.objects.filter(outcome="restored").count() == 2


def test_the_queue_goes_on_where_it_was_interrupted(world: World) -> None:
    with interrupted("letters_letterrevalidation"):
        first = run_in(world, "revalidate_letters --batch-size 1", *AS_OF)
    again = run_in(world, "revalidate_letters --batch-size 1", *AS_OF)

    assert [(one.code, one.summary["looked_at"]) for one in (first, again)] == [(4, 1), (0, 1)]


def test_an_import_goes_on_where_it_was_interrupted(world: World, tmp_path: Path) -> None:
    User.objects.bulk_create(User(username=f"many{n}", full_name="Many") for n in range(1100))
    file = tmp_path / "many.csv"
    write_letters(file, *((uuid4(), f"many{n}", world.program.pk) for n in range(1100)))

    with interrupted("INSERT INTO letters_programletter"):
        first = run_command("import_letters", file)
    again = run_command("import_letters", file)

    assert (first.code, first.summary["imported"]) == (4, 1000)
    assert (again.code, again.summary["imported"], again.summary["unchanged"]) == (0, 100, 1000)


def test_the_grace_is_counted_on_the_clock_that_a_command_is_given(world: World) -> None:
    early = (AT - 2 * DAY + GRACE / 2).isoformat()

    ran = run_in(world, "revalidate_letters", "--as-of", early)

    assert ran.summary["outcomes"] == {"waiting": 1}

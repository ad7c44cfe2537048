import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import CommandError, CommandParser, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.errors import DomainError
from credentials_portal.core.locks import SessionLock
from credentials_portal.core.models import JobRun

NAME = "test_commands"
Work = Callable[[CommandRun], Summary]


def nothing(_run: CommandRun) -> Summary:
    return Summary({"done": 0})


def write(_run: CommandRun) -> Summary:
    User.objects.create(username="written")
    return Summary({"done": 1})


class Command(OperatorCommand):
    """Does what the test says."""

    personal_options = frozenset({"learner"})

    def __init__(self, work: Work = nothing) -> None:
        self.out, self.err = StringIO(), StringIO()
        super().__init__(stdout=self.out, stderr=self.err)
        self.work = work

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--learner")

    def run(self, run: CommandRun) -> Summary:
        return self.work(run)


class Withdrawal(Command):
    withdraws = True
    default_max_percent: ClassVar[float | None] = 5

    def run(self, run: CommandRun) -> Summary:
        assert run.cap
        run.cap.check(6, of=100)
        return write(run)


class Look(Command):
    job = False


def refusal(command: OperatorCommand, *arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call_command(command, *arguments)
    return caught.value


# --- The summary -------------------------------------------------------------------------------


def test_prints_counters_and_their_reasons_in_columns(db: None) -> None:
    command = Command(
        lambda _run: Summary({"issued": 12, "refused": {"not_eligible": 2}, "as": None})
    )

    call_command(command)

    assert command.out.getvalue() == (
        "issued          12\n"
        "refused\n"
        "  not_eligible  2\n"
        "as              -\n"
    )  # fmt: skip


def test_prints_one_json_object_on_the_last_line(db: None) -> None:
    command = Command(lambda _run: Summary({"issued": 1, "when": datetime(2027, 1, 2, tzinfo=UTC)}))

    call_command(command, "--format", "json")

    *_others, last = command.out.getvalue().splitlines()
    assert json.loads(last) == {"issued": 1, "when": "2027-01-02 00:00:00+00:00"}


@pytest.mark.parametrize(("failed", "told"), [(0, "3 stuck."), (2, "2 failed, 3 stuck.")])
def test_says_so_and_ends_with_1_when_items_are_stuck(db: None, failed: int, told: str) -> None:
    error = refusal(Command(lambda _run: Summary({"done": 5}, failed=failed, stuck=3)))

    assert (error.returncode, str(error)) == (1, told)
    assert JobRun.objects.get().outcome == "failed_items"


def test_says_so_and_ends_with_1_when_items_failed(db: None) -> None:
    command = Command(lambda _run: Summary({"done": 5}, failed=2))

    error = refusal(command)

    assert (error.returncode, str(error)) == (1, "2 failed.")
    assert command.out.getvalue() == "done  5\n"
    assert JobRun.objects.get().outcome == "failed_items"


def test_prints_the_counters_of_a_refused_run_and_ends_with_2(db: None) -> None:
    command = Command(lambda _run: Summary({"issued": 0}, refused="No requirements are defined."))

    error = refusal(command)

    assert (error.returncode, str(error)) == (2, "No requirements are defined.")
    assert command.out.getvalue() == "issued  0\n"
    assert JobRun.objects.get().outcome == "refused"


# --- The record --------------------------------------------------------------------------------


def test_records_a_run(db: None) -> None:
    User.objects.create(username="olga")
    seen: list[CommandRun] = []

    def work(run: CommandRun) -> Summary:
        seen.append(run)
        assert JobRun.objects.get().outcome == "running"
        return Summary({"done": 3})

    call_command(
        Command(work),
        *("--actor", "olga", "--learner", "lena", "--as-of", "2026-01-01T00:00:00+01:00"),
    )

    (run,) = seen
    record = JobRun.objects.get()
    assert run.cause == "command:test_commands"
    assert run.at == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert (record.name, record.outcome, record.counters) == (NAME, "done", {"done": 3})
    assert record.actor == run.actor == User.objects.get(username="olga")
    assert record.judged_at == run.at
    assert record.ended_at is not None
    assert record.ended_at >= record.started_at > run.at
    assert record.arguments == {"as_of": "2026-01-01 00:00:00+01:00", "learner": "***"}


def test_names_the_system_where_nobody_is_named(db: None) -> None:
    call_command(Command())

    record = JobRun.objects.get()
    assert record.actor is None
    assert record.system_user
    assert record.arguments == {}


def test_masks_addresses_in_recorded_arguments(db: None, tmp_path: Path) -> None:
    call_command(Command(), "--output", str(tmp_path / "lena@example.org.csv"))

    assert JobRun.objects.get().arguments == {"output": f"{tmp_path}/***"}


def test_records_a_refusal_of_the_domain(db: None) -> None:
    def refuse(_run: CommandRun) -> Summary:
        raise DomainError("The plan was applied before.")

    error = refusal(Command(refuse))

    assert (error.returncode, str(error)) == (2, "The plan was applied before.")
    assert JobRun.objects.get().outcome == "refused"


def test_records_and_logs_a_crash(db: None, caplog: pytest.LogCaptureFixture) -> None:
    def crash(_run: CommandRun) -> Summary:
        raise ZeroDivisionError

    error = refusal(Command(crash))

    assert error.returncode == 1
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert JobRun.objects.get().outcome == "crashed"
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_closes_the_record_of_a_killed_run(db: None) -> None:
    left = JobRun.objects.create(
        name=NAME, system_user="cron", judged_at=timezone.now(), started_at=timezone.now()
    )
    other = JobRun.objects.create(
        name="another", system_user="cron", judged_at=timezone.now(), started_at=timezone.now()
    )

    call_command(Command())

    left.refresh_from_db()
    other.refresh_from_db()
    assert left.outcome == "crashed"
    assert left.ended_at is not None
    assert other.outcome == "running"


def test_writes_the_report_that_was_asked_for(db: None, tmp_path: Path) -> None:
    def work(run: CommandRun) -> Summary:
        run.report.row(username="lena", outcome="issued")
        return Summary({"issued": 1})

    call_command(Command(work), "--output", str(tmp_path / "report.csv"), "--dry-run")
    call_command(Command(work))

    assert (tmp_path / "report.csv").read_text() == "username,outcome\nlena,issued\n"
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def test_refuses_a_report_that_cannot_be_written_before_any_work(db: None, tmp_path: Path) -> None:
    error = refusal(Command(write), "--output", str(tmp_path / "missing" / "report.csv"))

    assert error.returncode == 2
    assert not User.objects.exists()
    assert not JobRun.objects.exists()


# --- Wrong use ---------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["nobody", "gone"])
def test_refuses_an_actor_who_is_not_there(db: None, actor: str) -> None:
    User.objects.create(username="gone", is_active=False)

    error = refusal(Command(write), "--actor", actor)

    assert error.returncode == 2
    assert not User.objects.filter(username="written").exists()
    assert not JobRun.objects.exists()


def test_refuses_an_instant_without_a_zone(db: None) -> None:
    error = refusal(Command(write), "--as-of", "2027-05-03T12:00:00")

    assert "names no zone" in str(error)
    assert not User.objects.exists()


def test_looks_into_the_future_only_in_a_dry_run(db: None) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    seen: list[datetime] = []

    def look(run: CommandRun) -> Summary:
        seen.append(run.at)
        return nothing(run)

    error = refusal(Command(look), "--as-of", tomorrow)
    call_command(Command(look), "--as-of", tomorrow, "--dry-run")

    assert error.returncode == 2
    assert [at.isoformat() for at in seen] == [tomorrow]
    assert not JobRun.objects.exists()


# --- Dry runs ----------------------------------------------------------------------------------


@pytest.fixture(params=["inside a transaction", "outside"])
def any_database(request: pytest.FixtureRequest) -> None:
    """The two ways in which a connection is made unable to write."""
    request.getfixturevalue("db" if request.param == "inside a transaction" else "transactional_db")


@pytest.mark.parametrize(
    ("command", "arguments"), [(Command, ["--dry-run"]), (Look, [])], ids=["dry run", "only reads"]
)
def test_cannot_write(any_database: None, command: type[Command], arguments: list[str]) -> None:
    error = refusal(command(write), *arguments)

    assert isinstance(error.__cause__, DatabaseError)
    assert "read-only transaction" in str(error.__cause__)
    assert not User.objects.exists()
    assert not JobRun.objects.exists()


def test_can_write_again_after_a_dry_run(any_database: None) -> None:
    call_command(Command(), "--dry-run")

    call_command(Command(write))

    assert User.objects.get().username == "written"
    assert JobRun.objects.get().outcome == "done"


def test_takes_no_lock_in_a_dry_run(db: None) -> None:
    with SessionLock(NAME):
        call_command(Command(), "--dry-run")


def test_has_the_patience_of_a_job(transactional_db: None) -> None:
    def patience() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return str(cursor.fetchone()[0])

    command = Command(lambda _run: Summary({"lock_timeout": patience()}))
    before = patience()

    call_command(command)

    assert command.out.getvalue() == "lock_timeout  30s\n"
    assert patience() == before != "30s"


# --- The cap -----------------------------------------------------------------------------------


def test_refuses_more_than_its_cap_before_changing_anything(db: None) -> None:
    error = refusal(Withdrawal())

    assert error.returncode == 2
    assert str(error) == (
        "6 of 100 (6.0%) would change, more than --max-percent 5; nothing was changed."
    )
    assert not User.objects.exists()
    assert JobRun.objects.get().outcome == "refused"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-percent", "6"],
        ["--max-percent", "6", "--max-changes", "6"],
        ["--yes-really", "--reason", "The board decided."],
    ],
)
def test_changes_what_its_cap_lets_pass(db: None, arguments: list[str]) -> None:
    call_command(Withdrawal(), *arguments)

    assert User.objects.get().username == "written"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-percent", "5.9"],
        ["--max-percent", "100", "--max-changes", "5"],
        ["--max-percent", "101"],
        ["--max-changes", "-1"],
        ["--yes-really"],
        ["--yes-really", "--reason", " "],
    ],
)
def test_refuses_what_the_cap_or_its_options_do_not_let_pass(
    db: None, arguments: list[str]
) -> None:
    refusal(Withdrawal(), *arguments)

    assert not User.objects.exists()


def test_keeps_the_reason_of_an_override(db: None) -> None:
    call_command(Withdrawal(), "--yes-really", "--reason", "The board decided.")

    assert JobRun.objects.get().reason == "The board decided."


# --- Overlap and interruption ------------------------------------------------------------------


def test_refuses_to_run_twice_at_once(db: None, tmp_path: Path) -> None:
    partial = tmp_path / "report.csv.partial"
    partial.write_text("of the run that goes on")

    with SessionLock(NAME):
        error = refusal(Command(write), "--output", str(tmp_path / "report.csv"))

    assert (error.returncode, str(error)) == (3, "test_commands is already running.")
    assert partial.read_text() == "of the run that goes on"
    assert not User.objects.exists()
    assert not JobRun.objects.exists()


def test_runs_again_once_the_other_has_ended(db: None) -> None:
    with SessionLock(NAME):
        pass

    call_command(Command(write))

    assert JobRun.objects.get().outcome == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_after_the_batch_in_which_a_signal_arrived(db: None, number: signal.Signals) -> None:
    usual = signal.getsignal(number)

    def work(run: CommandRun) -> Summary:
        done = []
        for batch in run.batches([["a", "b"], ["c"], ["d"]]):
            if batch == ["c"]:
                os.kill(os.getpid(), number)
            done += batch
        return Summary({"done": done})

    command = Command(work)
    error = refusal(command)

    assert error.returncode == 4
    assert command.out.getvalue() == "done  ['a', 'b', 'c']\n"
    record = JobRun.objects.get()
    assert (record.outcome, record.counters) == ("interrupted", {"done": ["a", "b", "c"]})
    assert signal.getsignal(number) is usual


def test_is_done_when_the_signal_came_in_the_last_batch(db: None) -> None:
    def work(run: CommandRun) -> Summary:
        for _batch in run.batches(["only"]):
            os.kill(os.getpid(), signal.SIGTERM)
        return Summary({})

    call_command(Command(work))

    assert JobRun.objects.get().outcome == "done"


def test_ends_after_the_batch_in_which_it_lost_its_lock(db: None) -> None:
    def work(run: CommandRun) -> Summary:
        done = 0
        for _batch in run.batches(range(3)):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            done += 1
        return Summary({"done": done})

    command = Command(work)
    error = refusal(command)

    assert error.returncode == 4
    assert command.out.getvalue() == "done  1\n"


# --- As a process ------------------------------------------------------------------------------


AS_MANAGE_PY = """
import django, sys
django.setup()
from tests.core.slow_command import Command
Command().run_from_argv(sys.argv[1:])
"""


@pytest.fixture
def slow_command(transactional_db: None) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts the command as cron would, on the test's database; returns once it works."""
    address = urlsplit(settings.DATABASE_URL)
    path = f"{address.path.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    database = address._replace(path=path).geturl()
    started = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", AS_MANAGE_PY, "manage.py", "slow_command", *arguments],
            env={**os.environ, "DATABASE_URL": database, "DATABASE_DIRECT_URL": database},
            cwd=settings.BASE_DIR,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout
    return process.stdout.readline()


def test_goes_on_after_kill_9(slow_command: Callable[..., "subprocess.Popen[str]"]) -> None:
    killed = slow_command()
    assert first_line(killed) == "batch\n"
    overlapping = slow_command()
    _out, overlapping_err = overlapping.communicate()
    killed.kill()
    killed.wait()
    left = JobRun.objects.get()
    assert (overlapping.returncode, left.outcome) == (3, "running")
    assert overlapping_err == "CommandError: slow_command is already running.\n"

    again = slow_command("--format", "json")
    out, err = again.communicate("\n\n\n")

    left.refresh_from_db()
    assert again.returncode == 0
    assert (out, err) == ('batch\nbatch\nbatch\n{"done": 3}\n', "")
    assert left.outcome == "crashed"
    assert JobRun.objects.latest("started_at").outcome == "done"


def test_finishes_its_batch_on_sigterm(
    slow_command: Callable[..., "subprocess.Popen[str]"],
) -> None:
    process = slow_command("--failed", "1")
    assert first_line(process) == "batch\n"

    process.terminate()
    out, err = process.communicate("\n")

    assert process.returncode == 4
    assert out == "done  1\n"
    assert err == "CommandError: Interrupted after a whole batch; run it again to go on.\n"
    assert JobRun.objects.get().outcome == "interrupted"

"""What every operator's command has in common.

    class Command(OperatorCommand):
        help = "Issue letters to learners who completed a program."
        withdraws = False                     # True adds --max-changes, --max-percent, --yes-really, --reason
        report_columns = ("username", "outcome")    # of --output; else those of the first row

        def add_options(self, parser): ...

        def run(self, run: CommandRun) -> Summary:
            for page in run.batches(pages, total=count):  # ends early on a signal or a lost lock
                ...                                       # a transaction of its own
                run.report.row(username=..., outcome=...)
            return Summary({"issued": 3, "refused": {"not_eligible": 2}}, failed=0)

Exit codes: 0 done; 1 some items failed or are stuck, or an unexpected error; 2 wrong use or refused (a
`CommandError`, a `DomainError`, `Summary.refused`); 3 already running; 4 interrupted, run it again.
`call_command` returns on 0, else it raises a `CommandError` with that `returncode` (an unexpected
error is its `__cause__`); the summary was printed before.

A dry run calls the same `run` on a connection that cannot write, so it must not lock rows either
(PostgreSQL refuses FOR UPDATE there); it takes no lock and leaves no `JobRun`.
"""

import getpass
import json
import logging
import os
import signal
import sys
import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import structlog
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from rich.console import Console
from rich.progress import Progress

from credentials_portal.core import arguments
from credentials_portal.core.caps import Cap
from credentials_portal.core.errors import DomainError
from credentials_portal.core.locks import LockTakenError, SessionLock, direct_settings
from credentials_portal.core.models.jobs import JobOutcome, JobRun
from credentials_portal.core.report import FileReport, ReportWriter
from credentials_portal.logs import MASK, mask_text

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

logger = logging.getLogger(__name__)
B = TypeVar("B")

EXIT_FAILED_ITEMS = 1
EXIT_REFUSED = 2
EXIT_ALREADY_RUNNING = 3
EXIT_INTERRUPTED = 4

JOB_TIMEOUTS = "-c lock_timeout=30s -c statement_timeout=10min"
READ_ONLY = "-c default_transaction_read_only=on"


@dataclass(frozen=True)
class Summary:
    """What a run did: `counters` is the JSON object, in this order, reasons nested."""

    counters: Mapping[str, object]
    failed: int = 0
    # Of no use to run again for: a person must decide.
    stuck: int = 0
    refused: str | None = None

    def written_as(self, form: str) -> str:
        """In one of the command's `formats`."""
        return self.as_json() if form == "json" else self.as_text()

    def as_json(self) -> str:
        return json.dumps(self.counters, ensure_ascii=False, default=str)

    def as_text(self) -> str:
        lines = list(_lines(self.counters))
        width = max((len(name) for name, _value in lines), default=0)
        return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in lines)


def _lines(counters: Mapping[str, object], indent: str = "") -> Iterator[tuple[str, object]]:
    for name, value in counters.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}", ""
            yield from _lines(value, indent + "  ")
        else:
            yield f"{indent}{name}", "-" if value is None else value


@dataclass
class CommandRun:
    """One run of a command: what it was asked, and how it goes on."""

    options: Mapping[str, Any]
    at: datetime
    dry_run: bool
    actor: "User | None"
    cause: str
    reason: str
    cap: Cap | None
    report: ReportWriter
    lock: SessionLock | None = field(default=None, repr=False)
    was_asked_to_stop: bool = False
    was_interrupted: bool = False

    def batches(self, batches: Iterable[B], *, total: int | None = None) -> Iterator[B]:
        """Each batch, until a signal arrived or the lock was lost; a bar shows it on a terminal.

        `total` counts items where batches have a length, else batches.
        """
        with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
            task = progress.add_task(self.cause.removeprefix("command:"), total=total)
            for batch in batches:
                if self.must_stop():
                    self.was_interrupted = True
                    return
                yield batch
                progress.advance(task, len(batch) if isinstance(batch, Sized) else 1)

    def until_done(self, work: Callable[[], Counter[str]]) -> Counter[str]:
        """Call `work`, one batch each time, until it counts nothing or the run must end.

        Returns what all calls counted.
        """
        counted: Counter[str] = Counter()

        def calls() -> Iterator[None]:
            has_more = True
            while has_more:
                before = counted.total()
                yield None
                has_more = counted.total() > before

        for _call in self.batches(calls()):
            counted.update(work())
        return counted

    def must_stop(self) -> bool:
        """Whether to end now, between two batches."""
        return self.was_asked_to_stop or bool(self.lock and not self.lock.is_held())


class OperatorCommand(BaseCommand):
    """A management command with the options, exit codes and records that operators rely on."""

    # False: only reads. On a connection that cannot write; no --dry-run, no lock, no JobRun.
    job: ClassVar[bool] = True
    # False: any number of runs at once. A killed one then stays "running" in the records.
    exclusive: ClassVar[bool] = True
    # True: `job_status` expects it to succeed regularly.
    scheduled: ClassVar[bool] = False
    # True: --dry-run may be followed by true or false, as cron lines of old services write it.
    dry_run_takes_value: ClassVar[bool] = False
    withdraws: ClassVar[bool] = False
    default_max_changes: ClassVar[int | None] = None
    default_max_percent: ClassVar[float | None] = None
    report_columns: ClassVar[tuple[str, ...]] = ()
    # Of the summary; one that writes more gives its `Summary.written_as`.
    formats: ClassVar[tuple[str, ...]] = ("text", "json")
    # Options whose values name a person: not kept in the JobRun.
    personal_options: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def run(self, run: CommandRun) -> Summary:
        """Do the work, in transactions of its own."""

    def add_options(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--as-of", type=arguments.instant, metavar="ISO", help="Judge at this instant.")
        add("--format", choices=self.formats, default="text", help="Of the summary on stdout.")
        add("--output", type=Path, metavar="FILE", help="Per-row report: .csv, .jsonl or .ndjson.")
        add("--actor", metavar="USERNAME", help="Who does it. Default: the system.")
        if self.job:
            self._add_dry_run(parser)
        if self.withdraws:
            self._add_cap(parser)
        self.add_options(parser)

    def _add_dry_run(self, parser: CommandParser) -> None:
        told = "Show what would happen; write nothing."
        if self.dry_run_takes_value:
            parser.add_argument(
                "--dry-run", nargs="?", const=True, default=False, type=arguments.boolean, help=told
            )
        else:
            parser.add_argument("--dry-run", action="store_true", help=told)

    def _add_cap(self, parser: CommandParser) -> None:
        cap = parser.add_argument_group("cap", "Refuse, before changing anything, what exceeds it.")
        cap.add_argument(
            "--max-changes", type=arguments.count, metavar="N", default=self.default_max_changes
        )
        cap.add_argument(
            "--max-percent",
            type=arguments.percentage,
            metavar="P",
            default=self.default_max_percent,
        )
        cap.add_argument("--yes-really", action="store_true", help="Override; needs --reason.")
        cap.add_argument("--reason", default="", metavar="TEXT", help="Kept with every change.")

    def handle(self, *_args: str, **options: Any) -> None:
        try:
            summary, was_interrupted = self._execute(options)
        except DomainError as refusal:
            raise CommandError(refusal.message, returncode=EXIT_REFUSED) from refusal
        except CommandError as error:
            # Django's default is 1, which here means that items failed.
            if error.returncode == EXIT_FAILED_ITEMS:
                error.returncode = EXIT_REFUSED
            raise
        except Exception as error:
            logger.exception("command_crashed")
            raise CommandError(
                f"{self.name} met an unexpected error, which is logged: {type(error).__name__}.",
                returncode=EXIT_FAILED_ITEMS,
            ) from error
        self.stdout.write(summary.written_as(options["format"]))
        _end(summary, was_interrupted=was_interrupted)

    def _execute(self, options: Mapping[str, Any]) -> tuple[Summary, bool]:
        dry_run = not self.job or options["dry_run"]
        at = options["as_of"] or timezone.now()
        if at > timezone.now() and not dry_run:
            raise CommandError("--as-of lies in the future: only together with --dry-run.")
        with ExitStack() as stack:
            enter = stack.enter_context
            enter(structlog.contextvars.bound_contextvars(command=self.name))
            enter(job_connection(read_only=dry_run))
            run = CommandRun(
                options=options,
                at=at,
                dry_run=dry_run,
                actor=_actor(options["actor"]),
                cause=f"command:{self.name}",
                reason=options.get("reason") or "",
                cap=self._cap(options),
                report=self._report(options["output"]),
            )
            enter(stoppable(run))
            if self.exclusive and not dry_run:
                run.lock = self._lock(stack)
            enter(run.report)
            summary = self.run(run) if dry_run else self._recorded(run)
        return summary, run.was_interrupted

    def _cap(self, options: Mapping[str, Any]) -> Cap | None:
        if not self.withdraws:
            return None
        if options["yes_really"] and not options["reason"].strip():
            raise CommandError("--yes-really needs --reason.")
        return Cap(options["max_changes"], options["max_percent"], options["yes_really"])

    def _report(self, path: Path | None) -> ReportWriter:
        return FileReport(path, self.report_columns) if path else ReportWriter()

    def _lock(self, stack: ExitStack) -> SessionLock:
        try:
            return stack.enter_context(SessionLock(self.name))
        except LockTakenError:
            raise CommandError(
                f"{self.name} is already running.", returncode=EXIT_ALREADY_RUNNING
            ) from None

    def _recorded(self, run: CommandRun) -> Summary:
        """Run, with a `JobRun` that tells how it went."""
        started_at = timezone.now()
        if self.exclusive:
            JobRun.objects.close_abandoned(self.name, at=started_at)
        record = JobRun.objects.create(
            name=self.name,
            arguments=self.recorded_options(run.options),
            actor=run.actor,
            system_user=_system_user(),
            reason=run.reason,
            judged_at=run.at,
            started_at=started_at,
        )
        try:
            summary = self.run(run)
        except (CommandError, DomainError):
            _close(record, JobOutcome.REFUSED)
            raise
        except BaseException:
            _close(record, JobOutcome.CRASHED)
            raise
        _close(record, _outcome(summary, run), json.loads(summary.as_json()))
        return summary

    def recorded_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a `JobRun` keeps of them: those that were given, without Django's own and without
        naming a person."""
        own = self.create_parser("", self.name)
        given = {
            name: value
            for name, value in options.items()
            if name not in UNRECORDED and value != own.get_default(name)
        }
        return {
            name: MASK if name in self.personal_options else _storable(value)
            for name, value in given.items()
        }


# Django's own, and those that the record keeps in columns of their own.
UNRECORDED = frozenset(
    {"actor", "reason", "verbosity", "settings", "pythonpath", "traceback"}
    | {"no_color", "force_color", "skip_checks", "stdout", "stderr"}
)


@contextmanager
def job_connection(*, read_only: bool) -> Iterator[None]:
    """Within it the default connection has the patience of a job and, if `read_only`, cannot write.

    It is opened anew, around a pooler, and once more afterwards. Inside a transaction (a test's)
    that cannot be done: a savepoint then holds what `read_only` restricts.
    """
    if connection.in_atomic_block:
        if not read_only:
            yield
            return
        savepoint = transaction.savepoint()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL transaction_read_only = on")
        try:
            yield
        finally:
            transaction.set_rollback(False)
            transaction.savepoint_rollback(savepoint)
        return

    usual = connection.settings_dict
    direct = direct_settings()
    options = [direct["OPTIONS"].get("options", ""), JOB_TIMEOUTS, READ_ONLY if read_only else ""]
    connection.close()
    connection.settings_dict = {
        **direct,
        "OPTIONS": {**direct["OPTIONS"], "options": " ".join(filter(None, options))},
    }
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = usual


stop_listeners: list[Callable[[], None]] = []
"""Who runs several commands is told here when one of them is asked to stop."""


@contextmanager
def stoppable(run: CommandRun) -> Iterator[None]:
    """Within it SIGTERM and SIGINT let the run finish its batch; a second one ends it hard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, _frame: FrameType | None) -> None:
        run.was_asked_to_stop = True
        signal.signal(number, usual[signal.Signals(number)])
        for tell in stop_listeners:
            tell()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def _actor(username: str | None) -> "User | None":
    if username is None:
        return None
    users = get_user_model()._default_manager
    actor: User | None = users.filter(username=username, is_active=True).first()
    if actor is None:
        raise CommandError("--actor: there is no active user of this name.")
    return actor


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _storable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return mask_text(str(value))


def _outcome(summary: Summary, run: CommandRun) -> JobOutcome:
    if summary.refused is not None:
        return JobOutcome.REFUSED
    if run.was_interrupted:
        return JobOutcome.INTERRUPTED
    return JobOutcome.FAILED_ITEMS if summary.failed or summary.stuck else JobOutcome.DONE


def _close(record: JobRun, outcome: JobOutcome, counters: dict[str, object] | None = None) -> None:
    """Close the record; where the database cannot, the next run does."""
    try:
        JobRun.objects.filter(pk=record.pk, outcome=JobOutcome.RUNNING).update(
            outcome=outcome, counters=counters or {}, ended_at=timezone.now()
        )
    except DatabaseError:
        logger.exception("job_run_not_closed")


def _end(summary: Summary, *, was_interrupted: bool) -> None:
    if summary.refused is not None:
        raise CommandError(summary.refused, returncode=EXIT_REFUSED)
    if was_interrupted:
        raise CommandError(
            "Interrupted after a whole batch; run it again to go on.", returncode=EXIT_INTERRUPTED
        )
    counts = {"failed": summary.failed, "stuck": summary.stuck}
    if told := [f"{count} {what}" for what, count in counts.items() if count]:
        raise CommandError(", ".join(told) + ".", returncode=EXIT_FAILED_ITEMS)

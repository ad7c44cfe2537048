import csv
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

from django.core.management import CommandError, CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from entitlements.services.dumps import Outcome, Result, Row
from entitlements.services.importing import LEARNER_COLUMNS, REQUIRED_COLUMNS, EntitlementImport
from entitlements.services.importing_details import REQUIRED_DETAIL_COLUMNS, DetailImport

PAGE = 1_000
BUILT_IN = "built-in"


def policy(text: str) -> tuple[str, int | None]:
    """OLD=NEW: a policy of the old service, and that of the portal which stands for it."""
    old, _, new = text.partition("=")
    if not old or not (new == BUILT_IN or (new.isascii() and new.isdigit())):
        raise ArgumentTypeError(f"{text!r} is not OLD=NEW, such as 3=1 or 3={BUILT_IN}.")
    return old, None if new == BUILT_IN else int(new)


class Command(OperatorCommand):
    """Prints `entitlements` and `support_details`, each outcome → rows. Rejected rows are told on
    stderr by their lines, all of them in --output; exits 1 where there are any."""

    help = (
        "Bring in entitlements of the old service with their uuids and dates, from its table as"
        " CSV. What is here already stays as it is; nobody gets mail."
    )
    report_columns = ("file", "line", "id", "outcome", "reason")

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("file", type=Path, metavar="FILE")
        add("--support-details", type=Path, metavar="FILE", help="What staff did about them, CSV.")
        add(
            "--policy",
            type=policy,
            action="append",
            default=[],
            metavar="OLD=NEW",
            help=f"What stands for a policy of theirs: one's id here, or {BUILT_IN}. Repeatable.",
        )

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        path, details_path = run.options["file"], run.options["support_details"]
        _require_columns(path, REQUIRED_COLUMNS, LEARNER_COLUMNS)
        if details_path:
            _require_columns(details_path, REQUIRED_DETAIL_COLUMNS)
        policies = dict(run.options["policy"])
        with closing(EntitlementImport(by=by, policies=policies, dry_run=run.dry_run)) as work:
            counters = {"entitlements": self._bring(run, path, "uuid", work.bring)}
            if details_path and not run.was_interrupted:
                bring = DetailImport(by=by, unwritten=work.unwritten, dry_run=run.dry_run).bring
                counters["support_details"] = self._bring(run, details_path, "entitlement", bring)
        return Summary(
            {
                name: {outcome: counts[outcome] for outcome in Outcome}
                for name, counts in counters.items()
            },
            failed=sum(counts[Outcome.REJECTED] for counts in counters.values()),
        )

    def _bring(
        self,
        run: CommandRun,
        path: Path,
        key: str,
        bring: Callable[[Sequence[Row]], list[Result]],
    ) -> Counter[str]:
        counts: Counter[str] = Counter()
        for page in run.batches(_pages(path)):
            for row, outcome, reason in bring(page):
                counts[outcome] += 1
                run.report.row(
                    file=path.name,
                    line=row.number,
                    id=row.cells.get(key),
                    outcome=outcome,
                    reason=reason,
                )
                if outcome == Outcome.REJECTED:
                    self.stderr.write(f"{path.name}, line {row.number}: {reason}")
        return counts


def _require_columns(path: Path, required: Collection[str], one_of: Collection[str] = ()) -> None:
    """Refuse a file before anything is loaded; it is read once to its end."""
    columns = frozenset[str]()
    for row in _rows(path):
        columns = columns or frozenset(row.cells)
    missing = [name for name in required if name not in columns]
    if columns and one_of and not columns & set(one_of):
        missing.append(" or ".join(one_of))
    if columns and missing:
        raise CommandError(f"{path} lacks the column {', '.join(missing)}.")


def _rows(path: Path) -> Iterator[Row]:
    """Each row of the file, which is never held whole."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for cells in reader:
                yield Row(reader.line_num, cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _pages(path: Path) -> Iterator[list[Row]]:
    rows = _rows(path)
    while page := list(islice(rows, PAGE)):
        yield page

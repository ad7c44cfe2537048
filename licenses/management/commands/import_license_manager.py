from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from django.core.management import CommandError, CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from licenses.management.dumps import rows_of
from licenses.services.importing import (
    LICENSE,
    LINK,
    ORDER,
    LicenseManagerImport,
    Outcome,
    Result,
    Row,
)

PAGE = 5_000
TABLES = tuple(table for table in ORDER if table != LINK)


class Command(OperatorCommand):
    """Prints for each table what became of its rows, `renewed_to` for the links between licenses,
    and `ignored` (rows of tables that are not imported). Rejected rows are told on stderr."""

    help = (
        "Bring in customers, plans, licenses and renewals of the old license-manager, with their"
        " uuids and dates, from `dumpdata subscriptions` (JSON) or tables (CSV, with --model)."
        " What is here already stays as it is; nobody gets mail."
    )
    report_columns = ("file", "row", "model", "id", "outcome", "reason")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
        parser.add_argument("--model", choices=TABLES, help="Whose rows the CSV files hold.")

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        files = _Files(run.options["files"], run.options["model"])
        counted = {table: Counter[str]() for table in ORDER}
        with closing(LicenseManagerImport(by=by, dry_run=run.dry_run)) as work:
            for table, rows in run.batches(files.pages()):
                for result in work.bring(table, rows):
                    counted[table][result.outcome] += 1
                    self._tell(result, table, run)
        return Summary(
            {
                **{
                    table: {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}
                    for table, counts in counted.items()
                    if counts
                },
                "ignored": files.ignored,
            },
            failed=sum(counts[Outcome.REJECTED] for counts in counted.values()),
        )

    def _tell(self, result: Result, table: str, run: CommandRun) -> None:
        row = result.row
        run.report.row(
            file=row.file,
            row=row.number,
            model=table,
            id=row.pk,
            outcome=result.outcome,
            reason=result.reason,
        )
        if result.outcome == Outcome.REJECTED:
            self.stderr.write(f"{row.file}, row {row.number}: {result.reason}")


class _Files:
    """The rows of all files, table by table; licenses, which are many, are read as they come."""

    def __init__(self, paths: list[Path], csv_model: str | None) -> None:
        if csv_model is None and any(path.suffix == ".csv" for path in paths):
            raise CommandError("A CSV file needs --model.")
        self.paths = paths
        self.csv_model = csv_model or ""
        self.ignored = 0

    def pages(self) -> Iterator[tuple[str, list[Row]]]:
        """All files are read once before the first page, so that a bad one stops everything."""
        few: dict[str, list[Row]] = {table: [] for table in TABLES}
        has_links = False
        for row in self._rows():
            if row.model == LICENSE:
                has_links = has_links or bool(row.fields.get(LINK))
            elif row.model in few:
                few[row.model].append(row)
            else:
                self.ignored += 1
        for table in TABLES:
            rows = self._licenses() if table == LICENSE else few[table]
            yield from ((table, page) for page in _pages(rows))
        if has_links:
            linked = (row for row in self._licenses() if row.fields.get(LINK))
            yield from ((LINK, page) for page in _pages(linked))

    def _rows(self) -> Iterator[Row]:
        for path in self.paths:
            yield from rows_of(path, csv_model=self.csv_model)

    def _licenses(self) -> Iterator[Row]:
        return (row for row in self._rows() if row.model == LICENSE)


def _pages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while page := list(islice(remaining, PAGE)):
        yield page

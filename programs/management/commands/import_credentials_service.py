from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from django.core.management import CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from programs.management.dumps import files_of, pages_of, require_columns
from programs.services.credentials_service import (
    COLUMNS,
    CredentialsServiceImport,
    Outcome,
    Result,
    Row,
)

PAGE = 1_000


class Command(OperatorCommand):
    """Prints for each table what became of its rows. Rejected rows are told on stderr by their
    places, all rows in --output; exits 1 where any was rejected."""

    help = (
        "Bring in what the old credentials service knew, from a folder with a file for each of its"
        " tables (CSV, JSON or JSON lines): catalog, learners, grades, certificates, links to"
        " records and credit requests. What is here already stays as it is; nobody gets mail."
    )
    report_columns = ("file", "row", "id", "outcome", "reason")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")

    def run(self, run: CommandRun) -> Summary:
        files = files_of(run.options["folder"], COLUMNS)
        for table, path in files.items():
            require_columns(path, COLUMNS[table])
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        counted = {table: Counter[str]() for table in COLUMNS if table in files}
        with closing(CredentialsServiceImport(by=by, dry_run=run.dry_run)) as work:
            for table, rows in run.batches(_pages(files)):
                for result in work.bring(table, rows):
                    counted[table][result.outcome] += 1
                    self._tell(run, files[table], result)
        return Summary(
            {
                table: {outcome: counts[outcome] for outcome in Outcome}
                for table, counts in counted.items()
            },
            failed=sum(counts[Outcome.REJECTED] for counts in counted.values()),
        )

    def _tell(self, run: CommandRun, path: Path, result: Result) -> None:
        row, outcome, reason = result
        run.report.row(
            file=path.name, row=row.number, id=row.text("uuid"), outcome=outcome, reason=reason
        )
        if outcome == Outcome.REJECTED:
            self.stderr.write(f"{path.name}, row {row.number}: {reason}")


def _pages(files: dict[str, Path]) -> Iterator[tuple[str, list[Row]]]:
    for table in COLUMNS:
        if table in files:
            yield from ((table, page) for page in pages_of(files[table], PAGE))

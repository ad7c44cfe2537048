import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.core.management import CommandError, CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from letters import services
from letters.services import BadLetterRecordError, ImportTally, LetterRecord
from letters.services.imports import LEARNER_COLUMNS, REQUIRED_COLUMNS

PAGE = 1_000


class Command(OperatorCommand):
    """Prints `imported` (`inactive`: how many of them), `unchanged`, `errors`; each bad record is
    reported on stderr and in --output by its line."""

    help = (
        "Bring in letters that another system issued, from a CSV file with the columns uuid,"
        " username or email, program (uuid or primary key here), is_active, created_on. Then make"
        " a plan with `validate_letters`."
    )
    report_columns = ("line", "error")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def run(self, run: CommandRun) -> Summary:
        by = Attribution(at=run.at, actor=run.actor, cause=run.cause)
        total = ImportTally()
        rows = _rows(run.options["file"])
        for page in run.batches(_pages(rows), total=len(rows)):
            records = list(self._parsed(page, run, total))
            tally = services.import_letters(records, by=by, dry_run=run.dry_run)
            total.imported += tally.imported
            total.inactive += tally.inactive
            total.unchanged += tally.unchanged
            for line, error in tally.errors:
                self._tell(line, error, run, total)
        return Summary(
            {
                "imported": total.imported,
                "inactive": total.inactive,
                "unchanged": total.unchanged,
                "errors": len(total.errors),
            },
            failed=len(total.errors),
        )

    def _parsed(
        self, page: Sequence[tuple[int, dict[str, str | None]]], run: CommandRun, total: ImportTally
    ) -> Iterator[tuple[int, LetterRecord]]:
        for line, row in page:
            try:
                yield line, services.parse_record(row, at=run.at)
            except BadLetterRecordError as error:
                self._tell(line, error.message, run, total)

    def _tell(self, line: int, error: str, run: CommandRun, total: ImportTally) -> None:
        total.errors.append((line, error))
        run.report.row(line=line, error=error)
        self.stderr.write(f"line {line}: {error}")


def _rows(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """All rows with their line numbers; the file is read whole before anything is loaded."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or ()
            missing = [name for name in REQUIRED_COLUMNS if name not in columns]
            if missing or not set(LEARNER_COLUMNS) & set(columns):
                wanted = ", ".join(missing or [" or ".join(LEARNER_COLUMNS)])
                raise CommandError(f"{path} lacks the column {wanted}.")
            return [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _pages(
    rows: Sequence[tuple[int, dict[str, str | None]]],
) -> Iterator[Sequence[tuple[int, dict[str, str | None]]]]:
    for start in range(0, len(rows), PAGE):
        yield rows[start : start + PAGE]

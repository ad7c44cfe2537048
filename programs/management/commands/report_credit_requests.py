import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from django.core.management import CommandParser

from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.report import csv_cell
from programs.selectors.reports import (
    ALL_GROUPS,
    COLUMNS,
    NUMBERS,
    CreditReport,
    GroupBy,
    ReportScope,
    credit_report,
)


@dataclass(frozen=True)
class ReportSummary(Summary):
    """A report: as text its total and its lines, as CSV its lines alone."""

    report: CreditReport = field(kw_only=True)

    def written_as(self, form: str) -> str:
        return self._as_csv() if form == "csv" else super().written_as(form)

    def as_text(self) -> str:
        return "\n".join([super().as_text(), *self._table()])

    def _as_csv(self) -> str:
        written = StringIO(newline="")
        writer = csv.writer(written)
        writer.writerow(COLUMNS)
        for line in self.report.lines:
            writer.writerow([csv_cell(line.cells[name]) for name in COLUMNS])
        return written.getvalue()

    def _table(self) -> Iterator[str]:
        """What each line is of, and what is not 0 in it."""
        for line in self.report.lines:
            names = [line.program, line.pathway, line.cells["month"]]
            yield ""
            yield ", ".join(filter(None, names))
            counts = {name: line.cells[name] for name in NUMBERS if line.cells[name]}
            yield from Summary(counts).as_text().splitlines()


class Command(OperatorCommand):
    """Prints `since`, `until`, `group_by`, `lines` (how many there are) and the numbers of all
    requests together; as JSON also `rows`, the lines of the report; as CSV these alone.

    --output FILE has the same lines. The columns that the report is not grouped by are empty.
    """

    help = (
        "Report the credit requests by program, pathway and month: how many, of how many learners,"
        " how complete, and what the institutions answered. Names no learner; only reads."
    )
    job = False
    formats = ("text", "json", "csv")
    report_columns = COLUMNS

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--since", type=arguments.day, metavar="DAY", help="Asked for on this day or later.")
        add("--until", type=arguments.day, metavar="DAY", help="Asked for before this day.")
        add(
            "--group-by",
            choices=[group.value for group in GroupBy],
            help="What a line is of. Default: a program, a pathway and a month.",
        )

    def run(self, run: CommandRun) -> Summary:
        since, until = run.options["since"], run.options["until"]
        named = run.options["group_by"]
        groups = (GroupBy(named),) if named else ALL_GROUPS
        report = credit_report(ReportScope(since=since, until=until), group_by=groups)
        run.report.rows(line.cells for line in report.lines)
        return ReportSummary(_counters(run, report, groups), report=report)


def _counters(
    run: CommandRun, report: CreditReport, groups: tuple[GroupBy, ...]
) -> dict[str, object]:
    total = {name: report.total.cells[name] for name in NUMBERS}
    counters: dict[str, Any] = {
        "since": run.options["since"],
        "until": run.options["until"],
        "group_by": ", ".join(groups),
        "lines": len(report.lines),
        **total,
    }
    if run.options["format"] == "json":
        counters["rows"] = [line.cells for line in report.lines]
    return counters

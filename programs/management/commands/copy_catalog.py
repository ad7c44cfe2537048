from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import chain

from django.conf import settings
from django.core.management import CommandError, CommandParser

from credentials_portal.clients import catalog as clients
from credentials_portal.clients.http import Answer
from credentials_portal.core import arguments
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from programs import selectors
from programs.services.copying import (
    TABLES,
    CatalogCopy,
    Obsolete,
    Outcome,
    Read,
    Verdict,
    read,
)

Rows = dict[str, list[Read]]


class Command(OperatorCommand):
    """Prints for each table what became of its rows, and `obsolete`: rows that the catalog dropped
    and that were deleted, are to be deleted with --delete, or stay because others refer to them."""

    help = (
        "Copy organizations, courses, runs, programs and pathways from the Discovery service of"
        " CATALOG_BASE_URL. All of it is read before anything is written; running it again changes"
        " nothing. Requirements that were defined here stay. Exits 1 when the catalog could not be"
        " read, when rows were rejected, and, without --delete, when rows are to be deleted."
    )
    withdraws = True
    default_max_changes = 50
    report_columns = ("table", "uuid", "name", "outcome", "reason")

    @property
    def scheduled(self) -> bool:  # type: ignore[override]  # only where there is a catalog
        return bool(settings.CATALOG_BASE_URL)

    def add_options(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--page-size", type=arguments.count, default=100, metavar="N", help="Rows in a page.")
        add("--delete", action="store_true", help="Delete what the catalog dropped.")
        add(
            "--replace",
            action="append",
            default=[],
            metavar="PROGRAM",
            help="Let the catalog say what this program requires, whatever was defined here.",
        )

    def run(self, run: CommandRun) -> Summary:
        replaced = [selectors.program_by_identifier(text) for text in run.options["replace"]]
        rows, failures = _read(run.options["page_size"])
        if failures:
            return Summary({"not_read": failures}, failed=len(failures))
        copy = CatalogCopy(
            by=Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause),
            dry_run=run.dry_run,
            replaced=frozenset(program.uuid for program in replaced),
        )
        batches = {table: copy.match(table, rows[table]) for table in TABLES}
        _check_cap(run, copy)
        counted = {table: Counter[str]() for table in TABLES}
        for table, batch in run.batches([(t, batch) for t in TABLES for batch in batches[t]]):
            for verdict in copy.write(table, batch):
                counted[table][verdict.outcome] += 1
                self._tell(run, verdict)
        obsolete = Counter[str]()
        if not run.was_interrupted:
            obsolete = self._clear(run, copy)
        return Summary(
            {
                **{
                    table: {name: counts[name] for name in Outcome}
                    for table, counts in counted.items()
                },
                "obsolete": {name: obsolete[name] for name in ("deleted", "to_delete", "kept")},
            },
            failed=sum(counts[Outcome.REJECTED] for counts in counted.values()),
            stuck=0 if run.options["delete"] else obsolete["to_delete"],
        )

    def _tell(self, run: CommandRun, verdict: Verdict) -> None:
        run.report.row(**verdict._asdict())
        if verdict.outcome == Outcome.REJECTED:
            self.stderr.write(f"{verdict.table} {verdict.uuid or '?'}: {verdict.reason}")

    def _clear(self, run: CommandRun, copy: CatalogCopy) -> Counter[str]:
        """Delete what is obsolete, or tell what would be deleted."""
        found = copy.obsolete()
        going = {
            table: [row for row in rows if not row.is_referred_to] for table, rows in found.items()
        }
        for rows in found.values():
            _report(run, [row for row in rows if row.is_referred_to], "kept")
        counts = Counter(kept=sum(row.is_referred_to for rows in found.values() for row in rows))
        if not run.options["delete"] or run.dry_run:
            for rows in going.values():
                _report(run, rows, "to_delete")
            counts["to_delete"] = sum(map(len, going.values()))
            return counts
        for rows in run.batches(list(going.values())):
            kept = copy.delete(rows)
            deleted = [row for row in rows if row not in kept]
            _report(run, deleted, "deleted")
            _report(run, kept, "kept")
            counts += Counter(deleted=len(deleted), kept=len(kept))
        return counts


def _read(page_size: int) -> tuple[Rows, dict[str, str]]:
    """All rows by table, and by list why it could not be read; the first failure ends it."""
    if page_size < 1:
        raise CommandError("--page-size: at least one row a call.")
    client = clients.catalog()
    if client is None:
        raise CommandError("There is no catalog: CATALOG_BASE_URL is not set.")
    rows: Rows = {table: [] for table in TABLES}
    for table in clients.QUERIES:
        result = client.read(table, page_size=page_size, take=partial(read, table))
        if not isinstance(result, Answer):
            return rows, {table: result.reason}
        for row in chain.from_iterable(result.body):
            rows[row.table].append(row)
    return rows, {}


def _check_cap(run: CommandRun, copy: CatalogCopy) -> None:
    if run.cap and run.options["delete"]:
        found = [row for rows in copy.obsolete().values() for row in rows]
        run.cap.check(sum(not row.is_referred_to for row in found), of=copy.known.count())


def _report(run: CommandRun, rows: Sequence[Obsolete], outcome: str) -> None:
    reason = "others refer to it" if outcome == "kept" else "the catalog has it no more"
    for row in rows:
        run.report.row(
            table=row.table, uuid=row.uuid, name=row.name, outcome=outcome, reason=reason
        )

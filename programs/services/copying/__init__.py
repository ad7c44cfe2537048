"""A catalog that somebody else keeps, such as a Discovery service's: its rows become ours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from credentials_portal.core.history import Attribution
from programs.models import CourseRun
from programs.services.copying.matching import Known, Match
from programs.services.copying.obsolete import ORDER, Obsolete, delete_obsolete, obsolete_rows
from programs.services.copying.programs import NOTE, ProgramContents
from programs.services.copying.records import (
    COURSES,
    ORGANIZATIONS,
    PATHWAYS,
    PROGRAMS,
    RUNS,
    TABLES,
    Read,
    Record,
    Unreadable,
    read,
)
from programs.services.copying.rows import Batch, Outcome, Verdict

__all__ = [
    "COURSES",
    "NOTE",
    "ORDER",
    "ORGANIZATIONS",
    "PATHWAYS",
    "PROGRAMS",
    "RUNS",
    "TABLES",
    "CatalogCopy",
    "Obsolete",
    "Outcome",
    "Read",
    "Record",
    "Unreadable",
    "Verdict",
    "read",
]

BATCH = 1_000


@dataclass
class CatalogCopy:
    """One copy: `match` for each table, then `write` for each of its batches, by `TABLES`.

    Each batch, and each program that gets other contents, is a transaction of its own. A second
    copy of the same catalog changes nothing. What a catalog does not tell (passing grades, modes,
    how often one may ask for credit) stays as it is; with `keeps_existing` all that is here does.
    Requirements and runs of a program that were defined here stay, unless it is in `replaced`.
    """

    by: Attribution
    keeps_existing: bool = False
    dry_run: bool = False
    replaced: frozenset[UUID] = frozenset()
    known: Known = field(default_factory=Known)
    _present: dict[str, set[UUID]] = field(default_factory=dict)
    _unreadable: set[str] = field(default_factory=set)
    _course_of_run: dict[UUID, UUID] = field(default_factory=dict)
    _rejected: set[str] = field(default_factory=set)

    def match(self, table: str, rows: Iterable[Read]) -> list[list[Match | Unreadable]]:
        """The rows of a table with our row for each, in batches for `write`."""
        found = list(rows)
        matches = iter(self.known.match(table, [row for row in found if isinstance(row, Record)]))
        matched = [row if isinstance(row, Unreadable) else next(matches) for row in found]
        self._note_present(table, matched)
        # What stands for others comes before them.
        matched.sort(key=lambda one: isinstance(one, Match) and one.is_alias)
        return [matched[start : start + BATCH] for start in range(0, len(matched), BATCH)]

    def _note_present(self, table: str, matched: Iterable[Match | Unreadable]) -> None:
        present = self._present.setdefault(table, set())
        for one in matched:
            if isinstance(one, Match):
                present.add(one.uuid)
            elif one.uuid and (own := self.known.own(table, one.uuid)):
                present.add(own)
            else:
                self._unreadable.add(table)
            if isinstance(one, Unreadable) and table == COURSES:
                # Its runs were not read either.
                self._unreadable.add(RUNS)

    def write(self, table: str, batch: Sequence[Match | Unreadable]) -> list[Verdict]:
        verdicts = [
            Verdict(table, one.uuid, "", Outcome.REJECTED, one.reason)
            for one in batch
            if isinstance(one, Unreadable)
        ]
        matches = [one for one in batch if isinstance(one, Match) and not one.is_alias]
        if matches:
            verdicts += self._written(table, matches)
        aliases = [one for one in batch if isinstance(one, Match) and one.is_alias]
        verdicts += [verdict for one in aliases for verdict in self._merged(table, one)]
        if any(verdict.outcome == Outcome.REJECTED for verdict in verdicts):
            self._rejected.add(table)
        return verdicts

    def _written(self, table: str, matches: Sequence[Match]) -> list[Verdict]:
        common: dict[str, Any] = {
            "known": self.known,
            "by": self.by,
            "keeps_existing": self.keeps_existing,
            "dry_run": self.dry_run,
        }
        verdicts = Batch(table=table, matches=matches, **common).write()
        if table == RUNS:
            self._note_courses(matches)
        if table != PROGRAMS:
            return verdicts
        stored = CourseRun.objects.values_list("uuid", "course__uuid")
        contents = ProgramContents(
            course_of_run={**self._course_of_run, **dict(stored)},
            replaced=self.replaced,
            lacks_runs=not self._rejected.isdisjoint({COURSES, RUNS}),
            **common,
        )
        return contents.write(matches, verdicts)

    def _note_courses(self, matches: Iterable[Match]) -> None:
        """Which course each run belongs to, for runs that a dry run does not write."""
        for match in matches:
            course = match.record.parent and self.known.own(COURSES, match.record.parent)
            if course:
                self._course_of_run[match.uuid] = course

    def _merged(self, table: str, match: Match) -> list[Verdict]:
        """Let the other row stand for this one; if that was rejected, this one takes its place."""
        record = match.record
        if not self.known.own(table, match.uuid):
            instead = replace(match, uuid=record.uuid, is_alias=False, note="")
            verdicts = self._written(table, [instead])
            self.known.let_stand_for(table, record.uuid, match.uuid)
            return verdicts
        self.known.accept(match)
        return [Verdict(table, record.uuid, record.name, Outcome.MERGED, match.note)]

    def obsolete(self) -> dict[str, list[Obsolete]]:
        """What a catalog wrote here that it has not any more, by table in the order to delete.

        Call it when all tables were matched. None of a table of which a row could not even be told
        from others.
        """
        found: dict[str, list[Obsolete]] = {}
        for table in ORDER:
            if table not in self._unreadable:
                going = {
                    name: [row.pk for row in rows if not row.is_referred_to]
                    for name, rows in found.items()
                }
                found[table] = obsolete_rows(table, self._present.get(table, set()), going)
        return found

    def delete(self, rows: Sequence[Obsolete]) -> list[Obsolete]:
        """Delete these rows of one table; returns those that could not be."""
        return delete_obsolete(rows, by=self.by) if rows and not self.dry_run else []

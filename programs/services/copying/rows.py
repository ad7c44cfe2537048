"""Writing a catalog's rows: what changed of each, in sets, with history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import TextChoices

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution, upsert_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.services.catalog import announce_changed_runs
from programs.services.copying.links import (
    AUTHORS,
    OWNERS,
    PROGRAMS_OF_PATHWAY,
    Links,
    stored_links,
    write_links,
)
from programs.services.copying.matching import KEEP_KEYS, MODELS, Known, Match
from programs.services.copying.records import COURSES, PATHWAYS, PROGRAMS, RUNS

LINKS: Mapping[str, Links] = {COURSES: OWNERS, PROGRAMS: AUTHORS, PATHWAYS: PROGRAMS_OF_PATHWAY}
PARENTS: Mapping[str, tuple[str, str]] = {RUNS: ("course", COURSES)}

REFUSED_BY_DATABASE = "the database refuses it"
OTHER_PARENT = "its key is here under another uuid, and in another course"


class Outcome(TextChoices):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    # Another row of the catalog stands for it.
    MERGED = "merged"
    REJECTED = "rejected"


class Verdict(NamedTuple):
    """What became of a catalog's row; `reason` says why it was rejected, or what is odd."""

    table: str
    uuid: UUID | None
    name: str
    outcome: Outcome
    reason: str = ""


class State(NamedTuple):
    """What a row says: its columns, the row it belongs to, and the rows it lists."""

    values: Mapping[str, Any]
    parent: UUID | None
    links: tuple[UUID, ...]


@dataclass
class Batch:
    """Some matched rows of one table, with what is stored of them: a fixed number of statements.

    What is here already stays as it is where `keeps_existing`; a dry run writes nothing.
    """

    table: str
    matches: Sequence[Match]
    known: Known
    by: Attribution
    keeps_existing: bool = False
    dry_run: bool = False
    verdicts: dict[UUID, Verdict] = field(default_factory=dict)

    @retry_conflicts
    @transaction.atomic
    def write(self) -> list[Verdict]:
        """Write them in one transaction; what the database refuses is rejected alone."""
        self.verdicts = {}
        stored = self._stored()
        judged = ((match, self._judged(match, stored)) for match in self.matches)
        wanted = [(match, state) for match, state in judged if state and not self.dry_run]

        def refuse(one: tuple[Match, State], _error: Exception) -> None:
            self._tell(one[0], Outcome.REJECTED, REFUSED_BY_DATABASE)

        def write(some: Sequence[tuple[Match, State]]) -> None:
            self._write(some, stored)

        for _written in in_halves(wanted, write, failed=refuse):
            pass
        for match in self.matches:
            if self.verdicts[match.record.uuid].outcome != Outcome.REJECTED:
                self.known.accept(match)
        return list(self.verdicts.values())

    def _judged(self, match: Match, stored: Mapping[UUID, State]) -> State | None:
        """What is to be written; None: nothing. Its verdict is told."""
        state, reason = self._wanted(match)
        if state is None:
            self._tell(match, Outcome.REJECTED, reason)
            return None
        here = stored.get(match.uuid)
        if here and here.parent != state.parent and self._is_adopted(match):
            self._tell(match, Outcome.REJECTED, OTHER_PARENT)
            return None
        outcome = self._outcome(here, state)
        self._tell(match, outcome, "; ".join(filter(None, (match.note, match.record.note, reason))))
        return None if outcome == Outcome.UNCHANGED else state

    def _is_adopted(self, match: Match) -> bool:
        """Whether a row that was made here would become the catalog's: it stays where it is."""
        return match.uuid != match.record.uuid and not self.keeps_existing

    def _tell(self, match: Match, outcome: Outcome, reason: str) -> None:
        record = match.record
        verdict = Verdict(self.table, record.uuid, record.name, outcome, reason)
        self.verdicts[record.uuid] = verdict

    def _outcome(self, stored: State | None, wanted: State) -> Outcome:
        if stored is None:
            return Outcome.CREATED
        if self.keeps_existing or stored == wanted:
            return Outcome.UNCHANGED
        return Outcome.CHANGED

    def _stored(self) -> dict[UUID, State]:
        uuids = [match.uuid for match in self.matches]
        names = self._columns()
        parent = PARENTS[self.table][0] if self.table in PARENTS else None
        rows = MODELS[self.table]._default_manager.filter(uuid__in=uuids)
        columns = ("uuid", *names, *((f"{parent}__uuid",) if parent else ()))
        links = stored_links(LINKS[self.table], uuids) if self.table in LINKS else {}
        return {
            row[0]: State(
                dict(zip(names, row[1:], strict=False)),
                row[-1] if parent else None,
                links.get(row[0], ()),
            )
            for row in rows.values_list(*columns)
        }

    def _columns(self) -> tuple[str, ...]:
        return tuple(self.matches[0].record.values) if self.matches else ()

    def _wanted(self, match: Match) -> tuple[State | None, str]:
        """What our row would say; None, and why, where it cannot be here."""
        record = match.record
        parent: UUID | None = None
        links: tuple[UUID, ...] = ()
        told = ""
        if self.table in PARENTS:
            column, table = PARENTS[self.table]
            parent = self.known.own(table, record.parent) if record.parent else None
            if parent is None:
                return None, f"its {column} is not here"
        if self.table in LINKS:
            there = LINKS[self.table]
            links, missing = self.known.own_all(there.child_table, record.links)
            told = f"{missing} of its {there.child_table} are not here" if missing else ""
        return State(dict(record.values), parent, links), told

    def _write(self, some: Sequence[tuple[Match, State]], stored: Mapping[UUID, State]) -> None:
        model = MODELS[self.table]
        rows = [self._row(match, state) for match, state in some]
        if self.table in PARENTS:
            column, table = PARENTS[self.table]
            parents = pks_of(table, [state.parent for _match, state in some])
            for row, (_match, state) in zip(rows, some, strict=True):
                row[f"{column}_id"] = parents[state.parent]
        upsert_with_history(model, rows, key=("uuid",), returning=("id",), by=self.by)
        if self.table in LINKS:
            there = LINKS[self.table]
            pks = pks_of(self.table, [match.uuid for match, _state in some])
            children = pks_of(
                there.child_table, {link for _match, state in some for link in state.links}
            )
            wanted = {
                pks[match.uuid]: [children[link] for link in state.links] for match, state in some
            }
            write_links(there, wanted, by=self.by)
        if self.table == RUNS:
            moved = [match.uuid for match, state in some if _has_moved(stored, match, state)]
            announce_changed_runs(pks_of(RUNS, moved).values(), by=self.by)

    def _row(self, match: Match, state: State) -> dict[str, Any]:
        key = {"key": match.key} if self.table in KEEP_KEYS else {}
        return {"uuid": match.uuid, **key, **state.values}


def _has_moved(stored: Mapping[UUID, State], match: Match, state: State) -> bool:
    """Whether a run that is here gets another end or course: grades become final, or courses met."""
    before = stored.get(match.uuid)
    return before is not None and (
        (before.parent, before.values["end_date"]) != (state.parent, state.values["end_date"])
    )


def pks_of(table: str, uuids: Iterable[UUID | None]) -> dict[UUID | None, int]:
    rows = MODELS[table]._default_manager.filter(uuid__in=[uuid for uuid in uuids if uuid])
    return dict(rows.values_list("uuid", "pk"))

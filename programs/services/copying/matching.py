"""Which of our rows a catalog's row is: one for each uuid, and one for each key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import models

from programs.models import Course, CourseRun, Organization, Pathway, Program
from programs.services.copying.records import (
    COURSES,
    ORGANIZATIONS,
    PATHWAYS,
    PROGRAMS,
    RUNS,
    Record,
)

MODELS: dict[str, type[models.Model]] = {
    ORGANIZATIONS: Organization,
    COURSES: Course,
    RUNS: CourseRun,
    PROGRAMS: Program,
    PATHWAYS: Pathway,
}
HAVE_KEYS = frozenset({ORGANIZATIONS, COURSES, RUNS})
# Learners' grades, waivers and verdicts are told by these keys.
KEEP_KEYS = frozenset({COURSES, RUNS})

OTHER_UUID = "it is here under another uuid, which stays"
OTHER_KEY = "it has another key here, which stays"
KEY_TWICE = "another row has its key, and stands for it"
UUID_TWICE = "another row has its uuid"


@dataclass(frozen=True)
class Match:
    """A record, and our row for it by uuid and key; `note` says what is odd about the two."""

    record: Record
    uuid: UUID
    key: str = ""
    note: str = ""
    # Another record tells what the row says.
    is_alias: bool = False


class Known:
    """Our rows of all tables, and what the uuids of a catalog stand for among them.

    In a dry run also those that would be here.
    """

    def __init__(self) -> None:
        self._own: dict[str, dict[UUID, UUID]] = {}
        self._keys: dict[str, dict[UUID, str]] = {}

    def own(self, table: str, uuid: UUID) -> UUID | None:
        """The uuid of our row that this uuid stands for; None: nothing of the kind is here."""
        return self._of(table).get(uuid)

    def own_all(self, table: str, uuids: Iterable[UUID]) -> tuple[tuple[UUID, ...], int]:
        """Our rows in this order, each once, and how many of them are not here."""
        given = tuple(uuids)
        found = [own for uuid in given if (own := self.own(table, uuid))]
        return tuple(dict.fromkeys(found)), len(given) - len(found)

    def match(self, table: str, records: Sequence[Record]) -> list[Match]:
        """Find our row for each of these, by uuid first; it is known only after `accept`."""
        stored = self._of(table)
        by_key: dict[str, UUID] = {}
        for uuid, key in self._keys[table].items():
            by_key.setdefault(key, uuid)
        told: set[UUID] = set()
        claimed: set[UUID] = set()
        matches: dict[int, Match] = {}
        for place, record in sorted(enumerate(records), key=lambda one: one[1].uuid not in stored):
            same_key = by_key.get(record.key) if record.key else None
            match = self._match(record, same_key)
            if record.uuid in told or match.uuid in claimed:
                note = UUID_TWICE if record.uuid in told else KEY_TWICE
                match = replace(match, note=note, is_alias=True)
            told.add(record.uuid)
            claimed.add(match.uuid)
            by_key.setdefault(match.key, match.uuid)
            matches[place] = match
        return [matches[place] for place in range(len(records))]

    def _match(self, record: Record, same_key: UUID | None) -> Match:
        own = self._own[record.table].get(record.uuid) or same_key or record.uuid
        key = record.key
        if record.table in KEEP_KEYS:
            key = self._keys[record.table].get(own, key)
        if key != record.key:
            return Match(record, own, key, OTHER_KEY)
        return Match(record, own, key, OTHER_UUID if own != record.uuid else "")

    def count(self) -> int:
        """How many rows of the tables that were matched are here."""
        return sum(len(set(own.values())) for own in self._own.values())

    def accept(self, match: Match) -> None:
        """Remember that this row is here now."""
        own = self._of(match.record.table)
        own[match.record.uuid] = own[match.uuid] = match.uuid
        if match.key:
            self._keys[match.record.table].setdefault(match.uuid, match.key)

    def let_stand_for(self, table: str, uuid: UUID, other: UUID) -> None:
        """Remember that the row with this uuid, if it is here, stands for another."""
        own = self._of(table)
        if uuid in own:
            own[other] = own[uuid]

    def _of(self, table: str) -> dict[UUID, UUID]:
        if table not in self._own:
            rows = MODELS[table]._default_manager.order_by("pk")
            keys = dict(rows.values_list("uuid", "key")) if table in HAVE_KEYS else {}
            uuids = keys or rows.values_list("uuid", flat=True)
            self._own[table] = {uuid: uuid for uuid in uuids}
            self._keys[table] = keys
        return self._own[table]

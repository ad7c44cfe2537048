"""Rows of the old service's tables, as a database writes them into files, and what becomes of each."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet, TextChoices
from django.utils.dateparse import parse_date, parse_datetime

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution
from credentials_portal.core.rehearsal import Rehearsal
from programs.services.nodes import FIRST_YEAR, LAST_YEAR, Node, RecordError

NULLS = frozenset({"", "NULL", r"\N"})
TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
REFUSED_BY_DATABASE = "it contradicts what is stored"

T = TypeVar("T")
M = TypeVar("M", bound=Model)


class Outcome(TextChoices):
    IMPORTED = "imported"
    # Imported, or completed, otherwise than the file says.
    MENDED = "mended"
    # Another row stands for it.
    MERGED = "merged"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Row:
    """A row of a file, by its place there; `cells` by column."""

    number: int
    cells: Mapping[str, Any]

    def text(self, name: str) -> str:
        """What stands in this column, however malformed; "" for nothing."""
        value = _as_text(self.cells.get(name))
        return value if isinstance(value, str) else ""


class Result(NamedTuple):
    """What became of a row; `reason` says what is odd, or why it was rejected."""

    row: Row
    outcome: Outcome
    reason: str = ""


class Cells(Node):
    """The values of a row: texts, or what JSON has instead. Dates without a zone are UTC."""

    @classmethod
    def of_row(cls, row: Row) -> "Cells":
        cells = {name: _as_text(value) for name, value in row.cells.items()}
        return cls({name: value for name, value in cells.items() if value is not None}, "")

    def truth(self, key: str, *, default: bool) -> bool:
        text = self.optional_text(key).lower()
        if text and text not in TRUTH:
            raise RecordError(f"{key} is neither true nor false")
        return TRUTH.get(text, default)

    def number(self, key: str, *, most: int) -> int | None:
        text = self.optional_text(key)
        if not text:
            return None
        if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) > most:
            raise RecordError(f"{key} is no number up to {most}")
        return int(text)

    def fraction(self, key: str) -> Decimal | None:
        return self.grade(key) if self.optional_text(key) else None

    def instant(self, key: str) -> datetime | None:
        text = self.optional_text(key)
        if not text:
            return None
        try:
            moment = None if parse_date(text) else parse_datetime(text)
        except ValueError:
            moment = None
        # A date near the ends of time has no counterpart in UTC.
        if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise RecordError(f"{key} is no instant")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    def past(self, key: str, *, at: datetime) -> datetime:
        """An instant that lies before `at`."""
        moment = self.instant(key)
        if moment is None or moment > at:
            raise RecordError(f"{key} is missing, or lies in the future")
        return moment

    def optional_past(self, key: str, *, at: datetime) -> datetime | None:
        return self.past(key, at=at) if self.optional_text(key) else None

    def optional_uuid(self, key: str) -> UUID | None:
        return self.uuid(key) if self.optional_text(key) else None

    def uuids(self, key: str) -> tuple[UUID, ...]:
        """Several, in order, each once: a list, or a text with spaces, commas or semicolons."""
        value = self.fields.get(key, [])
        parts = re.split(r"[\s,;]+", value) if isinstance(value, str) else value
        if not isinstance(parts, list):
            raise RecordError(f"{key} is no list")
        return tuple(dict.fromkeys(Cells({key: part}, "").uuid(key) for part in parts))


def _as_text(value: Any) -> Any:
    """JSON's numbers and truths as a text; None for nothing; a list as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, str):
        text = value.strip()
        return None if text in NULLS else text
    return value


@dataclass
class Work:
    """What the parts of one import share. A dry run writes nothing, and notes what it would have."""

    by: Attribution
    dry_run: bool = False
    unwritten: Rehearsal = field(default_factory=Rehearsal)

    def noted(self, kind: str, keys: Iterable[object]) -> dict[str, str]:
        """Which of these a dry run would have written, with what it noted of them."""
        return self.unwritten.noted(kind, map(str, keys)) if self.dry_run else {}

    def locked(self, rows: QuerySet[M]) -> QuerySet[M]:
        """The rows, locked until they are written; a dry run cannot lock."""
        if self.dry_run:
            return rows
        return rows.order_by("pk").select_for_update(of=("self",), no_key=True)

    def note(self, kind: str, texts: Mapping[str, str]) -> None:
        if self.dry_run:
            self.unwritten.note(kind, texts)


@dataclass
class Claims:
    """What can be there once, by what makes it itself: `here` is what is."""

    work: Work
    kind: str
    here: set[str]

    def take(self, *parts: object) -> bool:
        """Take it, unless it is taken: by what is here, or by a row before, of a dry run too."""
        key = ":".join(map(str, parts))
        if key in self.here or self.work.noted(self.kind, [key]):
            return False
        self.here.add(key)
        self.work.note(self.kind, {key: ""})
        return True


def texts_of(rows: Iterable[Row], name: str) -> set[str]:
    """What stands in this column, however malformed; nothing that cannot be asked for at all."""
    texts = {row.text(name) for row in rows}
    return {text for text in texts if text and "\0" not in text and text.isprintable()}


def uuids_of(rows: Iterable[Row], name: str) -> set[UUID]:
    found = set()
    for text in texts_of(rows, name):
        try:
            found.add(UUID(text))
        except ValueError:
            continue
    return found


@dataclass
class Page:
    """The results of some rows, in their order; what is to be written is kept with its row."""

    rows: Sequence[Row]
    results: dict[int, Result] = field(default_factory=dict)

    def drafted(self, draft: Callable[[Cells], tuple[T | None, str]]) -> list[tuple[Row, T]]:
        """What `draft` makes of each row; with None and no word it is here already.

        It raises `RecordError` for a row that cannot be imported; None with a word says what
        stands for the row.
        """
        drafts = []
        for row in self.rows:
            try:
                made, told = draft(Cells.of_row(row))
            except RecordError as error:
                self.tell(row, Outcome.REJECTED, error.message)
                continue
            if made is None:
                self.tell(row, Outcome.MERGED if told else Outcome.UNCHANGED, told)
                continue
            self.tell(row, Outcome.MENDED if told else Outcome.IMPORTED, told)
            drafts.append((row, made))
        return drafts

    def tell(self, row: Row, outcome: Outcome, reason: str = "") -> None:
        self.results[row.number] = Result(row, outcome, reason)

    def write(
        self, drafts: Sequence[tuple[Row, T]], write: Callable[[list[T]], None], work: Work
    ) -> list[Result]:
        """Write them, in one transaction that is open; what the database refuses is rejected alone."""

        def refuse(one: tuple[Row, T], _error: Exception) -> None:
            self.tell(one[0], Outcome.REJECTED, REFUSED_BY_DATABASE)

        def write_some(some: Sequence[tuple[Row, T]]) -> None:
            write([made for _row, made in some])

        for _written in in_halves([] if work.dry_run else drafts, write_some, failed=refuse):
            pass
        return [self.results[row.number] for row in self.rows]

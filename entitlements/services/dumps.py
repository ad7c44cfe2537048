"""Rows of the old service's tables, as a database writes them into CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db.models import Model, TextChoices

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution, bulk_create_with_history

M = TypeVar("M", bound=Model)

NULLS = frozenset({"", "NULL", r"\N"})
TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
LARGEST_ID = 2**63 - 1
REFUSED_BY_DATABASE = "it contradicts what is stored"


class BadRowError(DomainError):
    """A row that cannot be imported; the message says why and names nobody."""

    code = "bad_row"


@dataclass(frozen=True)
class Row:
    """A row, and the line where it was read."""

    number: int
    cells: Mapping[str, str | None]

    def text(self, name: str) -> str | None:
        """None: there is no such column, or nothing in it; `NULL` and `\\N` are nothing."""
        value = (self.cells.get(name) or "").strip()
        if "\0" in value:
            raise BadRowError(f"{name} holds a NUL character")
        return None if value in NULLS else value

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise BadRowError(f"{name} is missing")
        return value

    def uuid(self, name: str) -> UUID:
        uuid = uuid_of(self.required(name))
        if uuid is None:
            raise BadRowError(f"{name} is malformed")
        return uuid

    def number_of(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        number = id_of(value)
        if number is None:
            raise BadRowError(f"{name} is no id")
        return number

    def truth(self, name: str) -> bool:
        value = (self.text(name) or "0").lower()
        if value not in TRUTH:
            raise BadRowError(f"{name} is neither true nor false")
        return TRUTH[value]

    def instant(self, name: str) -> datetime | None:
        """A date without a zone is UTC, in which the old service stores them."""
        value = self.text(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadRowError(f"{name} is no instant") from None


class Outcome(TextChoices):
    IMPORTED = "imported"
    MENDED = "mended"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class Result(NamedTuple):
    """What became of a row; `reason` says what was mended, or why it was rejected."""

    row: Row
    outcome: Outcome
    reason: str = ""


def store(
    model: type[M],
    rows: Sequence[Row],
    draft: Callable[[Row], tuple[M, str] | None],
    *,
    by: Attribution,
    dry_run: bool,
) -> list[Result]:
    """Store what `draft` makes of each row, with history, and tell of each what became of it.

    `draft` gives an unsaved row and what was mended, or None where it is here already; it raises
    `BadRowError`. What the database refuses is rejected alone. Needs an open transaction.
    """
    results: dict[int, Result] = {}
    drafts: list[tuple[Row, M]] = []
    for row in rows:
        try:
            drafted = draft(row)
        except BadRowError as error:
            results[row.number] = Result(row, Outcome.REJECTED, error.message)
            continue
        if drafted is None:
            results[row.number] = Result(row, Outcome.UNCHANGED)
            continue
        instance, mended = drafted
        drafts.append((row, instance))
        outcome = Outcome.MENDED if mended else Outcome.IMPORTED
        results[row.number] = Result(row, outcome, mended)

    def write(some: Sequence[tuple[Row, M]]) -> None:
        bulk_create_with_history(model, [instance for _row, instance in some], by=by)

    def refuse(one: tuple[Row, M], _error: Exception) -> None:
        results[one[0].number] = Result(one[0], Outcome.REJECTED, REFUSED_BY_DATABASE)

    for _written in in_halves([] if dry_run else drafts, write, failed=refuse):
        pass
    return list(results.values())


def uuid_of(text: str | None) -> UUID | None:
    """The uuid that a text is, with or without dashes."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def id_of(text: str | None) -> int | None:
    """The id that a text is."""
    if not text or not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ID)):
        return None
    return number if (number := int(text)) <= LARGEST_ID else None


def values_of(rows: Iterable[Row], name: str) -> set[str]:
    """What stands in this column, however malformed; nothing where it cannot be stored at all."""
    found = {(row.cells.get(name) or "").strip() for row in rows}
    return {value for value in found if value not in NULLS and "\0" not in value}

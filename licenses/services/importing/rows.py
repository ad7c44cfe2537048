"""Rows of the old license-manager's tables: read value by value, and what becomes of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import TextChoices

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import DomainError

PLAN_TYPE, PRODUCT, MESSAGING = "plantype", "product", "customsubscriptionexpirationmessaging"
AGREEMENT, PLAN, RENEWAL = "customeragreement", "subscriptionplan", "subscriptionplanrenewal"
LICENSE = "license"
LINK = "renewed_to"
"""No model of the old service: the second look at a license, when all of them are here."""

ORDER = (PLAN_TYPE, PRODUCT, MESSAGING, AGREEMENT, PLAN, LICENSE, RENEWAL, LINK)

M = TypeVar("M", bound=models.Model)

TRUTH = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
LONGEST_EMAIL = 254
LARGEST_ID = 2**63 - 1


class BadRowError(DomainError):
    """A row that cannot be imported; the message says why and names nobody."""

    code = "bad_row"


@dataclass(frozen=True)
class Row:
    """A row of the old service's table `model`, and where it was read."""

    model: str
    pk: str
    fields: Mapping[str, Any]
    file: str = ""
    number: int | None = None


class Outcome(TextChoices):
    IMPORTED = "imported"
    MENDED = "mended"
    FREED = "freed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class Result(NamedTuple):
    row: Row
    outcome: Outcome
    reason: str = ""


def draft_all(
    rows: Sequence[Row], draft: Callable[[Row], tuple[M | None, str]]
) -> tuple[list[M], list[Result]]:
    """What is to be created for these rows, and what becomes of each."""
    drafts: list[M] = []
    results = []
    for row in rows:
        try:
            if "\0" in "".join(value for value in row.fields.values() if isinstance(value, str)):
                raise BadRowError("it holds a NUL character")
            instance, mended = draft(row)
        except BadRowError as error:
            results.append(Result(row, Outcome.REJECTED, error.message))
            continue
        if instance is None:
            results.append(Result(row, Outcome.UNCHANGED))
            continue
        drafts.append(instance)
        results.append(Result(row, Outcome.MENDED if mended else Outcome.IMPORTED, mended))
    return drafts, results


def values_of(model: type[models.Model], row: Row, names: Sequence[str]) -> dict[str, Any]:
    """These columns of the row; the model's default where it has none."""
    values = {}
    for name in names:
        column: Any = model._meta.get_field(name)
        value = row.fields.get(name)
        if isinstance(value, str):
            value = value.strip()
            if isinstance(column, models.BooleanField):
                value = TRUTH.get(value.lower(), value)
        if value is not None and value != "":
            values[name] = value
        elif column.null:
            values[name] = None
        elif not column.has_default():
            values[name] = "" if isinstance(column, models.CharField | models.TextField) else None
    return values


def cleaned(instance: M, *, exclude: Sequence[str] = ()) -> M:
    """The instance with values of its columns' types, which the database takes."""
    try:
        instance.clean_fields(exclude=exclude)
    except ValidationError as error:
        told = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        raise BadRowError(told) from None
    for column in instance._meta.concrete_fields:
        value = getattr(instance, column.attname)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise BadRowError(f"{column.name} is no instant with a zone")
    return instance


def text_of(row: Row, name: str) -> str:
    value = row.fields.get(name)
    return "" if value is None else str(value).strip()


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def uuid_from(text: str, name: str) -> UUID:
    uuid = uuid_or_none(text)
    if uuid is None:
        raise BadRowError(f"{name} is malformed")
    return uuid


def optional_uuid(row: Row, name: str) -> UUID | None:
    text = text_of(row, name)
    return uuid_from(text, name) if text else None


def email_of(row: Row) -> str:
    email = normalise_email(text_of(row, "user_email"))
    if email and ("@" not in email or len(email) > LONGEST_EMAIL):
        raise BadRowError("user_email is no e-mail address")
    return email


def number_of(row: Row, name: str) -> int | None:
    text = text_of(row, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ID)):
        raise BadRowError(f"{name} is no id")
    if (number := int(text)) > LARGEST_ID:
        raise BadRowError(f"{name} is no id")
    return number


def truth_of(row: Row, name: str) -> bool | None:
    text = text_of(row, name).lower()
    if text and text not in TRUTH:
        raise BadRowError(f"{name} is neither true nor false")
    return TRUTH.get(text)


def instant_of(row: Row, name: str) -> datetime | None:
    text = text_of(row, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRowError(f"{name} is no instant with a zone") from None

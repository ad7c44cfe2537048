"""Records that somebody else wrote, such as JSON objects: each value is checked when it is read."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self
from uuid import UUID

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import DomainError

# A date outside of these is a way to say "never", or a slip of the pen.
FIRST_YEAR, LAST_YEAR = 1900, 2199

GRADE_STEP = Decimal("0.0001")


class RecordError(DomainError):
    """A record that cannot be loaded. The message names the place in it, and no value."""

    code = "bad_record"


@dataclass(frozen=True)
class Node:
    """A JSON object, and where in its record it stands."""

    fields: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, value: object, where: str) -> Self:
        if not isinstance(value, dict):
            raise RecordError(f"{where or 'the record'} is no object")
        return cls(value, where)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def required(self, key: str) -> Any:
        if key not in self.fields:
            raise RecordError(f"{self.path(key)} is missing")
        return self.fields[key]

    def text(self, key: str, *, max_length: int = 255) -> str:
        value = self.required(key)
        if not isinstance(value, str):
            raise RecordError(f"{self.path(key)} is no text")
        text = value.strip()
        if not text:
            raise RecordError(f"{self.path(key)} is empty")
        if len(text) > max_length:
            raise RecordError(f"{self.path(key)} is longer than {max_length} characters")
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
            raise RecordError(f"{self.path(key)} has control characters")
        return text

    def optional_text(self, key: str, *, max_length: int = 255) -> str:
        """The text, or "" where there is none."""
        value = self.fields.get(key)
        return "" if value is None or value == "" else self.text(key, max_length=max_length)

    def uuid(self, key: str) -> UUID:
        """With or without dashes."""
        try:
            return UUID(self.text(key))
        except ValueError as error:
            raise RecordError(f"{self.path(key)} is no uuid") from error

    def email(self, key: str) -> str:
        # Django's own check knows no address with letters beyond ASCII, which RFC 6531 allows.
        address = normalise_email(self.text(key, max_length=254))
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise RecordError(f"{self.path(key)} is no e-mail address")
        return address

    def username(self, key: str) -> str:
        if not self.fields.get(key):
            return ""
        name = self.text(key, max_length=150)
        try:
            UnicodeUsernameValidator()(name)
        except ValidationError as error:
            raise RecordError(f"{self.path(key)} is no username") from error
        return name

    def whole_number(self, key: str, least: int, most: int) -> int:
        value = self.required(key)
        if type(value) is not int or not least <= value <= most:
            raise RecordError(f"{self.path(key)} is no whole number from {least} to {most}")
        return value

    def grade(self, key: str) -> Decimal:
        value = self.required(key)
        if isinstance(value, str) and re.fullmatch(r"\d*\.?\d+", value.strip(), re.ASCII):
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
            raise RecordError(f"{self.path(key)} is no number from 0 to 1")
        return Decimal(value).quantize(GRADE_STEP, ROUND_HALF_UP)

    def date(self, key: str) -> datetime:
        value = self.required(key)
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.utcoffset() is None:
            raise RecordError(f"{self.path(key)} is no instant with a zone")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise RecordError(f"{self.path(key)} lies outside {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    def optional_date(self, key: str) -> datetime | None:
        return None if self.fields.get(key) is None else self.date(key)

    def nodes(self, key: str, *, is_optional: bool = False) -> list["Node"]:
        """The objects of a list; none where `is_optional` and the key is missing."""
        if is_optional and key not in self.fields:
            return []
        value = self.required(key)
        if not isinstance(value, list):
            raise RecordError(f"{self.path(key)} is no list")
        return [Node.of(item, f"{self.path(key)}[{index}]") for index, item in enumerate(value)]

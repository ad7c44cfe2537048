"""Input taken at its word: what is unknown, empty or of another type is refused, never guessed.

A misspelled filter would list everything, and a misspelled `version` would guard nothing.
"""

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from credentials_portal.core.arguments import instant

# Regular expressions that mean the same in Python and in OpenAPI. PostgreSQL keeps no NUL.
TEXT = r"^[^\u0000]+$"
WORDS = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


class JSONBody(JSONParser):
    """JSON, and nothing nested so deep that Python gives up."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deep.") from error


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses names that it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: ["There is no such field."] for name in unknown}
                )
        return super().to_internal_value(data)


class StrictBoolean(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictInteger(serializers.IntegerField):
    """A number, not the text of one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str | bool):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class WrittenInteger(serializers.IntegerField):
    """A number as a URL writes it; int() would take "1_0" and the digits of any script, too."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"\d{1,9}", data, re.ASCII):
            self.fail("invalid")
        return int(data)


class TextField(serializers.CharField):
    """Text as it was given, blanks included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 500, "pattern": WORDS})
class ReasonField(serializers.CharField):
    """Why a person, or a service for one, decides something: words, up to 500 characters."""

    default_error_messages = {"invalid": "Not a valid string.", "words": "Say why, in words."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=500, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not data.strip():
            self.fail("words")
        return data

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        return value.strip()


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(serializers.Field[datetime, str, str, Any]):
    """An ISO 8601 instant with its zone; a naive one would be a guess."""

    def to_internal_value(self, data: str) -> datetime:
        try:
            return instant(data).astimezone(UTC)
        except (ArgumentTypeError, OverflowError) as error:
            raise serializers.ValidationError(str(error), code="instant") from error


class PageQuery(StrictSerializer):
    """The query of a list: which page, and in subclasses which rows.

    `of` reads it from a URL: a name may stand there once, unless its field is a list.
    """

    page = WrittenInteger(
        required=False, min_value=1, max_value=999_999_999, help_text="The first page is 1."
    )
    page_size = WrittenInteger(
        required=False, min_value=1, max_value=100, help_text="How many to a page; 20 by default."
    )

    @classmethod
    def of(cls, query: QueryDict) -> dict[str, Any]:
        """The valid values of a query. Raises `ValidationError`."""
        names = cls().fields
        repeated = {
            name: ["Give it once."]
            for name in query
            if len(query.getlist(name)) > 1
            and not isinstance(names.get(name), serializers.ListField)
        }
        if repeated:
            raise serializers.ValidationError(repeated)
        lists = {name for name, field in names.items() if isinstance(field, serializers.ListField)}
        serializer = cls(
            data={name: query.getlist(name) if name in lists else query[name] for name in query}
        )
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

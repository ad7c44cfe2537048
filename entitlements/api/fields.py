"""Values taken at their word: a number is no text, and no uuid."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.api.strict import InstantField

WRITTEN_UUID = re.compile(r"[0-9a-fA-F-]{32,36}")
MOST_UUIDS = 1000


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.UUID)
class WrittenUuid(serializers.Field[UUID, str, str, Any]):
    default_error_messages = {"invalid": "Must be a valid UUID."}

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return written_uuid(data)
        except ValueError:
            self.fail("invalid")


@extend_schema_field({"type": "string", "pattern": "^[0-9a-fA-F,-]*$"})
class WrittenUuids(serializers.Field[list[UUID], str, str, Any]):
    """Uuids with commas between them; none at all is no condition."""

    default_error_messages = {
        "invalid": "Enter a valid UUID.",
        "too_many": f"Name no more than {MOST_UUIDS}.",
    }

    def to_internal_value(self, data: str) -> list[UUID]:
        written = [one for one in data.split(",") if one]
        if len(written) > MOST_UUIDS:
            self.fail("too_many")
        try:
            return [written_uuid(one) for one in written]
        except ValueError:
            self.fail("invalid")


@extend_schema_field(OpenApiTypes.DATETIME)
class Moment(InstantField):
    def to_internal_value(self, data: Any) -> datetime:
        return super().to_internal_value(data if isinstance(data, str) else "")


def written_uuid(data: Any) -> UUID:
    """The uuid that a text is; Python would take braces and the digits of any script, too."""
    if not isinstance(data, str) or not WRITTEN_UUID.fullmatch(data):
        raise ValueError(data)
    return UUID(data)

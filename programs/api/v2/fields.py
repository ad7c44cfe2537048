"""Values as the old credentials service's clients write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.accounts.models import User
from credentials_portal.api.wire import is_storable
from programs.selectors.certificates import OF_PROGRAM, OF_RUN, ListedCertificate

LONGEST_KEY = 255
LARGEST_LMS_ID = 2**63 - 1
NO_PROGRAM = "No active ProgramCertificate exists for program [{}]"
NO_CERTIFICATE = "No active CourseCertificate exists for course run [{}]"
NOT_IN_CATALOG = (
    "CourseCertificate failed to create because the CourseRun {} doesn't exist in the catalog"
)
WRITTEN_UUID = re.compile(r"[0-9a-fA-F-]{32,36}")
MODE = r"^[-a-zA-Z0-9_]{1,32}$"


def uuid_in(text: Any) -> UUID | None:
    """The uuid that a text is; Python would take braces and the digits of any script, too."""
    if not isinstance(text, str) or not WRITTEN_UUID.fullmatch(text):
        return None
    try:
        return UUID(text)
    except ValueError:
        return None


class UsernameField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=150, validators=[User.username_validator], **kwargs)


@extend_schema_field(
    {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]*$"}]}
)
class LmsUserIdField(serializers.Field[int, Any, Any, Any]):
    """A primary key of the LMS, as a number or as the text of one."""

    default_error_messages = {"invalid": "A valid integer is required."}

    def to_internal_value(self, data: Any) -> int:
        is_number = isinstance(data, int | str) and not isinstance(data, bool)
        written = str(data) if is_number and len(str(data)) < 20 else ""
        if not re.fullmatch(r"\d+", written, re.ASCII) or not 0 < int(written) <= LARGEST_LMS_ID:
            self.fail("invalid")
        return int(written)


@dataclass(frozen=True)
class NamedProgram:
    """A program as it was written; what is no uuid is no program's."""

    written: str
    uuid: UUID | None


@dataclass(frozen=True)
class NamedRun:
    """A run, and the mode in which it was taken, where somebody says so."""

    key: str
    mode: str


CREDENTIAL = {
    "oneOf": [
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": [OF_PROGRAM]},
                "credential_id": {"type": "integer", "nullable": True},
                "program_uuid": {"type": "string", "format": "uuid"},
            },
            "required": ["type", "credential_id", "program_uuid"],
        },
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": [OF_RUN]},
                "course_run_key": {"type": "string"},
                "mode": {"type": "string"},
            },
            "required": ["type", "course_run_key", "mode"],
        },
    ]
}
NAMED_CREDENTIAL = {
    "oneOf": [
        {
            "type": "object",
            "properties": {"program_uuid": {"type": "string", "format": "uuid"}},
            "required": ["program_uuid"],
        },
        {
            "type": "object",
            "properties": {
                "course_run_key": {"type": "string", "minLength": 1},
                "mode": {"type": "string", "pattern": MODE},
            },
            "required": ["course_run_key"],
        },
    ]
}


@extend_schema_field(CREDENTIAL)
class CredentialField(serializers.Field[Any, Any, Any, Any]):
    """What a certificate is of."""

    def get_attribute(self, instance: ListedCertificate) -> ListedCertificate:
        return instance

    def to_representation(self, certificate: ListedCertificate) -> dict[str, Any]:
        if certificate.type == OF_PROGRAM:
            return {
                "type": OF_PROGRAM,
                "credential_id": certificate.credential_id,
                "program_uuid": str(certificate.program_uuid),
            }
        return {
            "type": OF_RUN,
            "course_run_key": certificate.run_key,
            "mode": certificate.mode,
        }


@extend_schema_field(NAMED_CREDENTIAL)
class NamedCredentialField(serializers.Field[Any, Any, Any, Any]):
    """What a certificate is of, as its caller names it."""

    default_error_messages = {
        "missing": "Credential identifier is missing.",
        "not_a_dict": 'Expected a dictionary of items but got type "{input_type}".',
    }

    def to_internal_value(self, data: Any) -> NamedProgram | NamedRun:
        if not isinstance(data, Mapping):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if data.get("program_uuid"):
            written = data["program_uuid"]
            return NamedProgram(str(written), uuid_in(written))
        key = data.get("course_run_key")
        if not key:
            self.fail("missing")
        if not isinstance(key, str) or not is_storable(key):
            raise serializers.ValidationError({"course_run_key": NOT_IN_CATALOG.format(key)})
        return NamedRun(key, _mode(data.get("mode")))


def _mode(written: Any) -> str:
    if written in (None, ""):
        return ""
    if not isinstance(written, str) or not re.fullmatch(MODE, written, re.ASCII):
        raise serializers.ValidationError({"mode": "Not a valid mode."})
    return written

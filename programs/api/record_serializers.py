"""The shapes of records and of what is done with them; `selectors.record_words` writes records."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.api.strict import ReasonField
from credentials_portal.api.wire import AnyText
from programs.enums import RowReason

BIGGEST_ID = 2**63 - 1


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "enum": [""]}]})
class NumberOrEmpty(serializers.Field[Any, Any, Any, Any]):
    """A number, or "" where there is none."""


@extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string", "enum": [""]}]})
class FractionOrEmpty(serializers.Field[Any, Any, Any, Any]):
    """A fraction, or "" where there is none."""


class ListedRecordSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="title")
    uuid = serializers.CharField(source="uuid.hex", help_text="32 hexadecimal digits.")
    partner = serializers.CharField(source="school", help_text="Who offers the program.")
    completed = serializers.BooleanField(
        source="is_completed", help_text="A program certificate is awarded and visible."
    )
    empty = serializers.BooleanField(default=False, help_text="Always false.")


class RecordListSerializer(serializers.Serializer[Any]):
    enrolled_programs = ListedRecordSerializer(many=True)


class LearnerOfRecordSerializer(serializers.Serializer[Any]):
    full_name = serializers.CharField()
    username = serializers.CharField(help_text="Empty where the link does not show it.")
    email = serializers.CharField(help_text="Empty where the link does not show it.")


class ProgramOfRecordSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField(help_text="As a slug.")
    type_name = serializers.CharField()
    completed = serializers.BooleanField(help_text="A program certificate is awarded and visible.")
    empty = serializers.BooleanField(help_text="No course has a grade that counts.")
    last_updated = serializers.CharField()
    school = serializers.CharField()


class RowSerializer(serializers.Serializer[Any]):
    """One course, with its best awarded run. It is earned if there is an `issue_date`."""

    name = serializers.CharField()
    school = serializers.CharField()
    attempts = NumberOrEmpty()
    course_id = serializers.CharField(help_text="The key of the run; empty if nothing counts.")
    issue_date = serializers.CharField()
    percent_grade = FractionOrEmpty()
    letter_grade = serializers.CharField(help_text='"N/A" where a grade has no letter.')
    reason = serializers.ChoiceField(
        RowReason.choices,
        required=False,
        help_text="Why the course does not count; strangers are not told.",
    )
    reason_until = serializers.CharField(
        required=False, help_text="From when on its certificate is available."
    )


class PathwayOfRecordSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    id = serializers.IntegerField()
    status = serializers.CharField(help_text="`sent`, while a request of this program stands.")
    is_active = serializers.BooleanField(help_text="Always true: others are left out.")
    pathway_type = serializers.CharField(help_text="Always `credit`: others are left out.")


class RecordSerializer(serializers.Serializer[Any]):
    learner = LearnerOfRecordSerializer()
    program = ProgramOfRecordSerializer()
    platform_name = serializers.CharField()
    grades = RowSerializer(many=True)
    pathways = PathwayOfRecordSerializer(many=True, help_text="None in what strangers see.")
    shared_program_record_uuid = serializers.CharField(
        allow_null=True, help_text="The learner's own link that lives, in 32 hexadecimal digits."
    )


class RecordAnswerSerializer(serializers.Serializer[Any]):
    record = RecordSerializer()
    is_public = serializers.BooleanField()
    uuid = serializers.CharField(help_text="As it was asked for.")
    records_help_url = serializers.CharField()


class ShareSerializer(serializers.Serializer[Any]):
    username = AnyText(help_text="Whose record: the caller's own, unless staff act for a learner.")


class SendSerializer(ShareSerializer):
    pathway_id = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)
    reason = ReasonField(
        required=False, help_text="Why staff act for the learner, who can read it."
    )


class LinkSerializer(serializers.Serializer[Any]):
    url = serializers.URLField()

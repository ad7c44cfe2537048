"""Certificates, grades and configurations as the old credentials service's clients know them."""

from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.api.wire import AnyText, Truth, WireQuery
from programs.api.v2.fields import (
    LONGEST_KEY,
    MODE,
    CredentialField,
    LmsUserIdField,
    NamedCredentialField,
    NamedProgram,
    UsernameField,
)
from programs.enums import CertificateStatus
from programs.models import CourseCertificateConfiguration, CourseGrade
from programs.selectors.certificates import ListedCertificate


class CertificateQuery(WireQuery):
    username = AnyText(required=False, help_text="Of this learner, in any case of its letters.")
    program_uuid = AnyText(
        required=False, help_text="Of this program and of its runs; nothing where it is no uuid."
    )
    status = serializers.ChoiceField(CertificateStatus.choices, required=False, allow_blank=True)
    type = AnyText(
        required=False, help_text="`program` or `course-run`; anything else is no condition."
    )
    only_visible = Truth(required=False, help_text="`True`: only what learners see now.")

    @classmethod
    def of(cls, query: QueryDict) -> dict[str, Any]:
        """The valid conditions; an empty one is none. Raises `ValidationError`."""
        given = query.copy()
        for name in ("username", "status", "type"):
            if name in given and not given[name]:
                del given[name]
        return super().of(given)


class AttributeSerializer(serializers.Serializer[Any]):
    """What the LMS keeps with a certificate."""

    name = serializers.CharField(max_length=255)
    value = serializers.CharField(max_length=255)


class DateOverrideSerializer(serializers.Serializer[Any]):
    """The date that is shown instead of the certificate's own."""

    date = serializers.DateTimeField()


class CertificateSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    credential = CredentialField()
    status = serializers.ChoiceField(CertificateStatus.choices)
    uuid = serializers.UUIDField()
    attributes = AttributeSerializer(many=True)
    date_override = serializers.SerializerMethodField(
        help_text="The date that is shown instead of the certificate's own."
    )
    created = serializers.DateTimeField()
    modified = serializers.DateTimeField()
    certificate_url = serializers.SerializerMethodField(
        help_text="Leads its learner, and staff, to the record of the program."
    )

    @extend_schema_field(DateOverrideSerializer(allow_null=True))
    def get_date_override(self, certificate: ListedCertificate) -> Any:
        shown = certificate.date_override
        return DateOverrideSerializer({"date": shown}).data if shown else None

    @extend_schema_field(OpenApiTypes.URI)
    def get_certificate_url(self, certificate: ListedCertificate) -> str:
        path = reverse("certificate", args=[certificate.uuid.hex])
        return f"{settings.PORTAL_BASE_URL}{path}"


class ToldCertificateSerializer(serializers.Serializer[Any]):
    username = UsernameField()
    credential = NamedCredentialField()
    status = serializers.ChoiceField(CertificateStatus.choices, default=CertificateStatus.AWARDED)
    attributes = AttributeSerializer(
        many=True, required=False, help_text="Those of other names stay."
    )
    date_override = DateOverrideSerializer(
        required=False,
        allow_null=True,
        help_text="Of certificates of runs only. Null removes it; left out, it stays.",
    )
    lms_user_id = LmsUserIdField(
        required=False,
        allow_null=True,
        help_text="Kept where the learner's account has none, and no other account has it.",
    )

    def validate_attributes(self, attributes: Any) -> Any:
        names = [attribute["name"] for attribute in attributes]
        if len(names) != len(set(names)):
            raise serializers.ValidationError("Attribute names cannot be duplicated.")
        return attributes

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if isinstance(attrs["credential"], NamedProgram) and attrs.get("date_override"):
            raise serializers.ValidationError(
                {"date_override": ["Only certificates of course runs have one."]}
            )
        return attrs


class StatusSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(CertificateStatus.choices, required=False)


class GradeSerializer(serializers.ModelSerializer[CourseGrade]):
    username = serializers.CharField(source="user.username")
    course_run = serializers.CharField(source="course_run.key")

    class Meta:
        model = CourseGrade
        fields = (
            *("id", "username", "course_run", "letter_grade", "percent_grade", "verified"),
            *("lms_last_updated_at", "created", "modified"),
        )


class ToldGradeSerializer(serializers.Serializer[Any]):
    username = UsernameField()
    course_run = serializers.CharField(max_length=LONGEST_KEY, help_text="The key of the run.")
    letter_grade = serializers.CharField(
        max_length=255, allow_blank=True, allow_null=True, default=""
    )
    percent_grade = serializers.DecimalField(
        max_digits=5, decimal_places=4, min_value=0, max_value=1, help_text="A fraction."
    )
    verified = serializers.BooleanField(default=True)
    lms_last_updated_at = serializers.DateTimeField(
        default=None,
        allow_null=True,
        help_text="A grade that is older than the stored one, or says not how old it is, changes"
        " nothing.",
    )

    def validate_letter_grade(self, letter_grade: str | None) -> str:
        return letter_grade or ""


class CourseConfigurationSerializer(serializers.ModelSerializer[CourseCertificateConfiguration]):
    site = serializers.SerializerMethodField(help_text="Always the same.")
    course_id = serializers.CharField(source="course_run.key")
    course_run = serializers.CharField(source="course_run.key")

    class Meta:
        model = CourseCertificateConfiguration
        fields = (
            *("id", "site", "course_id", "course_run", "certificate_type"),
            *("certificate_available_date", "is_active"),
        )

    def get_site(self, _configuration: CourseCertificateConfiguration) -> int:
        return int(settings.SITE_ID)


class ToldCourseConfigurationSerializer(serializers.Serializer[Any]):
    course_id = serializers.CharField(max_length=LONGEST_KEY, help_text="The key of the run.")
    certificate_type = serializers.RegexField(MODE, help_text="A mode, such as `verified`.")
    certificate_available_date = serializers.DateTimeField(
        required=False, allow_null=True, help_text="From when learners see the certificates."
    )
    is_active = serializers.BooleanField(required=False)


PAIRS = {
    "type": "array",
    "items": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": {"type": "string"},
    },
}


@extend_schema_field(PAIRS)
class PairsField(serializers.Field[Any, Any, Any, Any]):
    """Old usernames with the new ones, one in each object."""


class UsernamesSerializer(serializers.Serializer[Any]):
    username_mappings = PairsField()


class ReplacementsSerializer(serializers.Serializer[Any]):
    successful_replacements = PairsField(help_text="Also of those whom nobody here is called.")
    failed_replacements = PairsField(help_text="The new one is another's, or is no username.")

"""Letters as the API tells them. Keys are only ever added."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import SkipField

from credentials_portal.api.strict import (
    ReasonField,
    StrictBoolean,
    StrictInteger,
    StrictSerializer,
)
from letters import selectors
from letters.api.permissions import REVOKE, VIEW
from letters.enums import (
    IssuedVia,
    LetterAction,
    LetterState,
    Verdict,
    describe_check,
    describe_reason,
)
from letters.models import LetterEvent, ProgramLetter
from letters.selectors import Judgement

CHECK_STATUSES = ("pass", "fail", "waived", "unknown")


class Guarded(serializers.Serializer[Any]):
    """Leaves out the fields for which the caller lacks the permission that `guarded` names."""

    guarded: ClassVar[Mapping[str, str]] = {}

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told = super().to_representation(instance)
        user = self.context["request"].user
        return {
            name: value
            for name, value in told.items()
            if name not in self.guarded or user.has_perm(self.guarded[name])
        }


class LetterPageUrl(serializers.URLField):
    """The page of a letter, left out where the public would not get it."""

    def get_attribute(self, instance: ProgramLetter) -> str:
        if not instance.is_shown:  # type: ignore[attr-defined]  # annotated
            raise SkipField
        path = reverse("program_letter", args=[instance.uuid])
        return f"{settings.PORTAL_BASE_URL}{path}"


class ProgramOfLetterSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    title = serializers.CharField()


class LetterSerializer(Guarded):
    """A letter. Keys that the caller may not see, or that mean nothing now, are left out."""

    guarded = {"username": VIEW, "state_note": REVOKE, "revocation_reason": REVOKE}

    uuid = serializers.UUIDField(help_text="For ever the same.")
    version = serializers.IntegerField(help_text="Grows by 1 with every change.")
    program = ProgramOfLetterSerializer()
    username = serializers.CharField(
        required=False, source="user.username", help_text=f"For those with {VIEW}."
    )
    recipient_name = serializers.CharField(help_text="The name on the letter; empty once erased.")
    state = serializers.ChoiceField(LetterState.choices)
    state_reason = serializers.CharField(help_text="A code; empty for an active letter.")
    state_reason_in_words = serializers.SerializerMethodField()
    state_note = serializers.CharField(
        required=False, help_text=f"What staff wrote; for those with {REVOKE}."
    )
    state_changed_at = serializers.DateTimeField()
    issued_at = serializers.DateTimeField(
        allow_null=True, help_text="The date of the letter; null until it has one."
    )
    issued_via = serializers.ChoiceField(IssuedVia.choices)
    revoked_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last revoked; stays after it was reinstated."
    )
    revocation_reason = serializers.CharField(
        required=False, help_text=f"What staff wrote; for those with {REVOKE}."
    )
    reinstated_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField(
        source="modified", help_text="The last change of any kind."
    )
    program_letter_url = LetterPageUrl(
        required=False, help_text="The letter's page; only while the public can open it."
    )
    verification_url = serializers.SerializerMethodField()

    def get_state_reason_in_words(self, letter: ProgramLetter) -> str:
        return describe_reason(letter.state_reason)

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_verification_url(self, letter: ProgramLetter) -> str:
        return selectors.verification_url(letter.uuid)


class EvidenceSerializer(serializers.Serializer[Any]):
    """A run that met a check."""

    course = serializers.CharField()
    run = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a key, no attribute
    earned_at = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_earned_at(self, evidence: Mapping[str, Any]) -> Any:
        earned_at = parse_datetime(evidence["earned_at"] or "")
        return earned_at and serializers.DateTimeField().to_representation(earned_at)


class CheckSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    status = serializers.ChoiceField(CHECK_STATUSES)
    failure_in_words = serializers.SerializerMethodField()
    evidence = EvidenceSerializer(many=True)

    def get_failure_in_words(self, check: selectors.Check) -> str:
        return "" if check.status == "pass" else describe_check(check.code)


class JudgementSerializer(serializers.Serializer[Any]):
    """What the checks say now, whatever the letter's state."""

    verdict = serializers.ChoiceField(Verdict.choices)
    checks = CheckSerializer(many=True)

    def get_attribute(self, _letter: ProgramLetter) -> Judgement:
        judgement: Judgement = self.context["judgement"]
        return judgement


class LetterEventSerializer(Guarded):
    """One change of a letter: one for each version."""

    guarded = {"note": REVOKE}

    letter_version = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.ChoiceField(LetterAction.choices)
    from_state = serializers.ChoiceField(
        LetterState.choices, allow_blank=True, help_text="Empty for the first event."
    )
    to_state = serializers.ChoiceField(LetterState.choices)
    reason = serializers.CharField(help_text="A code.")
    failed_checks = serializers.ListField(child=serializers.CharField())
    automatic = serializers.BooleanField(help_text="Whether the portal decided by itself.")
    actor = serializers.SerializerMethodField()
    cause = serializers.CharField(help_text="Through what: a command, the admin, the API.")
    run = serializers.SerializerMethodField()
    note = serializers.CharField(
        required=False, help_text=f"What staff wrote; for those with {REVOKE}."
    )

    def get_actor(self, event: LetterEvent) -> str | None:
        """The username; null for the system."""
        return event.actor.username if event.actor else None

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_run(self, event: LetterEvent) -> str | None:
        return str(event.run.uuid) if event.run else None


class LetterDetailSerializer(LetterSerializer):
    """A letter, what its checks say now, and all that happened to it."""

    guarded = {**LetterSerializer.guarded, "judgement": VIEW, "events": VIEW}

    judgement = JudgementSerializer(required=False, help_text=f"For those with {VIEW}.")
    events = LetterEventSerializer(
        many=True, required=False, help_text=f"All that happened to it; for those with {VIEW}."
    )


class DecisionSerializer(StrictSerializer):
    """Why, and about which version of the letter."""

    reason = ReasonField(help_text="Kept with the letter and told to no stranger; name no person.")
    version = StrictInteger(
        required=False,
        min_value=1,
        max_value=2_147_483_647,
        help_text="The version that you saw: if the letter changed since, nothing is done.",
    )


class RevocationSerializer(DecisionSerializer):
    """Why, about which version of the letter, and whether its holder is told."""

    notify = StrictBoolean(
        default=False,
        help_text="Tell the holder by mail, who is never told the reason; only one who could"
        " ever see the letter.",
    )


class DecidedSerializer(serializers.Serializer[Any]):
    changed = serializers.BooleanField(help_text="False where it was so already.")
    letter = LetterSerializer()


# `selectors.Verification.as_json`, for the schema.
class VerificationSerializer(serializers.Serializer[Any]):
    """What a stranger may know."""

    status = serializers.ChoiceField(("valid", "temporarily_not_valid", "withdrawn"))
    letter = serializers.UUIDField()
    name = serializers.CharField(required=False, help_text="Of a valid one.")
    program = serializers.CharField(required=False, help_text="Of a valid one.")
    issued_at = serializers.DateTimeField(required=False, help_text="Of a valid one.")
    withdrawn_at = serializers.DateTimeField(required=False, help_text="Of a withdrawn one.")


class NotVerifiedSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(("not_found",))

"""Entitlements as the old service's clients know them. Keys are only ever added.

What is told holds now: an entitlement that a rule has ended is told as expired, marked or not.
"""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.fields import SkipField

from credentials_portal.accounts.models import User
from credentials_portal.api.strict import StrictBoolean, StrictSerializer
from credentials_portal.api.wire import AnyText
from entitlements.api.fields import Moment, Text, WrittenUuid
from entitlements.enums import EntitlementMode, EntitlementStatus, ExpiryReason, SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.selectors.judging import JudgedEntitlement
from entitlements.services.notes import SupportNote

LONGEST_KEY = 255


class SupportDetailSerializer(serializers.ModelSerializer[CourseEntitlementSupportDetail]):
    support_user = serializers.CharField(
        source="support_user.username", default=None, allow_null=True
    )
    unenrolled_run = serializers.CharField(
        source="unenrolled_run.key",
        default=None,
        allow_null=True,
        help_text="The run that the learner left for it.",
    )

    class Meta:
        model = CourseEntitlementSupportDetail
        fields = ("support_user", "action", "comments", "unenrolled_run", "created")


class RunKey(serializers.CharField):
    """The key of the run in use; left out where there is none."""

    def get_attribute(self, instance: JudgedEntitlement) -> str:
        if instance.usage is None:
            raise SkipField
        return instance.usage.run_key


class EntitlementSerializer(serializers.Serializer[Any]):
    """An entitlement with what holds of it now."""

    user = serializers.CharField(source="entitlement.user.username")
    uuid = serializers.UUIDField(source="entitlement.uuid")
    course_uuid = serializers.UUIDField(source="entitlement.course_uuid")
    enrollment_course_run = RunKey(
        required=False, help_text="The run that it is used for; left out where it is not used."
    )
    expired_at = serializers.DateTimeField(source="decision.expired_at", allow_null=True)
    created = serializers.DateTimeField(source="entitlement.created")
    modified = serializers.DateTimeField(source="entitlement.modified")
    mode = serializers.ChoiceField(EntitlementMode.choices, source="entitlement.mode")
    refund_locked = serializers.BooleanField(source="entitlement.refund_locked")
    order_number = serializers.CharField(source="entitlement.order_number", allow_null=True)
    support_details = SupportDetailSerializer(
        source="entitlement.support_details.all", many=True, help_text="The newest first."
    )
    expires_at = serializers.DateTimeField(
        source="decision.expires_at", help_text="When it ends if nothing happens, or ended."
    )
    status = serializers.ChoiceField(EntitlementStatus.choices, source="decision.status")
    regain_until = serializers.DateTimeField(
        source="decision.regain_until",
        allow_null=True,
        help_text="The session can be changed before this; null where it is not used.",
    )
    refundable_until = serializers.DateTimeField(
        source="decision.refundable_until",
        allow_null=True,
        help_text="Refundable before this; null where it never was.",
    )
    expired_reason = serializers.SerializerMethodField(help_text="Why it ended.")

    def get_expired_reason(self, judged: JudgedEntitlement) -> ExpiryReason | None:
        reason = judged.decision.expired_reason
        return ExpiryReason(reason) if reason else None


class SupportNoteSerializer(StrictSerializer):
    """What staff do, and why; `unenrolled_run` is the run that the learner leaves for it."""

    action = serializers.ChoiceField(SupportAction.choices)
    comments = Text(max_length=10_000)
    unenrolled_run = Text(required=False, allow_null=True, allow_blank=True, max_length=LONGEST_KEY)

    def to_internal_value(self, data: Any) -> SupportNote:
        given = super().to_internal_value(data)
        return SupportNote(
            action=SupportAction(given["action"]),
            comments=given["comments"],
            unenrolled_run=given.get("unenrolled_run") or None,
        )


class CreateSerializer(serializers.Serializer[Any]):
    user = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.filter(retired_at=None)
    )
    course_uuid = WrittenUuid()
    mode = serializers.ChoiceField(EntitlementMode.choices)
    order_number = Text(required=False, allow_null=True, max_length=128)
    expired_at = Moment(required=False, allow_null=True)
    refund_locked = StrictBoolean(default=False)
    email_opt_in = StrictBoolean(default=False, help_text="Accepted, and not kept.")
    support_details = SupportNoteSerializer(many=True, default=list)


class ChangeSerializer(serializers.Serializer[Any]):
    """What can be changed; what cannot may be sent along as it is."""

    FIXED: ClassVar = ("user", "course_uuid", "mode", "order_number")

    expired_at = Moment(required=False, allow_null=True)
    refund_locked = StrictBoolean(required=False)
    support_details = SupportNoteSerializer(many=True, default=list)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        entitlement: CourseEntitlement = self.context["entitlement"]
        fixed = {
            "user": entitlement.user.username,
            "course_uuid": str(entitlement.course_uuid),
            "mode": entitlement.mode,
            "order_number": entitlement.order_number,
        }
        changed = [
            name for name in fixed if self.initial_data.get(name, fixed[name]) != fixed[name]
        ]
        if changed:
            raise serializers.ValidationError(
                {name: ["This field cannot be changed."] for name in changed}
            )
        return attrs


class EnrollSerializer(serializers.Serializer[Any]):
    course_run_id = AnyText(help_text="The key of a run of the course.")


class RunOfLearnerSerializer(serializers.Serializer[Any]):
    """A learner in a run."""

    user = Text(max_length=150, help_text="The username.")
    course_run_id = Text(max_length=LONGEST_KEY, help_text="The key of the run.")


class UnenrollmentSerializer(RunOfLearnerSerializer):
    skip_refund = StrictBoolean(
        default=True, help_text="`false` asks for a refund where it is refundable."
    )

"""Requests and configurations as the old service's clients know them.

Keys, their order and their types are frozen. What the portal stores as empty is null here, and
states have the old service's names (`WIRE_STATES`).
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from credentials_portal.api.strict import StrictBoolean
from credentials_portal.api.wire import Nullable, WireError
from subsidy_requests.api import texts
from subsidy_requests.enums import WIRE_STATES, DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import MAX_REASON, SubsidyRequest

MOST_REQUESTS = 500
LONGEST_COURSE_ID = 128
LONGEST_DECLINE_REASON = 255
PENDING = WIRE_STATES[RequestState.APPROVED]
STATES = sorted(WIRE_STATES.values())


class PartnerSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    name = serializers.CharField()


@extend_schema_field(PartnerSerializer(many=True, allow_null=True))
class Partners(serializers.Field[Any, Any, Any, Any]):
    """Who offers the course; null where nobody knows."""

    def to_representation(self, value: Any) -> Any:
        return [{"uuid": one.get("uuid"), "name": one.get("name")} for one in value] or None


class RequestSerializer(serializers.Serializer[Any]):
    """What requests for a license and for a code have in common."""

    uuid = serializers.UUIDField()
    lms_user_id = serializers.IntegerField(source="user.lms_user_id", allow_null=True)
    email = serializers.CharField(source="user.email")
    course_id = Nullable()
    course_title = Nullable()
    course_partners = Partners()
    enterprise_customer_uuid = serializers.UUIDField(source="customer.uuid")
    state = serializers.ChoiceField(
        STATES,
        source="wire_state",
        help_text="`pending`: approved, to be granted; `approved`: granted.",
    )
    reviewed_at = serializers.DateTimeField(allow_null=True)
    reviewer_lms_user_id = serializers.IntegerField(source="reviewer.lms_user_id", allow_null=True)
    decline_reason = serializers.SerializerMethodField()
    created = serializers.DateTimeField()
    modified = serializers.DateTimeField()

    def get_decline_reason(self, request: SubsidyRequest) -> str | None:
        is_by_itself = request.decision_source == DecisionSource.TYPE_CHANGE
        return texts.TYPE_CHANGED if is_by_itself else request.decline_reason or None


class LicenseRequestSerializer(RequestSerializer):
    subscription_plan_uuid = serializers.UUIDField(source="subscription_plan.uuid", allow_null=True)
    license_uuid = serializers.UUIDField(source="license.uuid", allow_null=True)


class CouponCodeRequestSerializer(RequestSerializer):
    coupon_id = serializers.IntegerField(allow_null=True)
    coupon_code = serializers.CharField(source="coupon_code.code", allow_null=True)


class ApprovedLicenseRequestSerializer(LicenseRequestSerializer):
    """A request as the old service told of it when it was approved: before the grant."""

    def to_representation(self, instance: Any) -> Any:
        ungranted = {"state": PENDING, "subscription_plan_uuid": None, "license_uuid": None}
        return {**super().to_representation(instance), **ungranted}


class ApprovedCouponCodeRequestSerializer(CouponCodeRequestSerializer):
    """A request as the old service told of it when it was approved: before the grant."""

    def to_representation(self, instance: Any) -> Any:
        ungranted = {"state": PENDING, "coupon_id": None, "coupon_code": None}
        return {**super().to_representation(instance), **ungranted}


class StateCountSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(STATES)
    count = serializers.IntegerField()


class AskSerializer(serializers.Serializer[Any]):
    enterprise_customer_uuid = serializers.UUIDField()
    course_id = serializers.CharField(
        max_length=LONGEST_COURSE_ID,
        allow_blank=True,
        allow_null=True,
        default="",
        help_text="The key of the course, not of a run.",
    )
    reason = serializers.CharField(
        max_length=MAX_REASON, allow_blank=True, default="", help_text="Why, for who decides."
    )

    def validate_course_id(self, course_id: str | None) -> str:
        return course_id or ""


class AskForCodeSerializer(AskSerializer):
    course_id = serializers.CharField(
        max_length=LONGEST_COURSE_ID, help_text="The key of the course, not of a run."
    )


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "format": "uuid"},
        "minItems": 1,
        "maxItems": MOST_REQUESTS,
    }
)
class RequestUuids(serializers.Field[list[UUID], Any, Any, Any]):
    """Which requests; what is wrong with them is told as a text alone."""

    def run_validation(self, data: Any = empty) -> list[UUID]:
        if data is empty or not data:
            raise _refused(texts.NO_REQUESTS)
        written = data if isinstance(data, list) else [data]
        if len(written) > MOST_REQUESTS:
            raise _refused(texts.TOO_MANY_REQUESTS.format(MOST_REQUESTS))
        return [_uuid(one, texts.REQUEST_NOT_UUID) for one in written]


@extend_schema_field({"type": "string", "format": "uuid"})
class PlanUuid(serializers.Field[UUID, Any, Any, Any]):
    """Which plan; what is wrong with it is told as a text alone."""

    def run_validation(self, data: Any = empty) -> UUID:
        if data is empty or not data:
            raise _refused(texts.NO_PLAN)
        return _uuid(data, texts.PLAN_NOT_UUID)


@extend_schema_field(
    {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[1-9]\d{0,8}$"}]}
)
class CouponId(serializers.IntegerField):
    """A number, or the text of one, as a form sends it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=2**63 - 1, **kwargs)


class DecisionSerializer(serializers.Serializer[Any]):
    subsidy_request_uuids = RequestUuids()
    enterprise_customer_uuid = serializers.UUIDField()
    send_notification = StrictBoolean(default=False, help_text="Whether learners get a mail.")


class ApproveLicenseRequestsSerializer(DecisionSerializer):
    subscription_plan_uuid = PlanUuid(help_text="The plan that gives all of them a license.")


class ApproveCouponCodeRequestsSerializer(DecisionSerializer):
    coupon_id = CouponId(help_text="The coupon that gives all of them a code.")


class DeclineSerializer(DecisionSerializer):
    unlink_users_from_enterprise = StrictBoolean(
        default=False, help_text="Whether learners without a license leave the customer, for good."
    )
    decline_reason = serializers.CharField(
        max_length=LONGEST_DECLINE_REASON,
        allow_blank=True,
        default="",
        help_text="Why; learners see it.",
    )


class WantedSubsidyType(serializers.ChoiceField):
    """What a customer's learners may ask for, or null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SubsidyType.values, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(texts.readable(data) if isinstance(data, str) else data)


class ConfigurationSerializer(serializers.Serializer[Any]):
    enterprise_customer_uuid = serializers.UUIDField(source="customer.uuid")
    subsidy_requests_enabled = serializers.BooleanField()
    subsidy_type = serializers.ChoiceField(SubsidyType.values, allow_null=True)
    changed_by_lms_user_id = serializers.IntegerField(
        source="changed_by.lms_user_id", allow_null=True
    )


class ChangeConfigurationSerializer(serializers.Serializer[Any]):
    subsidy_requests_enabled = StrictBoolean(required=False)
    subsidy_type = WantedSubsidyType(
        required=False,
        help_text="Another one declines all requests for the old one that are not granted.",
    )
    send_notification = StrictBoolean(
        default=False, help_text="Whether learners whose requests this declines get a mail."
    )


class CreateConfigurationSerializer(serializers.Serializer[Any]):
    enterprise_customer_uuid = serializers.UUIDField()
    subsidy_requests_enabled = StrictBoolean(default=False)
    subsidy_type = WantedSubsidyType(default=None)


def _uuid(written: Any, otherwise: str) -> UUID:
    try:
        return UUID(str(written))
    except ValueError as error:
        raise _refused(otherwise.format(texts.readable(written))) from error


def _refused(text: str) -> WireError:
    return WireError(text, HTTPStatus.BAD_REQUEST)

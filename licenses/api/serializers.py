"""Customers' agreements, plans and licenses as the old service's clients know them.

Keys, their order and their types are frozen. What the portal stores as empty text is null here.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.accounts.models import normalise_email
from credentials_portal.api.strict import StrictBoolean, StrictInteger
from credentials_portal.api.wire import NO_NUL, AnyText, Nullable, is_storable
from licenses.enums import LicenseStatus
from licenses.markup import clean_markup
from licenses.models import License
from licenses.selectors.seats import activation_link
from licenses.selectors.standing import AgreementStanding, PlanStanding

LONGEST_ADDRESS = 254
SALESFORCE_ID_LENGTH = 18
ADDRESS = {"type": "string", "format": "email", "maxLength": LONGEST_ADDRESS}
FILTERS = ("user_email", "status_in")


class SafeHtml(Nullable):
    def to_representation(self, value: Any) -> Any:
        return clean_markup(str(value)) or None


class RenewalSerializer(serializers.Serializer[Any]):
    """A renewal that led to a plan."""

    prior_subscription_plan_id = serializers.UUIDField(source="prior_subscription_plan.uuid")
    prior_subscription_plan_start_date = serializers.DateTimeField(
        source="prior_subscription_plan.start_date"
    )
    renewed_subscription_plan_id = serializers.UUIDField(source="renewed_subscription_plan.uuid")
    renewed_subscription_plan_start_date = serializers.DateTimeField(
        source="renewed_subscription_plan.start_date"
    )


class MinimalPlanSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(source="plan.title")
    uuid = serializers.UUIDField(source="plan.uuid")
    start_date = serializers.DateTimeField(source="plan.start_date")
    expiration_date = serializers.DateTimeField(
        source="plan.expiration_date", help_text="The first instant that is not covered."
    )
    enterprise_customer_uuid = serializers.UUIDField(source="plan.customer_agreement.customer.uuid")
    enterprise_catalog_uuid = serializers.UUIDField(
        source="plan.enterprise_catalog_uuid", allow_null=True
    )
    is_active = serializers.BooleanField(source="plan.is_active")
    is_current = serializers.BooleanField()
    is_revocation_cap_enabled = serializers.BooleanField(source="plan.is_revocation_cap_enabled")
    days_until_expiration = serializers.IntegerField(
        help_text="Whole days, rounded down; below zero once it ended."
    )
    days_until_expiration_including_renewals = serializers.IntegerField()
    is_locked_for_renewal_processing = serializers.BooleanField(
        source="is_locked_for_renewal", help_text="Its renewal takes effect within 12 hours."
    )
    should_auto_apply_licenses = serializers.BooleanField(
        source="plan.should_auto_apply_licenses", allow_null=True
    )
    created = serializers.DateTimeField(source="plan.created")
    plan_type = serializers.SerializerMethodField()
    salesforce_opportunity_line_item = Nullable(source="plan.salesforce_opportunity_line_item")

    def get_plan_type(self, standing: PlanStanding) -> str | None:
        product = standing.plan.product
        return product.plan_type.label if product else None


class SeatCountsSerializer(serializers.Serializer[Any]):
    activated = serializers.IntegerField()
    assigned = serializers.IntegerField()
    unassigned = serializers.IntegerField()
    revoked = serializers.IntegerField()
    total = serializers.IntegerField(help_text="Without the revoked ones.")
    allocated = serializers.IntegerField(help_text="Assigned or activated.")


class RevocationsSerializer(serializers.Serializer[Any]):
    applied = serializers.IntegerField()
    remaining = serializers.IntegerField(
        help_text="Below zero where the cap was lowered since they were applied."
    )


class PlanSerializer(MinimalPlanSerializer):
    licenses = SeatCountsSerializer(source="seats")
    revocations = serializers.SerializerMethodField()
    prior_renewals = RenewalSerializer(many=True)

    @extend_schema_field(RevocationsSerializer(allow_null=True))
    def get_revocations(self, standing: PlanStanding) -> dict[str, int] | None:
        remaining = standing.revocations_left
        if remaining is None:
            return None
        return {"applied": standing.plan.num_revocations_applied, "remaining": remaining}


class MinimalAgreementSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField(source="agreement.uuid")
    enterprise_customer_uuid = serializers.UUIDField(source="customer.uuid")
    enterprise_customer_slug = serializers.CharField(source="customer.slug")
    default_enterprise_catalog_uuid = serializers.UUIDField(
        source="agreement.default_enterprise_catalog_uuid", allow_null=True
    )
    disable_expiration_notifications = serializers.BooleanField(
        source="agreement.disable_expiration_notifications"
    )
    net_days_until_expiration = serializers.IntegerField(
        help_text="Until the last of its plans ended, renewals included; not below zero."
    )
    subscription_for_auto_applied_licenses = serializers.UUIDField(
        source="auto_applied_plan_uuid", allow_null=True
    )
    available_subscription_catalogs = serializers.ListField(
        source="available_catalogs", child=serializers.UUIDField()
    )
    enable_auto_applied_subscriptions_with_universal_link = serializers.BooleanField(
        source="agreement.enable_auto_applied_subscriptions_with_universal_link"
    )
    has_custom_license_expiration_messaging_v2 = serializers.BooleanField(
        source="agreement.has_custom_license_expiration_messaging"
    )
    modal_header_text_v2 = Nullable(source="agreement.modal_header_text")
    expired_subscription_modal_messaging_v2 = SafeHtml(
        source="agreement.expired_subscription_modal_messaging"
    )
    button_label_in_modal_v2 = Nullable(source="agreement.button_label_in_modal")
    url_for_button_in_modal_v2 = Nullable(source="agreement.url_for_button_in_modal")


class AgreementSerializer(MinimalAgreementSerializer):
    subscriptions = serializers.SerializerMethodField()

    @extend_schema_field(PlanSerializer(many=True))
    def get_subscriptions(self, standing: AgreementStanding) -> Any:
        active_only = self.context["active_plans_only"]
        plans = [one for one in standing.plans if one.plan.is_active or not active_only]
        return PlanSerializer(plans, many=True).data


class LicenseSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    status = serializers.ChoiceField(LicenseStatus.choices)
    user_email = Nullable()
    activation_date = serializers.DateTimeField(allow_null=True)
    last_remind_date = serializers.DateTimeField(allow_null=True)
    subscription_plan_uuid = serializers.UUIDField(source="subscription_plan.uuid")
    revoked_date = serializers.DateTimeField(allow_null=True)
    activation_key = serializers.UUIDField(allow_null=True)


class LearnerLicenseSerializer(LicenseSerializer):
    """A license with its plan and agreement, whose standing the context holds."""

    customer_agreement = serializers.SerializerMethodField()
    subscription_plan = serializers.SerializerMethodField()

    @extend_schema_field(MinimalAgreementSerializer)
    def get_customer_agreement(self, license: License) -> Any:
        return MinimalAgreementSerializer(self.context["standing"]).data

    @extend_schema_field(MinimalPlanSerializer)
    def get_subscription_plan(self, license: License) -> Any:
        standing: AgreementStanding = self.context["standing"]
        plans = {one.plan.pk: one for one in standing.plans}
        return MinimalPlanSerializer(plans[license.subscription_plan_id]).data


class StaffLicenseSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(LicenseStatus.choices)
    assigned_date = serializers.DateTimeField(allow_null=True)
    activation_date = serializers.DateTimeField(allow_null=True)
    revoked_date = serializers.DateTimeField(allow_null=True)
    last_remind_date = serializers.DateTimeField(allow_null=True)
    subscription_plan_title = serializers.CharField(source="subscription_plan.title")
    subscription_plan_expiration_date = serializers.DateTimeField(
        source="subscription_plan.expiration_date"
    )
    activation_link = serializers.SerializerMethodField()

    def get_activation_link(self, license: License) -> str | None:
        return activation_link(license.activation_key) or None


class StatusCountSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(LicenseStatus.choices)
    count = serializers.IntegerField()


@extend_schema_field(ADDRESS)
class Address(serializers.EmailField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_ADDRESS, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        # Some letters are longer in lower case, in which addresses are kept.
        if len(normalise_email(data)) > LONGEST_ADDRESS:
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field({"type": "array", "items": ADDRESS, "minItems": 1})
class Addresses(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Address(), allow_empty=False, **kwargs)


class WordsSerializer(serializers.Serializer[Any]):
    """An administrator's own words in a mail to learners."""

    greeting = AnyText(default="", help_text="How the mail begins.")
    closing = AnyText(default="", help_text="How the mail ends.")


class AssignSerializer(WordsSerializer):
    user_emails = Addresses()
    notify_users = StrictBoolean(default=True, help_text="Whether the learners get a mail.")
    user_sfids = serializers.ListField(
        child=serializers.CharField(
            allow_blank=True, allow_null=True, min_length=SALESFORCE_ID_LENGTH
        ),
        allow_empty=False,
        required=False,
        error_messages={"empty": "No Salesforce Ids provided."},
        help_text="One for each address. Checked, and not kept.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "user_sfids" in attrs and len(attrs["user_sfids"]) != len(attrs["user_emails"]):
            raise serializers.ValidationError(
                "Number of Salesforce IDs did not match number of provided user emails."
            )
        return attrs


@extend_schema_field(
    {
        "type": "object",
        "required": ["name", "filter_value"],
        "oneOf": [
            {
                "properties": {
                    "name": {"enum": ["user_email"]},
                    "filter_value": {"type": "string", "pattern": NO_NUL},
                }
            },
            {
                "properties": {
                    "name": {"enum": ["status_in"]},
                    "filter_value": {
                        "type": "array",
                        "items": {"type": "string", "pattern": NO_NUL},
                    },
                }
            },
        ],
    }
)
class FilterField(serializers.DictField):
    """`{"name", "filter_value"}`."""


class ChoiceOfLicensesSerializer(serializers.Serializer[Any]):
    """The learners, by their addresses or by filters, and not by both."""

    user_emails = Addresses(required=False)
    filters = serializers.ListField(
        child=FilterField(),
        allow_empty=False,
        required=False,
        help_text="Licenses that fulfil all of them: `user_email` is a part of the address,"
        " `status_in` a list of statuses.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for each in attrs.get("filters", ()):
            _require_filter(each.get("name"), each.get("filter_value"))
        if not ("user_emails" in attrs or "filters" in attrs):
            raise serializers.ValidationError("Either user_emails or filters must be provided.")
        if "user_emails" in attrs and "filters" in attrs:
            raise serializers.ValidationError(
                "Either user_emails or filters must be provided, but not both."
            )
        return attrs


class RemindSerializer(ChoiceOfLicensesSerializer, WordsSerializer):
    pass


class LookUpSerializer(serializers.Serializer[Any]):
    user_email = Address()


class RetireSerializer(serializers.Serializer[Any]):
    lms_user_id = StrictInteger(min_value=1, max_value=2**63 - 1)
    original_username = serializers.CharField(max_length=150, trim_whitespace=False)


class AssignedSerializer(serializers.Serializer[Any]):
    user_email = serializers.CharField(help_text="As the caller wrote it.")
    license = serializers.UUIDField()


class AssignmentSerializer(serializers.Serializer[Any]):
    num_successful_assignments = serializers.IntegerField()
    num_already_associated = serializers.IntegerField()
    license_assignments = AssignedSerializer(many=True)


class RevokedSerializer(serializers.Serializer[Any]):
    license_uuid = serializers.UUIDField()
    original_status = serializers.ChoiceField(LicenseStatus.choices)
    user_email = serializers.CharField(help_text="As the caller wrote it.")


class NotRevokedSerializer(serializers.Serializer[Any]):
    error = serializers.CharField()
    error_response_status = serializers.IntegerField()
    user_email = serializers.CharField(help_text="As the caller wrote it.")


class RevocationResultsSerializer(serializers.Serializer[Any]):
    successful_revocations = RevokedSerializer(many=True)
    unsuccessful_revocations = NotRevokedSerializer(many=True)


def _require_filter(name: Any, value: Any) -> None:
    if name not in FILTERS:
        raise _malformed(f"supported filters are {list(FILTERS)}.")
    if name == "user_email" and not _is_text(value):
        raise _malformed("user_email must be a string.")
    if name == "status_in" and not (isinstance(value, list) and all(map(_is_text, value))):
        raise _malformed("status_in must be a list of strings.")


def _malformed(why: str) -> serializers.ValidationError:
    return serializers.ValidationError(f"Malformed filters, {why}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_storable(value)

"""What the frozen lists are asked for in their URLs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, F, QuerySet, Value, When
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credentials_portal.accounts.models import normalise_email
from credentials_portal.api.strict import WrittenInteger
from credentials_portal.api.wire import AnyText, Truth, WireQuery
from subsidy_requests.enums import WIRE_STATES, SubsidyType

MOST = 999_999_999
INTERNAL_STATES = {wire: state for state, wire in WIRE_STATES.items()}
WIRE_STATE = Case(
    *(When(state=state, then=Value(wire)) for state, wire in WIRE_STATES.items()),
    output_field=CharField(),
)
COLUMNS: dict[str, Any] = {
    **{name: F(name) for name in ("uuid", "course_id", "course_title", "course_partners")},
    **{name: F(name) for name in ("reviewed_at", "decline_reason", "created", "modified")},
    "lms_user_id": F("user__lms_user_id"),
    "email": F("user__email"),
    "enterprise_customer_uuid": F("customer__uuid"),
    "state": WIRE_STATE,
    "reviewer_lms_user_id": F("reviewer__lms_user_id"),
}
LICENSE_COLUMNS = {
    **COLUMNS,
    "subscription_plan_uuid": F("subscription_plan__uuid"),
    "license_uuid": F("license__uuid"),
}
CODE_COLUMNS = {**COLUMNS, "coupon_id": F("coupon_id"), "coupon_code": F("coupon_code__code")}
CONFIGURATION_COLUMNS = {
    **{name: F(name) for name in ("subsidy_requests_enabled", "subsidy_type")},
    "enterprise_customer_uuid": F("customer__uuid"),
    "changed_by_lms_user_id": F("changed_by__lms_user_id"),
}
# Clients may also order by the names that the old service's database had.
OLD_NAMES = {
    "user__email": "email",
    "user__lms_user_id": "lms_user_id",
    "reviewer__lms_user_id": "reviewer_lms_user_id",
    "changed_by__lms_user_id": "changed_by_lms_user_id",
}


@extend_schema_field(
    {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "string", "maxLength": 0}]}
)
class WrittenUuid(serializers.Field[UUID | None, str, str, Any]):
    """A uuid, or nothing, which filters nothing."""

    def to_internal_value(self, data: str) -> UUID | None:
        try:
            return UUID(data) if data else None
        except ValueError as error:
            raise serializers.ValidationError("Enter a valid UUID.") from error


class PageSizeQuery(WireQuery):
    ordering = AnyText(
        required=False,
        help_text="By any key of the answer; with `-` backwards; several separated by commas."
        " Without it the newest come first.",
    )
    page_size = WrittenInteger(
        required=False,
        min_value=1,
        max_value=MOST,
        help_text="How many to a page: 100 by default, 500 at most.",
    )


class RequestQuery(PageSizeQuery):
    enterprise_customer_uuid = WrittenUuid(required=False, help_text="Of this customer.")
    uuid = WrittenUuid(required=False, help_text="This one.")
    user__email = AnyText(required=False, help_text="Of the learner with this address.")
    course_id = AnyText(required=False, help_text="For this course.")
    state = AnyText(required=False, help_text="In one of these states, separated by commas.")
    search = AnyText(
        required=False, help_text="Of learners whose address contains each of these words."
    )


class ConfigurationQuery(PageSizeQuery):
    enterprise_customer_uuid = WrittenUuid(required=False, help_text="Of this customer.")
    subsidy_requests_enabled = Truth(
        required=False, help_text="Whether learners of the customer may ask."
    )
    subsidy_type = AnyText(
        required=False, help_text=f"For what they ask: {', '.join(SubsidyType.values)}."
    )

    def validate_subsidy_type(self, subsidy_type: str) -> str:
        if subsidy_type and subsidy_type not in SubsidyType.values:
            raise serializers.ValidationError(
                f"Select a valid choice. {subsidy_type} is not one of the available choices."
            )
        return subsidy_type


def filter_requests(requests: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
    """The requests that fulfil all of a valid `RequestQuery`."""
    exact = {
        "customer__uuid": query.get("enterprise_customer_uuid"),
        "uuid": query.get("uuid"),
        "user__email": normalise_email(query.get("user__email", "")),
        "course_id": query.get("course_id"),
    }
    requests = requests.filter(**{name: value for name, value in exact.items() if value})
    asked = [state for state in query.get("state", "").split(",") if state]
    if asked:
        # A state that nobody knows is one in which no request is.
        states = [INTERNAL_STATES[state] for state in asked if state in INTERNAL_STATES]
        requests = requests.filter(state__in=states)
    for word in query.get("search", "").replace(",", " ").split():
        requests = requests.filter(user__email__icontains=word)
    return requests


def filter_configurations(configurations: QuerySet[Any], query: dict[str, Any]) -> QuerySet[Any]:
    """The configurations that fulfil all of a valid `ConfigurationQuery`."""
    exact = {
        "customer__uuid": query.get("enterprise_customer_uuid"),
        "subsidy_requests_enabled": query.get("subsidy_requests_enabled"),
        "subsidy_type": query.get("subsidy_type") or None,
    }
    return configurations.filter(
        **{name: value for name, value in exact.items() if value is not None}
    )


def in_order(
    rows: QuerySet[Any], query: dict[str, Any], columns: Mapping[str, Any]
) -> QuerySet[Any]:
    """In the order that a valid query wishes; the newest first where it names no known column."""
    wished = [name.strip() for name in query.get("ordering", "").split(",")]
    orders = []
    for name in wished:
        bare = name.removeprefix("-")
        column = columns.get(OLD_NAMES.get(bare, bare))
        if column is not None:
            orders.append(column.desc() if name.startswith("-") else column.asc())
    return rows.order_by(*(orders or ["-created"]), "-pk")

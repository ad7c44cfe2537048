"""What the frozen lists are asked for in their URLs."""

from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet
from django.db.models.expressions import OrderBy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError

from credentials_portal.api.strict import WrittenInteger
from credentials_portal.api.wire import AnyText, Truth, WireQuery
from licenses.enums import LIVE
from licenses.models import LicenseQuerySet

MOST = 999_999_999
ORDERINGS = ("user_email", "status", "activation_date", "last_remind_date")


@extend_schema_field({"type": "string", "enum": ["1", "0", "true", "false"]})
class Flag(Truth):
    values = {"1": True, "0": False, **Truth.values}


@extend_schema_field(OpenApiTypes.UUID)
class WrittenUuid(serializers.Field[UUID, str, str, Any]):
    def to_internal_value(self, data: str) -> UUID:
        try:
            return UUID(data)
        except ValueError as error:
            raise ParseError(f"{data} is not a valid uuid.") from error


class CustomerQuery(WireQuery):
    enterprise_customer_uuid = WrittenUuid(required=False, help_text="Of this customer.")


class AgreementQuery(CustomerQuery):
    active_plans_only = Truth(
        default=True, help_text="Whether `subscriptions` leaves out plans that are not active."
    )


class PlanQuery(CustomerQuery):
    current = Truth(
        default=False,
        help_text="Only plans that have started and not ended; needs `enterprise_customer_uuid`.",
    )


class LicenseQuery(WireQuery):
    status = AnyText(required=False, help_text="In one of these statuses, separated by commas.")
    search = AnyText(
        required=False, help_text="Of learners whose address contains each of these words."
    )
    ordering = AnyText(
        required=False,
        help_text=f"By {', '.join(ORDERINGS)}; with `-` backwards; several separated by commas.",
    )
    page_size = WrittenInteger(
        required=False,
        min_value=1,
        max_value=MOST,
        help_text="How many to a page; more than the most that a page can have means so many.",
    )


class LearnerLicenseQuery(LicenseQuery, AgreementQuery):
    active_plans_only = Truth(default=True, help_text="Only of active plans.")
    current_plans_only = Truth(
        default=True, help_text="Only of plans that have started and not ended."
    )
    include_revoked = Truth(default=False, help_text="Revoked licenses, too.")


class PlanLicenseQuery(LicenseQuery):
    ignore_null_emails = Flag(required=False, help_text="Only licenses with a learner's address.")
    active_only = Flag(required=False, help_text="Only assigned and activated licenses.")


def filter_licenses(licenses: LicenseQuerySet, query: dict[str, Any]) -> LicenseQuerySet:
    """The licenses that fulfil all of a valid `LicenseQuery`."""
    if query.get("status"):
        licenses = licenses.filter(status__in=query["status"].strip().split(","))
    for word in query.get("search", "").replace(",", " ").split():
        licenses = licenses.filter(user_email__icontains=word)
    if query.get("ignore_null_emails"):
        licenses = licenses.exclude(user_email="")
    if query.get("active_only"):
        licenses = licenses.filter(status__in=LIVE)
    return licenses


def order_licenses(
    licenses: LicenseQuerySet, query: dict[str, Any], *otherwise: str
) -> QuerySet[Any]:
    """In the order of a valid `LicenseQuery`; by `otherwise` where it names no known one."""
    named = [name.strip() for name in query.get("ordering", "").split(",")]
    known = [name for name in named if name.removeprefix("-") in ORDERINGS]
    return licenses.order_by(*map(_column, known or otherwise), "pk")


def _column(name: str) -> OrderBy:
    column = F(name.removeprefix("-"))
    return column.desc(nulls_last=True) if name.startswith("-") else column.asc(nulls_last=True)

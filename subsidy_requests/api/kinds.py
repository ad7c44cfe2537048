"""The two kinds of requests, which have the same resources each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.serializers import Serializer

from subsidy_requests.api import texts
from subsidy_requests.api.filters import CODE_COLUMNS, LICENSE_COLUMNS
from subsidy_requests.api.serializers import (
    ApproveCouponCodeRequestsSerializer,
    ApprovedCouponCodeRequestSerializer,
    ApprovedLicenseRequestSerializer,
    ApproveLicenseRequestsSerializer,
    AskForCodeSerializer,
    AskSerializer,
    CouponCodeRequestSerializer,
    LicenseRequestSerializer,
)
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import CouponCodeRequest, LicenseRequest


@dataclass(frozen=True)
class Kind:
    """What differs between requests for licenses and for codes: serializers, texts, and what of the
    body names the `pool` that gives licenses or codes."""

    subsidy_type: SubsidyType
    name: str
    model: Any
    columns: Mapping[str, Any]
    ask: type[Serializer[Any]]
    answer: type[Serializer[Any]]
    approve: type[Serializer[Any]]
    approved: type[Serializer[Any]]
    pool: str
    outstanding: str
    not_enough: str


LICENSE = Kind(
    subsidy_type=SubsidyType.LICENSE,
    name="license request",
    model=LicenseRequest,
    columns=LICENSE_COLUMNS,
    ask=AskSerializer,
    answer=LicenseRequestSerializer,
    approve=ApproveLicenseRequestsSerializer,
    approved=ApprovedLicenseRequestSerializer,
    pool="subscription_plan_uuid",
    outstanding=texts.OUTSTANDING_LICENSE_REQUEST,
    not_enough=texts.NOT_ENOUGH_LICENSES,
)
COUPON = Kind(
    subsidy_type=SubsidyType.COUPON,
    name="coupon code request",
    model=CouponCodeRequest,
    columns=CODE_COLUMNS,
    ask=AskForCodeSerializer,
    answer=CouponCodeRequestSerializer,
    approve=ApproveCouponCodeRequestsSerializer,
    approved=ApprovedCouponCodeRequestSerializer,
    pool="coupon_id",
    outstanding=texts.OUTSTANDING_CODE_REQUEST,
    not_enough=texts.NOT_ENOUGH_CODES,
)

"""Requests for tests. Learners are linked to the customer that they ask."""

from dataclasses import replace
from typing import Any

from factory.declarations import LazyAttribute, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory

from credentials_portal.core.history import Attribution
from subsidy_requests.enums import DecisionSource, ErrorCode, RequestState, SubsidyType
from subsidy_requests.models import (
    Coupon,
    CouponCode,
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.licenses.factories import AT, BY, CustomerFactory, LearnerFactory


def by_at(at: Any, **fields: Any) -> Attribution:
    return replace(BY, at=at, **fields)


class ConfigurationFactory(DjangoModelFactory[SubsidyRequestCustomerConfiguration]):
    """Learners of the customer may ask for licenses."""

    class Meta:
        model = SubsidyRequestCustomerConfiguration

    class Params:
        coupons = Trait(subsidy_type=SubsidyType.COUPON)
        disabled = Trait(subsidy_requests_enabled=False)

    customer = SubFactory(CustomerFactory)
    subsidy_requests_enabled = True
    subsidy_type = SubsidyType.LICENSE


class _RequestFactory(DjangoModelFactory[Any]):
    class Meta:
        abstract = True

    class Params:
        declined = Trait(
            state=RequestState.DECLINED,
            decision_source=DecisionSource.ADMIN_API,
            reviewed_at=AT,
            reviewer=SubFactory(LearnerFactory),
        )
        failed = Trait(
            state=RequestState.ERROR,
            decision_source=DecisionSource.ADMIN_API,
            error_code=ErrorCode.INTERNAL,
            reviewed_at=AT,
            reviewer=SubFactory(LearnerFactory),
        )
        cancelled = Trait(state=RequestState.CANCELLED, decision_source=DecisionSource.LEARNER)

    customer = SubFactory(CustomerFactory)
    user = SubFactory(LearnerFactory)
    course_id = Sequence(lambda number: f"edX+Course{number}")
    state_changed_at = AT
    created = LazyAttribute(lambda request: request.state_changed_at)


class LicenseRequestFactory(_RequestFactory):
    class Meta:
        model = LicenseRequest


class CouponFactory(DjangoModelFactory[Coupon]):
    class Meta:
        model = Coupon

    customer = SubFactory(CustomerFactory)
    title = Sequence(lambda number: f"Coupon {number}")


class CouponCodeFactory(DjangoModelFactory[CouponCode]):
    class Meta:
        model = CouponCode

    coupon = SubFactory(CouponFactory)
    code = Sequence(lambda number: f"SECRET{number:05}")


class CouponCodeRequestFactory(_RequestFactory):
    class Meta:
        model = CouponCodeRequest

"""Requests around the moment at which the pages look, and who looks at them."""

from datetime import timedelta
from typing import Any

from django.test import Client

from credentials_portal.accounts.models import User
from licenses.models import Customer
from subsidy_requests.enums import DecisionSource
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.asking import ask_for_code, ask_for_license
from subsidy_requests.services.declining import decline_requests
from tests.licenses.factories import HOUR, CustomerLearnerFactory
from tests.licenses.pages.now import NOW, administrator_of, learner, signed_in
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponFactory,
    by_at,
)


def acme(*, coupons: bool = False, **fields: Any) -> Customer:
    """A customer whose learners may ask."""
    named = {"customer__slug": "acme", "customer__name": "Acme"}
    customer: Customer = ConfigurationFactory.create(coupons=coupons, **named, **fields).customer
    return customer


def learner_of(customer: Customer, **fields: Any) -> User:
    person = learner(**fields)
    CustomerLearnerFactory.create(customer=customer, user=person)
    return person


def asked(
    customer: Customer, who: User | None = None, *, ago: timedelta = HOUR, **fields: Any
) -> LicenseRequest:
    who = who or learner_of(customer)
    return ask_for_license(user=who, customer=customer, by=by_at(NOW - ago, actor=who), **fields)


def asked_for_code(
    customer: Customer, who: User | None = None, *, ago: timedelta = HOUR, **fields: Any
) -> CouponCodeRequest:
    who = who or learner_of(customer)
    fields = {"course_id": "NBx+NEG", **fields}
    return ask_for_code(user=who, customer=customer, by=by_at(NOW - ago, actor=who), **fields)


def declined(request: LicenseRequest, *, ago: timedelta = timedelta(), reason: str = "") -> None:
    decline_requests(
        LicenseRequest,
        customer=request.customer,
        uuids=[request.uuid],
        reason=reason,
        source=DecisionSource.ADMIN_PAGE,
        notify=False,
        by=by_at(NOW - ago, actor=administrator_of(request.customer)),
    )


def coupon_of(customer: Customer, codes: int, **fields: Any) -> Any:
    coupon = CouponFactory.create(customer=customer, **fields)
    CouponCodeFactory.create_batch(codes, coupon=coupon)
    return coupon


def desk_of(customer: Customer) -> Client:
    return signed_in(administrator_of(customer))

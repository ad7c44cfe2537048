"""The customers and requests that the recorded answers tell of."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.core.cache import cache

from credentials_portal.accounts.models import User
from licenses.enums import CustomerRole
from licenses.models import Customer, SubscriptionPlan
from tests.licenses.factories import (
    AgreementFactory,
    CustomerFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
)
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    CouponFactory,
    LicenseRequestFactory,
)

ASKED_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
BEGINS, ENDS = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2099))
COUPON_ID = 12


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


@pytest.fixture
def callers(db: None) -> dict[str, User]:
    """By name: ada, who belongs to three customers, and boss, who administers them.

    The first has set up nothing, the second gives licenses, the third coupon codes.
    """
    cache.clear()
    people = {
        "learner": LearnerFactory.create(email="ada@example.com", lms_user_id=77),
        "colleague": LearnerFactory.create(email="bob@example.com", lms_user_id=78),
        "admin": LearnerFactory.create(email="boss@example.com", lms_user_id=5),
    }
    customers = [
        CustomerFactory.create(uuid=uuid(number), slug=slug, name=slug.title())
        for number, slug in ((1, "acme"), (2, "globex"), (3, "initech"))
    ]
    for customer in customers:
        for name, person in people.items():
            role = CustomerRole.ADMIN if name == "admin" else CustomerRole.LEARNER
            CustomerLearnerFactory.create(customer=customer, user=person, role=role)
    _give_licenses(customers[1], people)
    _give_codes(customers[2], people)
    return people


def _give_licenses(customer: Customer, people: dict[str, User]) -> None:
    """One seat is free; ada and bob ask, and ada was declined once."""
    ConfigurationFactory.create(customer=customer, changed_by=people["admin"])
    plan: SubscriptionPlan = PlanFactory.create(
        customer_agreement=AgreementFactory.create(customer=customer),
        uuid=uuid(6),
        start_date=BEGINS,
        expiration_date=ENDS,
    )
    LicenseFactory.create(subscription_plan=plan, uuid=uuid(20))
    for number, name in ((10, "learner"), (11, "colleague")):
        LicenseRequestFactory.create(
            uuid=uuid(number),
            customer=customer,
            user=people[name],
            course_id="edX+DemoX",
            course_title="A Demonstration",
            course_partners=[{"uuid": str(uuid(30)), "name": "edX"}],
            state_changed_at=ASKED_AT.replace(hour=number),
        )
    LicenseRequestFactory.create(
        declined=True,
        uuid=uuid(12),
        customer=customer,
        user=people["learner"],
        course_id="",
        reviewer=people["admin"],
        reviewed_at=ASKED_AT,
        state_changed_at=ASKED_AT,
        decline_reason="No budget.",
    )


def _give_codes(customer: Customer, people: dict[str, User]) -> None:
    ConfigurationFactory.create(customer=customer, coupons=True)
    coupon = CouponFactory.create(pk=COUPON_ID, customer=customer)
    CouponCodeFactory.create(coupon=coupon, code="A2B4-C6D8")
    CouponCodeRequestFactory.create(
        uuid=uuid(13),
        customer=customer,
        user=people["learner"],
        course_id="edX+DemoX",
        state_changed_at=ASKED_AT,
    )

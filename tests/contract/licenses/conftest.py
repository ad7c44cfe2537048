"""The customer, plan and licenses that the recorded answers tell of."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache

from credentials_portal.accounts.models import User
from licenses.models import CustomerAgreement, PlanType, Product, SubscriptionPlan
from tests.licenses.api.conftest import EVERYTHING, allow
from tests.licenses.factories import (
    AgreementFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    RenewalFactory,
)

BEGINS, TURN, ENDS = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2020, 2099))
ASSIGNED_AT = datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC)


def uuid(number: int) -> UUID:
    return UUID(int=number, version=4)


@pytest.fixture
def callers(db: None) -> dict[str, User]:
    """By name: a learner and an administrator of the customer, and somebody of the staff."""
    cache.clear()
    agreement = AgreementFactory.create(
        uuid=uuid(2),
        customer__uuid=uuid(1),
        customer__slug="acme",
        default_enterprise_catalog_uuid=uuid(3),
    )
    ada = LearnerFactory.create(username="ada", email="ada@example.com", lms_user_id=77)
    boss, desk = LearnerFactory.create(), LearnerFactory.create(is_staff=True)
    CustomerLearnerFactory.create(customer=agreement.customer, user=ada)
    CustomerLearnerFactory.create(customer=agreement.customer, user=boss, admin=True)
    allow(desk, *EVERYTHING, "retire_user")
    _fill(_plan(agreement))
    return {"learner": ada, "admin": boss, "staff": desk}


def _plan(agreement: CustomerAgreement) -> SubscriptionPlan:
    """A plan that renewed another, with a cap on revocations."""
    kind, _ = PlanType.objects.get_or_create(label="Standard Paid")
    fields: dict[str, Any] = {
        "customer_agreement": agreement,
        "enterprise_catalog_uuid": uuid(4),
        "created": BEGINS,
    }
    prior = PlanFactory.create(
        **fields,
        uuid=uuid(5),
        title="Bronze",
        start_date=BEGINS,
        expiration_date=TURN,
        is_active=False,
    )
    plan = PlanFactory.create(
        **fields,
        uuid=uuid(6),
        title="Gold",
        start_date=TURN,
        expiration_date=ENDS,
        is_revocation_cap_enabled=True,
        revoke_max_percentage=50,
        num_revocations_applied=1,
        should_auto_apply_licenses=True,
        product=Product.objects.create(name="Seats", plan_type=kind),
        salesforce_opportunity_line_item="00k000000000000000",
    )
    RenewalFactory.create(
        prior_subscription_plan=prior,
        renewed_subscription_plan=plan,
        effective_date=TURN,
        renewed_expiration_date=ENDS,
    )
    return plan


def _fill(plan: SubscriptionPlan) -> None:
    """Ada's license is assigned, bob's activated, cleo's was revoked; two seats are free."""
    dates = {"assigned_date": ASSIGNED_AT, "last_remind_date": ASSIGNED_AT}
    theirs = {"subscription_plan": plan, **dates}
    LicenseFactory.create(
        **theirs,
        assigned=True,
        uuid=uuid(10),
        user_email="ada@example.com",
        activation_key=uuid(20),
    )
    LicenseFactory.create(
        **theirs,
        activated=True,
        uuid=uuid(11),
        user_email="bob@example.com",
        activation_key=uuid(21),
        activation_date=ASSIGNED_AT,
    )
    LicenseFactory.create(
        **theirs,
        revoked=True,
        uuid=uuid(12),
        user_email="cleo@example.com",
        activation_key=uuid(22),
        revoked_date=ASSIGNED_AT,
    )
    for number in (13, 14):
        LicenseFactory.create(subscription_plan=plan, uuid=uuid(number))

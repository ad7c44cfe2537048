"""Customers, plans and seats for tests; whoever holds a seat got it through the services."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory, Trait
from factory.django import DjangoModelFactory

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from licenses.enums import CustomerRole, LicenseStatus, LinkStatus
from licenses.models import (
    Customer,
    CustomerAgreement,
    CustomerLearner,
    License,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from licenses.services import activate_license, assign_licenses, provision_licenses

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STARTS = datetime(2025, 1, 1, tzinfo=UTC)
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
ENDS = datetime(2026, 1, 1, tzinfo=UTC)
BY = Attribution(at=AT, reason="for a test", cause="test")


def by_at(at: datetime, **fields: object) -> Attribution:
    return replace(BY, at=at, **fields)  # type: ignore[arg-type]  # fields of Attribution


class LearnerFactory(DjangoModelFactory[User]):
    """A person whom the LMS knows."""

    class Meta:
        model = User

    username = Sequence(lambda number: f"person{number}")
    email = LazyAttribute(lambda person: f"{person.username}@example.com")
    full_name = LazyAttribute(lambda person: f"Full Name of {person.username}")
    lms_user_id = Sequence(lambda number: 10_000 + number)


class CustomerFactory(DjangoModelFactory[Customer]):
    class Meta:
        model = Customer

    slug = Sequence(lambda number: f"customer-{number}")
    name = LazyAttribute(lambda customer: f"Name of {customer.slug}")


class AgreementFactory(DjangoModelFactory[CustomerAgreement]):
    class Meta:
        model = CustomerAgreement

    class Params:
        unlinking = Trait(unlink_expired_enabled=True)

    customer = SubFactory(CustomerFactory)


class PlanFactory(DjangoModelFactory[SubscriptionPlan]):
    """An active plan that is current at `AT`, without seats."""

    class Meta:
        model = SubscriptionPlan

    class Params:
        expired = Trait(expiration_date=AT - DAY)
        future = Trait(start_date=ENDS, expiration_date=ENDS + 365 * DAY)
        auto_applied = Trait(should_auto_apply_licenses=True)
        capped = Trait(is_revocation_cap_enabled=True)
        internal = Trait(for_internal_use_only=True)

    customer_agreement = SubFactory(AgreementFactory)
    title = Sequence(lambda number: f"Plan {number}")
    start_date = STARTS
    expiration_date = ENDS
    enterprise_catalog_uuid = LazyFunction(uuid4)
    is_active = True


class RenewalFactory(DjangoModelFactory[SubscriptionPlanRenewal]):
    """The unprocessed renewal of a plan, which takes effect when the plan ends."""

    class Meta:
        model = SubscriptionPlanRenewal

    prior_subscription_plan = SubFactory(PlanFactory)
    number_of_licenses = 10
    effective_date = LazyAttribute(lambda renewal: renewal.prior_subscription_plan.expiration_date)
    renewed_expiration_date = LazyAttribute(lambda renewal: renewal.effective_date + 365 * DAY)


class LicenseFactory(DjangoModelFactory[License]):
    """A row as it stands, of whatever past: a free seat, or by trait one that somebody holds."""

    class Meta:
        model = License

    class Params:
        assigned = Trait(
            status=LicenseStatus.ASSIGNED,
            user_email=Sequence(lambda number: f"holder{number}@example.com"),
            activation_key=LazyFunction(uuid4),
            assigned_date=AT,
            last_remind_date=AT,
        )
        activated = Trait(
            status=LicenseStatus.ACTIVATED,
            user_email=Sequence(lambda number: f"holder{number}@example.com"),
            lms_user_id=Sequence(lambda number: 50_000 + number),
            activation_key=LazyFunction(uuid4),
            assigned_date=AT,
            last_remind_date=AT,
            activation_date=AT,
        )
        revoked = Trait(
            status=LicenseStatus.REVOKED,
            user_email=Sequence(lambda number: f"holder{number}@example.com"),
            activation_key=LazyFunction(uuid4),
            assigned_date=AT,
            revoked_date=AT,
        )

    subscription_plan = SubFactory(PlanFactory)


class CustomerLearnerFactory(DjangoModelFactory[CustomerLearner]):
    """A person with an account, linked to a customer."""

    class Meta:
        model = CustomerLearner

    class Params:
        admin = Trait(role=CustomerRole.ADMIN)
        by_address = Trait(
            user=None, user_email=Sequence(lambda number: f"linked{number}@example.com")
        )
        unlinked = Trait(status=LinkStatus.UNLINKED, unlinked_at=AT)

    customer = SubFactory(CustomerFactory)
    user = SubFactory(LearnerFactory)
    linked_at = STARTS


def plan_with_seats(count: int, **fields: Any) -> SubscriptionPlan:
    plan = PlanFactory.create(**fields)
    provision_licenses(plan=plan, count=count, by=by_at(STARTS))
    return plan


def assign(plan: SubscriptionPlan, *emails: str, at: datetime = AT, **how: Any) -> list[License]:
    """Licenses given to these addresses, in their order, without mails."""
    how = {"notify": False, **how}
    given = assign_licenses(plan_uuid=plan.uuid, emails=emails, by=by_at(at), **how).assigned
    by_email = {license.user_email: license for license in given}
    return [by_email[email.lower()] for email in emails]


def activate(*licenses: License, at: datetime = AT) -> list[User]:
    """Their learners, who have accounts from now on."""
    learners = [LearnerFactory.create(email=license.user_email) for license in licenses]
    for license, learner in zip(licenses, learners, strict=True):
        assert license.activation_key
        activate_license(activation_key=license.activation_key, user=learner, by=by_at(at))
    refresh(licenses)
    return learners


def refresh(licenses: Iterable[License]) -> None:
    for license in licenses:
        license.refresh_from_db()


def emails(count: int, name: str = "learner") -> list[str]:
    return [f"{name}{number}@example.com" for number in range(count)]


def statuses(plan: SubscriptionPlan) -> dict[str, int]:
    """How many licenses of the plan there are in each status that occurs."""
    found = list(plan.licenses.values_list("status", flat=True))
    return {status: found.count(status) for status in sorted(set(found))}


def refuse(table: str, condition: str) -> None:
    """Let the database refuse rows of which this is true, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT for_test CHECK (NOT ({condition}))")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")

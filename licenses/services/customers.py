"""Customers, and the plans that they buy."""

from datetime import datetime

from django.db import transaction

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history
from licenses.models import Customer, CustomerAgreement, SubscriptionPlan
from licenses.services.seats import provision_licenses


class CustomerExistsError(ConflictError):
    """There is a customer with this slug already."""

    code = "customer_exists"


@transaction.atomic
def open_customer(
    *, slug: str, name: str, by: Attribution, unlink_after_days: int | None = None
) -> CustomerAgreement:
    """A new customer under an agreement of its own.

    With `unlink_after_days` its learners are unlinked so long after their plans ended, and
    without it never. Raises `CustomerExistsError`.
    """
    if Customer.objects.filter(slug=slug).exists():
        raise CustomerExistsError(f"There is a customer {slug} already.")
    customer = Customer(slug=slug, name=name)
    agreement = CustomerAgreement(customer=customer)
    if unlink_after_days is not None:
        agreement.unlink_expired_enabled = True
        agreement.unlink_after_days = unlink_after_days
    save_with_history(customer, agreement, by=by)
    return agreement


@transaction.atomic
def open_plan(
    *,
    agreement: CustomerAgreement,
    title: str,
    starts: datetime,
    ends: datetime,
    seats: int,
    by: Attribution,
) -> SubscriptionPlan:
    """A new active plan with so many free seats; it is valid from `starts` until before `ends`.

    Raises `TooManySeatsError`.
    """
    plan = SubscriptionPlan(
        customer_agreement=agreement,
        title=title,
        start_date=starts,
        expiration_date=ends,
        is_active=True,
    )
    save_with_history(plan, by=by)
    provision_licenses(plan=plan, count=seats, by=by)
    return plan

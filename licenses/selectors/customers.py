"""What a customer's administrators see: who holds which seat."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import NotFoundError
from licenses.enums import CustomerRole, LicenseStatus
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from licenses.selectors.expiry import unlinks_learners
from licenses.selectors.seats import activation_link
from licenses.selectors.standing import PlanStanding

LEARNER_COLUMNS = (
    *("status", "user_email", "assigned_date", "activation_date"),
    *("last_remind_date", "revoked_date", "activation_link"),
)
UNASSIGNED = LicenseStatus.UNASSIGNED


def customers_looked_after_by(user: User) -> QuerySet[Customer]:
    """Those of which this person is an administrator; nothing for staff's sake."""
    links = CustomerLearner.objects.links_of(user).filter(role=CustomerRole.ADMIN)
    return Customer.objects.filter(pk__in=links.values("customer")).order_by("name", "pk")


def customer_by_identifier(identifier: str) -> Customer:
    """The customer with this uuid or slug; raises `NotFoundError`."""
    try:
        found = Customer.objects.filter(uuid=UUID(identifier)).first()
    except ValueError:
        found = None
    found = found or Customer.objects.filter(slug=identifier).first()
    if found is None:
        raise NotFoundError(f"There is no customer {identifier}.")
    return found


def licenses_given(plan: SubscriptionPlan, *, status: str = "", search: str = "") -> Any:
    """Seats of the plan that somebody holds or held, the newest first."""
    given = License.objects.filter(subscription_plan=plan).exclude(status=UNASSIGNED)
    if status:
        given = given.filter(status=status)
    if term := search.strip():
        given = given.filter(user_email__contains=term.lower())
    return given.order_by("-pk")


def learner_rows(plan: SubscriptionPlan) -> Iterator[dict[str, Any]]:
    """Who holds or held the plan's seats, for a report (`LEARNER_COLUMNS`)."""
    for license in licenses_given(plan).iterator(chunk_size=2_000):
        is_open = license.status == LicenseStatus.ASSIGNED
        yield {
            **{name: getattr(license, name) for name in LEARNER_COLUMNS[:-1]},
            "activation_link": activation_link(license.activation_key if is_open else None),
        }


@dataclass(frozen=True)
class Turn:
    """A day on which something ends for a customer's learners."""

    at: datetime
    plan: SubscriptionPlan
    is_unlink: bool


def turns_ahead(customer: Customer, *, at: datetime) -> list[Turn]:
    """When active plans end, and when their learners are unlinked, the next first."""
    plans = SubscriptionPlan.objects.filter(
        customer_agreement__customer=customer, is_active=True
    ).select_related("customer_agreement__customer")
    turns: list[Turn] = []
    for plan in plans:
        turns.append(Turn(plan.expiration_date, plan, is_unlink=False))
        if later := _unlinked_at(plan):
            turns.append(Turn(later, plan, is_unlink=True))
    return sorted(
        (turn for turn in turns if turn.at > at), key=lambda turn: (turn.at, turn.plan.pk)
    )


def _unlinked_at(plan: SubscriptionPlan) -> datetime | None:
    """When the learners of a plan are unlinked, if its customer wants it."""
    agreement = plan.customer_agreement
    if not unlinks_learners(agreement):
        return None
    return plan.expiration_date + timedelta(days=agreement.unlink_after_days, seconds=1)


@dataclass(frozen=True)
class EndedPlan:
    """A plan that has ended; its learners leave the customer's list at `unlinked_at`, or never."""

    standing: PlanStanding
    unlinked_at: datetime | None

    @property
    def is_unlinked(self) -> bool:
        """Whether that instant has passed, for those who have no other license."""
        return self.unlinked_at is not None and self.unlinked_at <= self.standing.at


def ended_plan(standing: PlanStanding) -> EndedPlan:
    return EndedPlan(standing, _unlinked_at(standing.plan))


def chosen_licenses(plan: SubscriptionPlan, uuids: list[UUID]) -> list[License]:
    """Those of these seats that somebody holds, by address."""
    held = License.objects.live().filter(subscription_plan=plan, uuid__in=uuids)
    return list(held.order_by("user_email", "pk"))

"""Where plans and agreements stand at an instant: how long they last, and how seats are used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count

from licenses.enums import LicenseStatus
from licenses.models import (
    Customer,
    CustomerAgreement,
    License,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from licenses.selectors.plans import revocation_allowance

RENEWAL_LOCK = timedelta(hours=12)
"""So long before a renewal takes effect its plan's licenses are best left alone."""


@dataclass(frozen=True)
class SeatCounts:
    """How many licenses of a plan there are in each status."""

    activated: int = 0
    assigned: int = 0
    unassigned: int = 0
    revoked: int = 0

    @property
    def total(self) -> int:
        """Without the revoked ones, each of which was replaced."""
        return self.allocated + self.unassigned

    @property
    def allocated(self) -> int:
        return self.activated + self.assigned


@dataclass(frozen=True)
class PlanStanding:
    """A plan at an instant. Days are whole ones, rounded down: below zero once it ended."""

    plan: SubscriptionPlan
    at: datetime
    future_renewals: tuple[SubscriptionPlanRenewal, ...]
    prior_renewals: tuple[SubscriptionPlanRenewal, ...]
    seats: SeatCounts

    @property
    def is_current(self) -> bool:
        return self.plan.is_current(self.at)

    @property
    def days_until_expiration(self) -> int:
        return (self.plan.expiration_date - self.at).days

    @property
    def days_until_expiration_including_renewals(self) -> int:
        ends = [renewal.renewed_expiration_date for renewal in self.future_renewals]
        return (max(ends, default=self.plan.expiration_date) - self.at).days

    @property
    def is_locked_for_renewal(self) -> bool:
        own = self.future_renewals[:1]
        return any(timedelta() <= next.effective_date - self.at < RENEWAL_LOCK for next in own)

    @property
    def revocations_left(self) -> int | None:
        return revocation_allowance(self.plan, seats=self.seats.total)


@dataclass(frozen=True)
class AgreementStanding:
    """An agreement at an instant, with all of its plans, the newest first."""

    agreement: CustomerAgreement
    plans: tuple[PlanStanding, ...]

    @property
    def customer(self) -> Customer:
        return self.agreement.customer

    @property
    def net_days_until_expiration(self) -> int:
        """Until the last of the plans has ended, its renewals included; never below zero."""
        return max(0, 0, *(plan.days_until_expiration_including_renewals for plan in self.plans))

    @property
    def auto_applied_plan_uuid(self) -> UUID | None:
        """The plan from which people get a license by themselves; of several the newest."""
        due = [each.plan for each in self.plans if each.plan.is_auto_applicable(each.at)]
        newest = max(due, key=lambda plan: (plan.start_date, plan.pk), default=None)
        return newest.uuid if newest else None

    @property
    def available_catalogs(self) -> list[UUID]:
        """Catalogs of the active plans that last another day, each once."""
        default = self.agreement.default_enterprise_catalog_uuid
        catalogs = [
            one.plan.enterprise_catalog_uuid or default
            for one in self.plans
            if one.plan.is_active and one.days_until_expiration > 0
        ]
        return list(dict.fromkeys(filter(None, catalogs)))


def plan_standings(
    plans: Sequence[SubscriptionPlan], *, at: datetime, with_seats: bool = True
) -> list[PlanStanding]:
    """Where each of these plans stands, in their order, in two statements; without seats in one."""
    following, origins = _renewals({plan.customer_agreement_id for plan in plans})
    seats = seat_counts([plan.pk for plan in plans]) if with_seats else {}
    return [
        PlanStanding(
            plan,
            at,
            future_renewals=_future(plan.pk, following),
            prior_renewals=_prior(plan.pk, origins),
            seats=seats.get(plan.pk, SeatCounts()),
        )
        for plan in plans
    ]


def plans_to_assign(customer: Customer, *, at: datetime) -> list[PlanStanding]:
    """The customer's plans of which seats can be given, the one that ends first before the others,
    in three statements."""
    plans = SubscriptionPlan.objects.current(at).filter(
        customer_agreement__customer=customer, is_active=True
    )
    related = plans.select_related("customer_agreement__customer", "product__plan_type")
    return plan_standings(list(related.order_by("expiration_date", "pk")), at=at)


def agreement_standings(
    agreements: Sequence[CustomerAgreement], *, at: datetime, with_seats: bool = True
) -> list[AgreementStanding]:
    """Where each of these agreements stands, in their order, in three statements at most."""
    of_agreements = SubscriptionPlan.objects.filter(customer_agreement__in=agreements)
    standings = plan_standings(
        list(of_agreements.select_related("customer_agreement__customer", "product__plan_type")),
        at=at,
        with_seats=with_seats,
    )
    return [
        AgreementStanding(
            agreement,
            tuple(one for one in standings if one.plan.customer_agreement_id == agreement.pk),
        )
        for agreement in agreements
    ]


def seat_counts(plan_ids: Sequence[int]) -> dict[int, SeatCounts]:
    """How the seats of these plans are used, in one statement; those without licenses lack."""
    if not plan_ids:
        return {}
    rows = (
        License.objects.filter(subscription_plan__in=plan_ids)
        .values_list("subscription_plan_id", "status")
        .annotate(count=Count("pk"))
        .order_by()
    )
    counts: dict[int, dict[str, int]] = {}
    for plan_id, status, count in rows:
        counts.setdefault(plan_id, {})[status] = count
    return {plan_id: SeatCounts(**by_status) for plan_id, by_status in counts.items()}


def free_seats(customer_ids: Iterable[int], *, at: datetime) -> dict[int, int]:
    """How many seats of each customer's plans can be given now, in one statement; who has none
    lacks."""
    plans = SubscriptionPlan.objects.current(at).filter(
        customer_agreement__customer__in=list(customer_ids), is_active=True
    )
    free = License.objects.filter(subscription_plan__in=plans, status=LicenseStatus.UNASSIGNED)
    rows = free.order_by().values_list("subscription_plan__customer_agreement__customer_id")
    return dict(rows.annotate(count=Count("pk")))


Renewals = Mapping[int, SubscriptionPlanRenewal]


def _renewals(agreement_ids: Iterable[int]) -> tuple[Renewals, Renewals]:
    """The renewals of these agreements' plans, by the plan that ends and by the one that follows."""
    renewals = list(
        SubscriptionPlanRenewal.objects.filter(
            prior_subscription_plan__customer_agreement__in=list(agreement_ids)
        ).select_related("prior_subscription_plan", "renewed_subscription_plan")
    )
    following = {renewal.prior_subscription_plan_id: renewal for renewal in renewals}
    origins = {
        renewal.renewed_subscription_plan_id: renewal
        for renewal in renewals
        if renewal.renewed_subscription_plan_id
    }
    return following, origins


def _future(plan_id: int, following: Renewals) -> tuple[SubscriptionPlanRenewal, ...]:
    """The chain of renewals from this plan on."""
    chain: dict[int, SubscriptionPlanRenewal] = {}
    last: int | None = plan_id
    while last is not None and last in following and last not in chain:
        chain[last] = following[last]
        last = chain[last].renewed_subscription_plan_id
    return tuple(chain.values())


def _prior(plan_id: int, origins: Renewals) -> tuple[SubscriptionPlanRenewal, ...]:
    """The chain of renewals that led to this plan, the oldest first."""
    chain: dict[int, SubscriptionPlanRenewal] = {}
    first = plan_id
    while first in origins and first not in chain:
        chain[first] = origins[first]
        first = chain[first].prior_subscription_plan_id
    return tuple(reversed(chain.values()))

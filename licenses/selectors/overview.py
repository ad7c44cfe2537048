"""How all plans stand, and what waits for staff."""

from dataclasses import dataclass
from datetime import datetime

from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from licenses.models import SubscriptionPlan, SubscriptionPlanRenewal
from licenses.selectors.learners import ENDS_SOON
from licenses.selectors.plans import stuck_renewals

MAIL = "licenses.mail"


@dataclass(frozen=True)
class LicensesStanding:
    """Plans that end within 30 days, the next first; renewals that are stuck; calls given up."""

    running: int
    ending: tuple[SubscriptionPlan, ...]
    stuck: tuple[SubscriptionPlanRenewal, ...]
    given_up: int


def licenses_standing(at: datetime, *, at_most: int) -> LicensesStanding:
    """Four statements; of plans and renewals `at_most` each."""
    running = SubscriptionPlan.objects.current(at).filter(is_active=True)
    ending = running.filter(expiration_date__lte=at + ENDS_SOON).select_related(
        "customer_agreement__customer", "renewal"
    )
    stuck = stuck_renewals(at).select_related("prior_subscription_plan")
    dead = OutboxMessage.objects.filter(status=OutboxStatus.DEAD, kind__startswith="licenses.")
    return LicensesStanding(
        running=running.count(),
        ending=tuple(ending.order_by("expiration_date", "pk")[:at_most]),
        stuck=tuple(stuck[:at_most]),
        given_up=dead.exclude(kind=MAIL).count(),
    )

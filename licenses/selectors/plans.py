"""Plans, as the life cycle of their licenses needs them."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from credentials_portal.core.errors import NotFoundError
from licenses.models import CustomerAgreement, SubscriptionPlan, SubscriptionPlanRenewal
from licenses.selectors.expiry import RENEWAL_GRACE


def plan_by_uuid(plan_uuid: UUID) -> SubscriptionPlan:
    """Raises `NotFoundError`."""
    plan = SubscriptionPlan.objects.filter(uuid=plan_uuid).first()
    if plan is None:
        raise NotFoundError(f"There is no subscription plan {plan_uuid}.")
    return plan


def auto_applicable_plan(agreement: CustomerAgreement, *, at: datetime) -> SubscriptionPlan | None:
    """The plan from which the customer's people get a license by themselves, if one is.

    Of several the one that started last.
    """
    plans = SubscriptionPlan.objects.auto_applicable(at).filter(customer_agreement=agreement)
    return plans.order_by("-start_date", "-pk").first()


def revocation_allowance(plan: SubscriptionPlan, *, seats: int) -> int | None:
    """How many activated licenses may still be revoked, of a plan with so many seats.

    None: any number. Below zero once the percentage was lowered.
    """
    if not plan.is_revocation_cap_enabled:
        return None
    # Rounded up.
    allowed = -(-seats * plan.revoke_max_percentage // 100)
    return allowed - plan.num_revocations_applied


def renewals_to_process(at: datetime, *, window: timedelta) -> QuerySet[SubscriptionPlanRenewal]:
    """Unprocessed renewals that take effect before the window ends, or took effect long ago.

    Those that are processed by hand, or by another service, are not among them.
    """
    return SubscriptionPlanRenewal.objects.filter(
        processed=False, exempt_from_batch_processing=False, effective_date__lte=at + window
    ).order_by("effective_date", "pk")


def stuck_renewals(at: datetime) -> QuerySet[SubscriptionPlanRenewal]:
    """Renewals that should have been processed long ago; their plans do not expire meanwhile."""
    return SubscriptionPlanRenewal.objects.filter(
        processed=False, effective_date__lte=at - RENEWAL_GRACE
    ).order_by("effective_date", "pk")

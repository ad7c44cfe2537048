"""The lock under which the seats of a plan change hands."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError

from credentials_portal.core.errors import ConflictError, NotFoundError
from licenses.models import SubscriptionPlan

LOCK_NOT_AVAILABLE = "55P03"


class PlanBusyError(ConflictError):
    """Somebody else changes the seats of this plan, and takes longer than we wait."""

    code = "plan_busy"


class PlanNotFoundError(NotFoundError):
    code = "plan_not_found"


class PlanInactiveError(ConflictError):
    """The plan is switched off; nothing was given from it."""

    code = "plan_inactive"


class PlanNotCurrentError(ConflictError):
    """The plan has not begun, or has ended; nothing was given from it."""

    code = "plan_not_current"


def lock_plan(**named: Any) -> SubscriptionPlan:
    """The plan, with its agreement and customer, locked until the transaction ends.

    Whoever gives, takes or adds seats holds it, so that what they see of the plan's licenses
    stays true. Raises `PlanBusyError` when the lock is not to be had in time.
    """
    plans = SubscriptionPlan.objects.select_related("customer_agreement__customer")
    try:
        return plans.select_for_update(of=("self",), no_key=True).get(**named)
    except SubscriptionPlan.DoesNotExist:
        raise PlanNotFoundError("There is no such subscription plan.") from None
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != LOCK_NOT_AVAILABLE:
            raise
        raise PlanBusyError(
            "Somebody else is changing the licenses of this plan. Try again in a moment."
        ) from error


def lock_usable_plan(*, plan_uuid: UUID, customer_id: int, at: datetime) -> SubscriptionPlan:
    """The customer's plan, from which seats can be given now, locked until the transaction ends.

    Raises `PlanNotFoundError` (of another customer's too), `PlanInactiveError`,
    `PlanNotCurrentError`, `PlanBusyError`.
    """
    plan = lock_plan(uuid=plan_uuid, customer_agreement__customer_id=customer_id)
    if not plan.is_active:
        raise PlanInactiveError("This subscription plan is not active.")
    if not plan.is_current(at):
        raise PlanNotCurrentError("This subscription plan has not begun, or has ended.")
    return plan

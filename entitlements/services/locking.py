"""The lock under which an entitlement is judged and changed."""

from typing import Any

from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.history import Attribution
from entitlements.enums import UNSETTLED_REFUNDS, RedemptionStatus
from entitlements.models import CourseEntitlement
from entitlements.selectors.judging import JudgedEntitlement, judge


class EntitlementNotFoundError(NotFoundError):
    code = "entitlement_not_found"


class EntitlementExpiredError(ConflictError):
    code = "entitlement_expired"


class EntitlementFrozenError(ConflictError):
    """Something about it is under way whose end nobody knows yet."""

    code = "entitlement_frozen"


def lock_entitlement(*, by: Attribution, **named: Any) -> JudgedEntitlement:
    """The entitlement, locked until the transaction ends, and what holds of it at `by.at`.

    Raises `EntitlementNotFoundError`.
    """
    rows = CourseEntitlement.objects.select_for_update(of=("self",), no_key=True)
    try:
        entitlement = rows.select_related("policy", "user").get(**named)
    except CourseEntitlement.DoesNotExist:
        raise EntitlementNotFoundError("There is no such entitlement.") from None
    return judge([entitlement], at=by.at)[0]


def require_unexpired(judged: JudgedEntitlement) -> None:
    """Raise `EntitlementExpiredError` when it has ended, marked so or not."""
    if judged.decision.is_expired:
        raise EntitlementExpiredError("This entitlement has ended.")


def require_unfrozen(entitlement: CourseEntitlement) -> None:
    """Raise `EntitlementFrozenError` while a use or a refund of it is under way; it is locked."""
    if entitlement.redemptions.filter(status=RedemptionStatus.PENDING).exists():
        raise EntitlementFrozenError("This entitlement is being used for a session right now.")
    if entitlement.refunds.filter(status__in=UNSETTLED_REFUNDS).exists():
        raise EntitlementFrozenError("A refund of this entitlement is under way.")

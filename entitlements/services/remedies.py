"""What staff can do to an entitlement that the caller has locked and judged."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.dispatch import Signal

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_each_with_history
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement
from entitlements.rules import DAY
from entitlements.selectors.judging import JudgedEntitlement, judge
from entitlements.services import states
from entitlements.services.granting import OrderTakenError, require_past_end
from entitlements.services.locking import require_unexpired, require_unfrozen
from entitlements.services.refunding import is_refunded
from entitlements.services.states import Ending
from entitlements.services.unenrolling import queue_unenrollment
from entitlements.signals import entitlement_reissued, entitlement_released
from programs.selectors import course_titles

MAX_EXTENSION_DAYS = 3_650


class EntitlementUsedError(ConflictError):
    """It is used for a session, which its learner must leave first."""

    code = "entitlement_used"


class EnrollmentPaidError(ConflictError):
    """Another entitlement is used for the same enrollment by now."""

    code = "enrollment_paid"


class RunNotUsedError(ConflictError):
    """It is used for another run, or for none."""

    code = "run_not_used"


class ActionInvalidError(DomainError):
    """What is asked for contradicts itself, or would change nothing."""

    code = "action_invalid"


def reissue(
    judged: JudgedEntitlement,
    *,
    leaves_run: bool,
    by: Attribution,
    refund_locked: bool | None = None,
) -> None:
    """Make it usable again for a new period; `refund_locked` overrules what follows from before."""
    require_unfrozen(judged.entitlement)
    if judged.entitlement.user.is_retired:
        raise ActionInvalidError("Its learner left for good.")
    is_leaving = leaves_run and judged.usage is not None
    if refund_locked is None:
        refund_locked = not judged.decision.is_refundable
    _require_lockable(judged.entitlement, refund_locked)
    reissued_until = by.at + settings.ENTITLEMENT_REISSUE_PERIOD
    values = {
        "expired_at": None,
        "expired_reason": "",
        "extended_until": max(reissued_until, judged.decision.base_end),
        "refund_locked": refund_locked,
        **(states.UNUSED if is_leaving else {}),
    }
    if not is_leaving:
        _require_keepable(judged, values, by=by)
    _change(judged.entitlement, values, by=by)
    if judged.decision.is_expired:
        _tell(entitlement_reissued, judged, by=by)
    if is_leaving:
        _tell(entitlement_released, judged, by=by)
        _unenroll(judged, by=by)


def expire(
    judged: JudgedEntitlement, *, expired_at: datetime | None, leaves_run: bool, by: Attribution
) -> None:
    """End it at once; `expired_at` is the date that is told. One that ended keeps its own."""
    require_unfrozen(judged.entitlement)
    require_past_end(expired_at, at=by.at)
    end(judged, ExpiryReason.SUPPORT, leaves_run=leaves_run, expired_at=expired_at, by=by)


def end(
    judged: JudgedEntitlement,
    reason: ExpiryReason,
    *,
    leaves_run: bool,
    by: Attribution,
    expired_at: datetime | None = None,
) -> None:
    """End it if it has not ended, and let its learner leave the run, if there is one."""
    run_id = judged.course_run_id
    is_leaving = leaves_run and run_id is not None
    if judged.entitlement.expired_at is None:
        ending = Ending(reason, run_id, expired_at)
        states.end({judged.entitlement.pk: ending}, by=by, releases=is_leaving)
    elif is_leaving and run_id:
        states.release(judged.entitlement, course_run_id=run_id, by=by)
    if is_leaving:
        _unenroll(judged, by=by)


def extend(judged: JudgedEntitlement, *, days: int, by: Attribution) -> None:
    if not 0 < days <= MAX_EXTENSION_DAYS:
        raise ActionInvalidError(f"It can be extended by 1 to {MAX_EXTENSION_DAYS} days.")
    require_unfrozen(judged.entitlement)
    require_unexpired(judged)
    values = {"extended_until": judged.decision.base_end + days * DAY}
    _change(judged.entitlement, values, by=by)


def release(judged: JudgedEntitlement, *, by: Attribution) -> None:
    require_unfrozen(judged.entitlement)
    require_unexpired(judged)
    if judged.usage is None:
        raise RunNotUsedError("It is used for no session.")
    states.release(judged.entitlement, course_run_id=judged.usage.course_run_id, by=by)
    _unenroll(judged, by=by)


def transfer(
    judged: JudgedEntitlement, *, user: User | None, course_uuid: UUID | None, by: Attribution
) -> None:
    """Another learner did not pay for it: it is not refundable any more."""
    entitlement = judged.entitlement
    require_unfrozen(entitlement)
    require_unexpired(judged)
    if judged.usage:
        raise EntitlementUsedError("It is used for a session, which must be left first.")
    if user and (user.is_retired or user == entitlement.user):
        raise ActionInvalidError("Choose another learner, who has an account.")
    if course_uuid and not course_titles([course_uuid]):
        raise ActionInvalidError("There is no such course.")
    owner = user or entitlement.user
    values = {
        "user_id": owner.pk,
        "course_uuid": course_uuid or entitlement.course_uuid,
        "refund_locked": entitlement.refund_locked or owner != entitlement.user,
    }
    if (
        values["user_id"] == entitlement.user_id
        and values["course_uuid"] == entitlement.course_uuid
    ):
        raise ActionInvalidError("Choose another learner or another course.")
    _transfer(entitlement, values, by=by)


def lock_refund_right(
    entitlement: CourseEntitlement, refund_locked: bool, *, by: Attribution
) -> None:
    """Say that it can be refunded, or cannot."""
    if entitlement.refund_locked != refund_locked:
        _require_lockable(entitlement, refund_locked)
        _change(entitlement, {"refund_locked": refund_locked}, by=by)


def _transfer(
    entitlement: CourseEntitlement, values: Mapping[str, Any], *, by: Attribution
) -> None:
    try:
        with transaction.atomic():
            _change(entitlement, values, by=by)
    except IntegrityError as error:
        raise OrderTakenError("The same order paid for that course too.") from error


def _require_lockable(entitlement: CourseEntitlement, refund_locked: bool) -> None:
    if not refund_locked and is_refunded(entitlement):
        raise ActionInvalidError("It was refunded, so it cannot be refundable again.")


def _require_keepable(
    judged: JudgedEntitlement, values: Mapping[str, Any], *, by: Attribution
) -> None:
    """Raise an error where it could not be used for its run as it will be."""
    if judged.usage is None:
        return
    others = CourseEntitlement.objects.filter(
        enrollment_course_run=judged.usage.enrollment_id, expired_at=None
    )
    if others.exclude(pk=judged.entitlement.pk).exists():
        raise EnrollmentPaidError("Another entitlement is used for this session by now.")
    for name, value in values.items():
        setattr(judged.entitlement, name, value)
    (reissued,) = judge([judged.entitlement], at=by.at)
    if reissued.decision.is_expired:
        raise EntitlementUsedError("It would end again at once: the session must be left.")


def _unenroll(judged: JudgedEntitlement, *, by: Attribution) -> None:
    if judged.usage:
        queue_unenrollment(judged.entitlement, course_run_id=judged.usage.course_run_id, by=by)


def _change(entitlement: CourseEntitlement, values: Mapping[str, Any], *, by: Attribution) -> None:
    update_each_with_history(CourseEntitlement, {entitlement.pk: values}, by=by)


def _tell(signal: Signal, judged: JudgedEntitlement, *, by: Attribution) -> None:
    fact = states.fact_of(judged.entitlement, course_run_id=judged.course_run_id)
    announce(signal, [fact], at=by.at, actor=by.actor, cause=by.cause)

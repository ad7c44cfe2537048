"""Leaving runs: by the learner's wish, or because the enrollment ended elsewhere."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.selectors.judging import JudgedEntitlement, Usage, judge
from entitlements.services import states
from entitlements.services.locking import (
    EntitlementFrozenError,
    lock_entitlement,
    require_unexpired,
    require_unfrozen,
)
from entitlements.services.refunding import open_refund
from entitlements.services.states import Ending
from entitlements.services.unenrolling import queue_unenrollment
from programs import services as programs
from programs.selectors import run_offer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Left:
    """An entitlement as it was, the run that it was used for, and its refund if one was opened."""

    entitlement: CourseEntitlement
    course_run_id: int | None
    refund: CourseEntitlementRefund | None = None


@retry_conflicts
@transaction.atomic
def leave_entitlement(*, entitlement_uuid: UUID, by: Attribution, user: User | None = None) -> Left:
    """Take an entitlement from its run, while that can be changed: it can be used again.

    The learner is unenrolled when the outbox delivers (`deliveries.acting.leave_now`: at once).
    `user` is whose it must be. Without a run nothing happens. Raises `EntitlementNotFoundError`,
    `EntitlementExpiredError` or `EntitlementFrozenError`.
    """
    owner = {"user": user} if user else {}
    judged = lock_entitlement(uuid=entitlement_uuid, by=by, **owner)
    require_unexpired(judged)
    require_unfrozen(judged.entitlement)
    if judged.usage is None:
        return Left(judged.entitlement, None)
    course_run_id = judged.usage.course_run_id
    states.release(judged.entitlement, course_run_id=course_run_id, by=by)
    queue_unenrollment(judged.entitlement, course_run_id=course_run_id, by=by)
    return Left(judged.entitlement, course_run_id)


@retry_conflicts
@transaction.atomic
def unenroll_entitlement(
    *, user: User, course_run_key: str, skip_refund: bool, by: Attribution
) -> Left | None:
    """Take the entitlement that paid for an enrollment from it: it ended elsewhere.

    What holds is judged before anything is changed. While the run could still be changed the
    entitlement can be used again; unless `skip_refund` a refund is asked for, if it was still
    refundable. After that, or with a certificate, it has ended and is not refunded. None: no
    entitlement is used for the run, or not any more.
    """
    offer = run_offer(course_run_key)
    judged = _used_for(user, offer.course_run_id, by=by) if offer else None
    if judged is None or judged.usage is None:
        logger.info("unenrollment_ignored", extra={"user_id": user.pk, "is_known": bool(offer)})
        return None
    refund = None if skip_refund else _refund(judged, by=by)
    _take_from_run(judged, judged.usage, by=by)
    course_run_id = judged.usage.course_run_id
    programs.leave_run(user_id=user.pk, course_run_id=course_run_id, by=by)
    return Left(judged.entitlement, course_run_id, refund)


def _used_for(user: User, course_run_id: int, *, by: Attribution) -> JudgedEntitlement | None:
    """The entitlement that is used for the learner's enrollment, locked; else one that was."""
    rows = CourseEntitlement.objects.select_for_update(of=("self",), no_key=True)
    used = rows.filter(user=user, enrollment_course_run__course_run_id=course_run_id)
    judged = judge(used.select_related("policy", "user").order_by("pk"), at=by.at)
    return min(judged, key=lambda one: one.entitlement.expired_at is not None, default=None)


def _refund(judged: JudgedEntitlement, *, by: Attribution) -> CourseEntitlementRefund | None:
    if judged.decision.is_refundable:
        with suppress(EntitlementFrozenError):
            return open_refund(entitlement_uuid=judged.entitlement.uuid, by=by)
    return None


def _take_from_run(judged: JudgedEntitlement, usage: Usage, *, by: Attribution) -> None:
    entitlement, decision = judged.entitlement, judged.decision
    if decision.is_expired and not entitlement.expired_at:
        reason = ExpiryReason(decision.expired_reason)
        ending = {entitlement.pk: Ending(reason, usage.course_run_id)}
        states.end(ending, by=by, releases=True)
    else:
        states.release(entitlement, course_run_id=usage.course_run_id, by=by)

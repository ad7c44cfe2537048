"""Using entitlements for runs: an intent is written, the learner enrolled, then the use recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import RULES, ExpiryReason, RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.selectors.judging import JudgedEntitlement, judge
from entitlements.selectors.sessions import is_fulfillable
from entitlements.services import states
from entitlements.services.locking import lock_entitlement, require_unexpired, require_unfrozen
from entitlements.services.unenrolling import enrollment_key, queue_unenrollment
from programs import services as programs
from programs.selectors import Enrolled, RunOffer, enrollments_in, run_offer

ENROLL = "entitlements.enroll"
# Whoever asks delivers as well; the sweepers take over when that did not come.
RESERVE = timedelta(minutes=2)

# Codes of refusals; others are the outbox' reasons, such as "http_400".
ALREADY_PAID = "already_paid"
RUN_USED = "run_used"
ENTITLEMENT_ENDED = "entitlement_ended"


class RunMismatchError(ConflictError):
    """The run is unknown, or of another course."""

    code = "run_mismatch"


class RunUnavailableError(ConflictError):
    """The run cannot be taken in the entitlement's mode now."""

    code = "run_unavailable"


class RunUsedError(ConflictError):
    """Another entitlement is used for the learner's enrollment in the run, or was used up for it."""

    code = RUN_USED


class EntitlementNotRedeemableError(ConflictError):
    """Its time to be used is over at this very instant."""

    code = "entitlement_not_redeemable"


@dataclass(frozen=True)
class Use:
    """An entitlement that is used for a run, or is to be; without `redemption` it was before."""

    entitlement: CourseEntitlement
    redemption: CourseEntitlementRedemption | None


@retry_conflicts
@transaction.atomic
def open_redemption(
    *, entitlement_uuid: UUID, course_run_key: str, by: Attribution, user: User | None = None
) -> CourseEntitlementRedemption | None:
    """Ask to use an entitlement for a run, or to switch to it from the present one.

    The learner is enrolled when the outbox delivers (`deliveries.acting.redeem_now`: at once).
    `user` is whose it must be. None: it is used for this run already. While it is being used for
    the same run, that attempt is returned. Raises `EntitlementNotFoundError`,
    `RunMismatchError`, `EntitlementExpiredError`, `EntitlementFrozenError`,
    `RunUnavailableError`, `RunUsedError` or `EntitlementNotRedeemableError`.
    """
    owner = {"user": user} if user else {}
    judged = lock_entitlement(uuid=entitlement_uuid, by=by, **owner)
    offer = run_offer(course_run_key)
    if offer is None or offer.course_uuid != judged.entitlement.course_uuid:
        raise RunMismatchError("This entitlement is for another course.")
    return _open(judged, offer, by=by)


@retry_conflicts
@transaction.atomic
def use_for_enrollment(*, user: User, course_run_key: str, by: Attribution) -> Use | None:
    """Ask to use what the learner has for a run in which the learner enrolls elsewhere.

    That is the usable entitlement for the run's course that ends first; the one that is used for
    the run, if one is. None: there is none, or the run cannot be taken with it.
    """
    offer = run_offer(course_run_key)
    if offer is None:
        return None
    held = CourseEntitlement.objects.filter(
        user=user, course_uuid=offer.course_uuid, expired_at=None
    )
    rows = held.select_related("policy", "user").order_by("pk")
    judged = judge(rows.select_for_update(of=("self",), no_key=True), at=by.at)
    pending = _pending_for(user, offer)
    for one in judged:
        is_used = one.usage is not None and one.usage.course_run_id == offer.course_run_id
        if is_used or (pending and pending.entitlement_id == one.entitlement.pk):
            return Use(one.entitlement, None if is_used else pending)
    usable = [one for one in judged if one.decision.is_redeemable]
    for one in sorted(usable, key=lambda one: (one.decision.expires_at, one.entitlement.pk)):
        try:
            return Use(one.entitlement, _open(one, offer, by=by))
        except ConflictError:
            continue
    return None


def record_redemptions(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Store what came of attempts: the use, or why there is none."""
    for delivery in deliveries:
        attempt = CourseEntitlementRedemption.objects.select_related("requested_by").get(
            pk=delivery.message.payload["redemption"]
        )
        by = Attribution(at=at, actor=attempt.requested_by, cause=ENROLL)
        judged = lock_entitlement(pk=attempt.entitlement_id, by=by)
        attempt.refresh_from_db(fields=["status"])
        if attempt.status == RedemptionStatus.PENDING:
            _record(judged, attempt, delivery, by=by)


def is_over(judged: JudgedEntitlement) -> bool:
    """Whether it was ended, or used up by a certificate, since its use was asked for.

    That its time ran out since does not count: it was asked for in time.
    """
    is_used_up = judged.decision.expired_reason == ExpiryReason.CERTIFICATE
    return judged.entitlement.expired_at is not None or is_used_up


def _open(
    judged: JudgedEntitlement, offer: RunOffer, *, by: Attribution
) -> CourseEntitlementRedemption | None:
    entitlement, usage = judged.entitlement, judged.usage
    pending = entitlement.redemptions.filter(status=RedemptionStatus.PENDING).first()
    if pending and pending.course_run_id == offer.course_run_id:
        return pending
    require_unexpired(judged)
    require_unfrozen(entitlement)
    if usage and usage.course_run_id == offer.course_run_id:
        return None
    _require_usable_for(judged, offer, by=by)
    attempt = CourseEntitlementRedemption.objects.create(
        entitlement=entitlement,
        course_run_id=offer.course_run_id,
        left_enrollment_id=usage.enrollment_id if usage else None,
        requested_by=by.actor,
        requested_at=by.at,
    )
    item = outbox.Item(
        cause=str(attempt.pk),
        payload={"redemption": attempt.pk},
        key=enrollment_key(user_id=entitlement.user_id, course_run_id=offer.course_run_id),
    )
    outbox.enqueue(ENROLL, [item], at=by.at, reserve=RESERVE)
    return attempt


def _require_usable_for(judged: JudgedEntitlement, offer: RunOffer, *, by: Attribution) -> None:
    entitlement = judged.entitlement
    named = entitlement.user_id, offer.course_run_id
    enrolled = enrollments_in(user_ids=named[:1], course_run_ids=named[1:]).get(named)
    is_enrolled = enrolled is not None and enrolled.is_active
    if not (judged.decision.is_redeemable or judged.decision.is_regainable):
        raise EntitlementNotRedeemableError("The time to use this entitlement is over.")
    if not is_fulfillable(offer, mode=entitlement.mode, is_enrolled=is_enrolled, at=by.at):
        raise RunUnavailableError("This session cannot be taken with this entitlement now.")
    is_paid = enrolled is not None and _is_paid_by_another(entitlement, enrolled)
    if is_paid or _pending_for(entitlement.user, offer):
        raise RunUsedError("Another entitlement is used for this session.")


def _is_paid_by_another(entitlement: CourseEntitlement, enrolled: Enrolled) -> bool:
    """Whether another one is used for the enrollment, or was used up for it while it goes on."""
    others = CourseEntitlement.objects.exclude(pk=entitlement.pk)
    used = Q(expired_at=None) | Q(expired_reason__in=RULES if enrolled.is_active else ())
    return others.filter(used, enrollment_course_run=enrolled.enrollment_id).exists()


def _pending_for(user: User, offer: RunOffer) -> CourseEntitlementRedemption | None:
    """The attempt to use any entitlement of the learner for the run that is under way."""
    attempts = CourseEntitlementRedemption.objects.filter(
        status=RedemptionStatus.PENDING,
        entitlement__user=user,
        course_run=offer.course_run_id,
    )
    return attempts.order_by("pk").first()


def _record(
    judged: JudgedEntitlement,
    attempt: CourseEntitlementRedemption,
    delivery: Delivery,
    *,
    by: Attribution,
) -> None:
    """A message that is dead leaves the attempt under way: staff settle the message."""
    (message, outcome), entitlement = delivery, judged.entitlement
    is_enrolled = outcome.status == OutboxStatus.DONE
    if is_enrolled and not is_over(judged):
        _use(entitlement, attempt, by=by)
        return
    if outcome.status == OutboxStatus.FAILED:
        _finish(attempt, RedemptionStatus.REFUSED, outcome.reason, by=by)
    elif outcome.status == OutboxStatus.SKIPPED or is_over(judged):
        _finish(attempt, RedemptionStatus.ABANDONED, ENTITLEMENT_ENDED, by=by)
    else:
        return
    # An earlier try whose answer was lost may have enrolled the learner.
    if is_enrolled or message.attempts > 1:
        queue_unenrollment(entitlement, course_run_id=attempt.course_run_id, by=by)


def _use(
    entitlement: CourseEntitlement, attempt: CourseEntitlementRedemption, *, by: Attribution
) -> None:
    enrollment_id = programs.enroll_in_run(
        user_id=entitlement.user_id,
        course_run_id=attempt.course_run_id,
        mode=entitlement.mode,
        by=by,
    )
    others = CourseEntitlement.objects.exclude(pk=entitlement.pk)
    if others.filter(enrollment_course_run=enrollment_id, expired_at=None).exists():
        _finish(attempt, RedemptionStatus.REFUSED, RUN_USED, by=by)
        return
    states.use(entitlement, enrollment_id=enrollment_id, course_run_id=attempt.course_run_id, by=by)
    _finish(attempt, RedemptionStatus.DONE, by=by)
    left = attempt.left_enrollment
    if left and entitlement.enrollment_course_run_id == left.pk:
        queue_unenrollment(entitlement, course_run_id=left.course_run_id, by=by)


def _finish(
    attempt: CourseEntitlementRedemption,
    status: RedemptionStatus,
    refusal: str = "",
    *,
    by: Attribution,
) -> None:
    attempt.status, attempt.refusal, attempt.finished_at = status, refusal, by.at
    attempt.save(update_fields=["status", "refusal", "finished_at"])

"""Acting on entitlements for those who wait for the answer.

Each service commits its intent; then the outbox delivers at once what the answer depends on, and
the row is returned as it stands. While a remote system does not answer, it stays pending, and the
outbox goes on.
"""

from dataclasses import replace
from uuid import UUID

from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.history import Attribution
from credentials_portal.core.models.outbox import UNFINISHED, OutboxMessage, OutboxQuerySet
from credentials_portal.core.outbox.delivery import Clock
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.selectors.judging import usages_of
from entitlements.selectors.standing import refund_key
from entitlements.services.granting import Granted
from entitlements.services.leaving import Left, leave_entitlement, unenroll_entitlement
from entitlements.services.redeeming import Use, open_redemption, use_for_enrollment
from entitlements.services.refunding import open_refund
from entitlements.services.unenrolling import enrollment_key


def redeem_now(
    *,
    entitlement_uuid: UUID,
    course_run_key: str,
    by: Attribution,
    user: User | None = None,
    clock: Clock = timezone.now,
) -> CourseEntitlementRedemption | None:
    """Use an entitlement for a run, or switch to it; None: it is used for that run already.

    Raises what `open_redemption` does. The attempt's status tells what came of it: `done`;
    `refused` or `abandoned` with the code `refusal`; or still `pending`.
    """
    attempt = open_redemption(
        entitlement_uuid=entitlement_uuid, course_run_key=course_run_key, by=by, user=user
    )
    return deliver_redemption(attempt, clock=clock) if attempt else None


def use_now(
    *, user: User, course_run_key: str, by: Attribution, clock: Clock = timezone.now
) -> Use | None:
    """Use what the learner has for a run; None: there is nothing to use.

    The attempt's status tells what came of it, as in `redeem_now`.
    """
    use = use_for_enrollment(user=user, course_run_key=course_run_key, by=by)
    if use and use.redemption:
        return Use(use.entitlement, deliver_redemption(use.redemption, clock=clock))
    return use


def leave_now(
    *,
    entitlement_uuid: UUID,
    by: Attribution,
    user: User | None = None,
    clock: Clock = timezone.now,
) -> CourseEntitlement:
    """Take an entitlement from its run; without one nothing happens.

    Raises what `leave_entitlement` does. It is released for certain; the learner's enrollment
    ends as soon as the LMS hears of it.
    """
    left = leave_entitlement(entitlement_uuid=entitlement_uuid, by=by, user=user)
    _deliver_run(left.entitlement, left.course_run_id, clock)
    return _as_it_stands(left.entitlement)


def unenroll_now(
    *,
    user: User,
    course_run_key: str,
    skip_refund: bool,
    by: Attribution,
    clock: Clock = timezone.now,
) -> Left | None:
    """What an unenrollment elsewhere means for the entitlement that paid; None: none did.

    Of the refund, if one was opened, the status tells what came of it, as in `refund_now`.
    """
    left = unenroll_entitlement(
        user=user, course_run_key=course_run_key, skip_refund=skip_refund, by=by
    )
    if left is None:
        return None
    refund = deliver_refund(left.refund, clock=clock) if left.refund else None
    return replace(left, entitlement=_as_it_stands(left.entitlement), refund=refund)


def refund_now(
    *,
    entitlement_uuid: UUID,
    by: Attribution,
    user: User | None = None,
    clock: Clock = timezone.now,
) -> CourseEntitlementRefund:
    """Refund an entitlement and end it. Raises what `open_refund` does.

    The refund's status tells what came of it: `opened` (or `paid`); `failed` with the code
    `refusal`, and nothing else changed; or nobody knows yet: `pending` or `needs_review`.
    """
    refund = open_refund(entitlement_uuid=entitlement_uuid, by=by, user=user)
    return deliver_refund(refund, clock=clock)


def deliver_grant(granted: Granted, *, clock: Clock = timezone.now) -> CourseEntitlement:
    """Use a new entitlement at once for what it upgrades, and return it as it stands."""
    if granted.redemption:
        deliver_redemption(granted.redemption, clock=clock)
    return _as_it_stands(granted.entitlement)


def deliver_redemption(
    attempt: CourseEntitlementRedemption, *, clock: Clock = timezone.now
) -> CourseEntitlementRedemption:
    """Do at once what an attempt waits for, and return it as it stands."""
    _deliver_run(attempt.entitlement, attempt.course_run_id, clock)
    if attempt.left_enrollment:
        _deliver_run(attempt.entitlement, attempt.left_enrollment.course_run_id, clock)
    attempt.refresh_from_db()
    return attempt


def deliver_refund(
    refund: CourseEntitlementRefund, *, clock: Clock = timezone.now
) -> CourseEntitlementRefund:
    """Do at once what a refund waits for, and return it as it stands."""
    usage = usages_of([refund.entitlement.enrollment_course_run_id or 0])
    _deliver(OutboxMessage.objects.filter(key=refund_key(refund.pk)), clock)
    for used in usage.values():
        _deliver_run(refund.entitlement, used.course_run_id, clock)
    refund.refresh_from_db()
    return refund


def _deliver_run(entitlement: CourseEntitlement, course_run_id: int | None, clock: Clock) -> None:
    """Deliver what waits to be done to the learner's enrollment in a run, in its order."""
    if course_run_id is not None:
        key = enrollment_key(user_id=entitlement.user_id, course_run_id=course_run_id)
        _deliver(OutboxMessage.objects.filter(key=key), clock)


def _deliver(messages: OutboxQuerySet, clock: Clock) -> None:
    waiting = messages.filter(status__in=UNFINISHED).order_by("pk")
    for pk in waiting.values_list("pk", flat=True):
        outbox.deliver_now([pk], clock=clock)


def _as_it_stands(entitlement: CourseEntitlement) -> CourseEntitlement:
    return CourseEntitlement.objects.select_related("policy", "user").get(pk=entitlement.pk)

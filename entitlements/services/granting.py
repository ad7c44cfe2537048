"""Entitlements that orders and staff give to learners."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import FREE_MODES, ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.rules import DAY
from entitlements.selectors.policies import policy_for
from entitlements.selectors.sessions import is_fulfillable
from entitlements.services import states
from entitlements.services.notes import SupportNote, require_comments, write_notes
from entitlements.services.redeeming import open_redemption
from entitlements.services.states import Ending
from entitlements.signals import entitlement_granted
from programs import selectors as programs


class OrderTakenError(ConflictError):
    """The order paid for this course already, for another learner or in another mode."""

    code = "order_taken"


class EndToComeError(DomainError):
    """What ends does so at once, so that its end cannot be a date to come."""

    code = "end_to_come"


@dataclass(frozen=True)
class Granted:
    """An entitlement; whether it is new; and, under way, its use for the learner's enrollment.

    Whoever must answer lets `deliveries.acting.deliver_grant` do that at once.
    """

    entitlement: CourseEntitlement
    is_new: bool
    redemption: CourseEntitlementRedemption | None = None


@retry_conflicts
@transaction.atomic
def grant_entitlement(
    *,
    user: User,
    course_uuid: UUID,
    mode: str,
    by: Attribution,
    order_number: str | None = None,
    site_id: int | None = None,
    refund_locked: bool = False,
    expired_at: datetime | None = None,
    notes: Sequence[SupportNote] = (),
) -> Granted:
    """Give a learner an entitlement for a course, under the policy of the site and mode.

    The same order, course, learner and mode again are the same entitlement, wherever it went
    since. An order number that is empty is none; without one each call gives another entitlement.
    With one active enrollment in a run of the course that takes the mode, and that nobody paid
    for, the entitlement is used for it; not where staff give it, with `notes`. Announces
    `entitlement_granted`. Raises `OrderTakenError`, `CommentMissingError`, `RunUnknownError`,
    `EndToComeError`.
    """
    require_comments(notes)
    require_past_end(expired_at, at=by.at)
    order_number = order_number or None
    entitlement = CourseEntitlement(
        user=user,
        course_uuid=course_uuid,
        mode=mode,
        order_number=order_number,
        refund_locked=refund_locked,
        policy=policy_for(mode=mode, site_id=site_id),
        created=by.at,
        modified=by.at,
    )
    former = _granted_before(entitlement) or _save(entitlement, by=by)
    if former:
        return Granted(former, is_new=False)
    announce(
        entitlement_granted,
        [states.fact_of(entitlement)],
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )
    write_notes(entitlement, notes, by=by)
    if expired_at:
        ending = Ending(ExpiryReason.SUPPORT, expired_at=expired_at)
        states.end({entitlement.pk: ending}, by=by)
        entitlement.refresh_from_db()
    upgraded = None if notes or expired_at else _upgrade(entitlement, by=by)
    return Granted(entitlement, is_new=True, redemption=upgraded)


def require_past_end(expired_at: datetime | None, *, at: datetime) -> None:
    """Raise `EndToComeError`; a day is forgiven, for clocks and zones of those who send it."""
    if expired_at and expired_at > at + DAY:
        raise EndToComeError("It ends at once, so its end cannot be a date to come.")


def _granted_before(wanted: CourseEntitlement) -> CourseEntitlement | None:
    """What the order paid for already, of this learner's, in this mode; None: nothing.

    One that was transferred, or got another mode, is known by what it was.
    """
    if wanted.order_number is None:
        return None
    of_order = CourseEntitlement.objects.filter(order_number=wanted.order_number)
    same = Q(user=wanted.user_id, course_uuid=wanted.course_uuid, mode=wanted.mode)
    once = CourseEntitlement.history.filter(same, id__in=of_order.values("pk"))
    is_wanted = same | Q(pk__in=once.values("id"))
    verdict = ExpressionWrapper(is_wanted, output_field=BooleanField())
    # In one statement: what is committed between two would be taken for somebody else's.
    found = (
        of_order.filter(is_wanted | Q(course_uuid=wanted.course_uuid))
        .order_by(verdict.desc(), "pk")
        .values_list("pk", verdict)
        .first()
    )
    if found is None:
        return None
    pk, is_former = found
    if not is_former:
        raise OrderTakenError(
            "This order paid for this course already, for somebody else or in another mode."
        )
    return CourseEntitlement.objects.get(pk=pk)


def _save(entitlement: CourseEntitlement, *, by: Attribution) -> CourseEntitlement | None:
    """Store it, or return the one that the same order got at the same time."""
    try:
        with transaction.atomic():
            save_with_history(entitlement, by=by)
    except IntegrityError:
        former = _granted_before(entitlement)
        if former is None:
            raise
        return former
    return None


def _upgrade(
    entitlement: CourseEntitlement, *, by: Attribution
) -> CourseEntitlementRedemption | None:
    run_key = _run_to_upgrade(entitlement, by=by)
    if run_key is None:
        return None
    try:
        return open_redemption(entitlement_uuid=entitlement.uuid, course_run_key=run_key, by=by)
    except ConflictError:
        # Another entitlement is being used for that run: what was paid for is granted all the same.
        return None


def _run_to_upgrade(entitlement: CourseEntitlement, *, by: Attribution) -> str | None:
    """The one run that the learner is in already and could take with it, unpaid; None where there
    is no such run, or a choice to make."""
    course_uuid, mode = entitlement.course_uuid, entitlement.mode
    offers = {
        offer.course_run_id: offer
        for offer in programs.course_offers([course_uuid])[course_uuid]
        if is_fulfillable(offer, mode=mode, is_enrolled=True, at=by.at)
    }
    enrolled = programs.enrollments_in(user_ids=[entitlement.user_id], course_run_ids=offers)
    active = [enrollment for enrollment in enrolled.values() if enrollment.is_active]
    if len(active) != 1 or active[0].mode not in FREE_MODES:
        return None
    return offers[active[0].course_run_id].key

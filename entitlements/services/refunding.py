"""Refunds: asked for once, and settled by what the gateway answers or by staff."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    newest_history_ids,
    save_with_history,
    update_with_history,
)
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import UNSETTLED_REFUNDS, ExpiryReason, RefundGateway, RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.selectors.judging import JudgedEntitlement
from entitlements.selectors.standing import refund_key
from entitlements.services import states
from entitlements.services.locking import lock_entitlement, require_unfrozen
from entitlements.services.states import Ending
from entitlements.services.unenrolling import queue_unenrollment
from entitlements.signals import entitlement_refund_failed, entitlement_refund_opened

REFUND = "entitlements.refund"
# Whoever asks delivers as well; the sweepers take over when that did not come.
RESERVE = timedelta(minutes=2)


class EntitlementNotRefundableError(ConflictError):
    code = "entitlement_not_refundable"


class RefundNotFoundError(NotFoundError):
    code = "refund_not_found"


@dataclass(frozen=True)
class Accepted:
    """The gateway will pay; `remote_ids` are its own names of it."""

    remote_ids: Sequence[int | str] = ()


@dataclass(frozen=True)
class Denied:
    """The gateway will not pay, or says that there is nothing to pay."""

    refusal: str


@retry_conflicts
@transaction.atomic
def open_refund(
    *, entitlement_uuid: UUID, by: Attribution, user: User | None = None
) -> CourseEntitlementRefund:
    """Ask for a refund, judged with the session that the entitlement is used for.

    Nobody is asked before the outbox delivers (`deliveries.acting.refund_now` does at once).
    While a refund of it is under way that one is returned, and nothing is asked again. `user` is
    whose it must be. Raises `EntitlementNotFoundError`, `EntitlementNotRefundableError`, and
    `EntitlementFrozenError` while it is being used for a run.
    """
    owner = {"user": user} if user else {}
    judged = lock_entitlement(uuid=entitlement_uuid, by=by, **owner)
    entitlement = judged.entitlement
    under_way = entitlement.refunds.filter(status__in=UNSETTLED_REFUNDS).first()
    if under_way:
        return under_way
    require_unfrozen(entitlement)
    order_number = entitlement.order_number
    if not order_number or not judged.decision.is_refundable or is_refunded(entitlement):
        raise EntitlementNotRefundableError("This entitlement cannot be refunded.")
    refund = CourseEntitlementRefund(
        entitlement=entitlement,
        order_number=order_number,
        gateway=RefundGateway.ORDERS if settings.ORDERS_BASE_URL else RefundGateway.MANUAL,
        requested_by=by.actor,
        requested_at=by.at,
    )
    save_with_history(refund, by=by)
    queue_refund(refund, by=by)
    return refund


def is_refunded(entitlement: CourseEntitlement) -> bool:
    """Whether it was refunded, or may have been."""
    return entitlement.refunds.exclude(status=RefundStatus.FAILED).exists()


def queue_refund(refund: CourseEntitlementRefund, *, by: Attribution) -> None:
    """Ask the gateway, after the change that it follows from, under the entitlement's lock."""
    change = newest_history_ids(CourseEntitlementRefund, [refund.pk])[refund.pk]
    item = outbox.Item(
        cause=f"{refund.pk}.{change}", payload={"refund": refund.pk}, key=refund_key(refund.pk)
    )
    outbox.enqueue(REFUND, [item], at=by.at, reserve=RESERVE)


def lock_refund(
    refund_id: int, *, by: Attribution
) -> tuple[CourseEntitlementRefund, JudgedEntitlement]:
    """The refund and its entitlement, locked in their order. Raises `RefundNotFoundError`."""
    refunds = CourseEntitlementRefund.objects.filter(pk=refund_id)
    entitlement_id = refunds.values_list("entitlement", flat=True).first()
    if entitlement_id is None:
        raise RefundNotFoundError("There is no such refund.")
    judged = lock_entitlement(pk=entitlement_id, by=by)
    return refunds.select_for_update(no_key=True).get(), judged


@transaction.atomic(durable=True)
def note_arrival(refund_id: int, *, by: Attribution) -> None:
    """Commit that the gateway may have made the refund, whatever becomes of its answer."""
    unheard = CourseEntitlementRefund.objects.filter(pk=refund_id, may_have_arrived=False)
    update_with_history(unheard, {"may_have_arrived": True}, by=by)


def record_refunds(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Settle refunds by the gateway's answer; what is unclear is left to staff.

    It is unclear where the gateway denies a refund of which it may have heard before, and where
    the message was closed without an answer.
    """
    for message, outcome in deliveries:
        if outcome.status == OutboxStatus.SKIPPED:
            continue
        by = Attribution(at=at, cause=REFUND)
        refund, judged = lock_refund(message.payload["refund"], by=by)
        if refund.status not in UNSETTLED_REFUNDS:
            continue
        match outcome.detail:
            case Accepted(remote_ids=ids):
                accept(refund, judged, remote_ids=ids, by=by)
            case Denied(refusal=refusal) if not refund.may_have_arrived:
                fail(refund, judged, refusal=refusal, by=by)
            case _:
                refund.may_have_arrived |= message.call_began
                _leave_to_staff(refund, outcome.reason, by=by)


def accept(
    refund: CourseEntitlementRefund,
    judged: JudgedEntitlement,
    *,
    by: Attribution,
    remote_ids: Sequence[int | str] = (),
) -> None:
    """It will be paid: the entitlement ends and its learner leaves the run. Both are locked."""
    answer = {"remote_ids": list(remote_ids), "refusal": "", "may_have_arrived": False}
    _settle(refund, RefundStatus.OPENED, answer, by=by)
    entitlement, run_id = judged.entitlement, judged.course_run_id
    if entitlement.expired_at is None:
        ending = Ending(ExpiryReason.REFUND, run_id)
        states.end({entitlement.pk: ending}, by=by, releases=run_id is not None)
        if run_id:
            queue_unenrollment(entitlement, course_run_id=run_id, by=by)
    fact = states.fact_of(entitlement, course_run_id=run_id)
    announce(entitlement_refund_opened, [fact], at=by.at, actor=by.actor, cause=by.cause)


def fail(
    refund: CourseEntitlementRefund, judged: JudgedEntitlement, *, refusal: str, by: Attribution
) -> None:
    """It will not be paid: nothing else changes. Both are locked."""
    _settle(refund, RefundStatus.FAILED, {"refusal": refusal}, by=by)
    fact = states.fact_of(judged.entitlement, course_run_id=judged.course_run_id)
    announce(entitlement_refund_failed, [fact], at=by.at, actor=by.actor, cause=by.cause)


def _settle(
    refund: CourseEntitlementRefund,
    status: RefundStatus,
    values: dict[str, Any],
    *,
    by: Attribution,
) -> None:
    """By staff where there is an actor, else by the gateway."""
    for name, value in values.items():
        setattr(refund, name, value)
    refund.status, refund.settled_by, refund.settled_at = status, by.actor, by.at
    save_with_history(refund, by=by)


def _leave_to_staff(refund: CourseEntitlementRefund, why: str, *, by: Attribution) -> None:
    refund.status, refund.refusal = RefundStatus.NEEDS_REVIEW, why
    save_with_history(refund, by=by)

"""What staff decide about refunds; each decision with a comment, kept as a support action.

Who calls has checked the permission `entitlements.settle_refunds`. All raise
`RefundNotFoundError`, `CommentMissingError`, and `RefundNotOpenError` where the refund does not
stand so that staff can decide this: what the gateway is still asked about is not theirs yet.
"""

from dataclasses import replace

from django.db import transaction

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import UNSETTLED_REFUNDS, RefundStatus, SupportAction
from entitlements.models import CourseEntitlementRefund
from entitlements.selectors.judging import JudgedEntitlement
from entitlements.selectors.standing import is_to_review
from entitlements.services.notes import SupportNote, write_notes
from entitlements.services.refunding import accept, fail, lock_refund, queue_refund

DENIED_BY_STAFF = "denied_by_staff"


class RefundNotOpenError(ConflictError):
    """The refund was settled, or the gateway may still answer."""

    code = "refund_not_open"


@retry_conflicts
@transaction.atomic
def confirm_refund(*, refund_id: int, comments: str, by: Attribution) -> CourseEntitlementRefund:
    """It was refunded: the entitlement ends, as if the gateway had said so."""
    by = replace(by, reason="refund confirmed")
    refund, judged = _lock_unsettled(refund_id, by=by)
    accept(refund, judged, by=by)
    return _noted(refund, judged, comments, by=by)


@retry_conflicts
@transaction.atomic
def deny_refund(*, refund_id: int, comments: str, by: Attribution) -> CourseEntitlementRefund:
    """It was not refunded, and will not be: the entitlement is what it was before."""
    by = replace(by, reason="refund denied")
    refund, judged = _lock_unsettled(refund_id, by=by)
    fail(refund, judged, refusal=DENIED_BY_STAFF, by=by)
    return _noted(refund, judged, comments, by=by)


@retry_conflicts
@transaction.atomic
def retry_refund(*, refund_id: int, comments: str, by: Attribution) -> CourseEntitlementRefund:
    """Ask the gateway again; `deliveries.acting.deliver_refund` does at once."""
    by = replace(by, reason="refund retried")
    refund, judged = _lock_unsettled(refund_id, by=by)
    refund.status, refund.refusal = RefundStatus.PENDING, ""
    save_with_history(refund, by=by)
    queue_refund(refund, by=by)
    return _noted(refund, judged, comments, by=by)


@retry_conflicts
@transaction.atomic
def mark_refund_paid(*, refund_id: int, comments: str, by: Attribution) -> CourseEntitlementRefund:
    """Staff paid what was accepted."""
    by = replace(by, reason="refund paid")
    refund, judged = lock_refund(refund_id, by=by)
    if refund.status != RefundStatus.OPENED:
        raise RefundNotOpenError("This refund does not wait to be paid.")
    refund.status, refund.settled_by, refund.settled_at = RefundStatus.PAID, by.actor, by.at
    save_with_history(refund, by=by)
    return _noted(refund, judged, comments, by=by)


def _lock_unsettled(
    refund_id: int, *, by: Attribution
) -> tuple[CourseEntitlementRefund, JudgedEntitlement]:
    refund, judged = lock_refund(refund_id, by=by)
    if refund.status not in UNSETTLED_REFUNDS:
        raise RefundNotOpenError("This refund was settled.")
    if not is_to_review(refund):
        raise RefundNotOpenError("The order service is still being asked about this refund.")
    return refund, judged


def _noted(
    refund: CourseEntitlementRefund, judged: JudgedEntitlement, comments: str, *, by: Attribution
) -> CourseEntitlementRefund:
    note = SupportNote(action=SupportAction.REFUND, comments=comments)
    write_notes(judged.entitlement, [note], by=by)
    return refund

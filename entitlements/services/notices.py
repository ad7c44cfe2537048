"""Mails about entitlements: queued with what they tell of, written when they leave."""

from collections.abc import Collection, Iterable
from datetime import datetime

from credentials_portal.core import outbox
from credentials_portal.core.history import newest_history_ids
from entitlements.enums import Notice, RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund
from entitlements.signals import EntitlementFact

ENTITLEMENT_MAIL = "entitlements.mail"

OF_REFUNDS = {
    Notice.REFUND_OPENED: RefundStatus.OPENED,
    Notice.REFUND_FAILED: RefundStatus.FAILED,
}


def queue_reminders(reminder_ids: Iterable[int], *, at: datetime) -> list[int]:
    """Queue the mails of these rows of `EntitlementReminder`; returns the new messages' keys."""
    items = [
        outbox.Item(
            cause=f"{Notice.REMINDER}.{pk}", payload={"notice": Notice.REMINDER, "reminder": pk}
        )
        for pk in reminder_ids
    ]
    return outbox.enqueue(ENTITLEMENT_MAIL, items, at=at)


def queue_session_mails(facts: Collection[EntitlementFact], *, at: datetime) -> None:
    """Confirm to each learner the session that was just taken."""
    changes = newest_history_ids(CourseEntitlement, [fact.entitlement_id for fact in facts])
    items = [
        outbox.Item(
            cause=f"{Notice.SESSION_TAKEN}.{changes[fact.entitlement_id]}",
            payload={
                "notice": Notice.SESSION_TAKEN,
                "entitlement": fact.entitlement_id,
                "user": fact.user_id,
                "course_run": fact.course_run_id,
            },
        )
        for fact in facts
    ]
    outbox.enqueue(ENTITLEMENT_MAIL, items, at=at)


def queue_refund_mails(notice: Notice, facts: Collection[EntitlementFact], *, at: datetime) -> None:
    """Tell each learner how the refund was answered that was asked for last."""
    users = {fact.entitlement_id: fact.user_id for fact in facts}
    refunds = CourseEntitlementRefund.objects.filter(
        entitlement__in=users, status=OF_REFUNDS[notice]
    )
    newest = {refund.entitlement_id: refund.pk for refund in refunds.order_by("pk")}
    items = [
        outbox.Item(
            cause=f"{notice}.{refund_id}",
            payload={"notice": notice, "refund": refund_id, "user": users[entitlement_id]},
        )
        for entitlement_id, refund_id in newest.items()
    ]
    outbox.enqueue(ENTITLEMENT_MAIL, items, at=at)

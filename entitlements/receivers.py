"""What entitlements do when something else happens: they queue, and judge after the commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import Signal, receiver

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution
from entitlements.enums import Notice
from entitlements.services.notices import queue_refund_mails, queue_session_mails
from entitlements.services.retirement import retire_learner
from entitlements.services.reviews import open_reviews
from entitlements.signals import (
    EntitlementFact,
    entitlement_redeemed,
    entitlement_refund_failed,
    entitlement_refund_opened,
)
from programs.signals import RunFact, course_certificate_awarded, course_enrollment_changed

EVENTS = {
    course_certificate_awarded: "course_certificate_awarded",
    course_enrollment_changed: "course_enrollment_changed",
}
"""What a queued learner's `cause` begins with; after a colon follows through what it happened."""


@receiver(
    [course_certificate_awarded, course_enrollment_changed],
    dispatch_uid="entitlements.queue_learners_on_course_event",
)
def queue_learners_on_course_event(
    signal: Signal, items: Sequence[RunFact], at: datetime, cause: str, **_kwargs: Any
) -> None:
    open_reviews(
        ((item.user_id, item.course_run_id) for item in items),
        cause=f"{EVENTS[signal]}:{cause}",
        at=at,
    )


@receiver(entitlement_redeemed, dispatch_uid="entitlements.queue_mails_on_entitlement_redeemed")
def queue_mails_on_entitlement_redeemed(
    items: Sequence[EntitlementFact], at: datetime, **_kwargs: Any
) -> None:
    queue_session_mails(items, at=at)


@receiver(
    [entitlement_refund_opened, entitlement_refund_failed],
    dispatch_uid="entitlements.queue_mails_on_entitlement_refund_answered",
)
def queue_mails_on_entitlement_refund_answered(
    signal: Signal, items: Sequence[EntitlementFact], at: datetime, **_kwargs: Any
) -> None:
    is_opened = signal is entitlement_refund_opened
    notice = Notice.REFUND_OPENED if is_opened else Notice.REFUND_FAILED
    queue_refund_mails(notice, items, at=at)


@receiver(user_retired, dispatch_uid="entitlements.retire_learners_on_user_retired")
def retire_learners_on_user_retired(
    items: Sequence[RetiredUser], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the transaction: what is personal goes with the person."""
    for item in items:
        retire_learner(
            user_id=item.user_id,
            names=(item.former_username, item.former_email, item.former_full_name),
            by=Attribution(at=at, actor=actor, cause=cause),
        )

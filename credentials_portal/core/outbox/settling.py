"""What people decide about stuck messages, and forgetting finished ones."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.models.outbox import (
    FINISHED,
    STUCK,
    OutboxMessage,
    OutboxQuerySet,
    OutboxStatus,
)
from credentials_portal.core.outbox.kinds import Delivery, Outcome, registered
from credentials_portal.core.outbox.writing import nudge_after_commit
from credentials_portal.core.retries import retry_conflicts

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

PURGE_BATCH = 5_000


class Verdict(models.TextChoices):
    """What staff found out about a stuck message."""

    TRY_AGAIN = "try_again", _("Try again")
    MARK_DONE = "mark_done", _("Mark as done")
    GIVE_UP = "give_up", _("Give up")


OUTCOMES = {
    Verdict.MARK_DONE: Outcome(OutboxStatus.DONE, "settled_by_staff"),
    Verdict.GIVE_UP: Outcome(OutboxStatus.FAILED, "settled_by_staff"),
}


@retry_conflicts
@transaction.atomic
def settle(
    ids: Collection[int], *, verdict: Verdict, actor: "User", reason: str, at: datetime
) -> None:
    """Decide dead or uncertain messages, all or none; the admin's log keeps who and why.

    What waits while a hold stops it can be marked as done or given up too, as after a restore.
    The kind's `record` learns of a message marked as done, or as failed when it was given up.
    Raises `ConflictError` when one of them is not for staff to decide (any more).
    """
    named = OutboxMessage.objects.filter(pk__in=ids)
    is_retry = verdict == Verdict.TRY_AGAIN
    due = named.filter(status__in=STUCK) if is_retry else named.settleable()
    messages = list(due.order_by("pk"))
    if is_retry:
        values: dict[str, Any] = {
            "status": OutboxStatus.PENDING,
            "attempts": 0,
            "call_began": False,
            "due_at": at,
        }
        for kind in sorted({message.kind for message in messages}):
            nudge_after_commit(kind)
    else:
        outcome = OUTCOMES[verdict]
        values = {"status": outcome.status, "reason": outcome.reason, "finished_at": at}
        _tell_domain([Delivery(message, outcome) for message in messages], at)

    if due.update(**values) < len(set(ids)):
        raise ConflictError(
            "Not all of these messages are stuck, or on hold, any more. Nothing was changed."
        )
    LogEntry.objects.log_actions(
        actor.pk, messages, CHANGE, change_message=f"{verdict.label}: {reason}"
    )


def purgeable(*, before: datetime) -> OutboxQuerySet:
    """What was finished before an instant; not what waits, is in delivery, dead or uncertain."""
    return OutboxMessage.objects.filter(status__in=FINISHED, finished_at__lt=before)


def purge(*, before: datetime) -> int:
    """Delete one batch of what is purgeable and return its size, 0 when nothing is left.

    With a message goes the memory of its cause.
    """
    batch = purgeable(before=before).order_by("finished_at").values("pk")[:PURGE_BATCH]
    deleted, _by_model = OutboxMessage.objects.filter(pk__in=batch).delete()
    return deleted


def _tell_domain(deliveries: list[Delivery], at: datetime) -> None:
    for name in sorted({delivery.message.kind for delivery in deliveries} & registered.keys()):
        record = registered[name].record
        if record:
            record([d for d in deliveries if d.message.kind == name], at)

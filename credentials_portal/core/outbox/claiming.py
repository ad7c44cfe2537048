"""Taking messages, for one deliverer alone."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import F

from credentials_portal.core.models.outbox import OutboxMessage, OutboxQuerySet, OutboxStatus
from credentials_portal.core.outbox import breakers
from credentials_portal.core.outbox.kinds import LeaseLostError, OutboxKind, blocking_kinds
from credentials_portal.core.retries import retry_conflicts


@retry_conflicts
@transaction.atomic(durable=True)
def claim(
    kind: OutboxKind, *, at: datetime, only: Collection[int] | None = None
) -> list[OutboxMessage]:
    """Take the next batch of a kind: nobody else gets it before its lease ends.

    `only` names messages, which may be taken before they are due when nobody tried them yet.
    A message that was lost with its deliverer comes alone, so that one which kills its worker does
    not drag others along; so does one that tests a remote system which did not answer.
    """
    messages = OutboxMessage.objects.filter(kind=kind.name)
    due = messages.due(at)
    if only is not None:
        due = (due | messages.never_tried()).filter(pk__in=only)
    claimable = (
        due.released()
        .with_breaker(at)
        .at_head_of_key(blocking_kinds=blocking_kinds())
        .order_by("due_at", "pk")
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
    )
    batch = _travelling_together(list(claimable[: kind.batch_size]))
    if batch:
        _lease(batch, until=at + kind.lease)
        breakers.start_probes(kind.name, batch, until=at + kind.lease)
    return batch


@transaction.atomic(durable=True)
def renew(batch: Collection[OutboxMessage], *, until: datetime) -> None:
    """Prolong the lease of a whole batch, or raise `LeaseLostError`."""
    if _held(batch).update(due_at=until) < len(batch):
        raise LeaseLostError


@transaction.atomic(durable=True)
def begin_call(message: OutboxMessage) -> None:
    """Commit that the remote system may hear of the message from now on.

    Called right before the remote call of a kind that is not repeatable: whatever ends this
    process afterwards, the message is not sent again by itself. Raises `LeaseLostError` when it
    is no longer ours to send.
    """
    if not _held([message]).update(call_began=True):
        raise LeaseLostError
    message.call_began = True


def _travelling_together(candidates: list[Any]) -> list[OutboxMessage]:
    alone = {m.pk for m in candidates if m.is_probe or m.status == OutboxStatus.DELIVERING}
    if candidates and candidates[0].pk in alone:
        return candidates[:1]
    return [message for message in candidates if message.pk not in alone]


def _lease(batch: list[OutboxMessage], *, until: datetime) -> None:
    lease = {"status": OutboxStatus.DELIVERING, "due_at": until, "lease_token": uuid4()}
    chosen = OutboxMessage.objects.filter(pk__in=[message.pk for message in batch])
    chosen.update(attempts=F("attempts") + 1, **lease)
    for message in batch:
        message.attempts += 1
        for name, value in lease.items():
            setattr(message, name, value)


def _held(batch: Collection[OutboxMessage]) -> OutboxQuerySet:
    return OutboxMessage.objects.filter(
        pk__in=[message.pk for message in batch],
        lease_token__in={message.lease_token for message in batch},
    )

"""Trying again at once what waits for its next try."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from credentials_portal.core.models.outbox import OutboxBreaker, OutboxMessage, OutboxStatus
from credentials_portal.core.outbox.recording import TRIES


@transaction.atomic(durable=True)
def wake(kinds: Collection[str], *, at: datetime) -> int:
    """Make due what waits for its next try, or used up its tries; returns how many there are.

    For a run that an operator or the clock starts: it must not depend on how long the remote
    system was down before. Open breakers let one message through, to test it. What a remote
    refused stays for staff to decide.
    """
    messages = OutboxMessage.objects.filter(kind__in=kinds)
    waiting = messages.filter(status=OutboxStatus.PENDING, due_at__gt=at, attempts__gt=0)
    exhausted = messages.filter(status=OutboxStatus.DEAD, attempts__gte=TRIES)
    woken = waiting.update(due_at=at)
    woken += exhausted.update(
        status=OutboxStatus.PENDING, attempts=0, call_began=False, due_at=at, lease_token=None
    )
    OutboxBreaker.objects.filter(kind__in=kinds, open_until__gt=at).update(open_until=at)
    return woken

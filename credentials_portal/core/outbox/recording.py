"""Storing how deliveries ended, together with the domain's side of it."""

import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from credentials_portal.core.models.outbox import FINISHED, OutboxMessage, OutboxStatus
from credentials_portal.core.outbox import breakers
from credentials_portal.core.outbox.kinds import Delivery, LeaseLostError, OutboxKind, Outcome
from credentials_portal.core.retries import retry_conflicts

logger = logging.getLogger(__name__)

TRIES = 8
FIRST_DELAY = timedelta(minutes=1)


def record(kind: OutboxKind, deliveries: Sequence[Delivery], *, at: datetime) -> Counter[str]:
    """Store outcomes; what cannot be stored together is split. Returns how many got each status.

    A message whose lease was lost is left to its new holder. One whose domain side fails becomes
    dead, or uncertain where a repetition harms. When the database is lost the error goes on: the
    lease runs out.
    """
    if not deliveries:
        return Counter()
    try:
        return _record_together(kind, deliveries, at=at)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - handled for each message alone, and logged there
        if len(deliveries) == 1:
            return _record_alone(kind, deliveries[0], error, at=at)
        middle = len(deliveries) // 2
        return record(kind, deliveries[:middle], at=at) + record(kind, deliveries[middle:], at=at)


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, with jitter against crowds."""
    return FIRST_DELAY * (1 << attempts) * random.uniform(0.5, 1)  # noqa: S311 - no secret


@retry_conflicts
@transaction.atomic(durable=True)
def _record_together(
    kind: OutboxKind, deliveries: Sequence[Delivery], *, at: datetime
) -> Counter[str]:
    """All or nothing. The domain's rows come first: in the order of locks the outbox is last."""
    final = [Delivery(message, _final(message, outcome)) for message, outcome in deliveries]
    closed = [delivery for delivery in final if delivery.outcome.status != OutboxStatus.PENDING]
    if kind.record and closed:
        kind.record(closed, at)

    outcomes = {message.pk: outcome for message, outcome in final}
    held = list(
        OutboxMessage.objects.filter(
            pk__in=outcomes, lease_token__in={message.lease_token for message, _ in final}
        )
        .order_by("pk")
        .select_for_update(no_key=True)
    )
    if len(held) < len(final):
        raise LeaseLostError
    for message in held:
        _apply(outcomes[message.pk], to=message, at=at)
    OutboxMessage.objects.bulk_update(
        held, ["status", "reason", "due_at", "lease_token", "call_began", "finished_at"]
    )
    breakers.note_answers(kind.name, final, at=at)
    return Counter(str(outcome.status) for outcome in outcomes.values())


def _record_alone(
    kind: OutboxKind, delivery: Delivery, error: Exception, *, at: datetime
) -> Counter[str]:
    named = {"kind": kind.name, "message_id": str(delivery.message.uuid)}
    if isinstance(error, LeaseLostError):
        logger.warning("outbox_lease_lost", extra=named)
        return Counter()
    logger.error("outbox_record_failed", extra=named, exc_info=error)
    bury = Outcome.dead if kind.repeatable else Outcome.uncertain
    stuck = Delivery(delivery.message, bury("record_failed"))
    return _record_together(replace(kind, record=None), [stuck], at=at)


def _final(message: OutboxMessage, outcome: Outcome) -> Outcome:
    """The outcome, or death for a message that used up its tries."""
    if outcome.status == OutboxStatus.PENDING and message.attempts >= TRIES:
        return replace(outcome, status=OutboxStatus.DEAD)
    return outcome


def _apply(outcome: Outcome, *, to: OutboxMessage, at: datetime) -> None:
    to.status, to.reason, to.lease_token = outcome.status, outcome.reason, None
    to.due_at, to.finished_at = at, at if outcome.status in FINISHED else None
    if outcome.status == OutboxStatus.PENDING:
        to.due_at += max(back_off(to.attempts), outcome.retry_after)
        to.call_began = False

"""Claim, deliver, record: the one loop that serves workers, cron and `deliver_now`."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import Error, close_old_connections, transaction

from credentials_portal.core.models.outbox import OutboxMessage, OutboxStatus
from credentials_portal.core.outbox.claiming import claim, renew
from credentials_portal.core.outbox.kinds import (
    BatchRefusedError,
    Delivery,
    LeaseLostError,
    OutboxKind,
    Outcome,
    registered,
)
from credentials_portal.core.outbox.recording import TRIES, record

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]


@dataclass
class Tally:
    """How many messages got each status ("pending": tried again later), and what nobody knows."""

    outcomes: Counter[str] = field(default_factory=Counter)
    unregistered: set[str] = field(default_factory=set)


def deliver_due(
    *, clock: Clock, only: Collection[str] = (), must_stop: Callable[[], bool] = lambda: False
) -> Tally:
    """Deliver what is due, a batch of each kind in turn, until nothing is or `must_stop` says so.

    `only` names kinds. Messages of a kind that no app registers stay as they are.
    """
    tally = Tally()
    has_progressed = True
    while has_progressed:
        has_progressed = False
        for name in _due_kinds(only, at=clock()):
            if must_stop():
                return tally
            if name not in registered:
                tally.unregistered.add(name)
            elif batch := claim(registered[name], at=clock()):
                tally.outcomes += _deliver_and_record(registered[name], batch, clock)
                has_progressed = True
    return tally


def deliver_now(ids: Collection[int], *, clock: Clock) -> dict[int, OutboxMessage]:
    """Deliver these messages before answering the caller, and return how they stand.

    For whoever must tell the outcome: commit the intent with its message, enqueued with `reserve`,
    then call this. A message that another deliverer holds, that waits for its next try or for an
    earlier one of its key, or that is on hold is returned as it stands. Raises `RuntimeError`
    inside a transaction.
    """
    with transaction.atomic(durable=True):
        kinds = set(OutboxMessage.objects.filter(pk__in=ids).values_list("kind", flat=True))
    for kind in (registered[name] for name in sorted(kinds & registered.keys())):
        while batch := claim(kind, at=clock(), only=ids):
            _deliver_and_record(kind, batch, clock)
    return OutboxMessage.objects.in_bulk(ids)


def follow(
    *,
    clock: Clock,
    must_stop: Callable[[], bool],
    wait: Callable[[], object],
    only: Collection[str] = (),
) -> Tally:
    """Deliver what is due, `wait`, and again, until `must_stop`; survives a lost database."""
    total = Tally()
    while not must_stop():
        try:
            close_old_connections()
            tally = deliver_due(clock=clock, only=only, must_stop=must_stop)
        except Error as error:
            logger.warning("outbox_database_lost", extra={"error": type(error).__name__})
        except Exception:
            logger.exception("outbox_sweep_failed")
        else:
            for kind in tally.unregistered - total.unregistered:
                logger.error("outbox_kind_unregistered", extra={"kind": kind})
            total.outcomes += tally.outcomes
            total.unregistered |= tally.unregistered
        wait()
    return total


def _due_kinds(only: Collection[str], *, at: datetime) -> list[str]:
    due = OutboxMessage.objects.due(at)
    if only:
        due = due.filter(kind__in=only)
    return list(due.order_by("kind").values_list("kind", flat=True).distinct())


def _deliver_and_record(
    kind: OutboxKind, batch: Sequence[OutboxMessage], clock: Clock
) -> Counter[str]:
    outcomes = _verdict_on_lost(kind, batch[0]) or _deliver(kind, batch, clock)
    deliveries = [Delivery(m, outcomes[m.pk]) for m in batch if m.pk in outcomes]
    return record(kind, deliveries, at=clock())


def _verdict_on_lost(kind: OutboxKind, message: OutboxMessage) -> dict[int, Outcome]:
    """What becomes of a message that must not be tried again after its deliverer was lost."""
    if message.call_began and not kind.repeatable:
        return {message.pk: Outcome.uncertain("lease_expired")}
    if message.attempts > TRIES:
        return {message.pk: Outcome.dead("lease_expired")}
    return {}


def _deliver(kind: OutboxKind, batch: Sequence[OutboxMessage], clock: Clock) -> dict[int, Outcome]:
    """The outcome of each message, but of those whose lease was lost."""
    silence = "no_outcome"
    try:
        outcomes = kind.deliver(batch, clock())
    except LeaseLostError:
        logger.warning("outbox_lease_lost", extra={"kind": kind.name})
        return {}
    except BatchRefusedError as refusal:
        if len(batch) > 1:
            return _deliver_split(kind, batch, clock)
        outcomes = {batch[0].pk: refusal.alone}
    except Exception as error:
        logger.exception("outbox_delivery_failed", extra={"kind": kind.name})
        outcomes, silence = {}, f"error.{type(error).__name__}"
    return {m.pk: _believable(kind, m, outcomes.get(m.pk), silence) for m in batch}


def _believable(
    kind: OutboxKind, message: OutboxMessage, outcome: Outcome | None, silence: str
) -> Outcome:
    """What `deliver` said, or what its silence means."""
    if outcome is None:
        is_safe = kind.repeatable or not message.call_began
        return Outcome.retry(silence) if is_safe else Outcome.uncertain(silence)
    if outcome.status == OutboxStatus.DONE and not (kind.repeatable or message.call_began):
        return Outcome.uncertain("call_not_begun")
    return outcome


def _deliver_split(
    kind: OutboxKind, batch: Sequence[OutboxMessage], clock: Clock
) -> dict[int, Outcome]:
    middle = len(batch) // 2
    outcomes: dict[int, Outcome] = {}
    for half in (batch[:middle], batch[middle:]):
        try:
            renew(half, until=clock() + kind.lease)
        except LeaseLostError:
            logger.warning("outbox_lease_lost", extra={"kind": kind.name})
        else:
            outcomes |= _deliver(kind, half, clock)
    return outcomes

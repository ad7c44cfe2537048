"""Everything that leaves the process: written with the change that caused it, delivered later.

An app registers its kinds in `AppConfig.ready`, enqueues in its services, and delivers in its
`deliveries.py`:

    outbox.register(OutboxKind(name="letters.mail", deliver=deliver_mail, repeatable=False))

    outbox.enqueue("letters.mail", [Item(cause=str(event.pk), payload={"event": event.pk})], at=at)

    def deliver_mail(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        return {message.pk: ... for message in messages}

Guaranteed is delivery at least once, with `message.uuid` by which the remote system can tell a
repetition. Where it cannot, `repeatable=False` turns a lost answer into `uncertain`, which only
staff settle. docs/outbox.md tells operators about it.
"""

from credentials_portal.core.outbox.claiming import begin_call
from credentials_portal.core.outbox.delivery import Tally, deliver_due, deliver_now, follow
from credentials_portal.core.outbox.kinds import (
    BatchRefusedError,
    Delivery,
    LeaseLostError,
    OutboxKind,
    Outcome,
    register,
)
from credentials_portal.core.outbox.settling import Verdict, purge, purgeable, settle
from credentials_portal.core.outbox.standing import (
    OutboxStanding,
    deliveries_per_day,
    outbox_standing,
)
from credentials_portal.core.outbox.waking import wake
from credentials_portal.core.outbox.writing import Item, enqueue

__all__ = [
    "BatchRefusedError",
    "Delivery",
    "Item",
    "LeaseLostError",
    "OutboxKind",
    "OutboxStanding",
    "Outcome",
    "Tally",
    "Verdict",
    "begin_call",
    "deliver_due",
    "deliver_now",
    "deliveries_per_day",
    "enqueue",
    "follow",
    "outbox_standing",
    "purge",
    "purgeable",
    "register",
    "settle",
    "wake",
]

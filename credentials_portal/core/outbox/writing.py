"""Putting messages into the outbox."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from credentials_portal.core.outbox.kinds import get_kind

TASK = "core.deliver_outbox"
# For how long a broker that did not take a nudge is left alone. The sweep delivers meanwhile.
BROKER_REST_SECONDS = 30
resting_until: dict[str, float] = {}

# Sorted by the unique key, so that two transactions that insert the same rows never deadlock;
# by its length first, so that causes that are numbers leave in their order.
INSERT = """
    INSERT INTO core_outboxmessage (
        uuid, kind, dedupe_key, key, scope, payload, payload_version,
        status, reason, attempts, due_at, call_began, created_at
    )
    SELECT
        gen_random_uuid(), %(kind)s, item.dedupe_key, item.key, item.scope, item.payload,
        %(payload_version)s, 'pending', '', 0, %(due_at)s, false, %(at)s
    FROM unnest(%(dedupe_keys)s::text[], %(keys)s::text[], %(scopes)s::text[], %(payloads)s::jsonb[])
        AS item (dedupe_key, key, scope, payload)
    ORDER BY length(item.dedupe_key), item.dedupe_key
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True)
class Item:
    """One message to be.

    `cause` identifies the row that causes it (an event, not the object that the event is about):
    the same kind and cause is enqueued once. `payload` holds ids. Messages with the same ordering
    `key`, of whatever kind, leave in the order of their enqueuing; the caller holds the lock of
    what the key names. `scope` is the customer, or whoever else may be in trouble alone.
    """

    cause: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    scope: str = ""


def enqueue(
    kind: str, items: Iterable[Item], *, at: datetime, reserve: timedelta = timedelta(0)
) -> list[int]:
    """Insert messages in one statement, inside the open transaction; return the new ones' keys.

    What was enqueued before is left alone. `reserve` leaves them to the caller's `deliver_now`;
    the sweepers take over when it did not come within that time. Raises
    `TransactionManagementError` outside `atomic`, and `ValueError` when two items share an ordering
    key, since their order would be anybody's guess.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("enqueue() needs an open transaction")
    known = get_kind(kind)
    queue = list(items)
    keys = [item.key for item in queue if item.key]
    if len(set(keys)) < len(keys):
        raise ValueError("Two items of one call share an ordering key.")
    if not queue:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            {
                "kind": kind,
                "payload_version": known.payload_version,
                "at": at,
                "due_at": at + reserve,
                "dedupe_keys": [f"{kind}:{item.cause}" for item in queue],
                "keys": [item.key for item in queue],
                "scopes": [item.scope for item in queue],
                "payloads": [json.dumps(item.payload, cls=DjangoJSONEncoder) for item in queue],
            },
        )
        created = [row[0] for row in cursor.fetchall()]
    if created and not reserve:
        nudge_after_commit(kind)
    return created


def nudge_after_commit(kind: str) -> None:
    """Tell a worker, once per transaction. Without a broker the second process sweeps."""
    nudge = _nudge(kind)
    is_planned = any(callback[1] is nudge for callback in connection.run_on_commit)
    if settings.CELERY_BROKER_URL and not is_planned:
        transaction.on_commit(nudge, robust=True)


@cache
def _nudge(kind: str) -> Callable[[], None]:
    """The same function for the same kind, so that a transaction's second one is recognised."""

    def nudge() -> None:
        broker = settings.CELERY_BROKER_URL
        if time.monotonic() < resting_until.get(broker, 0):
            return
        try:
            current_app.send_task(TASK, args=[kind], retry=False)
        except BrokerError:
            resting_until[broker] = time.monotonic() + BROKER_REST_SECONDS
            raise

    return nudge

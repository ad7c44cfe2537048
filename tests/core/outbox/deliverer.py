"""One deliverer as a process of its own, which kills itself at a given point.

python -m tests.core.outbox.deliverer DATABASE REMOTE_URL POINT
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import django
import httpx


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def register_kinds(remote_url: str, reached: Callable[[str], None]) -> None:
    """`test.call` carries our message id; `test.once` must not be repeated. Both call the remote."""
    from credentials_portal.core import outbox
    from credentials_portal.core.models import OutboxMessage
    from credentials_portal.core.outbox import Delivery, OutboxKind, Outcome

    def post(message: OutboxMessage, headers: dict[str, str]) -> Outcome:
        reached("before the call")
        httpx.post(remote_url, json=[message.payload["id"]], headers=headers).raise_for_status()
        reached("after the remote success")
        return Outcome.done()

    def deliver_call(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        reached("after the claim")
        return {m.pk: post(m, {"Idempotency-Key": str(m.uuid)}) for m in messages}

    def deliver_once(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        reached("after the claim")
        (message,) = messages
        outbox.begin_call(message)
        return {message.pk: post(message, {})}

    def record(deliveries: Sequence[Delivery], at: datetime) -> None:
        if any(delivery.outcome.status == "done" for delivery in deliveries):
            reached("before the record")

    outbox.register(
        OutboxKind(name="test.call", deliver=deliver_call, record=record, batch_size=10)
    )
    outbox.register(
        OutboxKind(name="test.once", deliver=deliver_once, record=record, repeatable=False)
    )


def main(database: str, remote_url: str, point: str) -> None:
    django.setup()
    from django.db import connection
    from django.utils import timezone

    from credentials_portal.core import outbox

    connection.settings_dict["NAME"] = database

    def reached(here: str) -> None:
        if here == point:
            die()

    register_kinds(remote_url, reached)
    reached("before the claim")
    outbox.deliver_due(clock=timezone.now)


if __name__ == "__main__":
    main(*sys.argv[1:])

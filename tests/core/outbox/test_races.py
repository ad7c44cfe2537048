import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier, Lock

import httpx
import pytest
from django.db import connections, transaction

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Item, Outcome
from credentials_portal.core.outbox.claiming import claim
from tests.core.outbox.conftest import AT, RegisterKind
from tests.core.outbox.remote import Remote

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 200 if os.environ.get("FULL") else 20


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do each work in a thread with a database connection of its own, all starting together."""
    start = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        start.wait(timeout=60)
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def sweep() -> object:
    return outbox.deliver_due(clock=lambda: AT)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_two_deliverers_deliver_each_message_once(
    register_kind: RegisterKind, remote: Remote, batch_size: int
) -> None:
    def deliver(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        ids = [message.payload["id"] for message in messages]
        client.post(remote.url, json=ids).raise_for_status()
        return {message.pk: Outcome.done() for message in messages}

    register_kind(deliver=deliver, batch_size=batch_size)
    expected: dict[str, int] = {}
    with httpx.Client() as client:
        for number in range(ROUNDS):
            ids = [f"{number}-{n}" for n in range(12)]
            with transaction.atomic():
                items = [Item(cause=one, payload={"id": one}) for one in ids]
                outbox.enqueue("test.kind", items, at=AT)

            at_once(sweep, sweep)

            expected |= dict.fromkeys(ids, 1)
            assert remote.effects == expected
    assert set(OutboxMessage.objects.values_list("status", flat=True)) == {"done"}


def test_two_deliverers_keep_the_order_of_each_key(register_kind: RegisterKind) -> None:
    def deliver(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        keys = [message.key for message in messages]
        with lock:
            assert not busy.intersection(keys)
            assert len(set(keys)) == len(keys)
            busy.update(keys)
        for message in messages:
            delivered[message.key].append(message.payload["n"])
        with lock:
            busy.difference_update(keys)
        return {message.pk: Outcome.done() for message in messages}

    lock = Lock()
    busy: set[str] = set()
    delivered: dict[str, list[int]] = defaultdict(list)
    register_kind(deliver=deliver, batch_size=3)
    for number in range(ROUNDS):
        with transaction.atomic():
            for n in range(4):
                items = [
                    Item(cause=f"{number}-{key}-{n}", payload={"n": n}, key=f"{number}-{key}")
                    for key in "abc"
                ]
                outbox.enqueue("test.kind", items, at=AT)

        at_once(sweep, sweep)
        sweep()

        assert {key: delivered[f"{number}-{key}"] for key in "abc"} == {
            "a": [0, 1, 2, 3],
            "b": [0, 1, 2, 3],
            "c": [0, 1, 2, 3],
        }
    assert set(OutboxMessage.objects.values_list("status", flat=True)) == {"done"}


def test_a_claim_passes_over_what_another_is_just_taking(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=lambda messages, at: {}, batch_size=2)
    with transaction.atomic():
        items = [Item(cause="taken"), Item(cause="free")]
        outbox.enqueue("test.kind", items, at=AT)

    with transaction.atomic():
        OutboxMessage.objects.select_for_update().get(dedupe_key="test.kind:taken")
        (batch,) = at_once(lambda: [m.dedupe_key for m in claim(kind, at=AT)])

    assert batch == ["test.kind:free"]


def test_two_callers_of_one_message_deliver_it_once(register_kind: RegisterKind) -> None:
    def deliver(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        delivered.extend(message.pk for message in messages)
        return {message.pk: Outcome.done() for message in messages}

    delivered: list[int] = []
    register_kind(deliver=deliver)
    expected: list[int] = []
    for number in range(ROUNDS):
        with transaction.atomic():
            ids = outbox.enqueue("test.kind", [Item(cause=str(number))], at=AT)
        expected += ids

        at_once(*[lambda: outbox.deliver_now(ids, clock=lambda: AT)] * 2)  # noqa: B023 - used at once

        assert delivered == expected


def test_two_transactions_that_enqueue_the_same_causes_store_each_once(
    register_kind: RegisterKind,
) -> None:
    def enqueue(causes: list[str]) -> list[int]:
        with transaction.atomic():
            return outbox.enqueue("test.kind", [Item(cause=one) for one in causes], at=AT)

    register_kind(deliver=lambda messages, at: {})
    for number in range(ROUNDS):
        causes = [f"{number}-{n}" for n in range(30)]

        first, second = at_once(
            lambda: enqueue(causes),  # noqa: B023 - used at once
            lambda: enqueue(causes[::-1]),  # noqa: B023 - used at once
        )

        assert isinstance(first, list)
        assert isinstance(second, list)
        assert len(first) + len(second) == 30
        assert OutboxMessage.objects.count() == 30 * (number + 1)

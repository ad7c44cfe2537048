from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxBreaker, OutboxMessage
from credentials_portal.core.outbox import Item, Outcome
from credentials_portal.core.outbox.recording import TRIES
from tests.core.outbox.conftest import AT, RegisterKind

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def answering(*outcomes: Outcome, register_kind: RegisterKind) -> list[int]:
    """A message that ended as each of these outcomes says; the next delivery succeeds."""
    ends = list(outcomes)

    def deliver(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        return {message.pk: ends.pop(0) if ends else Outcome.done() for message in messages}

    register_kind(deliver=deliver)
    items = [Item(cause=str(number), scope="customer") for number in range(len(outcomes))]
    ids = outbox.enqueue("test.kind", items, at=AT)
    outbox.deliver_due(clock=lambda: AT)
    return ids


def standing() -> list[tuple[str, int]]:
    return list(OutboxMessage.objects.order_by("pk").values_list("status", "attempts"))


def test_what_waits_for_its_next_try_is_tried_at_once(register_kind: RegisterKind) -> None:
    ids = answering(Outcome.retry("http_503"), register_kind=register_kind)

    woken = outbox.wake(["test.kind"], at=AT + SECOND)
    outbox.deliver_now(ids, clock=lambda: AT + SECOND)

    assert woken == 1
    assert standing() == [("done", 2)]


def test_what_used_up_its_tries_gets_new_ones(register_kind: RegisterKind) -> None:
    ids = answering(Outcome.retry("http_503"), register_kind=register_kind)
    OutboxMessage.objects.update(status="dead", attempts=TRIES)

    outbox.wake(["test.kind"], at=AT + SECOND)

    assert standing() == [("pending", 0)]
    outbox.deliver_now(ids, clock=lambda: AT + SECOND)
    assert standing() == [("done", 1)]


def test_what_a_remote_refused_stays_for_staff(register_kind: RegisterKind) -> None:
    answering(Outcome.dead("http_400"), Outcome.uncertain("lost"), register_kind=register_kind)

    assert outbox.wake(["test.kind"], at=AT + SECOND) == 0
    assert standing() == [("dead", 1), ("uncertain", 1)]


def test_an_open_breaker_lets_one_message_through(register_kind: RegisterKind) -> None:
    answering(Outcome.retry("http_503"), Outcome.retry("http_503"), register_kind=register_kind)
    OutboxBreaker.objects.update(failures=5, open_until=AT + timedelta(hours=1))

    outbox.wake(["test.kind"], at=AT + SECOND)

    assert outbox.deliver_due(clock=lambda: AT + SECOND).outcomes == {"done": 2}
    assert not OutboxBreaker.objects.exists()


def test_other_kinds_sleep_on(register_kind: RegisterKind) -> None:
    answering(Outcome.retry("http_503"), register_kind=register_kind)

    assert outbox.wake(["test.other"], at=AT + SECOND) == 0

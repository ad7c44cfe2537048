from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.models import OutboxHold, OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery, Item, Outcome, Verdict
from tests.core.outbox.conftest import AT, RegisterKind

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(days=1)


@pytest.fixture
def operator() -> User:
    person: User = User.objects.create_user("operator")
    return person


@pytest.fixture
def told(register_kind: RegisterKind) -> list[Any]:
    """What the domain was told; every message ends as its cause says."""

    def deliver(batch: Sequence[OutboxMessage], at: datetime) -> dict[int, Outcome]:
        return {m.pk: Outcome(OutboxStatus(m.payload["ends"]), "reason") for m in batch}

    def note(closed: Sequence[Delivery], at: datetime) -> None:
        words.extend((m.payload["ends"], o.status, o.reason) for m, o in closed)

    words: list[Any] = []
    register_kind(deliver=deliver, record=note)
    return words


def ended(told: list[Any], *ends: str) -> list[int]:
    items = [Item(cause=str(n), payload={"ends": end}) for n, end in enumerate(ends)]
    outbox.enqueue("test.kind", items, at=AT)
    outbox.deliver_due(clock=lambda: AT)
    told.clear()
    return list(OutboxMessage.objects.order_by("pk").values_list("pk", flat=True))


def statuses() -> list[str]:
    return list(OutboxMessage.objects.order_by("pk").values_list("status", flat=True))


def test_stuck_messages_are_tried_again_from_the_start(told: list[Any], operator: User) -> None:
    ids = ended(told, "dead", "uncertain")
    OutboxMessage.objects.update(attempts=8, call_began=True)

    outbox.settle(ids, verdict=Verdict.TRY_AGAIN, actor=operator, reason="It is up.", at=LATER)

    assert (
        list(OutboxMessage.objects.values_list("status", "attempts", "call_began", "due_at"))
        == [("pending", 0, False, LATER)] * 2
    )
    assert told == []


@pytest.mark.parametrize(
    ("verdict", "status"), [(Verdict.MARK_DONE, "done"), (Verdict.GIVE_UP, "failed")]
)
def test_the_domain_learns_what_staff_decide(
    told: list[Any], operator: User, verdict: Verdict, status: str
) -> None:
    ids = ended(told, "dead", "uncertain")

    outbox.settle(ids, verdict=verdict, actor=operator, reason="Seen there.", at=LATER)

    assert statuses() == [status] * 2
    assert set(OutboxMessage.objects.values_list("finished_at", "reason")) == {
        (LATER, "settled_by_staff")
    }
    assert told == [("dead", status, "settled_by_staff"), ("uncertain", status, "settled_by_staff")]


def test_keeps_who_settled_a_message_and_why(told: list[Any], operator: User) -> None:
    (pk,) = ended(told, "uncertain")

    outbox.settle([pk], verdict=Verdict.MARK_DONE, actor=operator, reason="Seen there.", at=LATER)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (operator, str(pk))
    assert entry.change_message == "Mark as done: Seen there."


@pytest.mark.parametrize("status", ["done", "skipped", "failed", "pending"])
@pytest.mark.parametrize("verdict", Verdict)
def test_settles_all_or_none(
    told: list[Any], operator: User, verdict: Verdict, status: str
) -> None:
    ids = ended(told, "dead", status)

    with pytest.raises(ConflictError):
        outbox.settle(ids, verdict=verdict, actor=operator, reason="", at=LATER)

    assert statuses() == ["dead", status]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("verdict", "status"), [(Verdict.MARK_DONE, "done"), (Verdict.GIVE_UP, "failed")]
)
@pytest.mark.parametrize("held_kind", ["", "test.kind"])
def test_what_left_before_a_restore_is_closed_while_on_hold(
    told: list[Any], operator: User, held_kind: str, verdict: Verdict, status: str
) -> None:
    (pk,) = outbox.enqueue("test.kind", [Item(cause="1", payload={"ends": "done"})], at=AT)
    OutboxHold.objects.create(kind=held_kind, reason="Restored.", held_at=AT)

    outbox.settle([pk], verdict=verdict, actor=operator, reason="Seen there.", at=LATER)
    OutboxHold.objects.all().delete()
    outbox.deliver_due(clock=lambda: LATER)

    assert statuses() == [status]
    assert told == [("done", status, "settled_by_staff")]


@pytest.mark.parametrize(
    ("verdict", "held_kind"), [(Verdict.TRY_AGAIN, ""), (Verdict.MARK_DONE, "test.other")]
)
def test_what_waits_is_not_settled_otherwise(
    told: list[Any], operator: User, verdict: Verdict, held_kind: str
) -> None:
    (pk,) = outbox.enqueue("test.kind", [Item(cause="1", payload={"ends": "done"})], at=AT)
    OutboxHold.objects.create(kind=held_kind, reason="Restored.", held_at=AT)

    with pytest.raises(ConflictError):
        outbox.settle([pk], verdict=verdict, actor=operator, reason="", at=LATER)

    assert statuses() == ["pending"]
    assert told == []


def test_purge_forgets_only_what_was_finished_before(told: list[Any]) -> None:
    ended(told, "done", "skipped", "failed", "dead", "uncertain", "pending")

    assert outbox.purge(before=AT) == 0
    assert outbox.purge(before=AT + timedelta(microseconds=1)) == 3

    assert statuses() == ["dead", "uncertain", "pending"]

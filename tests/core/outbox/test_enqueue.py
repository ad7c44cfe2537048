import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Item, OutboxKind, Outcome
from tests.core.outbox.conftest import AT, RegisterKind


def deliver_nothing(messages: Sequence[OutboxMessage], at: datetime) -> dict[int, Outcome]:
    return {}


@pytest.fixture
def kind(register_kind: RegisterKind) -> OutboxKind:
    return register_kind(deliver=deliver_nothing, payload_version=3)


@pytest.mark.django_db
def test_stores_a_pending_message_that_is_due_at_once(kind: OutboxKind) -> None:
    (pk,) = outbox.enqueue(
        "test.kind", [Item(cause="7", payload={"letter": 7}, key="letter:7", scope="mit")], at=AT
    )

    message = OutboxMessage.objects.get()
    assert message.pk == pk
    assert message.dedupe_key == "test.kind:7"
    assert (message.key, message.scope) == ("letter:7", "mit")
    assert (message.payload, message.payload_version) == ({"letter": 7}, 3)
    assert (message.status, message.attempts, message.reason) == ("pending", 0, "")
    assert (message.created_at, message.due_at, message.finished_at) == (AT, AT, None)


@pytest.mark.django_db
def test_gives_each_message_an_id_of_its_own(kind: OutboxKind) -> None:
    outbox.enqueue("test.kind", [Item(cause="1"), Item(cause="2")], at=AT)

    assert len(set(OutboxMessage.objects.values_list("uuid", flat=True))) == 2


@pytest.mark.django_db
def test_enqueues_a_cause_once(kind: OutboxKind) -> None:
    outbox.enqueue("test.kind", [Item(cause="1", payload={"n": 1})], at=AT)

    created = outbox.enqueue(
        "test.kind", [Item(cause="1", payload={"n": 2}), Item(cause="2"), Item(cause="2")], at=AT
    )

    assert len(created) == 1
    assert dict(OutboxMessage.objects.values_list("dedupe_key", "payload")) == {
        "test.kind:1": {"n": 1},
        "test.kind:2": {},
    }


@pytest.mark.django_db
def test_stores_uuids_of_a_payload_as_text(kind: OutboxKind) -> None:
    letter = UUID("5f6f38a1-7a0c-44ac-8d29-0c11cc9b0a11")

    outbox.enqueue("test.kind", [Item(cause="1", payload={"letter": letter})], at=AT)

    assert OutboxMessage.objects.get().payload == {"letter": str(letter)}


@pytest.mark.django_db
def test_leaves_a_reserved_message_to_its_caller_for_a_while(kind: OutboxKind) -> None:
    outbox.enqueue("test.kind", [Item(cause="1")], at=AT, reserve=timedelta(minutes=2))

    assert OutboxMessage.objects.get().due_at == AT + timedelta(minutes=2)


@pytest.mark.django_db
def test_writes_nothing_for_no_items(
    kind: OutboxKind, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert outbox.enqueue("test.kind", [], at=AT) == []


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 50])
def test_takes_one_statement_for_any_number_of_messages(kind: OutboxKind, size: int) -> None:
    with CaptureQueriesContext(connection) as statements:
        outbox.enqueue("test.kind", [Item(cause=str(n)) for n in range(size)], at=AT)

    assert len(statements) == 1
    assert OutboxMessage.objects.count() == size


@pytest.mark.django_db(transaction=True)
def test_refuses_to_work_outside_a_transaction(kind: OutboxKind) -> None:
    with pytest.raises(TransactionManagementError):
        outbox.enqueue("test.kind", [Item(cause="1")], at=AT)

    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_vanishes_with_the_transaction_that_caused_it(kind: OutboxKind) -> None:
    with transaction.atomic():
        outbox.enqueue("test.kind", [Item(cause="1")], at=AT)
        transaction.set_rollback(True)

    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_refuses_two_messages_of_one_ordering_key_in_one_call(kind: OutboxKind) -> None:
    with pytest.raises(ValueError, match="ordering key"):
        outbox.enqueue("test.kind", [Item(cause="1", key="k"), Item(cause="2", key="k")], at=AT)

    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_refuses_a_kind_that_no_app_registered() -> None:
    with pytest.raises(ImproperlyConfigured):
        outbox.enqueue("test.unknown", [Item(cause="1")], at=AT)


def test_refuses_to_register_a_kind_twice(kind: OutboxKind) -> None:
    with pytest.raises(ImproperlyConfigured):
        outbox.register(kind)


def test_refuses_batches_of_what_must_not_be_repeated() -> None:
    with pytest.raises(ImproperlyConfigured):
        OutboxKind(name="test.kind", deliver=deliver_nothing, repeatable=False, batch_size=2)


@pytest.mark.parametrize("reason", ["550 <ada@example.org> unknown", "a b", "x" * 101, "é"])
def test_takes_only_a_code_for_a_reason(reason: str) -> None:
    with pytest.raises(ValueError, match="code"):
        Outcome.failed(reason)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"status": "sent"}, "outbox_status_known"),
        ({"status": "delivering"}, "outbox_lease_while_delivering"),
        ({"status": "done"}, "outbox_finished_at_when_finished"),
        ({"finished_at": AT}, "outbox_finished_at_when_finished"),
        ({"reason": "ada@example.org"}, "outbox_reason_is_a_code"),
        ({"kind": ""}, "outbox_kind_not_empty"),
    ],
)
def test_database_refuses_what_no_message_can_be(
    kind: OutboxKind, values: dict[str, Any], constraint: str
) -> None:
    outbox.enqueue("test.kind", [Item(cause="1")], at=AT)

    with pytest.raises(IntegrityError, match=constraint):
        OutboxMessage.objects.update(**values)


@pytest.mark.django_db
def test_claims_read_an_index_that_holds_no_finished_message(kind: OutboxKind) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_outboxmessage (uuid, kind, dedupe_key, key, scope, payload,"
            " payload_version, status, reason, attempts, due_at, call_began, created_at, finished_at)"
            " SELECT gen_random_uuid(), 'test.kind', 'old:' || n, 'k', '', '{}', 1, 'done', '', 1,"
            " %s, false, %s, %s FROM generate_series(1, 20000) AS n",
            [AT, AT, AT],
        )
        cursor.execute("ANALYZE core_outboxmessage")
    claimable = (
        OutboxMessage.objects.filter(kind="test.kind")
        .due(AT)
        .released()
        .with_breaker(AT)
        .at_head_of_key(blocking_kinds=[])
        .order_by("due_at", "pk")[:50]
    )

    (plan,) = json.loads(claimable.explain(format="json"))

    assert "outbox_due" in json.dumps(plan)
    assert "Seq Scan" not in {
        node["Node Type"]
        for node in nodes(plan["Plan"])
        if "message" in node.get("Relation Name", "")
    }


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)

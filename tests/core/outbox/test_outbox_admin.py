from collections.abc import Sequence
from datetime import datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxHold, OutboxMessage
from credentials_portal.core.outbox import Item, Outcome
from tests.core.outbox.conftest import AT, RegisterKind

pytestmark = pytest.mark.django_db

MESSAGES = reverse("admin:core_outboxmessage_changelist")


@pytest.fixture
def stuck(register_kind: RegisterKind) -> list[OutboxMessage]:
    def deliver(batch: Sequence[OutboxMessage], at: datetime) -> dict[int, Outcome]:
        return {message.pk: Outcome.uncertain("timeout") for message in batch}

    register_kind(deliver=deliver)
    outbox.enqueue("test.kind", [Item(cause="1"), Item(cause="2")], at=AT)
    outbox.deliver_due(clock=lambda: AT)
    return list(OutboxMessage.objects.order_by("pk"))


def signed_in(client: Client, *permissions: str) -> User:
    person: User = User.objects.create_user("operator", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    return person


def statuses() -> set[str]:
    return set(OutboxMessage.objects.values_list("status", flat=True))


def act(client: Client, action: str, messages: list[OutboxMessage], **more: str) -> str:
    chosen = {"_selected_action": [str(message.pk) for message in messages]}
    response = client.post(MESSAGES, {"action": action, **chosen, **more}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_asks_for_a_reason_before_anything_changes(
    client: Client, stuck: list[OutboxMessage]
) -> None:
    signed_in(client, "view_outboxmessage", "settle_outboxmessage")

    page = act(client, "mark_as_done", stuck)

    assert "These messages count as delivered" in page
    assert "test.kind:1: uncertain: the answer was lost (timeout)" in page
    assert statuses() == {"uncertain"}


def test_needs_the_reason(client: Client, stuck: list[OutboxMessage]) -> None:
    signed_in(client, "view_outboxmessage", "settle_outboxmessage")

    page = act(client, "give_up", stuck, confirmed="yes", reason=" ")

    assert "This field is required." in page
    assert statuses() == {"uncertain"}


@pytest.mark.parametrize(
    ("action", "status", "label"),
    [
        ("try_again", "pending", "Try again"),
        ("mark_as_done", "done", "Mark as done"),
        ("give_up", "failed", "Give up"),
    ],
)
def test_settles_the_chosen_messages(
    client: Client, stuck: list[OutboxMessage], action: str, status: str, label: str
) -> None:
    operator = signed_in(client, "view_outboxmessage", "settle_outboxmessage")

    page = act(client, action, stuck[:1], confirmed="yes", reason="Seen in their log.")

    assert "Settled: 1" in page
    assert list(OutboxMessage.objects.order_by("pk").values_list("status", flat=True)) == [
        status,
        "uncertain",
    ]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (operator, f"{label}: Seen in their log.")


def test_says_so_when_a_message_is_not_stuck_any_more(
    client: Client, stuck: list[OutboxMessage]
) -> None:
    signed_in(client, "view_outboxmessage", "settle_outboxmessage")
    OutboxMessage.objects.filter(pk=stuck[0].pk).update(status="done", finished_at=AT)

    page = act(client, "try_again", stuck, confirmed="yes", reason="again")

    assert "Nothing was changed." in page
    assert statuses() == {"done", "uncertain"}


def test_who_may_only_look_settles_nothing(client: Client, stuck: list[OutboxMessage]) -> None:
    signed_in(client, "view_outboxmessage")

    page = act(client, "mark_as_done", stuck, confirmed="yes", reason="because")

    assert "Mark as done" not in page
    assert statuses() == {"uncertain"}


@pytest.mark.parametrize("permission", ["view_jobrun", "settle_outboxmessage"])
def test_who_may_not_look_sees_nothing(client: Client, permission: str) -> None:
    signed_in(client, permission)

    assert client.get(MESSAGES).status_code == 403


def test_nobody_writes_messages_by_hand(admin_client: Client, stuck: list[OutboxMessage]) -> None:
    change = reverse("admin:core_outboxmessage_change", args=[stuck[0].pk])

    assert admin_client.get(reverse("admin:core_outboxmessage_add")).status_code == 403
    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"status": "done"}).status_code == 403
    assert statuses() == {"uncertain"}


def test_the_list_asks_the_same_for_any_number_of_messages(
    admin_client: Client,
    register_kind: RegisterKind,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    register_kind(deliver=lambda batch, at: {})
    admin_client.get(MESSAGES)

    for size in (1, 50):
        items = [Item(cause=str(n)) for n in range(size)]
        outbox.enqueue("test.kind", items, at=AT)
        with django_assert_num_queries(4):
            assert admin_client.get(MESSAGES, {"kind": "test.kind"}).status_code == 200


def test_staff_hold_delivery_and_release_it(client: Client) -> None:
    signed_in(client, "view_outboxhold", "add_outboxhold", "delete_outboxhold")

    client.post(reverse("admin:core_outboxhold_add"), {"kind": "", "reason": "Restored"})
    hold = OutboxHold.objects.get()
    assert (hold.kind, hold.reason) == ("", "Restored")
    client.post(reverse("admin:core_outboxhold_delete", args=[hold.pk]), {"post": "yes"})

    assert not OutboxHold.objects.exists()


def test_holds_no_kind_that_is_misspelled(client: Client) -> None:
    signed_in(client, "view_outboxhold", "add_outboxhold")
    add = reverse("admin:core_outboxhold_add")

    refused = client.post(add, {"kind": "web.pasword_reset", "reason": "Restored"})
    client.post(add, {"kind": "web.password_reset", "reason": "Restored"})

    assert "Select a valid choice" in refused.content.decode()
    assert OutboxHold.objects.get().kind == "web.password_reset"

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Item
from tests.core.outbox.deliverer import register_kinds
from tests.core.outbox.remote import Remote

pytestmark = pytest.mark.django_db(transaction=True)

AFTER_THE_LEASE = timedelta(minutes=6)


def kill_a_deliverer(remote: Remote, point: str) -> None:
    """Run one as a process until it kills itself at this point."""
    process = subprocess.run(
        [
            *(sys.executable, "-m", "tests.core.outbox.deliverer"),
            *(connection.settings_dict["NAME"], remote.url, point),
        ],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "credentials_portal.settings"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()


@pytest.fixture
def kinds(remote: Remote, only_test_kinds: None) -> None:
    register_kinds(remote.url, reached=lambda _point: None)


def enqueue(kind: str, *ids: int) -> None:
    with transaction.atomic():
        items = [Item(cause=str(one), payload={"id": one}) for one in ids]
        outbox.enqueue(kind, items, at=timezone.now())


def sweep_later() -> None:
    for hours in range(1, 4):
        outbox.deliver_due(clock=lambda: timezone.now() + hours * AFTER_THE_LEASE)  # noqa: B023 - used at once


def statuses() -> list[str]:
    return list(OutboxMessage.objects.order_by("pk").values_list("status", flat=True))


@pytest.mark.parametrize(
    ("point", "left_behind", "calls"),
    [
        ("before the claim", ["pending"] * 3, 3),
        ("after the claim", ["delivering"] * 3, 3),
        ("after the remote success", ["delivering"] * 3, 4),
        ("before the record", ["delivering"] * 3, 6),
    ],
)
def test_a_killed_deliverer_loses_nothing_and_the_remote_does_nothing_twice(
    kinds: None, remote: Remote, point: str, left_behind: list[str], calls: int
) -> None:
    enqueue("test.call", 1, 2, 3)

    kill_a_deliverer(remote, point)
    assert statuses() == left_behind
    sweep_later()

    assert statuses() == ["done"] * 3
    assert remote.effects == {1: 1, 2: 1, 3: 1}
    assert len(remote.calls) == calls


@pytest.mark.parametrize(
    ("point", "status", "calls"),
    [
        ("before the claim", "done", 1),
        ("after the claim", "done", 1),
        ("before the call", "uncertain", 0),
        ("after the remote success", "uncertain", 1),
        ("before the record", "uncertain", 1),
    ],
)
def test_what_must_not_be_repeated_is_never_sent_twice(
    kinds: None, remote: Remote, point: str, status: str, calls: int
) -> None:
    enqueue("test.once", 1)

    kill_a_deliverer(remote, point)
    sweep_later()

    assert statuses() == [status]
    assert len(remote.calls) == calls


def test_a_killed_deliverer_leaves_other_messages_deliverable_at_once(
    kinds: None, remote: Remote
) -> None:
    enqueue("test.once", 1, 2)

    kill_a_deliverer(remote, "after the remote success")
    outbox.deliver_due(clock=timezone.now)

    assert statuses() == ["delivering", "done"]
    assert remote.effects == {1: 1, 2: 1}

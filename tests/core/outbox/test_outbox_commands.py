import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.models import JobRun, OutboxHold, OutboxMessage
from credentials_portal.core.outbox import Item, Outcome
from tests.core.outbox.conftest import AT, RegisterKind

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--format=json", stdout=out)
    summary = json.loads(out.getvalue().splitlines()[-1])
    assert isinstance(summary, dict)
    return summary


def enqueue(cause: str, kind: str = "test.kind") -> None:
    outbox.enqueue(kind, [Item(cause=cause)], at=AT)


# --- deliver_outbox ------------------------------------------------------------------------------


def test_delivers_once_and_counts_outcomes(register_kind: RegisterKind) -> None:
    register_kind(deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})
    enqueue("1")

    assert run("deliver_outbox") == {
        "retried": 0,
        "done": 1,
        "skipped": 0,
        "failed": 0,
        "dead": 0,
        "uncertain": 0,
        "unregistered_kinds": [],
    }
    assert JobRun.objects.get().outcome == "done"


@pytest.mark.parametrize(
    "outcome", [Outcome.failed("x"), Outcome.dead("x"), Outcome.uncertain("x")]
)
def test_exits_with_1_when_a_message_failed(register_kind: RegisterKind, outcome: Outcome) -> None:
    register_kind(deliver=lambda batch, at: {m.pk: outcome for m in batch})
    enqueue("1")

    with pytest.raises(CommandError) as caught:
        run("deliver_outbox")

    assert caught.value.returncode == 1


def test_reports_kinds_that_nobody_registered(register_kind: RegisterKind) -> None:
    register_kind(deliver=lambda batch, at: {})
    enqueue("1")
    OutboxMessage.objects.update(kind="test.forgotten")
    out = StringIO()

    with pytest.raises(CommandError) as caught:
        call_command("deliver_outbox", "--format=json", stdout=out)

    assert caught.value.returncode == 1
    assert json.loads(out.getvalue())["unregistered_kinds"] == ["test.forgotten"]


def test_delivers_only_the_kinds_that_were_named(register_kind: RegisterKind) -> None:
    for name in ("test.a", "test.b", "test.c"):
        register_kind(name=name, deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})
        enqueue("1", kind=name)

    assert run("deliver_outbox", "--kind=test.a", "--kind=test.c")["done"] == 2
    assert OutboxMessage.objects.get(status="pending").kind == "test.b"


def test_dry_run_shows_what_is_due_and_delivers_nothing(register_kind: RegisterKind) -> None:
    register_kind(deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})
    enqueue("1")

    due = run("deliver_outbox", "--dry-run", f"--as-of={AT.isoformat()}")
    earlier = run("deliver_outbox", "--dry-run", f"--as-of={(AT - timedelta(1)).isoformat()}")

    assert due == {"due": 1, "due_by_kind": {"test.kind": 1}}
    assert earlier == {"due": 0, "due_by_kind": {}}
    assert OutboxMessage.objects.get().attempts == 0
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    "arguments", [("--as-of=2020-01-01T00:00:00Z",), ("--follow", "--dry-run")]
)
def test_refuses_options_that_make_no_sense(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        run("deliver_outbox", *arguments)

    assert caught.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_follows_the_outbox_until_sigterm_and_survives_a_lost_connection() -> None:
    name = connection.settings_dict["NAME"]
    follower = subprocess.Popen(
        [sys.executable, "-m", "tests.core.outbox.follower", name],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "credentials_portal.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deliver_one_through(follower, "1")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [name],
            )
            assert cursor.fetchall()
        deliver_one_through(follower, "2")
        follower.send_signal(signal.SIGTERM)
        out, err = follower.communicate(timeout=120)
    finally:
        follower.kill()

    assert follower.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["done"] == 2
    assert not JobRun.objects.exists()


def deliver_one_through(follower: "subprocess.Popen[str]", cause: str) -> None:
    with transaction.atomic():
        OutboxMessage.objects.create(
            kind="test.local",
            dedupe_key=f"test.local:{cause}",
            payload={},
            due_at=timezone.now(),
            created_at=timezone.now(),
        )
    deadline = time.monotonic() + 30
    while OutboxMessage.objects.filter(status="done", dedupe_key=f"test.local:{cause}").count() < 1:
        assert follower.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- hold_outbox, purge_outbox -------------------------------------------------------------------


def test_holds_and_releases_delivery(register_kind: RegisterKind) -> None:
    register_kind(deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})
    enqueue("1")

    held = run("hold_outbox", "hold", "--reason=Restored from a backup")
    assert run("deliver_outbox")["done"] == 0
    released = run("hold_outbox", "release")
    assert run("deliver_outbox")["done"] == 1

    assert held == {
        "changed": 1,
        "holds": {"everything": "Restored from a backup"},
        "in_delivery": 0,
    }
    assert released == {"changed": 1, "holds": {}, "in_delivery": 0}


def test_holding_twice_changes_nothing_more() -> None:
    run("hold_outbox", "hold", "--kind=web.password_reset", "--reason=first")

    assert run("hold_outbox", "hold", "--kind=web.password_reset", "--reason=second") == {
        "changed": 0,
        "holds": {"web.password_reset": "first"},
        "in_delivery": 0,
    }


def test_needs_a_reason_to_hold() -> None:
    with pytest.raises(CommandError) as caught:
        run("hold_outbox", "hold")

    assert caught.value.returncode == 2
    assert not OutboxHold.objects.exists()


@pytest.mark.parametrize(
    "line",
    [
        ("deliver_outbox", "--kind=web.pasword_reset"),
        ("hold_outbox", "hold", "--kind=web.pasword_reset", "--reason=why"),
        ("hold_outbox", "hold", "--kind=web.pasword_reset", "--reason=why", "--dry-run"),
        ("hold_outbox", "release", "--kind=web.pasword_reset"),
    ],
)
def test_refuses_a_kind_that_is_misspelled(line: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"web\.password_reset"):
        run(*line)

    assert not OutboxHold.objects.exists()


def test_releases_what_no_app_knows_any_more() -> None:
    OutboxHold.objects.create(kind="test.forgotten", reason="x", held_at=AT)

    assert run("hold_outbox", "release", "--kind=test.forgotten")["changed"] == 1


def test_a_dry_run_of_a_hold_tells_whether_it_would_change_anything() -> None:
    assert run("hold_outbox", "hold", "--reason=why", "--dry-run")["changed"] == 1
    assert run("hold_outbox", "release", "--dry-run")["changed"] == 0
    assert not OutboxHold.objects.exists()


@pytest.mark.parametrize(("keep", "deleted"), [("10d", 1), ("11d", 0)])
def test_purges_what_was_finished_long_ago(
    register_kind: RegisterKind, keep: str, deleted: int
) -> None:
    register_kind(deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})
    enqueue("1")
    outbox.deliver_due(clock=lambda: timezone.now() - timedelta(days=10, minutes=1))
    OutboxMessage.objects.update(
        status="done", finished_at=timezone.now() - timedelta(days=10, minutes=1)
    )

    assert run("purge_outbox", f"--keep={keep}", "--dry-run") == {"deleted": deleted}
    assert OutboxMessage.objects.count() == 1
    assert run("purge_outbox", f"--keep={keep}") == {"deleted": deleted}
    assert OutboxMessage.objects.count() == 1 - deleted

import socket
import time

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from credentials_portal.core import outbox, tasks
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Item, OutboxKind, Outcome
from credentials_portal.core.tasks import deliver_outbox
from tests.brokers import BROKERS, broker, forget_queue, url_of
from tests.core.outbox.conftest import RegisterKind


@pytest.fixture
def kind(register_kind: RegisterKind) -> OutboxKind:
    return register_kind(deliver=lambda batch, at: {m.pk: Outcome.done() for m in batch})


def enqueue(*causes: str) -> None:
    for cause in causes:
        outbox.enqueue("test.kind", [Item(cause=cause)], at=timezone.now())


@pytest.mark.django_db
def test_the_task_delivers_what_is_due_of_its_kind(kind: OutboxKind) -> None:
    enqueue("1")

    deliver_outbox("test.other")
    assert OutboxMessage.objects.get().status == "pending"
    deliver_outbox("test.kind")

    assert OutboxMessage.objects.get().status == "done"


@pytest.mark.django_db
def test_the_task_ends_in_time_for_a_worker_that_stops(
    kind: OutboxKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "RUN_SECONDS", 0)
    enqueue("1")

    deliver_outbox()

    assert OutboxMessage.objects.get().status == "pending"


@pytest.mark.django_db(transaction=True)
def test_without_a_broker_a_commit_delivers_nothing(kind: OutboxKind, settings: Settings) -> None:
    settings.CELERY_BROKER_URL = ""

    with transaction.atomic():
        enqueue("1")

    assert OutboxMessage.objects.get().status == "pending"


@pytest.mark.django_db
def test_nudges_once_for_each_kind_of_a_transaction(
    register_kind: RegisterKind,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.CELERY_BROKER_URL = "memory://"
    for name in ("test.a", "test.b"):
        register_kind(name=name, deliver=lambda batch, at: {})

    with django_capture_on_commit_callbacks() as nudges:
        for name in ("test.a", "test.b", "test.a"):
            outbox.enqueue(name, [Item(cause=str(time.monotonic_ns()))], at=timezone.now())
        with transaction.atomic():
            outbox.enqueue("test.b", [Item(cause="nested")], at=timezone.now())

    assert len(nudges) == 2


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_disturb_the_commit(
    kind: OutboxKind, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    with broker("redis://127.0.0.1:1/0"), transaction.atomic():
        enqueue("1")

    assert OutboxMessage.objects.get().status == "pending"
    assert "on_commit()" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_says_nothing_holds_up_one_commit_only(
    kind: OutboxKind, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with broker(settings.CELERY_BROKER_URL):
            for cause in ("1", "2"):
                with transaction.atomic():
                    enqueue(cause)
        calls = _calls_waiting_at(silent)

    assert calls == 1
    assert set(OutboxMessage.objects.values_list("status", flat=True)) == {"pending"}


def _calls_waiting_at(listener: socket.socket) -> int:
    listener.setblocking(False)
    calls = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return calls
        calls += 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", BROKERS)
def test_a_worker_delivers_after_the_commit(
    kind: OutboxKind, settings: Settings, name: str
) -> None:
    settings.CELERY_BROKER_URL = url = url_of(name)

    with broker(url) as app, start_worker(app, perform_ping_check=False, shutdown_timeout=60):
        with transaction.atomic():
            enqueue("1", "2")
            assert not OutboxMessage.objects.exclude(status="pending").exists()
        deadline = time.monotonic() + 30
        while OutboxMessage.objects.filter(status="done").count() < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    forget_queue(url, app)

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from credentials_portal.core.health import health_facts
from credentials_portal.core.models import JobRun, OutboxHold, OutboxMessage


def message(status: str, **fields: Any) -> OutboxMessage:
    now = timezone.now()
    return OutboxMessage.objects.create(
        kind="test",
        dedupe_key=str(uuid4()),
        payload={},
        status=status,
        **{"due_at": now, "created_at": now, **fields},
    )


def test_says_that_all_is_well(db: None, settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""

    assert health_facts() == {
        "database": True,
        "broker": None,
        "outbox": {
            "pending": 0,
            "oldest_seconds": 0,
            "dead": 0,
            "uncertain": 0,
            "is_on_hold": False,
        },
        "jobs": {},
    }


def test_counts_what_waits_and_what_is_stuck(db: None) -> None:
    now = timezone.now()
    message("pending", created_at=now - timedelta(hours=1))
    message("pending", created_at=now - timedelta(days=1), due_at=now + timedelta(hours=1))
    message("dead", created_at=now - timedelta(days=2))
    message("uncertain")
    message("done", finished_at=now)
    OutboxHold.objects.create(kind="", reason="Restored.", held_at=now)

    outbox = health_facts()["outbox"]

    assert 3_600 <= outbox.pop("oldest_seconds") < 2 * 3_600
    assert outbox == {"pending": 2, "dead": 1, "uncertain": 1, "is_on_hold": True}


def test_tells_the_last_run_of_each_job(db: None) -> None:
    now = timezone.now()
    for minutes_ago, name, outcome in [(3, "a", "done"), (2, "a", "crashed"), (1, "b", "done")]:
        at = now - timedelta(minutes=minutes_ago)
        JobRun.objects.create(
            name=name,
            system_user="cron",
            judged_at=at,
            started_at=at,
            ended_at=now,
            outcome=outcome,
        )

    jobs = health_facts()["jobs"]

    assert {name: facts["outcome"] for name, facts in jobs.items()} == {"a": "crashed", "b": "done"}


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody else may."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_says_that_the_broker_is_gone(db: None, settings: Any, free_port: int) -> None:
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port}/0"

    facts = health_facts()

    assert (facts["broker"], facts["database"]) == (False, True)


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_takes_silence_of_the_broker_for_its_end(db: None, settings: Any, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.CELERY_BROKER_URL = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/0"

        facts = health_facts()

    assert (facts["broker"], facts["database"]) == (False, True)


def test_says_that_the_database_is_gone(
    transactional_db: None, settings: Any, free_port: int
) -> None:
    settings.CELERY_BROKER_URL = ""
    usual = connection.settings_dict
    connection.close()
    connection.settings_dict = {**usual, "HOST": "127.0.0.1", "PORT": free_port}
    try:
        facts = health_facts()
    finally:
        connection.close()
        connection.settings_dict = usual

    assert facts == {"database": False, "broker": None, "outbox": None, "jobs": None}

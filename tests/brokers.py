"""Real brokers and a worker of the test's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Queue
from redis import Redis

from credentials_portal.celery import app as portal

BROKERS = {
    "redis": os.environ.get("TEST_REDIS_URL", ""),
    "rabbitmq": os.environ.get("TEST_AMQP_URL", ""),
}


def url_of(name: str) -> str:
    """The broker's address; without one the test is skipped, but not CI's on Redis."""
    if not BROKERS[name]:
        assert not (os.environ.get("CI") and name == "redis"), "CI needs TEST_REDIS_URL"
        # A user's machine has no broker; CI has, and is refused above.
        pytest.skip(f"no {name} to test with")
    return BROKERS[name]


@contextmanager
def broker(url: str) -> Iterator[Celery]:
    """Within it the portal's tasks go to a queue of this test at another broker."""
    queue = Queue(f"test-{uuid4()}", durable=False, auto_delete=True)
    app = Celery("credentials_portal_under_test")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.update(
        broker_url=url,
        task_always_eager=False,
        task_queues=[queue],
        task_default_queue=queue.name,
    )
    app.set_current()
    try:
        yield app
    finally:
        portal.set_current()
        app.close()


def forget_queue(url: str, app: Celery) -> None:
    """Redis keeps the names of queues that are gone."""
    if url.startswith("redis"):
        with Redis.from_url(url) as redis:
            for key in redis.scan_iter(f"_kombu.binding*.{app.conf.task_default_queue}"):
                redis.delete(key)

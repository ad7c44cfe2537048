from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connections, transaction
from django.dispatch import Signal

from licenses import signals
from licenses.models import SubscriptionPlan
from tests.letters.conftest import mail_port, mail_server, statements  # noqa: F401 - fixtures

Heard = list[tuple[Signal, tuple[Any, ...]]]


@pytest.fixture
def announced() -> Iterator[Heard]:
    """Every announcement of licenses: the signal and its facts, in order."""
    heard: Heard = []

    def hear(signal: Signal, items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.append((signal, items))

    declared = [value for value in vars(signals).values() if isinstance(value, Signal)]
    for signal in declared:
        signal.connect(hear)
    yield heard
    for signal in declared:
        signal.disconnect(hear)


@pytest.fixture
def holding_plan() -> Callable[[SubscriptionPlan], AbstractContextManager[None]]:
    """Hold a plan's lock in another session."""

    @contextmanager
    def holding(plan: SubscriptionPlan) -> Iterator[None]:
        is_held, may_go = Event(), Event()

        def hold() -> None:
            try:
                with transaction.atomic():
                    SubscriptionPlan.objects.select_for_update(no_key=True).get(pk=plan.pk)
                    is_held.set()
                    may_go.wait(timeout=60)
            finally:
                connections.close_all()

        holder = Thread(target=hold)
        holder.start()
        assert is_held.wait(timeout=60)
        yield
        may_go.set()
        holder.join()

    return holding

from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from licenses import signals as of_licenses
from subsidy_requests import signals as of_requests
from tests.letters.conftest import mail_port, mail_server, statements  # noqa: F401 - fixtures

Heard = list[tuple[Signal, tuple[Any, ...]]]


@pytest.fixture
def announced() -> Iterator[Heard]:
    """Every announcement of requests and licenses: the signal and its facts, in order."""
    heard: Heard = []

    def hear(signal: Signal, items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.append((signal, items))

    declared = [
        value
        for module in (of_licenses, of_requests)
        for value in vars(module).values()
        if isinstance(value, Signal)
    ]
    for signal in declared:
        signal.connect(hear)
        # Before the receivers, which announce things themselves.
        signal.receivers.insert(0, signal.receivers.pop())
    yield heard
    for signal in declared:
        signal.disconnect(hear)

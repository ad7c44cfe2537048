from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from entitlements import signals
from tests.letters.conftest import mail_port, mail_server, statements  # noqa: F401 - fixtures

Heard = list[tuple[Signal, tuple[Any, ...]]]


@pytest.fixture
def announced() -> Iterator[Heard]:
    """Every announcement of entitlements: the signal and its facts, in order."""
    heard: Heard = []

    def hear(signal: Signal, items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.append((signal, items))

    declared = [value for value in vars(signals).values() if isinstance(value, Signal)]
    for signal in declared:
        signal.connect(hear)
    yield heard
    for signal in declared:
        signal.disconnect(hear)

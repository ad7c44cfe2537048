from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from programs import signals

Announcement = tuple[str, tuple[Any, ...]]


@pytest.fixture
def announced() -> Iterator[list[Announcement]]:
    """What `programs` announces during the test: (name of the signal, items), in order."""
    heard: list[Announcement] = []
    listeners = []
    for name, signal in vars(signals).items():
        if isinstance(signal, Signal):

            def listen(items: tuple[Any, ...], name: str = name, **_kwargs: Any) -> None:
                heard.append((name, items))

            signal.connect(listen, weak=False)
            listeners.append((signal, listen))
    yield heard
    for signal, listener in listeners:
        signal.disconnect(listener)

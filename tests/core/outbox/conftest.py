from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from credentials_portal.core import outbox
from credentials_portal.core.outbox import OutboxKind
from credentials_portal.core.outbox.kinds import registered
from tests.core.outbox.remote import Remote, serving

AT = datetime(2024, 5, 3, 12, tzinfo=UTC)

RegisterKind = Callable[..., OutboxKind]


@pytest.fixture
def remote() -> Iterator[Remote]:
    with serving() as remote:
        yield remote


@pytest.fixture
def only_test_kinds() -> Iterator[None]:
    """Nothing that a test registers is known to the next one."""
    before = dict(registered)
    yield
    registered.clear()
    registered.update(before)


@pytest.fixture
def register_kind(only_test_kinds: None) -> RegisterKind:
    def register(**values: Any) -> OutboxKind:
        kind = OutboxKind(**{"name": "test.kind", **values})
        outbox.register(kind)
        return kind

    return register

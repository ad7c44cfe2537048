"""The stand-in for the order service: `from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture`.

It needs the LMS of `tests.standins.lms`, whose tokens it takes.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from credentials_portal.clients import orders as clients
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders


@pytest.fixture(name="orders")
def standing_in_orders(settings: Any, lms: StandInLms) -> Iterator[StandInOrders]:
    """An order service on loopback that the settings name; it is told in the test how to fail."""
    with StandInOrders(lms=lms) as standing_in:
        settings.ORDERS_BASE_URL = standing_in.url
        settings.ORDERS_TIMEOUT_SECONDS = 60.0
        yield standing_in
        client = clients.orders()
        assert client
        client.close()
        clients._client.cache_clear()

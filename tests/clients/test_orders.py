import logging
from typing import Any
from uuid import UUID

import pytest

from credentials_portal.clients import orders as clients
from credentials_portal.clients.http import Answer, Refused, Result, Unavailable
from credentials_portal.clients.orders import Orders
from credentials_portal.devlms import StandInLms
from credentials_portal.devorders import StandInOrders
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

ENTITLEMENT = UUID("11111111-2222-3333-4444-555555555555")


@pytest.fixture
def client(orders: StandInOrders) -> Orders:
    client = clients.orders()
    assert client
    return client


def open_refund(client: Orders, *, order_number: str = "EDX-1") -> Result:
    return client.open_refund(
        order_number=order_number, username="ada", entitlement_uuid=ENTITLEMENT
    )


def test_opens_a_refund_with_a_token_of_the_lms(
    client: Orders, orders: StandInOrders, lms: StandInLms
) -> None:
    assert open_refund(client) == Answer(201, [1001])
    assert [(call.method, call.path) for call in orders.calls] == [("POST", "/refunds/")]
    assert orders.calls[0].body == {
        "order_number": "EDX-1",
        "username": "ada",
        "entitlement_uuid": str(ENTITLEMENT),
    }
    assert lms.issued_tokens == 1


def test_nothing_to_refund_is_an_empty_list(client: Orders, orders: StandInOrders) -> None:
    orders.free_orders.add("EDX-1")

    assert open_refund(client) == Answer(200, [])


def test_an_unknown_order_is_refused_and_so_is_a_second_refund(
    client: Orders, orders: StandInOrders
) -> None:
    orders.unknown_orders.add("EDX-2")

    assert open_refund(client, order_number="EDX-2") == Refused(400)
    assert open_refund(client) == Answer(201, [1001])
    assert open_refund(client) == Refused(400)
    assert orders.refunds == {("EDX-1", str(ENTITLEMENT)): 1001}


def test_a_lost_answer_leaves_a_refund_behind(client: Orders, orders: StandInOrders) -> None:
    orders.fail(0, path="refunds", after_work=True, times=1)

    assert open_refund(client) == Unavailable("lost.RemoteProtocolError")
    assert len(orders.refunds) == 1
    assert open_refund(client) == Refused(400)


def test_without_a_token_nothing_is_asked(
    client: Orders, orders: StandInOrders, lms: StandInLms
) -> None:
    lms.fail(500, path="access_token")

    assert open_refund(client) == Unavailable("token.http_500", 500)
    assert orders.arrived == 0


def test_a_token_that_ended_is_renewed_once(
    client: Orders, orders: StandInOrders, lms: StandInLms
) -> None:
    open_refund(client)
    lms.tokens.clear()

    assert open_refund(client, order_number="EDX-2") == Answer(201, [1002])
    assert lms.issued_tokens == 2


def test_an_answer_without_ids_is_no_success(client: Orders, orders: StandInOrders) -> None:
    orders.fail(200, path="refunds", after_work=False)

    assert open_refund(client) == Unavailable("no_refund_ids", 200)


def test_an_order_service_that_is_not_there_was_not_asked(
    orders: StandInOrders, settings: Any
) -> None:
    settings.ORDERS_BASE_URL = "http://127.0.0.1:1"
    client = clients.orders()
    assert client

    assert open_refund(client) == Unavailable("lost.ConnectError")


def test_names_nobody_in_its_logs(client: Orders, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)

    open_refund(client)

    assert "ada" not in caplog.text
    assert "EDX-1" not in caplog.text


def test_there_may_be_no_order_service(settings: Any) -> None:
    settings.ORDERS_BASE_URL = ""

    assert clients.orders() is None

"""The order service: who sold what, and pays it back."""

import os
from functools import cache
from threading import Lock
from typing import Any
from uuid import UUID

from django.conf import settings

from credentials_portal.clients.http import Answer, Result, Unavailable
from credentials_portal.clients.oauth import AuthorizedClient, TokenSource


class Orders:
    """What this portal asks of the order service."""

    def __init__(self, client: AuthorizedClient) -> None:
        self._client = client

    def open_refund(self, *, order_number: str, username: str, entitlement_uuid: UUID) -> Result:
        """Ask to refund what paid for an entitlement. The answer's body is a list of refund ids.

        The list is empty where there is nothing to refund. Refused with 400 for an unknown order
        and also where a refund was opened before: after a call without an answer nobody can tell
        which of the two it is.
        """
        result = self._client.call(
            "POST",
            "/refunds/",
            form={
                "order_number": order_number,
                "username": username,
                "entitlement_uuid": str(entitlement_uuid),
            },
        )
        if isinstance(result, Answer) and not _is_list_of_ids(result.body):
            return Unavailable("no_refund_ids", result.status)
        return result

    def close(self) -> None:
        self._client.close()


def orders() -> Orders | None:
    """The order service that the settings name; None: there is none."""
    if not settings.ORDERS_BASE_URL:
        return None
    with _making:
        return _client(
            os.getpid(),
            settings.ORDERS_BASE_URL,
            settings.LMS_BASE_URL,
            settings.LMS_CLIENT_ID,
            settings.LMS_CLIENT_SECRET,
            settings.ORDERS_TIMEOUT_SECONDS,
        )


# Threads that ask for the first one at once would make one each.
_making = Lock()


@cache
def _client(
    _pid: int, base_url: str, lms_url: str, client_id: str, secret: str, timeout_seconds: float
) -> Orders:
    """One for each process: a connection that two of them use mixes their answers up."""
    tokens = TokenSource(lms_url, client_id, secret, timeout_seconds=timeout_seconds)
    return Orders(AuthorizedClient("orders", base_url, tokens, timeout_seconds=timeout_seconds))


def _is_list_of_ids(body: Any) -> bool:
    return isinstance(body, list) and all(isinstance(one, int | str) for one in body)

"""How one app tells the apps above it what happened."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import Signal

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


def announce(
    signal: Signal, items: Iterable[Any], *, at: datetime, actor: "User | None", cause: str
) -> None:
    """Send `signal` once for a whole set of frozen facts, inside the open transaction.

    Receivers get `items` (a tuple, never empty), `at`, `actor` (None: the system) and `cause`
    (what led to it, such as "admin" or "command:import_micromasters"). A receiver's failure
    undoes the change. An empty set is not sent. Raises `TransactionManagementError` outside
    `atomic`.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("announce() needs an open transaction")
    facts = tuple(items)
    if facts:
        signal.send(sender=None, items=facts, at=at, actor=actor, cause=cause)

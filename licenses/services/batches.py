"""Messages to the LMS that stand for many rows: what became of each row, and pages that split."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from credentials_portal.core.models.outbox import OutboxMessage, OutboxStatus
from credentials_portal.core.outbox import Delivery, Item

ROWS_PER_CALL = 100
ROWS = "rows"
NO_LMS = "no_lms"
SPLIT = "split"

# Whoever queues delivers as well; the sweepers take over when that did not come.
RESERVE = timedelta(minutes=10)


@dataclass
class Settled:
    """The rows of closed messages by what became of them; `halves` are new messages for those
    that were refused together."""

    done: list[int] = field(default_factory=list)
    unwanted: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    halves: list[Item] = field(default_factory=list)


def pages(rows: Sequence[int], *, scope: str, **payload: int) -> Iterator[Item]:
    """Messages about these rows, 100 each; that a row waits once is its table's to hold."""
    for start in range(0, len(rows), ROWS_PER_CALL):
        page = list(rows[start : start + ROWS_PER_CALL])
        yield Item(cause=str(uuid4()), payload={**payload, ROWS: page}, scope=scope)


def settle(deliveries: Iterable[Delivery]) -> Settled:
    """Sort the rows of closed messages; those of dead ones stay as they are.

    An outcome's detail names the rows that were still wanted; without it all were.
    """
    settled = Settled()
    for message, outcome in deliveries:
        rows: list[int] = message.payload[ROWS]
        wanted = rows if outcome.detail is None else list(outcome.detail)
        is_done = outcome.status == OutboxStatus.DONE or outcome.reason == NO_LMS
        if is_done:
            settled.done += wanted
        elif outcome.reason == SPLIT:
            settled.halves += _halves(message, wanted)
        elif outcome.status == OutboxStatus.FAILED:
            settled.given_up += rows
        elif outcome.status == OutboxStatus.SKIPPED:
            wanted = []
        else:
            continue
        if outcome.status != OutboxStatus.FAILED:
            settled.unwanted += sorted(set(rows) - set(wanted))
    return settled


def _halves(message: OutboxMessage, rows: list[int]) -> list[Item]:
    middle = (len(rows) + 1) // 2
    return [
        Item(
            cause=f"{message.pk}.{place}",
            payload={**message.payload, ROWS: half},
            scope=message.scope,
        )
        for place, half in enumerate((rows[:middle], rows[middle:]))
        if half
    ]

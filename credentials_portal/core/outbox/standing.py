"""How the outbox stands, for staff."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F

from credentials_portal.core.counting import Count, DailyCounts, daily_counts
from credentials_portal.core.models.outbox import (
    FINISHED,
    UNFINISHED,
    OutboxMessage,
    OutboxStatus,
)

# From one kind to the next by the index `outbox_due`: the backlog may hold millions.
LONGEST_DUE = """
    WITH RECURSIVE head AS (
        (SELECT kind, due_at FROM core_outboxmessage WHERE status IN ('pending', 'delivering')
         ORDER BY kind, due_at LIMIT 1)
        UNION ALL
        SELECT next.* FROM head CROSS JOIN LATERAL (
            SELECT kind, due_at FROM core_outboxmessage AS message
            WHERE status IN ('pending', 'delivering') AND message.kind > head.kind
            ORDER BY kind, due_at LIMIT 1
        ) AS next
    )
    SELECT min(due_at) FROM head
    WHERE NOT EXISTS (SELECT 1 FROM core_outboxhold AS hold WHERE hold.kind IN ('', head.kind))
"""


@dataclass(frozen=True)
class OutboxStanding:
    """`due_since` is when the message that should have left first became due; None: nothing that
    may leave is due yet. What a hold stops does not count there."""

    waiting: Count
    due_since: datetime | None
    dead: Count
    uncertain: Count


def outbox_standing(at: datetime) -> OutboxStanding:
    messages = OutboxMessage.objects
    with connection.cursor() as cursor:
        cursor.execute(LONGEST_DUE)
        (due_at,) = cursor.fetchone()
    return OutboxStanding(
        waiting=Count.of(messages.filter(status__in=UNFINISHED)),
        due_since=due_at if due_at and due_at <= at else None,
        dead=Count.of(messages.filter(status=OutboxStatus.DEAD)),
        uncertain=Count.of(messages.filter(status=OutboxStatus.UNCERTAIN)),
    )


def deliveries_per_day(*, at: datetime, days: int) -> DailyCounts:
    """What left for good or was closed, by its final status."""
    finished = OutboxMessage.objects.filter(status__in=FINISHED).order_by(F("finished_at").desc())
    return daily_counts(finished.values_list("finished_at", "status"), *FINISHED, at=at, days=days)

"""Counts for people: they end early, for tables may hold millions, and tell days apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import number_format

from credentials_portal.core.sql import Fragment

LIMIT = 10_000
NEWEST = 50_000

PER_DAY = """
    SELECT (happened_at AT TIME ZONE %s)::date, kind, count(*)
    FROM ({newest}) AS newest (happened_at, kind)
    WHERE happened_at >= %s AND happened_at <= %s
    GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Count:
    """How many rows there are; beyond `LIMIT` only that there are more."""

    number: int

    @classmethod
    def of(cls, queryset: "QuerySet[Any, Any]") -> "Count":
        """Count no further than `LIMIT`; what the query filters by should have an index."""
        return cls(queryset.order_by()[: LIMIT + 1].count())

    def __str__(self) -> str:
        told = number_format(min(self.number, LIMIT), force_grouping=True)
        return f"{told}+" if self.number > LIMIT else told

    def __bool__(self) -> bool:
        return self.number > 0


@dataclass(frozen=True)
class DailyCounts:
    """How often something happened on each of `days`, by kind, in the reader's zone.

    `begins` is None, or the day with which the newest `NEWEST` begin: nothing before them is
    counted.
    """

    days: tuple[date, ...]
    by_kind: Mapping[str, tuple[int, ...]]
    begins: date | None = None


def daily_counts(events: "QuerySet[Any, Any]", *kinds: str, at: datetime, days: int) -> DailyCounts:
    """Count the newest events on the last `days` days, today included, in one statement.

    `events` gives the columns (instant, kind), the newest first by an index.
    """
    today = timezone.localdate(at)
    which = tuple(today - timedelta(days=ago) for ago in reversed(range(days)))
    zone = timezone.get_current_timezone()
    midnight = datetime.combine(which[0], datetime.min.time(), zone)
    newest = Fragment.of(events[:NEWEST])
    with connection.cursor() as cursor:
        cursor.execute(PER_DAY.format(newest=newest.sql), [str(zone), *newest.params, midnight, at])
        counted = {(day, kind): number for day, kind, number in cursor.fetchall()}
    is_cut = sum(counted.values()) >= NEWEST
    return DailyCounts(
        days=which,
        by_kind={kind: tuple(counted.get((day, kind), 0) for day in which) for kind in kinds},
        begins=min(day for day, _kind in counted) if is_cut else None,
    )

"""Counts that end early, and counts by day."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from credentials_portal.core import counting
from credentials_portal.core.counting import Count, DailyCounts, daily_counts
from credentials_portal.core.models import JobRun, OutboxHold, OutboxMessage
from credentials_portal.core.outbox import deliveries_per_day, outbox_standing

pytestmark = pytest.mark.django_db

AT = datetime(2025, 6, 3, 12, tzinfo=UTC)


def run(started_at: datetime, name: str = "a") -> None:
    JobRun.objects.create(
        name=name,
        system_user="cron",
        judged_at=started_at,
        started_at=started_at,
        ended_at=started_at,
        outcome="done",
    )


def message(status: str, **fields: object) -> OutboxMessage:
    return OutboxMessage.objects.create(
        **{"kind": "a", "dedupe_key": str(uuid4()), "payload": {}, "status": status}
        | {"due_at": AT, "created_at": AT}
        | fields
    )


def counted(*, days: int = 3) -> DailyCounts:
    newest = JobRun.objects.order_by("-pk").values_list("started_at", "name")
    return daily_counts(newest, "a", "b", at=AT, days=days)


@pytest.mark.parametrize(("rows", "told"), [(0, "0"), (1, "1"), (2, "2"), (3, "2+"), (4, "2+")])
def test_a_count_ends_early(monkeypatch: pytest.MonkeyPatch, rows: int, told: str) -> None:
    monkeypatch.setattr(counting, "LIMIT", 2)
    for _ in range(rows):
        run(AT)

    count = Count.of(JobRun.objects.all())

    assert str(count) == told
    assert bool(count) == bool(rows)


def test_a_large_count_is_told_with_separators() -> None:
    assert [str(Count(number)) for number in (1_234, 10_000, 10_001)] == [
        *("1,234", "10,000", "10,000+"),
    ]


def test_counts_each_day_by_kind() -> None:
    for days_ago, name in [(0, "a"), (0, "a"), (0, "b"), (1, "a"), (2, "b"), (3, "a")]:
        run(AT - timedelta(days=days_ago), name)

    assert counted() == DailyCounts(
        days=(date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 3)),
        by_kind={"a": (0, 1, 2), "b": (1, 0, 1)},
    )


def test_what_happened_later_does_not_count() -> None:
    run(AT)
    run(AT + timedelta(microseconds=1))

    assert counted().by_kind == {"a": (0, 0, 1), "b": (0, 0, 0)}


def test_days_begin_where_the_reader_is() -> None:
    run(datetime(2025, 6, 2, 23, 59, tzinfo=UTC))

    with timezone.override("Europe/Berlin"):
        assert counted().by_kind["a"] == (0, 0, 1)
    assert counted().by_kind["a"] == (0, 1, 0)


def test_tells_where_the_newest_begin_when_there_are_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "NEWEST", 2)
    run(AT - timedelta(days=2))
    run(AT - timedelta(days=1))
    assert counted(days=2).begins is None

    run(AT)

    assert counted(days=3).begins == date(2025, 6, 2)
    assert counted(days=3).by_kind["a"] == (0, 1, 1)


def test_deliveries_are_counted_by_how_they_ended() -> None:
    for status in ("done", "done", "skipped", "failed"):
        message(status, finished_at=AT)
    message("dead")

    assert deliveries_per_day(at=AT, days=1).by_kind == {
        "done": (2,),
        "skipped": (1,),
        "failed": (1,),
    }


def test_how_the_outbox_stands() -> None:
    message("pending", due_at=AT - timedelta(hours=1))
    message("pending", kind="b", due_at=AT - timedelta(hours=3))
    message("pending", kind="c", due_at=AT - timedelta(hours=2))
    message("delivering", due_at=AT + timedelta(hours=2), lease_token=uuid4())
    message("dead", due_at=AT - timedelta(hours=9))
    message("uncertain")
    message("done", finished_at=AT)

    standing = outbox_standing(AT)

    assert (standing.waiting, standing.dead, standing.uncertain) == (Count(4), Count(1), Count(1))
    assert standing.due_since == AT - timedelta(hours=3)


def test_what_a_hold_stops_is_not_due() -> None:
    message("pending", due_at=AT - timedelta(hours=1))
    message("pending", kind="b", due_at=AT - timedelta(hours=3))
    OutboxHold.objects.create(kind="b", reason="Moved.", held_at=AT)
    assert outbox_standing(AT).due_since == AT - timedelta(hours=1)

    OutboxHold.objects.create(kind="", reason="Restored.", held_at=AT)

    assert outbox_standing(AT).due_since is None


def test_what_is_due_later_is_not_due() -> None:
    message("pending", due_at=AT + timedelta(seconds=1))

    assert outbox_standing(AT).due_since is None

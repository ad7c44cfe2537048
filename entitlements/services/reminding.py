"""Reminding learners of entitlements that will end unused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from entitlements.models import CourseEntitlement, CourseEntitlementQuerySet, EntitlementReminder
from entitlements.services.notices import queue_reminders
from entitlements.sql import due_reminders, subjects

THRESHOLDS = (90, 30, 7)
"""Days before the end. Of those that an outage missed only the nearest to the end is told."""


class DueReminder(NamedTuple):
    """A reminder to be queued: `ends_at` is until when the entitlement can be used."""

    entitlement_id: int
    threshold_days: int
    ends_at: datetime


@dataclass(frozen=True)
class RemindedPage:
    """The reminders of a page, and the last entitlement that was looked at."""

    last_id: int
    reminders: Sequence[DueReminder]

    @property
    def by_threshold(self) -> Counter[int]:
        return Counter(reminder.threshold_days for reminder in self.reminders)


def preview_reminders(*, size: int, at: datetime, after: int = 0) -> RemindedPage | None:
    """What the next page of `remind_page` would queue; None: nothing more is due."""
    rows = CourseEntitlement.objects.filter(pk__gt=after)
    due = _due(rows, at=at, limit=size)
    return RemindedPage(due[-1].entitlement_id, due) if due else None


@retry_conflicts
@transaction.atomic
def remind_page(*, size: int, by: Attribution, after: int = 0) -> RemindedPage | None:
    """Queue the next mails that are due, after this entitlement; None: nothing more is.

    Each threshold is told once for each end, so another end is told again. Those of which a use
    or a refund is under way are left for the next run.
    """
    page = preview_reminders(size=size, at=by.at, after=after)
    if page is None:
        return None
    rows = CourseEntitlement.objects.filter(pk__in=[one.entitlement_id for one in page.reminders])
    list(rows.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    still_due = _due(rows, at=by.at, limit=size)
    reminders = EntitlementReminder.objects.bulk_create(
        EntitlementReminder(
            entitlement_id=one.entitlement_id,
            threshold_days=one.threshold_days,
            ends_at=one.ends_at,
            queued_at=by.at,
        )
        for one in still_due
    )
    queue_reminders([reminder.pk for reminder in reminders], at=by.at)
    return RemindedPage(page.last_id, still_due)


def _due(rows: CourseEntitlementQuerySet, *, at: datetime, limit: int) -> list[DueReminder]:
    rule = due_reminders(subjects(rows.fulfillable().unfrozen()), thresholds=THRESHOLDS, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({rule.sql}) AS due ORDER BY entitlement_id LIMIT %s",  # noqa: S608 - the rule
            [*rule.params, limit],
        )
        return [DueReminder(*row) for row in cursor.fetchall()]

"""Marking entitlements that a rule has ended, with history and announcement.

Whoever reads an entitlement judges it, marked or not; the mark tells history, receivers, and
systems that read the tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import connection, transaction

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementQuerySet
from entitlements.services import states
from entitlements.services.states import Ending
from entitlements.sql import due_entitlements, subjects

logger = structlog.get_logger(__name__)

Page = tuple[int, int | None]


class DueEntitlement(NamedTuple):
    """An entitlement that a rule has ended, and nobody marked yet."""

    entitlement_id: int
    course_run_id: int | None
    reason: str


@dataclass(frozen=True)
class ExpiryPage:
    """What became of the due entitlements of a page.

    `waiting`: a use or a refund is under way, or somebody was faster.
    """

    ended: Sequence[DueEntitlement]
    waiting: int
    failed: Sequence[DueEntitlement] = ()


def expiry_pages(*, size: int) -> Iterator[Page]:
    """All entitlements that are not marked, `size` a page: after and up to which primary key.

    Each is looked for when the last one is done.
    """
    after: int | None = 0
    while after is not None:
        rest = _not_marked((after, None)).order_by("pk").values_list("pk", flat=True)
        upto = rest[size - 1 : size].first()
        yield after, upto
        after = upto


def preview_expiry(page: Page, *, at: datetime) -> ExpiryPage:
    """What `expire_page` would do; writes and locks nothing."""
    due = _due(_not_marked(page), at=at)
    ended = _due(_unfrozen(due), at=at)
    return ExpiryPage(ended, waiting=len(due) - len(ended))


@retry_conflicts
@transaction.atomic
def expire_page(page: Page, *, by: Attribution) -> ExpiryPage:
    """Mark those of a page that a rule has ended; announces `entitlement_expired` once.

    They are found, locked, and judged again. Those of which a use or a refund is under way are
    left for the next run. A row that cannot be written fails alone.
    """
    due = _due(_not_marked(page), at=by.at)
    failed: list[DueEntitlement] = []

    def fail(one: DueEntitlement, error: Exception) -> None:
        logger.error("entitlement_not_expired", id=one.entitlement_id, error=type(error).__name__)
        failed.append(one)

    parts = in_halves(due, lambda some: _end(some, by=by), failed=fail)
    ended = [one for part in parts for one in part]
    return ExpiryPage(ended, waiting=len(due) - len(ended) - len(failed), failed=failed)


def _end(due: Sequence[DueEntitlement], *, by: Attribution) -> list[DueEntitlement]:
    rows = CourseEntitlement.objects.filter(pk__in=[one.entitlement_id for one in due])
    list(rows.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    still_due = _due(_unfrozen(due), at=by.at)
    endings = {
        one.entitlement_id: Ending(ExpiryReason(one.reason), one.course_run_id) for one in still_due
    }
    states.end(endings, by=by)
    return still_due


def _not_marked(page: Page) -> CourseEntitlementQuerySet:
    after, upto = page
    rows = CourseEntitlement.objects.filter(expired_at=None, pk__gt=after)
    return rows if upto is None else rows.filter(pk__lte=upto)


def _unfrozen(due: Sequence[DueEntitlement]) -> CourseEntitlementQuerySet:
    rows = CourseEntitlement.objects.filter(pk__in=[one.entitlement_id for one in due])
    return rows.unfrozen()


def _due(rows: CourseEntitlementQuerySet, *, at: datetime) -> list[DueEntitlement]:
    rule = due_entitlements(subjects(rows), at=at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({rule.sql}) AS due ORDER BY 1", rule.params)  # noqa: S608 - the rule
        return [DueEntitlement(*row) for row in cursor.fetchall()]

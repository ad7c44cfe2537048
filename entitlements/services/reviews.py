"""Entitlements that must be looked at again, since something happened to their enrollments."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, EntitlementReview
from entitlements.rules import Decision
from entitlements.selectors.judging import Usage, judge
from entitlements.services import states
from entitlements.services.states import Ending

logger = logging.getLogger(__name__)

# Most learners in a run have bought nothing.
OPEN = """
    INSERT INTO entitlements_entitlementreview AS review
        (user_id, course_run_id, version, cause, opened_at)
    SELECT given.user_id, given.course_run_id, 1, %s, %s
    FROM unnest(%s::bigint[], %s::bigint[]) AS given (user_id, course_run_id)
    WHERE EXISTS (
        SELECT FROM entitlements_courseentitlement AS entitlement
        WHERE entitlement.user_id = given.user_id AND entitlement.expired_at IS NULL
    )
    ORDER BY given.user_id, given.course_run_id
    ON CONFLICT (user_id, course_run_id) DO UPDATE SET
        version = review.version + 1, cause = EXCLUDED.cause
"""
CLOSE = """
    DELETE FROM entitlements_entitlementreview AS review
    USING unnest(%s::bigint[], %s::int[]) AS seen (id, version)
    WHERE review.id = seen.id AND review.version = seen.version
"""

ENDED, RELEASED, UNCHANGED, FROZEN = "ended", "released", "unchanged", "frozen"


@dataclass
class ReviewedPage:
    """What became of queued learners, by outcome; `last_id` is that of the last one looked at."""

    last_id: int
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: int = 0


def open_reviews(pairs: Iterable[tuple[int, int]], *, cause: str, at: datetime) -> None:
    """Queue learners in runs, as (user_id, course_run_id), in one statement.

    Events about a learner who is queued already coalesce, and the version goes up.
    """
    distinct = set(pairs)
    users, runs = [user for user, _ in distinct], [run for _, run in distinct]
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [cause[:100], at, users, runs])


def review_page(*, size: int, by: Attribution, after: int = 0) -> ReviewedPage | None:
    """Look at the next queued learners in the order of their rows; None: there are no more.

    An entitlement that a rule has ended is ended; one whose enrollment is over is released, and
    never refunded: nobody said that this is wanted. A row is closed at the version that was seen;
    it stays open where a use or a refund is under way, and where the data refuse the change.
    """
    rows = list(EntitlementReview.objects.filter(pk__gt=after).order_by("pk")[:size])
    return _look_at(rows, by=by) if rows else None


@retry_conflicts
def _look_at(rows: Sequence[EntitlementReview], *, by: Attribution) -> ReviewedPage:
    page = ReviewedPage(rows[-1].pk)

    def fail(row: EntitlementReview, error: Exception) -> None:
        logger.error("entitlement_review_failed", extra={"row": row.pk}, exc_info=error)
        page.errors += 1

    for outcomes in in_halves(rows, lambda part: _review(part, by=by), failed=fail):
        page.outcomes += outcomes
    return page


class _Used(NamedTuple):
    entitlement_id: int
    usage: Usage
    decision: Decision
    is_frozen: bool

    @property
    def outcome(self) -> str:
        if self.decision.is_expired:
            return FROZEN if self.is_frozen else ENDED
        return UNCHANGED if self.usage.is_active else RELEASED

    @property
    def ending(self) -> Ending:
        return Ending(ExpiryReason(self.decision.expired_reason), self.usage.course_run_id)


def _review(rows: Sequence[EntitlementReview], *, by: Attribution) -> Counter[str]:
    used = _lock_used(rows, by=by)
    ended = [one for one in used.values() if one.outcome == ENDED]
    for is_active in (True, False):
        endings = {
            one.entitlement_id: one.ending for one in ended if one.usage.is_active == is_active
        }
        states.end(endings, by=by, releases=not is_active)
    released = [one for one in used.values() if one.outcome == RELEASED]
    states.release_all({one.entitlement_id: one.usage.course_run_id for one in released}, by=by)
    outcomes = {
        row: found.outcome if (found := used.get((row.user_id, row.course_run_id))) else UNCHANGED
        for row in rows
    }
    _close([row for row, outcome in outcomes.items() if outcome != FROZEN])
    return Counter(outcomes.values())


def _lock_used(
    rows: Sequence[EntitlementReview], *, by: Attribution
) -> dict[tuple[int, int], _Used]:
    """The entitlements in use for these learners' enrollments, by learner and run, locked."""
    named = CourseEntitlement.objects.filter(
        expired_at=None,
        user__in=[row.user_id for row in rows],
        enrollment_course_run__course_run_id__in=[row.course_run_id for row in rows],
    )
    locked = named.select_for_update(of=("self",), no_key=True)
    judged = judge(locked.select_related("policy").order_by("pk"), at=by.at)
    ours = CourseEntitlement.objects.filter(pk__in=[one.entitlement.pk for one in judged])
    frozen = set(ours.frozen().values_list("pk", flat=True))
    return {
        (one.usage.user_id, one.usage.course_run_id): _Used(
            one.entitlement.pk, one.usage, one.decision, one.entitlement.pk in frozen
        )
        for one in judged
        if one.usage
    }


def _close(rows: Sequence[EntitlementReview]) -> None:
    """Forget these rows, but for those of which something new was heard since they were read."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSE, [[row.pk for row in rows], [row.version for row in rows]])

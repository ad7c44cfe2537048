"""What happened to an entitlement, as its learner may know it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

from entitlements.enums import ExpiryReason, RedemptionStatus, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.selectors.judging import Usage, usages_of


class Step(StrEnum):
    """What happened; names of words in templates/entitlements/step.html."""

    GRANTED = "granted"
    RECEIVED = "received"
    MOVED = "moved"
    TAKEN = "taken"
    SWITCHED = "switched"
    LEFT = "left"
    NOT_TAKEN = "not_taken"
    ENDED = "ended"
    REISSUED = "reissued"
    EXTENDED = "extended"
    REFUND_ASKED = "refund_asked"
    REFUND_UNCLEAR = "refund_unclear"
    REFUND_ACCEPTED = "refund_accepted"
    REFUND_PAID = "refund_paid"
    REFUND_REFUSED = "refund_refused"


@dataclass(frozen=True)
class Happening:
    """One step; of which run (the one that was left, where it was left), until when, and why."""

    at: datetime
    step: Step
    run_key: str = ""
    run_start: datetime | None = None
    until: datetime | None = None
    reason: str = ""

    @property
    def reason_in_words(self) -> str:
        return str(ExpiryReason(self.reason).label)


STEPS_OF_REFUNDS = {
    RefundStatus.PENDING: Step.REFUND_ASKED,
    RefundStatus.NEEDS_REVIEW: Step.REFUND_UNCLEAR,
    RefundStatus.OPENED: Step.REFUND_ACCEPTED,
    RefundStatus.PAID: Step.REFUND_PAID,
    RefundStatus.FAILED: Step.REFUND_REFUSED,
}


def story_of(entitlement: CourseEntitlement) -> list[Happening]:
    """All since it is this learner's, the newest first, in four statements.

    What staff wrote about it, and what it was to whoever had it before, is not told.
    """
    rows = list(CourseEntitlement.history.filter(id=entitlement.pk).order_by("history_id"))
    own = _rows_of_owner(rows)
    since = own[0].history_date if len(own) < len(rows) else entitlement.created
    usages = usages_of({row.enrollment_course_run_id for row in own} - {None})
    steps = [Happening(since, Step.RECEIVED if len(own) < len(rows) else Step.GRANTED)]
    steps += [*_imported(own[:1], usages), *_changes(own, usages)]
    steps += [step for step in _refunds(entitlement) if step.at >= since]
    steps += [step for step in _refused_uses(entitlement) if step.at >= since]
    # Of the same instant the later one stays the later one.
    return sorted(steps, key=lambda step: step.at)[::-1]


def _rows_of_owner(rows: list[Any]) -> list[Any]:
    """The newest rows, back to the one that gave it to its present learner."""
    first = len(rows) - 1
    while first > 0 and rows[first - 1].user_id == rows[-1].user_id:
        first -= 1
    return rows[max(first, 0) :]


def _imported(rows: list[Any], usages: Mapping[int, Usage]) -> Iterator[Happening]:
    """What it brought along: the use for a run, and its end."""
    for row in rows:
        usage = usages.get(row.enrollment_course_run_id)
        if usage:
            yield _of_run(row.redeemed_at or usage.enrolled_at, Step.TAKEN, usage)
        if row.expired_at:
            yield Happening(row.expired_at, Step.ENDED, reason=row.expired_reason)


def _changes(rows: list[Any], usages: Mapping[int, Usage]) -> Iterator[Happening]:
    """What differs from row to row."""
    for before, after in pairwise(rows):
        if before.course_uuid != after.course_uuid:
            yield Happening(after.history_date, Step.MOVED)
        if before.enrollment_course_run_id != after.enrollment_course_run_id:
            step = _step_of_run(before, after)
            in_run = before if step == Step.LEFT else after
            usage = usages.get(in_run.enrollment_course_run_id)
            yield _of_run(after.history_date, step, usage)
        yield from _changes_of_end(before, after)


def _of_run(at: datetime, step: Step, usage: Usage | None) -> Happening:
    if usage is None:
        return Happening(at, step)
    return Happening(at, step, usage.run_key, usage.run_start)


def _step_of_run(before: Any, after: Any) -> Step:
    if after.enrollment_course_run_id is None:
        return Step.LEFT
    return Step.TAKEN if before.enrollment_course_run_id is None else Step.SWITCHED


def _changes_of_end(before: Any, after: Any) -> Iterator[Happening]:
    at = after.history_date
    if before.expired_at and not after.expired_at:
        yield Happening(at, Step.REISSUED, until=after.extended_until)
    elif before.extended_until != after.extended_until:
        yield Happening(at, Step.EXTENDED, until=after.extended_until)
    # A refund tells of its end itself.
    if after.expired_at and not before.expired_at and after.expired_reason != ExpiryReason.REFUND:
        yield Happening(after.expired_at, Step.ENDED, reason=after.expired_reason)


def _refunds(entitlement: CourseEntitlement) -> Iterator[Happening]:
    rows = CourseEntitlementRefund.history.filter(entitlement_id=entitlement.pk)
    told: dict[int, str] = {}
    for row in rows.order_by("history_id"):
        is_asked_again = row.status == RefundStatus.PENDING and row.id in told
        if row.status != told.get(row.id) and not is_asked_again:
            yield Happening(row.history_date, STEPS_OF_REFUNDS[row.status])
        told[row.id] = row.status


def _refused_uses(entitlement: CourseEntitlement) -> Iterator[Happening]:
    uses = CourseEntitlementRedemption.objects.filter(
        entitlement=entitlement,
        status__in=[RedemptionStatus.REFUSED, RedemptionStatus.ABANDONED],
    )
    for use in uses.select_related("course_run").order_by("pk"):
        if use.finished_at:
            run = use.course_run
            yield Happening(use.finished_at, Step.NOT_TAKEN, run.key, run.start_date)

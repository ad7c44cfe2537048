"""What happened to an entitlement, as staff read it: one list of all that is kept about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from credentials_portal.accounts.models import User
from entitlements.admin.words import moment
from entitlements.enums import ExpiryReason, RedemptionStatus, RefundStatus, SupportAction
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.selectors.judging import usages_of

AT_MOST = 100


@dataclass(frozen=True)
class Chapter:
    """Something that happened: in words, by whom, through what, and what they said about it."""

    at: datetime
    words: str
    who: User | None = None
    cause: str = ""
    note: str = ""


def story(entitlement: CourseEntitlement) -> list[Chapter]:
    """What happened, the newest first, in six statements; of each kind the newest `AT_MOST`."""
    chapters = [
        *_changes(entitlement),
        *_uses(entitlement),
        *_refunds(entitlement),
        *_reminders(entitlement),
        *_support(entitlement),
    ]
    # Of the same instant the later one stays the later one; what staff did is later than what
    # came of it.
    return sorted(chapters, key=lambda chapter: chapter.at)[::-1]


def _changes(entitlement: CourseEntitlement) -> Iterator[Chapter]:
    newest = entitlement.history.select_related("history_user").order_by("-history_id")
    rows = list(newest[: AT_MOST + 1])
    runs = {pk: usage.run_key for pk, usage in usages_of(_enrollments(rows)).items()}
    oldest_first = rows[::-1]
    if oldest_first and oldest_first[0].history_type == "+":
        created = oldest_first[0]
        yield Chapter(created.history_date, _("created"), created.history_user, created.cause)
    for before, row in pairwise(oldest_first):
        if words := "; ".join(_differences(before, row, runs)):
            yield Chapter(row.history_date, words, row.history_user, row.cause, _note(row))


def _note(row: Any) -> str:
    """Why, unless that is an action of staff, which is told with their comment."""
    reason = row.history_change_reason or ""
    return "" if reason in SupportAction else reason


def _enrollments(rows: Iterable[Any]) -> set[int]:
    return {row.enrollment_course_run_id for row in rows if row.enrollment_course_run_id}


def _differences(before: Any, row: Any, runs: Mapping[int, str]) -> Iterator[str]:
    if before.enrollment_course_run_id != row.enrollment_course_run_id:
        yield _change_of_run(before.enrollment_course_run_id, row.enrollment_course_run_id, runs)
    if (before.expired_at is None) != (row.expired_at is None):
        yield _ending(row.expired_reason)
    if before.extended_until != row.extended_until and row.extended_until:
        yield _("may be used until %s") % moment(row.extended_until)
    if before.refund_locked != row.refund_locked:
        yield _("locked: not to be refunded") if row.refund_locked else _("may be refunded")
    for column, name in NAMED.items():
        if getattr(before, column) != getattr(row, column):
            yield _("changed: %s") % name


NAMED = {
    "user_id": gettext_lazy("learner"),
    "course_uuid": gettext_lazy("course"),
    "mode": gettext_lazy("mode"),
    "order_number": gettext_lazy("order number"),
    "policy_id": gettext_lazy("policy"),
}


def _change_of_run(before: int | None, after: int | None, runs: Mapping[int, str]) -> str:
    if after is None:
        return _("released from %s") % _run(before, runs)
    if before is None:
        return _("used for %s") % _run(after, runs)
    return _("switched from %(before)s to %(after)s") % {
        "before": _run(before, runs),
        "after": _run(after, runs),
    }


def _run(enrollment_id: int | None, runs: Mapping[int, str]) -> str:
    return runs.get(enrollment_id or 0, _("a run that is gone"))


def _ending(reason: str) -> str:
    return _("ended: %s") % ExpiryReason(reason).label if reason else _("can be used again")


def _support(entitlement: CourseEntitlement) -> Iterator[Chapter]:
    details: list[CourseEntitlementSupportDetail] = list(
        entitlement.support_details.select_related("support_user", "unenrolled_run")[:AT_MOST]
    )
    for detail in reversed(details):
        words = _("staff: %s") % detail.get_action_display()
        if detail.unenrolled_run:
            words = f"{words} ({detail.unenrolled_run.key})"
        yield Chapter(detail.created, words, detail.support_user, note=detail.comments)


def _uses(entitlement: CourseEntitlement) -> Iterator[Chapter]:
    newest = entitlement.redemptions.select_related("course_run", "requested_by").order_by("-pk")
    uses: list[CourseEntitlementRedemption] = list(newest[:AT_MOST])
    for use in reversed(uses):
        run = use.course_run.key
        yield Chapter(use.requested_at, _("asked to be used for %s") % run, use.requested_by)
        if use.finished_at and use.status != RedemptionStatus.DONE:
            words = _("not used for %(run)s: %(how)s") % {
                "run": run,
                "how": use.get_status_display(),
            }
            yield Chapter(use.finished_at, words, note=use.refusal)


def _refunds(entitlement: CourseEntitlement) -> Iterator[Chapter]:
    rows = (
        CourseEntitlementRefund.history.filter(entitlement=entitlement.pk)
        .select_related("history_user")
        .order_by("id", "history_id")[:AT_MOST]
    )
    before: Any = None
    for row in rows:
        words = _change_of_refund(before if before and before.id == row.id else None, row)
        yield Chapter(row.history_date, words, row.history_user, row.cause, row.refusal)
        before = row


def _change_of_refund(before: Any, row: Any) -> str:
    if before is None or before.status != row.status:
        return _("refund: %s") % RefundStatus(row.status).label
    if row.may_have_arrived and not before.may_have_arrived:
        return _("refund: it was asked for, and nobody knows whether that arrived")
    return _("refund: changed")


def _reminders(entitlement: CourseEntitlement) -> Iterator[Chapter]:
    for reminder in entitlement.reminders.order_by("pk")[:AT_MOST]:
        days = reminder.threshold_days
        words = ngettext(
            "its learner is told by mail that it ends within %d day",
            "its learner is told by mail that it ends within %d days",
            days,
        )
        yield Chapter(reminder.queued_at, words % days)

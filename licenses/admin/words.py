"""How plans, renewals and licenses stand, in words for staff: the state, and the next action."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from licenses.enums import LicenseStatus
from licenses.models import License, SubscriptionPlan, SubscriptionPlanRenewal
from licenses.selectors.expiry import RENEWAL_GRACE
from licenses.selectors.standing import PlanStanding

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

STATUS_COLOURS = {
    LicenseStatus.ACTIVATED: "success",
    LicenseStatus.ASSIGNED: "info",
    LicenseStatus.UNASSIGNED: "",
    LicenseStatus.REVOKED: "danger",
}
PLAN_STATES: dict[str, tuple[str, "_StrPromise"]] = {
    "off": ("warning", gettext_lazy("switched off")),
    "future": ("info", gettext_lazy("starts later")),
    "current": ("success", gettext_lazy("running")),
    "ended": ("danger", gettext_lazy("ended, to be processed")),
    "processed": ("", gettext_lazy("ended")),
}
RENEWAL_STATES: dict[str, tuple[str, "_StrPromise"]] = {
    "processed": ("success", gettext_lazy("processed")),
    "stuck": ("danger", gettext_lazy("stuck")),
    "due": ("warning", gettext_lazy("due")),
    "waits": ("info", gettext_lazy("waits")),
}


def state_of_plan(plan: SubscriptionPlan, at: datetime) -> str:
    """A key of `PLAN_STATES`."""
    if plan.expiration_date <= at:
        return "processed" if plan.expiration_processed else "ended"
    if not plan.is_active:
        return "off"
    return "future" if plan.start_date > at else "current"


def state_of_renewal(renewal: SubscriptionPlanRenewal, at: datetime) -> str:
    """A key of `RENEWAL_STATES`."""
    if renewal.processed:
        return "processed"
    if renewal.effective_date > at:
        return "waits"
    return "stuck" if renewal.effective_date <= at - RENEWAL_GRACE else "due"


def next_of_plan(standing: PlanStanding) -> str:
    """What will happen to the plan next, or what somebody must do."""
    plan, at = standing.plan, standing.at
    match state_of_plan(plan, at):
        case "processed":
            return _("Nothing: everything that follows from its end was done.")
        case "ended":
            return _next_of_ended(standing)
        case "off":
            return _("Nobody can use it. Switch it on when the customer should have it.")
    if not standing.seats.total:
        return _("It has no seats: provision them.")
    if not standing.seats.unassigned:
        return _("Every seat is held: provision more, if the customer bought more.")
    if state_of_plan(plan, at) == "future":
        return _("Nothing: it starts by itself.")
    return _("Nothing until it ends; then expire_subscriptions processes it.")


def _next_of_ended(standing: PlanStanding) -> str:
    renewal = next(iter(standing.future_renewals), None)
    if renewal is None:
        return _("The next run of expire_subscriptions processes its end.")
    if renewal.processed:
        return _("Nothing: its learners went on with the plan that follows.")
    if state_of_renewal(renewal, standing.at) == "stuck":
        return _("Its renewal is stuck: process the renewal, or expire it nevertheless.")
    return _("Its renewal is processed first.")


def next_of_license(license: License, at: datetime) -> str:
    plan = license.subscription_plan
    match license.status:
        case LicenseStatus.UNASSIGNED:
            return _("Nothing: it is free to be given to somebody.")
        case LicenseStatus.REVOKED:
            return _("Nothing: another seat took its place.")
    if plan.expiration_date <= at:
        return _("Its plan has ended: see there what follows.")
    if license.status == LicenseStatus.ASSIGNED:
        return _("Its learner activates it by the link in the mail; a reminder can help.")
    return _("Nothing: its learner uses it.")


@dataclass(frozen=True)
class Chapter:
    """One change of a license, as its history keeps it."""

    at: datetime
    words: str
    who: Any
    reason: str
    cause: str


CHANGES: dict[str, "_StrPromise"] = {
    LicenseStatus.ACTIVATED: gettext_lazy("activated"),
    LicenseStatus.ASSIGNED: gettext_lazy("given to a learner"),
    LicenseStatus.UNASSIGNED: gettext_lazy("a free seat"),
    LicenseStatus.REVOKED: gettext_lazy("revoked"),
}


def story(license: License, *, at_most: int = 50) -> list[Chapter]:
    """What happened to a license, the newest first, in one statement."""
    rows = list(
        license.history.select_related("history_user").order_by("-history_id")[: at_most + 1]
    )
    return list(_chapters(rows))[:at_most]


def _chapters(rows: list[Any]) -> Iterator[Chapter]:
    for row, before in zip(rows, [*rows[1:], None], strict=True):
        yield Chapter(
            row.history_date,
            _change(row, before),
            row.history_user,
            row.history_change_reason or "",
            row.cause,
        )


def _change(row: Any, before: Any) -> str:
    if before is None or row.status != before.status:
        return str(CHANGES[row.status])
    if row.renewed_to_id != before.renewed_to_id:
        return _("renewed")
    if row.last_remind_date != before.last_remind_date:
        return _("reminded")
    if before.user_email and not row.user_email:
        return _("personal data erased")
    return _("changed")

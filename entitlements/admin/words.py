"""How entitlements and refunds stand, in words for staff: the state, the reason, the next action."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from entitlements.enums import ExpiryReason, RefundGateway, RefundStatus
from entitlements.models import CourseEntitlementRefund
from entitlements.rules import Periods
from entitlements.selectors.learners import HeldEntitlement, Standing
from entitlements.selectors.standing import PATIENCE, is_to_review

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

STANDINGS: dict[Standing, tuple[str, "_StrPromise"]] = {
    Standing.AVAILABLE: ("success", gettext_lazy("available")),
    Standing.TAKING: ("info", gettext_lazy("being used")),
    Standing.IN_USE: ("info", gettext_lazy("in use, may still be changed")),
    Standing.REFUND_ASKED: ("warning", gettext_lazy("refund asked for")),
    Standing.REFUND_UNCLEAR: ("danger", gettext_lazy("refund unclear")),
    Standing.USED: ("", gettext_lazy("used")),
    Standing.REFUNDED: ("", gettext_lazy("refunded")),
    Standing.LAPSED: ("warning", gettext_lazy("ended unused")),
}
REFUND_COLOURS = {
    RefundStatus.PENDING: "info",
    RefundStatus.NEEDS_REVIEW: "danger",
    RefundStatus.OPENED: "success",
    RefundStatus.PAID: "success",
    RefundStatus.FAILED: "",
}


def moment(at: datetime) -> str:
    """A date and time in the reader's zone."""
    return date_format(localtime(at), "j F Y, H:i")


def since(held: HeldEntitlement) -> datetime | None:
    """When it came to stand as it does."""
    refund = held.refund
    match held.standing:
        case Standing.AVAILABLE:
            return held.entitlement.created
        case Standing.TAKING:
            return held.taking.requested_at if held.taking else None
        case Standing.IN_USE:
            return held.entitlement.redeemed_at or (held.usage.enrolled_at if held.usage else None)
        case Standing.REFUND_ASKED | Standing.REFUND_UNCLEAR:
            return refund.requested_at if refund else None
    return held.decision.expired_at


def reason(held: HeldEntitlement) -> str:
    """Why it ended; of one whose end no sweep has written yet, that too."""
    if not held.decision.is_expired:
        return ""
    told = str(ExpiryReason(held.decision.expired_reason).label)
    if held.entitlement.expired_at is None:
        return _("%s (the next run of expire_old_entitlements notes it)") % told
    return told


def next_action(held: HeldEntitlement) -> str:
    """What will happen to it next, or what somebody must do."""
    match held.standing:
        case Standing.AVAILABLE:
            return _("Its learner chooses a session, until %s.") % moment(held.ends_at)
        case Standing.TAKING:
            return _next_of_taking(held)
        case Standing.IN_USE:
            return _next_of_used(held)
        case Standing.REFUND_ASKED | Standing.REFUND_UNCLEAR | Standing.REFUNDED if held.refund:
            return next_of_refund(held.refund)
        case Standing.LAPSED | Standing.REFUNDED:
            return _("Nothing by itself. Reissue it, if its learner should have it again.")
    return _("Nothing: it did what it was for.")


def _next_of_taking(held: HeldEntitlement) -> str:
    told = _("Nothing can be done with it until the LMS answers whether its learner is enrolled.")
    if held.taking and held.at - held.taking.requested_at > PATIENCE:
        return told + " " + _("That takes long: look for its message in the outbox.")
    return told


def _next_of_used(held: HeldEntitlement) -> str:
    if held.decision.regain_until is None:
        return _("Nothing: its learner uses it.")
    return _("Its learner may change or leave the session until %s; then it is used.") % moment(
        held.decision.regain_until
    )


def next_of_refund(refund: CourseEntitlementRefund) -> str:
    is_manual = refund.gateway == RefundGateway.MANUAL
    match refund.status:
        case RefundStatus.PENDING | RefundStatus.NEEDS_REVIEW if is_to_review(refund):
            return _("Look at the order: settle the refund as given, as not given, or ask again.")
        case RefundStatus.NEEDS_REVIEW:
            return _("Nothing: the order service is asked again.")
        case RefundStatus.PENDING if refund.may_have_arrived:
            return _(
                "The order service did not answer, and is asked again. If it then knows of nothing"
                " to refund, staff must look."
            )
        case RefundStatus.PENDING:
            return _("Nothing: the portal asks for it.")
        case RefundStatus.OPENED if is_manual:
            return _("Pay it, then mark it as paid.")
        case RefundStatus.OPENED:
            return _("Nothing here: the order service pays it.")
        case RefundStatus.FAILED:
            return _("Nothing: the entitlement is as it was.")
    return _("Nothing: it is over.")


@dataclass(frozen=True)
class Deadline:
    """Until when something can be done; `at` is None where it never could, for `why`."""

    name: str
    at: datetime | None
    why: str = ""


def deadlines(held: HeldEntitlement) -> Iterable[Deadline]:
    """What holds of it by its policy, whatever is under way."""
    decision, entitlement = held.decision, held.entitlement
    if decision.is_expired:
        yield Deadline(_("Ended"), decision.expires_at)
    elif held.usage:
        yield Deadline(_("Session may be changed or left until"), decision.regain_until)
        yield Deadline(_("Once it is left, may be used until"), decision.base_end)
    else:
        yield Deadline(_("May be used until"), decision.base_end)
    yield Deadline(
        _("Refundable until"),
        decision.refundable_until,
        _("never: it has no order")
        if entitlement.order_number is None
        else _("never: it is locked"),
    )


def describe_periods(periods: Periods) -> str:
    expiration, refund, regain = (
        ngettext("%d day", "%d days", period.days) % period.days
        for period in (periods.expiration, periods.refund, periods.regain)
    )
    return _(
        "%(expiration)s to use it, %(refund)s to have it refunded, %(regain)s to change the session"
    ) % {"expiration": expiration, "refund": refund, "regain": regain}

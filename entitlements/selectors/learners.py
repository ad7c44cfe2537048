"""A learner's own entitlements: how each stands, until when, and what is under way."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from credentials_portal.accounts.models import User
from credentials_portal.core.days import calendar_days
from entitlements.enums import (
    RULES,
    EntitlementStatus,
    ExpiryReason,
    RedemptionStatus,
    RefundStatus,
    SupportAction,
)
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.rules import Decision, Facts, RunFacts, evaluate
from entitlements.selectors.judging import JudgedEntitlement, Usage, judge
from programs.selectors import RunOffer, course_titles


class Standing(StrEnum):
    """What an entitlement is to its learner now; the first needs them most."""

    AVAILABLE = "available"
    TAKING = "taking"
    IN_USE = "in_use"
    REFUND_ASKED = "refund_asked"
    REFUND_UNCLEAR = "refund_unclear"
    USED = "used"
    REFUNDED = "refunded"
    LAPSED = "lapsed"


ORDER = tuple(Standing)
ACCEPTED = (RefundStatus.OPENED, RefundStatus.PAID)
OVER = (Standing.USED, Standing.REFUNDED, Standing.LAPSED)


@dataclass(frozen=True)
class HeldEntitlement:
    """An entitlement as its learner should understand it `at` an instant.

    `refund` is the newest one that was asked for; `taking` is the use that is under way.
    """

    judged: JudgedEntitlement
    course_title: str
    refund: CourseEntitlementRefund | None
    taking: CourseEntitlementRedemption | None
    at: datetime

    @property
    def entitlement(self) -> CourseEntitlement:
        return self.judged.entitlement

    @property
    def decision(self) -> Decision:
        return self.judged.decision

    @property
    def usage(self) -> Usage | None:
        return self.judged.usage

    @property
    def standing(self) -> Standing:
        if self.refund and self.refund.status == RefundStatus.NEEDS_REVIEW:
            return Standing.REFUND_UNCLEAR
        if self.refund and self.refund.status == RefundStatus.PENDING:
            is_unclear = self.refund.may_have_arrived
            return Standing.REFUND_UNCLEAR if is_unclear else Standing.REFUND_ASKED
        if self.taking:
            return Standing.TAKING
        was_accepted = self.refund is not None and self.refund.status in ACCEPTED
        if self.decision.expired_reason == ExpiryReason.REFUND or (
            self.decision.is_expired and was_accepted
        ):
            return Standing.REFUNDED
        return _STANDINGS[self.decision.status]

    @property
    def is_usable(self) -> bool:
        return self.standing in {Standing.AVAILABLE, Standing.IN_USE}

    @property
    def needs_learner(self) -> bool:
        """There is something to do."""
        return self.standing == Standing.AVAILABLE

    @property
    def is_over(self) -> bool:
        return self.standing in OVER

    @property
    def reason_in_words(self) -> str:
        """Why it ended."""
        return str(ExpiryReason(self.decision.expired_reason).label)

    @property
    def is_ended_by_rule(self) -> bool:
        return self.decision.expired_reason in RULES

    @property
    def ends_at(self) -> datetime:
        return self.decision.expires_at

    @property
    def days_left(self) -> int:
        return calendar_days(self.at, self.ends_at)

    @property
    def ends_soon(self) -> bool:
        """It waits to be used, and not for long any more."""
        is_near = self.ends_at - self.at <= settings.ENTITLEMENT_EXPIRED_ALERT_PERIOD
        return self.standing == Standing.AVAILABLE and is_near

    @property
    def can_choose(self) -> bool:
        """A session can be chosen, or another one."""
        return self.standing == Standing.IN_USE or (
            self.standing == Standing.AVAILABLE and self.decision.is_redeemable
        )

    @property
    def can_leave(self) -> bool:
        return self.standing == Standing.IN_USE

    @property
    def can_be_refunded(self) -> bool:
        is_idle = self.standing in {Standing.AVAILABLE, Standing.IN_USE}
        was_refunded = self.refund is not None and self.refund.status != RefundStatus.FAILED
        return is_idle and self.decision.is_refundable and not was_refunded

    @property
    def refusal(self) -> CourseEntitlementRefund | None:
        """The refund that was refused last, of an entitlement that can be used still."""
        is_refused = self.refund is not None and self.refund.status == RefundStatus.FAILED
        return self.refund if is_refused and not self.is_over else None

    def refusal_within(self, period: timedelta) -> bool:
        refused_at = self.refusal and self.refusal.settled_at
        return bool(refused_at and refused_at > self.at - period)

    def decision_if_taken(self, offer: RunOffer) -> Decision:
        """What would hold if the learner took this session now."""
        facts = Facts(
            created=self.entitlement.created,
            extended_until=self.entitlement.extended_until,
            order_number=self.entitlement.order_number,
            refund_locked=self.entitlement.refund_locked,
            run=RunFacts(start=offer.start, joined_at=self.at),
        )
        return evaluate(facts, self.entitlement.periods, self.at)


_STANDINGS = {
    EntitlementStatus.AVAILABLE: Standing.AVAILABLE,
    EntitlementStatus.REDEEMED: Standing.IN_USE,
    EntitlementStatus.SPENT: Standing.USED,
    EntitlementStatus.LAPSED: Standing.LAPSED,
}


def entitlements_of_learner(user: User, *, at: datetime) -> list[HeldEntitlement]:
    """What this person has or had, in five statements; what needs them first comes first."""
    found = CourseEntitlement.objects.filter(user=user).select_related("policy")
    return sorted(
        held_entitlements(list(found.order_by("pk")), at),
        key=lambda held: (ORDER.index(held.standing), held.ends_at, held.entitlement.pk),
    )


def entitlement_of_learner(
    user: User, entitlement_uuid: UUID, *, at: datetime
) -> HeldEntitlement | None:
    """This one, if it is theirs."""
    found = CourseEntitlement.objects.filter(user=user, uuid=entitlement_uuid)
    return next(iter(held_entitlements(list(found.select_related("policy")), at)), None)


def held_entitlements(entitlements: list[CourseEntitlement], at: datetime) -> list[HeldEntitlement]:
    """These entitlements, in their order and in four statements, and how each stands."""
    if not entitlements:
        return []
    titles = course_titles({entitlement.course_uuid for entitlement in entitlements})
    refunds = _newest_refunds(entitlements)
    uses = CourseEntitlementRedemption.objects.filter(
        entitlement__in=entitlements, status=RedemptionStatus.PENDING
    )
    taking = {use.entitlement_id: use for use in uses.select_related("course_run")}
    return [
        HeldEntitlement(
            judged=judged,
            course_title=titles.get(judged.entitlement.course_uuid)
            or _("A course that is not in the catalog"),
            refund=refunds.get(judged.entitlement.pk),
            taking=taking.get(judged.entitlement.pk),
            at=at,
        )
        for judged in judge(entitlements, at=at)
    ]


def _newest_refunds(
    entitlements: Collection[CourseEntitlement],
) -> Mapping[int, CourseEntitlementRefund]:
    """That somebody who had it before was refused one is nobody else's business."""
    transfers = CourseEntitlementSupportDetail.objects.filter(
        entitlement=OuterRef("entitlement"),
        action=SupportAction.TRANSFER,
        created__gte=OuterRef("requested_at"),
    )
    refunds = CourseEntitlementRefund.objects.filter(entitlement__in=entitlements)
    told = refunds.exclude(Exists(transfers), status=RefundStatus.FAILED)
    return {refund.entitlement_id: refund for refund in told.order_by("pk")}

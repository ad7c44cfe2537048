"""The runs for which a learner may use an entitlement."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from entitlements.enums import FREE_MODES
from entitlements.selectors.judging import JudgedEntitlement
from programs import selectors as programs
from programs.selectors import Enrolled, RunOffer


@dataclass(frozen=True)
class Session:
    """A run that the learner takes with an entitlement (`is_present`), or may take with it."""

    offer: RunOffer
    is_present: bool


def is_fulfillable(offer: RunOffer, *, mode: str, is_enrolled: bool, at: datetime) -> bool:
    """Whether the run can be taken in this mode: it has a start, the mode is still to be had, and
    enrollment is open, if the learner is not in it already."""
    may_enter = is_enrolled or offer.takes_enrollments(at=at)
    return offer.start is not None and offer.offers(mode, at=at) and may_enter


def sessions_of(judged: Collection[JudgedEntitlement], *, at: datetime) -> dict[int, list[Session]]:
    """What can be shown to choose from, of each entitlement by primary key, by start.

    The present run is always there. Others are those that can be taken and that the learner does
    not take in a paid mode already; none where the entitlement cannot be used any more. Three
    statements, whatever there is.
    """
    entitlements = [one.entitlement for one in judged]
    offers = programs.course_offers({entitlement.course_uuid for entitlement in entitlements})
    enrolled = programs.enrollments_in(
        user_ids={entitlement.user_id for entitlement in entitlements},
        course_run_ids={offer.course_run_id for runs in offers.values() for offer in runs},
    )
    return {
        one.entitlement.pk: [
            Session(offer, is_present)
            for offer in offers[one.entitlement.course_uuid]
            if (is_present := _is_present(one, offer))
            or _may_be_taken(
                one, offer, enrolled.get((one.entitlement.user_id, offer.course_run_id)), at
            )
        ]
        for one in judged
    }


def _is_present(judged: JudgedEntitlement, offer: RunOffer) -> bool:
    return judged.usage is not None and judged.usage.course_run_id == offer.course_run_id


def _may_be_taken(
    judged: JudgedEntitlement, offer: RunOffer, enrolled: Enrolled | None, at: datetime
) -> bool:
    is_enrolled = enrolled is not None and enrolled.is_active
    is_usable = judged.decision.is_redeemable or judged.decision.is_regainable
    pays_already = enrolled is not None and is_enrolled and enrolled.mode not in FREE_MODES
    return (
        is_usable
        and not pays_already
        and is_fulfillable(offer, mode=judged.entitlement.mode, is_enrolled=is_enrolled, at=at)
    )

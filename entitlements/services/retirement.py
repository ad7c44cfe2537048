"""What entitlements forget about a person who leaves."""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import Q

from credentials_portal.core.history import Attribution
from credentials_portal.core.personal import erase_names
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.selectors.judging import judge
from entitlements.services import states
from entitlements.services.states import Ending


@transaction.atomic
def retire_learner(*, user_id: int, names: Sequence[str], by: Attribution) -> int:
    """End a leaver's entitlements, and empty what was written about them and by them.

    Rows stay, with the run that each was used for. What is under way is settled as that of
    others: a use is given up, a refund is left to staff. `names` are erased from what was written
    about others. Returns how many entitlements ended.
    """
    ended = _end(user_id, by=replace(by, reason=ExpiryReason.RETIRED))
    _empty_comments(user_id)
    for comments in (
        CourseEntitlementSupportDetail.objects,
        CourseEntitlementSupportDetail.history,
    ):
        erase_names(comments.all(), ["comments"], *names)
    return ended


def _end(user_id: int, *, by: Attribution) -> int:
    rows = CourseEntitlement.objects.filter(user=user_id, expired_at=None).order_by("pk")
    locked = rows.select_for_update(of=("self",), no_key=True).select_related("policy")
    endings = {
        one.entitlement.pk: Ending(ExpiryReason.RETIRED, one.course_run_id)
        for one in judge(locked, at=by.at)
    }
    return len(states.end(endings, by=by))


def _empty_comments(user_id: int) -> None:
    """Those about the person, also about an entitlement that they gave away, and their own."""
    held = CourseEntitlement.history.filter(user=user_id).values("id")
    concerned = Q(entitlement__user=user_id) | Q(entitlement__in=held) | Q(support_user=user_id)
    for comments in (
        CourseEntitlementSupportDetail.objects,
        CourseEntitlementSupportDetail.history,
    ):
        comments.filter(concerned).exclude(comments="").update(comments="")

"""What learners are told where something could not be done: why, that nothing is lost, what next."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.errors import DomainError
from entitlements.models import CourseEntitlementRedemption

REFUSED = _("The session could not be taken, and nothing was changed. Choose another one.")
NOT_DONE = _("This could not be done, and nothing was changed. Look at how it stands now.")

WORDS = {
    "run_mismatch": _("This session is not of your course. Nothing was changed."),
    "run_unavailable": _(
        "This session cannot be taken any more, and nothing was changed. Choose another one."
    ),
    "run_used": _("You have this session already, paid for in another way. Nothing was changed."),
    "already_paid": _(
        "You have this session already, paid for in another way. Nothing was changed."
    ),
    "entitlement_not_redeemable": _("The time to choose a session is over. Nothing was changed."),
    "entitlement_expired": _("This cannot be changed any more. Nothing was changed."),
    "entitlement_ended": _("It was ended while the session was being taken: you are not in it."),
    "entitlement_frozen": _(
        "Something else about it is under way, so nothing was changed. Look again in a minute."
    ),
    "entitlement_not_refundable": _("It cannot be refunded any more. Nothing was changed."),
}


def words_of_error(error: DomainError) -> Promise | str:
    return WORDS.get(error.code, NOT_DONE)


def words_of_refusal(attempt: CourseEntitlementRedemption) -> Promise | str:
    """Codes of the LMS say nothing to a learner."""
    return WORDS.get(attempt.refusal, REFUSED)

"""What people are told where something could not be done: why, that nothing is lost, what next."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.errors import DomainError

NOT_DONE = _("This could not be done, and nothing was changed. Look at how it stands now.")
PLAN_OVER = _("Nothing can be taken from this plan any more. Nothing was done: choose another one.")

WORDS = {
    "requests_not_configured": _(
        "This organization takes no requests. Nothing was sent: ask the people there."
    ),
    "requests_disabled": _(
        "This organization takes no requests at the moment. Nothing was sent: ask the people there."
    ),
    "no_subsidy_type": _(
        "This organization has not said yet what can be asked for. Nothing was sent: ask the"
        " people there."
    ),
    "wrong_subsidy_type": _(
        "This organization gives something else now. Nothing was done: look at what can be asked"
        " for."
    ),
    "outstanding_request": _(
        "You have asked for this already, and nobody has decided yet. You find that request below."
    ),
    "not_linked": _("You do not belong to this organization any more. Nothing was sent."),
    "illegal_transition": _(
        "Somebody decided on it meanwhile, and nothing was changed. Look at how it stands now."
    ),
    "superseded": _(
        "Somebody asked once more since one of these failed, and nothing was changed: decide on the"
        " newer request instead."
    ),
    "no_address": _(
        "The portal knows no e-mail address of somebody, who therefore cannot be given a license."
        " Nothing was changed: leave that request out."
    ),
    "plan_busy": _(
        "Somebody else is changing the licenses of this plan. Nothing was done: try again in a"
        " minute."
    ),
    "plan_not_found": _("There is no such plan any more. Nothing was done: choose another one."),
    "plan_inactive": PLAN_OVER,
    "plan_not_current": PLAN_OVER,
    "coupon_not_found": _("There is no such coupon any more. Nothing was done: choose another."),
    "coupon_unusable": _(
        "No codes can be taken from this coupon any more. Nothing was done: choose another one."
    ),
    "not_enough_seats": _(
        "More seats are needed than are free. Nobody was given one: choose fewer requests, or ask"
        " for more seats."
    ),
    "not_enough_codes": _(
        "More codes are needed than are free. Nobody was given one: choose fewer requests, or ask"
        " for more codes."
    ),
}


def words_of_error(error: DomainError) -> Promise | str:
    return WORDS.get(error.code, NOT_DONE)

"""What becomes of a learner when a plan ends, in words for the customer's administrators."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from licenses.enums import ExpiryVerdict, UnlinkVerdict
from licenses.selectors.expiry import DOWNGRADE, UNLINK, ForecastRow

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

RENEWAL_FIRST = _("Nothing yet: a renewal was arranged, and comes first")
HAPPENINGS: dict[tuple[str, str], "_StrPromise"] = {
    (DOWNGRADE, ExpiryVerdict.DUE): _("Loses the courses of the plan"),
    (DOWNGRADE, ExpiryVerdict.RENEWED): _("Nothing: the plan was renewed"),
    (DOWNGRADE, ExpiryVerdict.RENEWAL_WAITS): RENEWAL_FIRST,
    (DOWNGRADE, ExpiryVerdict.STUCK_RENEWAL): RENEWAL_FIRST,
    (UNLINK, UnlinkVerdict.UNLINK): _("Is no longer listed as your learner"),
    (UNLINK, UnlinkVerdict.OTHER_LIVE_LICENSE): _("Stays your learner: has another license"),
    (UNLINK, UnlinkVerdict.NOT_OPTED_IN): _("Stays your learner: you keep them when plans end"),
    (UNLINK, UnlinkVerdict.TOO_RECENT): _(
        "Stays your learner for now: the plan ended not long enough ago"
    ),
    (UNLINK, UnlinkVerdict.DOWNGRADE_OPEN): _(
        "Stays your learner until the end of the plan is processed"
    ),
    (UNLINK, UnlinkVerdict.NO_EMAIL): _("Stays your learner: their address is not known"),
    (UNLINK, UnlinkVerdict.GIVEN_UP): _("Stays your learner: staff of the portal decided so"),
}


def happening(row: ForecastRow) -> str:
    return str(HAPPENINGS.get((row.step, row.verdict), ""))

"""How requests stand, in words for staff: the state, and the next action."""

from django.utils.translation import gettext as _

from subsidy_requests.enums import RequestState
from subsidy_requests.models import LicenseRequest
from subsidy_requests.selectors.requests import AnyRequest

STATE_COLOURS = {
    RequestState.REQUESTED: "warning",
    RequestState.APPROVED: "info",
    RequestState.FULFILLED: "success",
    RequestState.DECLINED: "",
    RequestState.CANCELLED: "",
    RequestState.ERROR: "danger",
    RequestState.EXPIRED: "",
}


def next_of_request(request: AnyRequest, *, is_superseded: bool) -> str:
    match request.state:
        case RequestState.REQUESTED:
            return _("The customer's administrators decide, or you do: approve or decline it.")
        case RequestState.ERROR if is_superseded:
            return _("Its learner asked again since: decide on the newer request.")
        case RequestState.ERROR:
            return _(
                "retry_failed_requests tries again every hour, a few times; so can you, or decline it."
            )
        case RequestState.APPROVED:
            return _("Nothing: it is granted in the same moment.")
        case RequestState.FULFILLED if isinstance(request, LicenseRequest):
            return _("Nothing: see the license for what its learner does with it.")
        case RequestState.FULFILLED:
            return _("Nothing: its learner has the code.")
    return _("Nothing: its learner can ask again.")

"""How credit requests stand, in words for staff: the state, and the next action."""

from django.utils.translation import gettext as _

from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import UserCreditPathway

STATE_COLOURS = {
    CreditRequestStatus.QUEUED: "warning",
    CreditRequestStatus.SENT: "success",
    CreditRequestStatus.FAILED: "danger",
    CreditRequestStatus.WITHDRAWN: "",
    CreditRequestStatus.OTHER: "",
}
ANSWER_COLOURS = {
    CreditAnswer.RECEIVED: "info",
    CreditAnswer.GRANTED: "success",
    CreditAnswer.REFUSED: "",
}


def next_of_request(request: UserCreditPathway, message: OutboxMessage | None) -> str:
    match CreditRequestStatus(request.status):
        case CreditRequestStatus.QUEUED if message and message.status == OutboxStatus.UNCERTAIN:
            return _(
                "Nobody knows whether the institution got it: ask there, then settle its mail. It is"
                " not sent again by itself."
            )
        case CreditRequestStatus.QUEUED:
            return _("Nothing: it is sent with the next delivery of mail.")
        case CreditRequestStatus.FAILED if message and message.status == OutboxStatus.DEAD:
            return _(
                "The portal gave up. Once the mail server takes mail again, try its mail again, or"
                " let the learner ask again."
            )
        case CreditRequestStatus.FAILED:
            return _(
                "See that the pathway's address is right; then the learner asks again, or you do for"
                " them. It is not sent again by itself."
            )
        case CreditRequestStatus.SENT if not request.answer:
            return _("The institution answers, if it does, by the link in its mail.")
        case CreditRequestStatus.SENT:
            return _("Nothing: the institution has answered, and may change its answer.")
        case CreditRequestStatus.WITHDRAWN:
            return _("Nothing: the learner can ask again.")
    return _("Nothing: the old service did not say whether it was sent.")

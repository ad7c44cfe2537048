"""What became of the mail to an institution, noted on the request."""

from collections.abc import Sequence
from datetime import datetime

from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery
from programs.enums import CreditRequestStatus
from programs.models import UserCreditPathway
from programs.services.credit.notices import (
    CREDIT_REQUEST,
    Notice,
    queue_mail,
    queue_withdrawal,
)

PATHWAY_UNAVAILABLE = "pathway_unavailable"
"""A failure that asking again would not mend: the pathway takes no requests any more."""


def record_requests(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Move requests on by how their mails ended, and tell their learners.

    One whose mail failed can still be sent by staff, who try the mail again. Nobody knows of an
    uncertain one whether it was sent: it waits for staff as if it had not left.
    """
    by = Attribution(at=at, cause=CREDIT_REQUEST)
    requests = UserCreditPathway.objects.select_for_update(of=("self",), no_key=True)
    for message, outcome in deliveries:
        request = requests.get(pk=message.payload["request"])
        match outcome.status:
            case OutboxStatus.DONE:
                note_sent(request, by=by)
            case OutboxStatus.UNCERTAIN:
                _note_uncertain(request, by)
            case _:
                _note_failed(request, outcome.reason, by)


def note_sent(request: UserCreditPathway, *, by: Attribution) -> None:
    """The institution has this locked request: once, the learner gets a copy."""
    if request.sent_at is not None:
        return
    request.sent_at, request.failure = by.at, ""
    if request.status == CreditRequestStatus.WITHDRAWN:
        # It was withdrawn while it was on its way.
        save_with_history(request, by=by)
        queue_withdrawal(request, at=by.at)
        return
    request.status = CreditRequestStatus.SENT
    save_with_history(request, by=by)
    queue_mail(Notice.REQUEST_SENT, request, at=by.at)


def _note_failed(request: UserCreditPathway, failure: str, by: Attribution) -> None:
    if request.status != CreditRequestStatus.QUEUED:
        return
    request.status, request.failure = CreditRequestStatus.FAILED, failure
    save_with_history(request, by=by)
    queue_mail(Notice.REQUEST_FAILED, request, at=by.at)


def _note_uncertain(request: UserCreditPathway, by: Attribution) -> None:
    """One that had failed, and was tried again, has perhaps arrived."""
    if request.status != CreditRequestStatus.FAILED:
        return
    request.status, request.failure = CreditRequestStatus.QUEUED, ""
    save_with_history(request, by=by)

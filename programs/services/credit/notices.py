"""Mails about requests for credit: queued with the change that they tell of."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from credentials_portal.core import outbox
from credentials_portal.core.history import newest_history_ids
from programs.models import UserCreditPathway

CREDIT_REQUEST = "programs.credit_request"
CREDIT_WITHDRAWAL = "programs.credit_withdrawal"
RECORD_MAIL = "programs.record_mail"


class Notice(TextChoices):
    """What mails tell a learner; also the names of their templates."""

    REQUEST_SENT = "request_sent", _("the request was sent")
    REQUEST_FAILED = "request_failed", _("the request could not be sent")
    REQUEST_ANSWERED = "request_answered", _("the institution answered")
    PROGRAM_COMPLETED = "program_completed", _("the program is complete since a request")


def queue_request(request: UserCreditPathway, *, at: datetime) -> None:
    """Send the request to its institution, after what the same learner asked it before."""
    item = outbox.Item(
        cause=str(request.pk), payload={"request": request.pk}, key=_to_institution(request)
    )
    outbox.enqueue(CREDIT_REQUEST, [item], at=at)


def queue_withdrawal(request: UserCreditPathway, *, at: datetime) -> None:
    """Tell the institution, which has the request, that it was withdrawn."""
    item = outbox.Item(
        cause=str(request.pk), payload={"request": request.pk}, key=_to_institution(request)
    )
    outbox.enqueue(CREDIT_WITHDRAWAL, [item], at=at)


def queue_mail(notice: Notice, request: UserCreditPathway, *, at: datetime) -> None:
    """Tell the learner of the change that was just made to this locked request."""
    change = newest_history_ids(UserCreditPathway, [request.pk])[request.pk]
    # To the microsecond: the payload's own encoder would keep milliseconds.
    answered_at = request.answered_at.isoformat() if request.answered_at else None
    item = outbox.Item(
        cause=f"{notice}.{change}",
        payload={"notice": notice, "request": request.pk, "answered_at": answered_at},
        key=f"credit_request:{request.pk}",
    )
    outbox.enqueue(RECORD_MAIL, [item], at=at)


def queue_completions(request_ids: Iterable[int], *, at: datetime) -> None:
    """Tell these requests' learners, once, that the program is complete since they asked."""
    items = [
        outbox.Item(
            cause=f"{Notice.PROGRAM_COMPLETED}.{request_id}",
            payload={"notice": Notice.PROGRAM_COMPLETED, "request": request_id},
        )
        for request_id in request_ids
    ]
    outbox.enqueue(RECORD_MAIL, items, at=at)


def queue_later_completion(request_id: int, *, at: datetime, due_at: datetime) -> None:
    """The same at `due_at`, when the program certificate is shown."""
    item = outbox.Item(
        cause=f"{Notice.PROGRAM_COMPLETED}.{request_id}.{due_at.isoformat()}",
        payload={"notice": Notice.PROGRAM_COMPLETED, "request": request_id},
    )
    outbox.enqueue(RECORD_MAIL, [item], at=at, reserve=due_at - at)


def _to_institution(request: UserCreditPathway) -> str:
    return f"credit_requests:{request.user_id}.{request.pathway_id}.{request.program_id}"

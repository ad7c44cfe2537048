"""Mails to learners about their requests for credit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import OutboxKind, Outcome
from programs.deliveries.letterhead import compose, one_line
from programs.enums import CertificateStatus, CreditRequestSource, CreditRequestStatus
from programs.models import ProgramCertificate, UserCreditPathway
from programs.selectors.credit import REACHED
from programs.selectors.records import record_of
from programs.services.credit.completing import NOT_SHOWN_YET, record_mails
from programs.services.credit.notices import RECORD_MAIL, Notice
from programs.services.credit.outcomes import PATHWAY_UNAVAILABLE

TRUE_WHILE = {
    Notice.REQUEST_SENT: frozenset({CreditRequestStatus.SENT}),
    Notice.REQUEST_FAILED: frozenset({CreditRequestStatus.FAILED}),
    Notice.REQUEST_ANSWERED: frozenset(CreditRequestStatus) - {CreditRequestStatus.WITHDRAWN},
    Notice.PROGRAM_COMPLETED: REACHED,
}


def deliver_record_mails(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send(message, at) for message in messages}


def _send(message: OutboxMessage, at: datetime) -> Outcome:
    """Tell the learner, unless what it would tell is not so any more, or not yet."""
    notice = Notice(message.payload["notice"])
    request = UserCreditPathway.objects.select_related(
        "user", "pathway", "program", "shared_record", "requested_by"
    ).get(pk=message.payload["request"])
    obstacle = _obstacle(notice, message, request, at)
    if obstacle:
        return obstacle
    with timezone.override(request.user.zone):
        prepared = compose(notice, _words(request), to=request.user.email)
    return mail.send(message, prepared)


def _obstacle(
    notice: Notice, message: OutboxMessage, request: UserCreditPathway, at: datetime
) -> Outcome | None:
    if not request.user.is_active:
        return Outcome.skipped("no_account")
    if not request.user.email:
        return Outcome.skipped("no_address")
    if request.status not in TRUE_WHILE[notice]:
        return Outcome.skipped("changed_since")
    if notice == Notice.REQUEST_ANSWERED:
        was_told = message.payload["answered_at"]
        is_newest = request.answered_at == parse_datetime(was_told)
        return None if is_newest else Outcome.skipped("changed_since")
    if notice == Notice.PROGRAM_COMPLETED:
        return _cannot_be_complete(request, at)
    return None


def _cannot_be_complete(request: UserCreditPathway, at: datetime) -> Outcome | None:
    """Why the learner does not hear that the program is complete; None: they do.

    What is to be shown from a date on is not told before: the mail waits for that day.
    """
    assert request.program  # noqa: S101 - only those about a program are told
    theirs = {"user_id": request.user_id, "program_id": request.program_id}
    if not ProgramCertificate.objects.filter(**theirs, status=CertificateStatus.AWARDED).exists():
        return Outcome.skipped("changed_since")
    if _was_asked_again(request):
        return Outcome.skipped("asked_again")
    if _was_told_before(request):
        return Outcome.skipped("told_before")
    record = record_of(user_id=request.user_id, program_uuid=request.program.uuid, at=at)
    shown_from = record.completion_shown_from
    if shown_from is None or shown_from <= at:
        return None
    return Outcome(OutboxStatus.SKIPPED, NOT_SHOWN_YET, detail=shown_from)


def _was_asked_again(request: UserCreditPathway) -> bool:
    """Whether an institution has, or gets, the completed record already: they asked since."""
    newer = UserCreditPathway.objects.filter(
        user=request.user_id,
        program=request.program_id,
        status__in=REACHED,
        requested_at__gte=request.requested_at,
    )
    return newer.filter(was_completed=True).exists()


def _was_told_before(request: UserCreditPathway) -> bool:
    """Whether the certificate was awarded since the request, and revoked again.

    The outbox forgets what it sent long ago.
    """
    past = ProgramCertificate.history.filter(
        user_id=request.user_id,
        program_id=request.program_id,
        history_date__gte=request.requested_at,
    )
    statuses = list(past.order_by("history_id").values_list("status", flat=True))
    if CertificateStatus.AWARDED not in statuses:
        return False
    return CertificateStatus.REVOKED in statuses[statuses.index(CertificateStatus.AWARDED) :]


def _words(request: UserCreditPathway) -> dict[str, Any]:
    assert request.program  # noqa: S101 - only those about a program are told
    request_url = _absolute("credit_request", request.uuid)
    # The page shows this pathway at once: nothing is left to choose.
    ask_url = f"{_absolute('request_credit', request.program.uuid)}?pathway={request.pathway_id}"
    can_ask_again = request.failure != PATHWAY_UNAVAILABLE
    return {
        "name": one_line(request.user.full_name),
        "program": one_line(request.program.title),
        "pathway": one_line(request.pathway.name),
        "institution": one_line(request.pathway.institution),
        "request": request,
        "note": one_line(request.answer_note),
        "is_staffs": request.source == CreditRequestSource.STAFF,
        "staff": _name_of_staff(request),
        "reason": one_line(request.on_behalf_reason),
        "request_url": request_url,
        "withdraw_url": _absolute("withdraw_credit_request", request.uuid),
        "ask_url": ask_url,
        "can_ask_again": can_ask_again,
        "next_url": ask_url if can_ask_again else request_url,
    }


def _name_of_staff(request: UserCreditPathway) -> str:
    """Empty where they have left themselves."""
    staff = request.requested_by
    return one_line(staff.get_full_name()) if staff and not staff.is_retired else ""


def _absolute(name: str, uuid: object) -> str:
    return f"{settings.PORTAL_BASE_URL}{reverse(name, args=[uuid])}"


KINDS = (
    OutboxKind(
        name=RECORD_MAIL, deliver=deliver_record_mails, record=record_mails, repeatable=False
    ),
)

"""Mails to institutions: a learner asks for credit, or has withdrawn the request."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import formataddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db.models import Q

from credentials_portal.accounts.models import User
from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import OutboxKind, Outcome
from programs.deliveries.letterhead import compose, one_line
from programs.enums import CreditRequestStatus
from programs.models import Pathway, SharedProgramRecord, UserCreditPathway
from programs.selectors.credit import answer_link
from programs.selectors.sharing import record_csv_link, record_link
from programs.services.credit.notices import CREDIT_REQUEST, CREDIT_WITHDRAWAL
from programs.services.credit.outcomes import PATHWAY_UNAVAILABLE, record_requests


def deliver_requests(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send_request(message, at) for message in messages}


def deliver_withdrawals(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send_withdrawal(message) for message in messages}


def _send_request(message: OutboxMessage, at: datetime) -> Outcome:
    """Send it, unless it is not wanted any more, or its link would open nothing."""
    request = _request_of(message)
    obstacle = _obstacle(request, at)
    if obstacle:
        return Outcome.skipped(obstacle)
    if not _is_address(request.pathway.email):
        return Outcome.failed("bad_address")
    link = _link_of(request)
    words = {
        "is_updated": _had_arrived_before(request),
        "was_completed": request.was_completed,
        "record_url": record_link(link),
        "csv_url": record_csv_link(link),
        "answer_url": answer_link(request),
        "expires_at": link.expires_at,
    }
    return mail.send(message, _to_institution("credit_request", request, words))


def _send_withdrawal(message: OutboxMessage) -> Outcome:
    request = _request_of(message)
    if request.user.is_retired:
        # The name is erased: nobody could tell whose request it was.
        return Outcome.skipped("no_account")
    if not _is_address(request.pathway.email):
        return Outcome.skipped("no_address")
    words = {"requested_at": request.requested_at}
    return mail.send(message, _to_institution("credit_withdrawal", request, words))


def _request_of(message: OutboxMessage) -> UserCreditPathway:
    requests = UserCreditPathway.objects.select_related(
        "user", "pathway", "program", "shared_record"
    )
    return requests.get(pk=message.payload["request"])


def _obstacle(request: UserCreditPathway, at: datetime) -> str:
    """Why there is nothing to send; empty: there is."""
    if request.status == CreditRequestStatus.WITHDRAWN:
        return "withdrawn"
    if not request.user.is_active:
        return "no_account"
    if not _link_of(request).is_live(at):
        return "link_dead"
    takes = Pathway.objects.taking_requests_about(request.program_id or 0)
    if not takes.filter(pk=request.pathway_id).exists():
        return PATHWAY_UNAVAILABLE
    return ""


def _link_of(request: UserCreditPathway) -> SharedProgramRecord:
    assert request.shared_record  # noqa: S101 - a constraint: only imported requests lack it
    return request.shared_record


def _had_arrived_before(request: UserCreditPathway) -> bool:
    """Whether the institution got this learner's request about this program before."""
    earlier = UserCreditPathway.objects.filter(
        user=request.user_id,
        pathway=request.pathway_id,
        program=request.program_id,
        number__lt=request.number,
    )
    has_arrived = Q(sent_at__isnull=False) | Q(status=CreditRequestStatus.SENT)
    return earlier.filter(has_arrived).exists()


def _to_institution(
    name: str, request: UserCreditPathway, words: Mapping[str, Any]
) -> EmailMultiAlternatives:
    """From the portal, answered by the learner: their name, whoever asked for them."""
    learner = request.user
    return compose(
        name,
        {
            **words,
            "name": _name_of(learner),
            "pathway": one_line(request.pathway.name),
            "program": one_line(request.program.title) if request.program else "",
            "can_reply": _is_address(learner.email),
        },
        to=request.pathway.email,
        from_email=_sender(),
        reply_to=learner.email if _is_address(learner.email) else "",
    )


def _name_of(learner: User) -> str:
    return one_line(learner.get_full_name()) or learner.username


def _sender() -> str:
    host = urlsplit(settings.PORTAL_BASE_URL).hostname
    address = settings.PARTNER_FROM_ADDRESS or f"no-reply@{host}"
    return formataddr((one_line(settings.PLATFORM_NAME), address))


def _is_address(email: str) -> bool:
    try:
        validate_email(email)
    except ValidationError:
        return False
    return True


KINDS = (
    OutboxKind(
        name=CREDIT_REQUEST, deliver=deliver_requests, record=record_requests, repeatable=False
    ),
    OutboxKind(name=CREDIT_WITHDRAWAL, deliver=deliver_withdrawals, repeatable=False),
)

"""Requests for credit as learners and staff make them, and what became of them."""

from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.models import OutboxMessage
from programs.enums import CertificateSource, CreditRequestSource
from programs.models import Pathway, Program, UserCreditPathway
from programs.services.certificates import CertificateRecord, record_course_certificates
from programs.services.credit import Requested, request_credit
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, part
from tests.programs.factories import (
    AT,
    BY,
    CourseRunFactory,
    ProgramCertificateFactory,
    program_requiring,
)

CREDIT_REQUEST = "programs.credit_request"
CREDIT_WITHDRAWAL = "programs.credit_withdrawal"
RECORD_MAIL = "programs.record_mail"


def by_at(at: datetime, **fields: Any) -> Attribution:
    return replace(BY, at=at, **fields)


def ask(user: User, program: Program, pathway: Pathway, *, at: datetime = AT) -> Requested:
    """As the learner does on the portal's pages."""
    return request_credit(
        user=user,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.WEB,
        consent_text="Send it.",
        by=by_at(at, actor=user),
    )


def ask_as_staff(
    user: User,
    program: Program,
    pathway: Pathway,
    *,
    staff: User,
    reason: str = "She called us.",
    at: datetime = AT,
) -> Requested:
    return request_credit(
        user=user,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.STAFF,
        on_behalf_reason=reason,
        by=by_at(at, actor=staff),
    )


def program_of_one_course(**fields: Any) -> Program:
    """A program of one course with one run."""
    return program_requiring(core=[CourseRunFactory.create().course], **fields)


def certify(user: User, program: Program, *, at: datetime = AT) -> None:
    """A certificate of the program's run: the record changes."""
    run = program.course_runs.get()
    certificate = CertificateRecord(user_id=user.pk, course_run_id=run.pk, awarded_at=at)
    record_course_certificates([certificate], by=by_at(at))


def complete(user: User, program: Program) -> None:
    """A program certificate that is there and shown, and of which nobody was told."""
    ProgramCertificateFactory.create(
        user=user, program=program, source=CertificateSource.COMPUTED, awarded_at=AT
    )


def mails_of(kind: str) -> list[tuple[str, str]]:
    """How the messages of a kind stand, in their order."""
    messages = OutboxMessage.objects.filter(kind=kind).order_by("pk")
    return list(messages.values_list("status", "reason"))


def mails_to(server: MailServer, address: str) -> list[str]:
    """The subjects of what arrived there, in its order."""
    return [mail["Subject"] for mail in arrived(server) if mail["To"] == address]


def statuses() -> list[str]:
    return list(UserCreditPathway.objects.order_by("pk").values_list("status", flat=True))


def the_mail_to(server: MailServer, address: str) -> EmailMessage:
    (mail,) = [mail for mail in arrived(server) if mail["To"] == address]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "None" not in part(mail, "plain") + part(mail, "html")
    return mail

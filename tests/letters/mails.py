"""Mails to holders as they arrive, and what makes them leave."""

import email
import email.policy
from datetime import datetime
from email.message import EmailMessage

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from letters.models import LetterValidationRun, ProgramLetter, ProgramLetterConfiguration
from letters.services import PlanScope, apply_page, approve_plan, finish_apply
from programs.models import CourseRun, Program
from tests.core.outbox.mail_server import MailServer
from tests.letters.factories import by_at, empty_queue, grade, planned, revalidate
from tests.programs.factories import AT


def opt_in(program: Program) -> None:
    """Let the program tell its learners when their letter is there."""
    ProgramLetterConfiguration.objects.update_or_create(
        program=program, defaults={"mail_on_issue": True}
    )


def suspend(
    run: CourseRun, *letters: ProgramLetter, at: datetime = AT, notify: bool = False
) -> LetterValidationRun:
    """Lower the grades, and apply the plan that finds it."""
    grade(run, *[letter.user for letter in letters], percent="0.1", at=at)
    plan = planned(PlanScope(letter_uuids=tuple(letter.uuid for letter in letters)), at=at)
    approve_plan(plan, by=by_at(at))
    apply_page(run=plan, size=10_000, by=by_at(at), notify=notify)
    finish_apply(plan)
    empty_queue()
    return plan


def lift(run: CourseRun, *letters: ProgramLetter, at: datetime = AT) -> None:
    """Correct the grades; the queue does the rest."""
    grade(run, *[letter.user for letter in letters], percent="0.9", at=at)
    revalidate(at)


def deliver(at: datetime = AT) -> list[tuple[str, str]]:
    """Deliver what is due, and tell how each of the mails stands, in their order."""
    outbox.deliver_due(clock=lambda: at)
    return list(OutboxMessage.objects.order_by("pk").values_list("status", "reason"))


def arrived(server: MailServer) -> list[EmailMessage]:
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in server.received]


def subjects(server: MailServer) -> list[str]:
    return [mail["Subject"] for mail in arrived(server)]


def part(mail: EmailMessage, kind: str) -> str:
    """The body as "plain" or "html"."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")

"""Mails to the holders of letters, sent by the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import UNFINISHED, OutboxStatus
from credentials_portal.core.outbox import Outcome
from letters.documents import day_of
from letters.documents.text import one_line
from letters.enums import LetterState, Notice
from letters.models import ProgramLetter

LEFT = (OutboxStatus.DONE, OutboxStatus.UNCERTAIN)
"""Mails that the holder has, or may have."""

WITHDRAWN = (LetterState.SUSPENDED, LetterState.REVOKED)


def deliver_letter_mails(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send(message) for message in messages}


def _send(message: OutboxMessage) -> Outcome:
    """Tell the holder how the letter stands now, unless that is not what this mail was for."""
    notice = Notice(message.payload["notice"])
    letter = (
        ProgramLetter.objects.select_related("user", "program")
        .defer("evidence")
        .with_visibility()
        .get(pk=message.payload["letter"])
    )
    obstacle = _cannot_be_told(notice, letter) or _was_overtaken(notice, message, letter)
    if obstacle:
        return Outcome.skipped(obstacle)
    return mail.send(message, _compose(notice, letter))


def _cannot_be_told(notice: Notice, letter: ProgramLetter) -> str:
    """Why the holder, or the state of the letter, leaves nothing to tell; empty: nothing does."""
    if not letter.user.is_active:
        return "no_account"
    if not letter.user.email:
        return "no_address"
    if notice == Notice.ISSUED:
        return "" if letter.is_shown else "not_shown"  # type: ignore[attr-defined]  # annotated
    is_true = letter.state in (WITHDRAWN if notice == Notice.WITHDRAWN else [LetterState.ACTIVE])
    return "" if is_true else "changed_since"


def _was_overtaken(notice: Notice, message: OutboxMessage, letter: ProgramLetter) -> str:
    """Why other mails about the letter leave nothing to tell; empty: they do not.

    Staff may have tried this one again long after it died, and told other things since.
    """
    others = _mails_about(letter, message)
    for other in others:
        waits = other.status in UNFINISHED and other.payload["notice"] == notice
        if other.pk > message.pk and (waits or other.status in LEFT):
            return "overtaken"
    earlier = [other for other in others if other.pk < message.pk]
    if notice == Notice.VALID_AGAIN and not _takes_for_withdrawn(earlier):
        return "was_not_told"
    return ""


def _mails_about(letter: ProgramLetter, message: OutboxMessage) -> list[OutboxMessage]:
    """The other mails about this letter, in their order, but for those that were purged."""
    # Looked up by their causes, the letter's versions: of finished mails only these are indexed.
    kind_and_letter, _, _version = message.dedupe_key.rpartition(".")
    causes = [f"{kind_and_letter}.{version}" for version in range(1, letter.version + 1)]
    found = OutboxMessage.objects.filter(dedupe_key__in=causes).exclude(pk=message.pk)
    return list(found.order_by("pk"))


def _takes_for_withdrawn(earlier: Sequence[OutboxMessage]) -> bool:
    """Whether the holder heard last that the letter is withdrawn.

    A lost answer counts as bad news that arrived, and as good news that did not. Where no mail of
    a withdrawal is left it was purged, long after it was sent.
    """
    for mail_before in reversed(earlier):
        match mail_before.payload["notice"]:
            case Notice.WITHDRAWN if mail_before.status in LEFT:
                return True
            case Notice.VALID_AGAIN if mail_before.status == OutboxStatus.DONE:
                return False
    return all(mail_before.payload["notice"] != Notice.WITHDRAWN for mail_before in earlier)


def _compose(notice: Notice, letter: ProgramLetter) -> EmailMultiAlternatives:
    name = f"email/letters/{notice}"
    address = reverse("program_letter", args=[letter.uuid])
    context = {
        "letter": letter,
        # A line that a name or a title brings along would look like one of ours.
        "name": one_line(letter.user.full_name or letter.recipient_name),
        "program": one_line(letter.program.title),
        "is_suspended": letter.state == LetterState.SUSPENDED,
        "changed_on": day_of(letter.state_changed_at),
        "letter_url": f"{settings.PORTAL_BASE_URL}{address}",
        "letters_url": f"{settings.PORTAL_BASE_URL}{reverse('letters')}",
        "platform_name": settings.PLATFORM_NAME,
    }
    subject = one_line(render_to_string(f"{name}.subject.txt", context))
    text = render_to_string(f"{name}.txt", context).strip() + "\n"
    prepared = EmailMultiAlternatives(
        subject, text, to=[letter.user.email], headers={"Auto-Submitted": "auto-generated"}
    )
    html = render_to_string(f"{name}.html", {**context, "subject": subject})
    prepared.attach_alternative(html, "text/html")
    return prepared

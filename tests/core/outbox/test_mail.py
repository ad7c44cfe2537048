import smtplib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import pytest
from django.core.mail import EmailMultiAlternatives
from pytest_django import Settings

from credentials_portal.core import mail, outbox
from credentials_portal.core.models import OutboxBreaker, OutboxMessage
from credentials_portal.core.outbox import Item, Outcome
from tests.core.outbox.conftest import AT, RegisterKind
from tests.core.outbox.mail_server import MailServer, free_port, serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def port(settings: Settings) -> int:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    settings.PORTAL_BASE_URL = "https://portal.example.org"
    port = settings.EMAIL_PORT
    assert isinstance(port, int)
    return port


@pytest.fixture
def server(port: int) -> Iterator[MailServer]:
    handler = MailServer()
    with serving(handler, port):
        yield handler


@pytest.fixture
def letter(register_kind: RegisterKind) -> list[EmailMultiAlternatives]:
    """The mail that the one outbox message stands for; tests may change it."""

    def deliver(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        return {message.pk: mail.send(message, mails[0]) for message in messages}

    mails = [EmailMultiAlternatives("Your letter", "It is ready.", to=["ada@example.org"])]
    mails[0].attach_alternative("<p>It is ready.</p>", "text/html")
    register_kind(deliver=deliver, repeatable=False)
    outbox.enqueue("test.kind", [Item(cause="1")], at=AT)
    return mails


def delivered() -> OutboxMessage:
    outbox.deliver_due(clock=lambda: AT)
    return OutboxMessage.objects.get()


def test_sends_a_mail_that_carries_our_message_id(
    server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    message = delivered()

    assert (message.status, message.reason) == ("done", "")
    (content,) = server.received
    assert f"Message-ID: <{message.uuid}@portal.example.org>\r\n".encode() in content
    assert b"<p>It is ready.</p>" in content


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        ("451 try later", "pending", "smtp_451"),
        ("421 going down", "pending", "smtp_421"),
        ("550 <ada@example.org> is unknown", "failed", "smtp_550"),
    ],
)
def test_believes_a_definite_answer(
    server: MailServer,
    letter: list[EmailMultiAlternatives],
    phase: str,
    answer: str,
    status: str,
    reason: str,
) -> None:
    server.answers[phase] = answer

    message = delivered()

    assert (message.status, message.reason) == (status, reason)
    assert server.received == []


def test_a_mailbox_that_puts_a_mail_off_says_nothing_against_the_server(
    server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    server.answers["RCPT"] = "450 greylisted"

    delivered()

    assert not OutboxBreaker.objects.exists()


def test_a_connection_that_breaks_after_the_mail_was_sent_leaves_it_uncertain(
    server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    server.answers["DATA"] = "lost"

    message = delivered()

    assert (message.status, message.reason) == ("uncertain", "lost.SMTPServerDisconnected")
    assert len(server.received) == 1


def test_tries_again_when_nobody_listens(port: int, letter: list[EmailMultiAlternatives]) -> None:
    message = delivered()

    assert (message.status, message.reason) == ("pending", "unsent.ConnectionRefusedError")
    assert not message.call_began


def test_tries_again_when_the_server_has_no_address(
    settings: Settings, port: int, letter: list[EmailMultiAlternatives]
) -> None:
    settings.EMAIL_HOST = "nowhere.invalid"

    message = delivered()

    assert (message.status, message.reason) == ("pending", "unsent.gaierror")


def test_tries_again_when_the_server_refuses_our_login(
    settings: Settings, server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", "secret"

    message = delivered()

    assert (message.status, message.reason) == ("pending", "unsent.SMTPNotSupportedError")
    assert server.received == []


def test_a_mail_that_cannot_be_written_down_is_never_begun(
    server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    letter[0].subject = "two\nlines"

    message = delivered()

    assert (message.status, message.reason) == ("pending", "error.BadHeaderError")
    assert not message.call_began
    assert server.received == []


def test_skips_a_mail_to_nobody(server: MailServer, letter: list[EmailMultiAlternatives]) -> None:
    letter[0].to = []

    message = delivered()

    assert (message.status, message.reason) == ("skipped", "no_address")
    assert server.received == []


def test_refuses_a_mail_to_several_people(
    server: MailServer, letter: list[EmailMultiAlternatives]
) -> None:
    letter[0].cc = ["grace@example.org"]

    message = delivered()

    assert (message.status, message.reason) == ("pending", "error.ValueError")
    assert server.received == []


def test_a_server_that_leaves_without_a_word_changes_nothing(
    server: MailServer,
    letter: list[EmailMultiAlternatives],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def quit_rudely(self: smtplib.SMTP) -> None:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(smtplib.SMTP, "quit", quit_rudely)

    assert delivered().status == "done"

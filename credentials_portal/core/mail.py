"""Delivering one prepared mail of the outbox."""

import smtplib
from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from credentials_portal.core.models.outbox import OutboxMessage
from credentials_portal.core.outbox import Outcome, begin_call


def send(message: OutboxMessage, mail: EmailMultiAlternatives) -> Outcome:
    """Send `mail` to its one recipient as the outbox message `message`, at most once.

    It is tried again only when nothing was sent or the server definitely put it off (4xx). A 5xx
    refuses it for good. When the connection breaks during the dialogue nobody knows, and the
    outcome is `uncertain`. Raises `ValueError` for several recipients: "refused" would then have
    several meanings.
    """
    recipients = mail.recipients()
    if not recipients:
        return Outcome.skipped("no_address")
    if len(recipients) > 1:
        raise ValueError("A mail of the outbox has one recipient.")
    mail.extra_headers["Message-ID"] = message_id(message)
    # What cannot be written down fails here, before anybody hears of it.
    mail.message()

    connection = get_connection()
    try:
        return _send(message, mail, connection)
    finally:
        # How the server says good-bye changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            connection.close()


def message_id(message: OutboxMessage) -> str:
    """The same header for every attempt, so that a mailbox can tell a repetition."""
    return f"<{message.uuid}@{urlsplit(settings.PORTAL_BASE_URL).hostname}>"


def _send(
    message: OutboxMessage, mail: EmailMultiAlternatives, connection: BaseEmailBackend
) -> Outcome:
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        code = getattr(error, "smtp_code", None)
        return Outcome.retry(f"smtp_{code}" if code else f"unsent.{type(error).__name__}")
    begin_call(message)
    try:
        connection.send_messages([mail])
    except (OSError, smtplib.SMTPException) as error:
        return _answer(error)
    return Outcome.done()


def _answer(error: Exception) -> Outcome:
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome.failed("smtp_not_supported")
    code = _reply_code(error)
    if 400 <= code < 500:
        # 421: the server itself is going down; else it may be the recipient's mailbox alone.
        is_recipients = isinstance(error, smtplib.SMTPRecipientsRefused) and code != 421
        return Outcome.retry(f"smtp_{code}", remote_answered=is_recipients)
    if 500 <= code < 600:
        return Outcome.failed(f"smtp_{code}")
    return Outcome.uncertain(f"lost.{type(error).__name__}")


def _reply_code(error: Exception) -> int:
    """The code with which the server refused, or 0 when it did not say."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, _text),) = error.recipients.values()
        return code
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0

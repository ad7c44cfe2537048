from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from credentials_portal.accounts.models import User
from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Outcome

# Whoever asked has given up by then, and would take the mail for an attack.
STALE_AFTER = timedelta(hours=12)


def deliver_password_links(
    messages: Sequence[OutboxMessage], at: datetime
) -> Mapping[int, Outcome]:
    return {message.pk: _send_link(message, at) for message in messages}


def _send_link(message: OutboxMessage, at: datetime) -> Outcome:
    if at - message.created_at > STALE_AFTER:
        return Outcome.skipped("stale")
    user = User.objects.filter(pk=message.payload["user"], is_active=True).first()
    if user is None or not user.has_usable_password():
        return Outcome.skipped("no_account")
    subject = render_to_string(
        "email/web/password_reset.subject.txt", {"platform_name": settings.PLATFORM_NAME}
    ).strip()
    context = {
        "person": user,
        "platform_name": settings.PLATFORM_NAME,
        "subject": subject,
        "link": _link_of(user),
        "valid_days": timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT).days,
    }
    text = render_to_string("email/web/password_reset.txt", context).strip() + "\n"
    prepared = EmailMultiAlternatives(subject, text, to=[user.email])
    prepared.attach_alternative(
        render_to_string("email/web/password_reset.html", context), "text/html"
    )
    return mail.send(message, prepared)


def _link_of(user: User) -> str:
    path = reverse(
        "password_reset_confirm",
        kwargs={
            "uidb64": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        },
    )
    return f"{settings.PORTAL_BASE_URL}{path}"

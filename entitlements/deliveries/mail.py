"""Mails about entitlements, written when they leave, and sent by the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import OutboxKind, Outcome
from entitlements.enums import Notice, RefundStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund, EntitlementReminder
from entitlements.selectors.learners import HeldEntitlement, Standing, entitlement_of_learner
from entitlements.services.notices import ENTITLEMENT_MAIL

STILL_TRUE = {
    Notice.REFUND_OPENED: (RefundStatus.OPENED, RefundStatus.PAID),
    Notice.REFUND_FAILED: (RefundStatus.FAILED,),
}


def deliver_entitlement_mails(
    messages: Sequence[OutboxMessage], at: datetime
) -> Mapping[int, Outcome]:
    return {message.pk: _send(message, at) for message in messages}


def _send(message: OutboxMessage, at: datetime) -> Outcome:
    """Send it, unless what it would tell is not so any more."""
    notice = Notice(message.payload["notice"])
    entitlement = _entitlement_of(message, notice)
    user = entitlement.user
    if not user.is_active:
        return Outcome.skipped("no_account")
    if not user.email:
        return Outcome.skipped("no_address")
    held = entitlement_of_learner(user, entitlement.uuid, at=at)
    if held is None or not _is_so(notice, message, held):
        return Outcome.skipped("changed_since")
    with timezone.override(user.zone):
        return mail.send(message, _compose(notice, held))


def _entitlement_of(message: OutboxMessage, notice: Notice) -> CourseEntitlement:
    entitlements = CourseEntitlement.objects.select_related("user")
    match notice:
        case Notice.REMINDER:
            return entitlements.get(reminders=message.payload["reminder"])
        case Notice.SESSION_TAKEN:
            return entitlements.get(pk=message.payload["entitlement"])
        case _:
            return entitlements.get(refunds=message.payload["refund"])


def _is_so(notice: Notice, message: OutboxMessage, held: HeldEntitlement) -> bool:
    """Whether it is still as it was when the mail was queued."""
    payload = message.payload
    if notice == Notice.REMINDER:
        reminder = EntitlementReminder.objects.get(pk=payload["reminder"])
        is_unused = held.standing == Standing.AVAILABLE and held.can_choose
        return is_unused and held.ends_at == reminder.ends_at
    if held.entitlement.user_id != payload["user"]:
        return False
    if notice == Notice.SESSION_TAKEN:
        usage = held.usage
        is_there = usage is not None and usage.course_run_id == payload["course_run"]
        return is_there and held.standing == Standing.IN_USE
    refund = CourseEntitlementRefund.objects.get(pk=payload["refund"])
    return held.refund == refund and refund.status in STILL_TRUE[notice]


def _compose(notice: Notice, held: HeldEntitlement) -> EmailMultiAlternatives:
    name = f"email/entitlements/{notice}"
    entitlement, address = held.entitlement, reverse("entitlement", args=[held.entitlement.uuid])
    words: dict[str, Any] = {
        "held": held,
        # A line that a name or a title brings along would look like one of ours.
        "name": _one_line(entitlement.user.full_name),
        "course": _one_line(held.course_title),
        "entitlement_url": f"{settings.PORTAL_BASE_URL}{address}",
        "platform_name": settings.PLATFORM_NAME,
    }
    subject = _one_line(render_to_string(f"{name}.subject.txt", words))
    text = render_to_string(f"{name}.txt", words).strip() + "\n"
    prepared = EmailMultiAlternatives(
        subject, text, to=[entitlement.user.email], headers={"Auto-Submitted": "auto-generated"}
    )
    html = render_to_string(f"{name}.html", {**words, "subject": subject})
    prepared.attach_alternative(html, "text/html")
    return prepared


def _one_line(text: str) -> str:
    return " ".join(text.split())


KINDS = (OutboxKind(name=ENTITLEMENT_MAIL, deliver=deliver_entitlement_mails, repeatable=False),)

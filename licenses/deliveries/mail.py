"""Mails about licenses, written when they leave, and sent by the outbox."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from credentials_portal.accounts.models import User
from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Outcome
from licenses.enums import LicenseStatus, LinkStatus, Notice
from licenses.models import CustomerLearner, License, MailWording, SubscriptionPlan
from licenses.selectors.plans import revocation_allowance
from licenses.selectors.seats import activation_link, seats_in_use, use_of_seats
from licenses.services.notices import OF_USE

TO_ACTIVATE = (Notice.ASSIGNED, Notice.REMINDER)
TO_LEARNERS = (*TO_ACTIVATE, Notice.ACTIVATED, Notice.AUTO_APPLIED)


def deliver_license_mails(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send(message, at) for message in messages}


def _send(message: OutboxMessage, at: datetime) -> Outcome:
    """Send it, unless what it would tell is not so any more."""
    notice = Notice(message.payload["notice"])
    if notice in TO_LEARNERS:
        return _tell_learner(message, notice, at)
    plan = _plans().get(pk=message.payload["plan"])
    if notice == Notice.REVOCATION_CAP:
        return _tell_of_cap(message, plan)
    return _tell_of_use(message, notice, plan)


def _tell_learner(message: OutboxMessage, notice: Notice, at: datetime) -> Outcome:
    license = License.objects.get(pk=message.payload["license"])
    plan = _plans().get(pk=license.subscription_plan_id)
    obstacle = _cannot_be_told(message, notice, license, plan, at)
    if obstacle:
        return Outcome.skipped(obstacle)
    account = User.objects.by_login(license.user_email).first()
    if account and not account.is_active:
        return Outcome.skipped("no_account")
    wording = MailWording.objects.filter(pk=message.payload["wording"]).first()
    context = {
        "name": _one_line(account.full_name) if account else "",
        "greeting": wording.greeting.strip() if wording else "",
        "closing": wording.closing.strip() if wording else "",
        "activation_url": activation_link(license.activation_key),
        "begins_later": plan.start_date > at,
    }
    return _post(message, notice, plan, to=license.user_email, context=context)


def _cannot_be_told(
    message: OutboxMessage, notice: Notice, license: License, plan: SubscriptionPlan, at: datetime
) -> str:
    """Why there is nothing to tell of the change that queued the mail; empty: there is."""
    told = License.history.get(history_id=message.payload["change"])
    status = LicenseStatus.ASSIGNED if notice in TO_ACTIVATE else LicenseStatus.ACTIVATED
    is_so = license.status == status and license.activation_key == told.activation_key
    if not is_so or license.user_email != told.user_email:
        return "changed_since"
    if plan.expiration_date <= at:
        return "plan_ended"
    return "" if license.user_email else "no_address"


def _tell_of_cap(message: OutboxMessage, plan: SubscriptionPlan) -> Outcome:
    left = revocation_allowance(plan, seats=seats_in_use(plan.pk))
    if left is None or left > 0:
        return Outcome.skipped("changed_since")
    context = {"applied": plan.num_revocations_applied, "percentage": plan.revoke_max_percentage}
    to = settings.CUSTOMER_SUCCESS_EMAIL
    return _post(message, Notice.REVOCATION_CAP, plan, to=to, context=context)


def _tell_of_use(message: OutboxMessage, notice: Notice, plan: SubscriptionPlan) -> Outcome:
    use = use_of_seats(plan.pk)
    if not use.notification or OF_USE[use.notification] != notice:
        return Outcome.skipped("changed_since")
    admins = CustomerLearner.objects.select_related("user").filter(status=LinkStatus.LINKED)
    admin = admins.filter(pk=message.payload["admin"]).first()
    if admin is None or (admin.user and not admin.user.is_active):
        return Outcome.skipped("no_account")
    context = {
        "name": _one_line(admin.user.full_name) if admin.user else "",
        "held": use.held,
        "total": use.total,
        "free": use.total - use.held,
    }
    to = admin.user.email if admin.user else admin.user_email
    return _post(message, notice, plan, to=to, context=context)


def _post(
    message: OutboxMessage,
    notice: Notice,
    plan: SubscriptionPlan,
    *,
    to: str,
    context: Mapping[str, Any],
) -> Outcome:
    if not to:
        return Outcome.skipped("no_address")
    name = f"email/licenses/{notice}"
    customer = plan.customer_agreement.customer
    words = {
        **context,
        # A line that a name or a title brings along would look like one of ours.
        "customer": _one_line(customer.name),
        "plan": _one_line(plan.title),
        "starts_at": plan.start_date,
        "ends_at": plan.expiration_date,
        "access_url": f"{settings.PORTAL_BASE_URL}{reverse('access')}",
        "customer_url": f"{settings.PORTAL_BASE_URL}{reverse('customer', args=[customer.slug])}",
        "platform_name": settings.PLATFORM_NAME,
    }
    subject = _one_line(render_to_string(f"{name}.subject.txt", words))
    # Where an optional paragraph is missing, its blank lines are too.
    text = re.sub(r"\n{3,}", "\n\n", render_to_string(f"{name}.txt", words)).strip() + "\n"
    prepared = EmailMultiAlternatives(
        subject, text, to=[to], headers={"Auto-Submitted": "auto-generated"}
    )
    html = render_to_string(f"{name}.html", {**words, "subject": subject})
    prepared.attach_alternative(html, "text/html")
    return mail.send(message, prepared)


def _plans() -> Any:
    return SubscriptionPlan.objects.select_related("customer_agreement__customer")


def _one_line(text: str) -> str:
    return " ".join(text.split())

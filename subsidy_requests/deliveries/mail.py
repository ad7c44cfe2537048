"""Mails about requests, written when they leave, and sent by the outbox."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core import mail
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import OutboxKind, Outcome
from licenses.enums import LIVE, LicenseStatus
from licenses.selectors import activation_link
from licenses.selectors.people import administrators
from subsidy_requests.enums import Notice, RequestState, SubsidyType
from subsidy_requests.models import REQUESTS_OF, CouponCodeRequest, LicenseRequest
from subsidy_requests.selectors.courses import names_course_page, next_step_url
from subsidy_requests.services.notices import REQUEST_MAIL

if TYPE_CHECKING:
    from licenses.models import License

TRUE_WHILE = {
    Notice.FULFILLED: RequestState.FULFILLED,
    Notice.DECLINED: RequestState.DECLINED,
    Notice.AUTO_DECLINED: RequestState.DECLINED,
    Notice.EXPIRED: RequestState.EXPIRED,
}
LISTED = 20
"""Of a digest's requests so many are named."""

LEARNERS_RELATIONS: Mapping[SubsidyType, tuple[str, ...]] = {
    SubsidyType.LICENSE: ("user", "customer", "license"),
    SubsidyType.COUPON: ("user", "customer"),
}


def deliver_request_mails(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    return {message.pk: _send(message) for message in messages}


def _send(message: OutboxMessage) -> Outcome:
    """Send it, unless what it would tell is not so any more."""
    notice = Notice(message.payload["notice"])
    if notice == Notice.DIGEST:
        return _tell_administrator(message)
    return _tell_learner(message, notice)


def _tell_learner(message: OutboxMessage, notice: Notice) -> Outcome:
    kind = SubsidyType(message.payload["type"])
    requests = REQUESTS_OF[kind].objects.select_related(*LEARNERS_RELATIONS[kind])
    request = requests.get(pk=message.payload["request"])
    if not _is_so(notice, request):
        return Outcome.skipped("changed_since")
    if not request.user.is_active:
        return Outcome.skipped("no_account")
    address = reverse("subsidy_request", args=[request.uuid])
    context = {
        "name": _one_line(request.user.full_name),
        "customer": _one_line(request.customer.name),
        "course": _one_line(request.course_title or request.course_id),
        "kind": kind,
        "reason": _one_line(request.decline_reason),
        "next_url": next_step_url(request),
        "is_course_page": names_course_page(request),
        "activation_url": _activation_url(request),
        "request_url": f"{settings.PORTAL_BASE_URL}{address}",
    }
    return _post(message, notice, to=request.user.email, context=context)


def _is_so(notice: Notice, request: LicenseRequest | CouponCodeRequest) -> bool:
    """Whether it is still as it was when the mail was queued."""
    if request.state != TRUE_WHILE[notice]:
        return False
    if isinstance(request, CouponCodeRequest) or request.license is None:
        return True
    return request.license.status in LIVE and _is_theirs(request.license, request)


def _is_theirs(taken: "License", request: LicenseRequest) -> bool:
    """Whether the learner holds it: a seat that was freed since may be somebody else's."""
    user = request.user
    return (
        taken.source_request_uuid == request.uuid
        or taken.user_email == normalise_email(user.email)
        or (taken.lms_user_id is not None and taken.lms_user_id == user.lms_user_id)
    )


def _activation_url(request: LicenseRequest | CouponCodeRequest) -> str:
    """Where a granted license is still to be activated; empty: nothing is."""
    taken = request.license if isinstance(request, LicenseRequest) else None
    if taken is None or taken.status != LicenseStatus.ASSIGNED:
        return ""
    return activation_link(taken.activation_key)


def _tell_administrator(message: OutboxMessage) -> Outcome:
    link = administrators().select_related("customer").filter(pk=message.payload["admin"]).first()
    if link is None or (link.user and not link.user.is_active):
        return Outcome.skipped("no_account")
    waiting = [_digested(model, message.payload) for model in REQUESTS_OF.values()]
    count = sum(requests.count() for requests in waiting)
    if not count:
        return Outcome.skipped("changed_since")
    listed = [request for requests in waiting for request in requests[:LISTED]][:LISTED]
    address = reverse("review_requests", args=[link.customer.slug])
    context = {
        "name": _one_line(link.user.full_name) if link.user else "",
        "customer": _one_line(link.customer.name),
        "count": count,
        "more": count - len(listed),
        "requests": [
            {
                "email": request.user.email,
                "course": _one_line(request.course_title or request.course_id),
            }
            for request in listed
        ],
        "review_url": f"{settings.PORTAL_BASE_URL}{address}",
    }
    to = link.user.email if link.user else link.user_email
    return _post(message, Notice.DIGEST, to=to, context=context)


def _digested(model: type[Any], payload: Mapping[str, Any]) -> QuerySet[Any]:
    """Those that this digest tells of and that still wait."""
    requests: QuerySet[Any] = model.objects.filter(
        customer=payload["customer"],
        digest_sent_at=payload["digest_sent_at"],
        state=RequestState.REQUESTED,
    )
    return requests.select_related("user").order_by("created", "pk")


def _post(
    message: OutboxMessage, notice: Notice, *, to: str, context: Mapping[str, Any]
) -> Outcome:
    if not to:
        return Outcome.skipped("no_address")
    name = f"email/subsidy_requests/{notice}"
    words = {**context, "platform_name": settings.PLATFORM_NAME}
    subject = _one_line(render_to_string(f"{name}.subject.txt", words))
    # Where an optional paragraph is missing, its blank lines are too.
    text = re.sub(r"\n{3,}", "\n\n", render_to_string(f"{name}.txt", words)).strip() + "\n"
    prepared = EmailMultiAlternatives(
        subject, text, to=[to], headers={"Auto-Submitted": "auto-generated"}
    )
    html = render_to_string(f"{name}.html", {**words, "subject": subject})
    prepared.attach_alternative(html, "text/html")
    return mail.send(message, prepared)


def _one_line(text: str) -> str:
    """A line that a name or a reason brings along would look like one of ours."""
    return " ".join(text.split())


KINDS = (OutboxKind(name=REQUEST_MAIL, deliver=deliver_request_mails, repeatable=False),)
"""What `subsidy_requests` does with its outbox messages once they are claimed."""

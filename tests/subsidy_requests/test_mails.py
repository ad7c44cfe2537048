"""Mails about requests, as they arrive at a real mail server."""

from email.message import EmailMessage
from typing import Any

import pytest
from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from licenses.models import License, SubscriptionPlan
from licenses.services.seats import FREE_SEAT
from subsidy_requests.enums import DecisionSource, Notice
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from subsidy_requests.services.declining import decline_all, decline_requests
from subsidy_requests.services.expiring import expire_page
from subsidy_requests.services.notices import REQUEST_MAIL, queue_request_mails
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, deliver, part
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    CustomerFactory,
    LearnerFactory,
    activate,
    assign,
    plan_with_seats,
)
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    CouponFactory,
    LicenseRequestFactory,
)

pytestmark = pytest.mark.django_db

PORTAL = "https://portal.example.org"
FOOT = "\n-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"


@pytest.fixture
def ann() -> User:
    ann: User = LearnerFactory.create(email="ann@x.org", full_name="Ann\nAsh")
    return ann


@pytest.fixture
def plan() -> SubscriptionPlan:
    customer = CustomerFactory.create(slug="acme", name="Truth <&> Co")
    return plan_with_seats(1, customer_agreement__customer=customer)


def asked(user: User, plan: SubscriptionPlan, **fields: Any) -> LicenseRequest:
    customer = plan.customer_agreement.customer
    ConfigurationFactory.create(customer=customer)
    request: LicenseRequest = LicenseRequestFactory.create(
        user=user, customer=customer, **{"course_id": "edX+Demo", **fields}
    )
    return request


def approve(request: LicenseRequest, plan: SubscriptionPlan, *, notify: bool = True) -> None:
    approve_license_requests(
        customer=request.customer,
        uuids=[request.uuid],
        plan_uuid=plan.uuid,
        source=DecisionSource.COMMAND,
        notify=notify,
        by=BY,
    )


def decline(request: Any, *, reason: str = "", notify: bool = True) -> None:
    decline_requests(
        type(request),
        customer=request.customer,
        uuids=[request.uuid],
        reason=reason,
        source=DecisionSource.COMMAND,
        notify=notify,
        by=BY,
    )


def the_mail(server: MailServer) -> EmailMessage:
    deliver(AT)
    (mail,) = arrived(server)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "None" not in part(mail, "plain") + part(mail, "html")
    assert "enroll" not in (part(mail, "plain") + part(mail, "html")).lower()
    return mail


def fates() -> list[tuple[str, str]]:
    mails = OutboxMessage.objects.filter(kind=REQUEST_MAIL).order_by("pk")
    return list(mails.values_list("status", "reason"))


# --- One of each kind --------------------------------------------------------------------------


def test_an_approval_leads_to_the_course(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer, settings: Any
) -> None:
    settings.COURSE_PAGE_URL = "https://learn.example.org/{customer}/course/{course}"
    request = asked(ann, plan, course_title="Truth &\nBeauty")
    approve(request, plan)

    mail = the_mail(mail_server)

    key = License.objects.get(source_request_uuid=request.uuid).activation_key
    assert (mail["To"], mail["Subject"]) == ("ann@x.org", "Truth <&> Co approved your request")
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "Truth <&> Co approved your request for Truth & Beauty. A license is yours.\n\n"
        f"Activate the license first:\n{PORTAL}/licenses/{key}/activate/\n\n"
        "Go to the course:\nhttps://learn.example.org/acme/course/edX+Demo\n" + FOOT
    )
    assert "<bdi>Truth &lt;&amp;&gt; Co</bdi>" in part(mail, "html")


def test_an_approval_without_a_course_leads_to_what_the_learner_may_use(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer, settings: Any
) -> None:
    settings.COURSE_PAGE_URL = "https://learn.example.org/{customer}/course/{course}"
    approve(asked(ann, plan, course_id=""), plan)

    mail = the_mail(mail_server)

    assert "approved your request. A license is yours." in part(mail, "plain")
    assert f"See what you may use:\n{PORTAL}/access/\n" in part(mail, "plain")
    assert "/course/" not in part(mail, "plain") + part(mail, "html")


def test_who_activated_the_license_before_is_not_asked_to(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    (held,) = assign(plan, "ann@x.org")
    (learner,) = activate(held)
    OutboxMessage.objects.all().delete()
    approve(asked(learner, plan), plan)

    mail = the_mail(mail_server)

    assert "Activate" not in part(mail, "plain")


def test_a_granted_code_is_on_the_portal_and_not_in_the_mail(
    ann: User, mail_server: MailServer
) -> None:
    coupon = CouponFactory.create()
    code = CouponCodeFactory.create(coupon=coupon)
    ConfigurationFactory.create(customer=coupon.customer, coupons=True)
    request = CouponCodeRequestFactory.create(user=ann, customer=coupon.customer)
    approve_code_requests(
        customer=coupon.customer,
        uuids=[request.uuid],
        coupon_id=coupon.pk,
        source=DecisionSource.COMMAND,
        notify=True,
        by=BY,
    )

    mail = the_mail(mail_server)

    assert (
        f"A coupon code is yours.\n\nThe code is on the page of your request:\n{PORTAL}/access/requests/{request.uuid}/\n"
        in part(mail, "plain")
    )
    assert code.code not in part(mail, "plain") + part(mail, "html")
    assert code.code not in str(list(OutboxMessage.objects.values_list("payload", "dedupe_key")))


def test_a_decline_gives_its_reason(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    request = asked(ann, plan)
    decline(request, reason="Ask\nin <May>.")

    mail = the_mail(mail_server)

    assert mail["Subject"] == "Truth <&> Co declined your request"
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "Truth <&> Co declined your request for a license, made for edX+Demo.\n\n"
        "Its reason: Ask in <May>.\n\n"
        f"See your request:\n{PORTAL}/access/requests/{request.uuid}/\n" + FOOT
    )
    assert "<bdi>Ask in &lt;May&gt;.</bdi>" in part(mail, "html")


def test_a_decline_without_a_reason_gives_none(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    decline(asked(ann, plan, course_id=""))

    mail = the_mail(mail_server)

    assert "declined your request for a license.\n\nSee your request:" in part(mail, "plain")


def test_who_must_ask_for_something_else_is_told_so(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    request = asked(ann, plan)
    with transaction.atomic():
        decline_all(LicenseRequest, customer=request.customer, notify=True, by=BY)

    mail = the_mail(mail_server)

    assert mail["Subject"] == "Your request to Truth <&> Co was closed"
    assert "does not offer licenses on request any more." in part(mail, "plain")


def test_who_was_not_answered_is_told_that_they_can_ask_again(
    ann: User, mail_server: MailServer
) -> None:
    CouponCodeRequestFactory.create(user=ann, customer__name="Acme", course_id="edX+Demo")
    expire_page(CouponCodeRequest, size=10, made_before=AT, by=BY)

    mail = the_mail(mail_server)

    assert mail["Subject"] == "Your request to Acme has expired"
    assert "Acme did not answer your request for a coupon code for edX+Demo in time" in part(
        mail, "plain"
    )


# --- Not more than one, and none that is not true ----------------------------------------------


def test_a_change_is_told_once(ann: User, plan: SubscriptionPlan) -> None:
    request = asked(ann, plan)
    approve(request, plan)

    queue_request_mails(Notice.FULFILLED, [request], at=AT + DAY)

    assert len(fates()) == 1


def test_nobody_is_told_who_should_not_be(ann: User, plan: SubscriptionPlan) -> None:
    approve(asked(ann, plan), plan, notify=False)

    assert fates() == []


def test_a_license_that_was_taken_back_since_is_not_told(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    approve(asked(ann, plan), plan)
    License.objects.filter(subscription_plan=plan).update(status="revoked", revoked_date=AT)

    deliver(AT)

    assert fates() == [("skipped", "changed_since")]
    assert mail_server.received == []


def test_a_license_that_is_somebody_elses_by_now_is_not_told(
    ann: User, plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    approve(asked(ann, plan), plan)
    License.objects.filter(subscription_plan=plan).update(**FREE_SEAT)
    assign(plan, "bob@x.org", notify=False)

    deliver(AT)

    assert fates() == [("skipped", "changed_since")]
    assert mail_server.received == []


@pytest.mark.parametrize(
    ("fields", "reason"), [({"is_active": False}, "no_account"), ({"email": ""}, "no_address")]
)
def test_who_cannot_be_told_is_not(
    ann: User, plan: SubscriptionPlan, fields: dict[str, Any], reason: str
) -> None:
    approve(asked(ann, plan), plan)
    User.objects.filter(pk=ann.pk).update(**fields)

    deliver(AT)

    assert fates() == [("skipped", reason)]


def test_payloads_name_nobody(ann: User, plan: SubscriptionPlan) -> None:
    request = asked(ann, plan)
    decline(request, reason="Too dear.")

    (payload,) = OutboxMessage.objects.values_list("payload", flat=True)
    assert payload == {"notice": "declined", "type": "license", "request": request.pk}

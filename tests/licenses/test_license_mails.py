"""Mails about licenses, as they arrive at a real mail server."""

from datetime import datetime
from email.message import EmailMessage
from typing import Any

import pytest
from django.conf import settings as portal

from credentials_portal.core.models import OutboxMessage
from licenses.models import License, SubscriptionPlan
from licenses.services import (
    auto_apply_license,
    provision_licenses,
    remind,
    revoke_licenses,
)
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, deliver, part, subjects
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    ENDS,
    CustomerLearnerFactory,
    LearnerFactory,
    activate,
    assign,
    by_at,
    emails,
    plan_with_seats,
)

pytestmark = pytest.mark.django_db

CUSTOMER = {"customer_agreement__customer__name": "Acme & Sons", "title": "Data\nScience"}


@pytest.fixture
def plan() -> SubscriptionPlan:
    return plan_with_seats(4, auto_applied=True, **CUSTOMER)


def the_mail(server: MailServer) -> EmailMessage:
    (mail,) = arrived(server)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert len(mail["Message-ID"]) > 20
    return mail


def fates(notice: str) -> list[tuple[str, str]]:
    found = OutboxMessage.objects.filter(payload__notice=notice).order_by("pk")
    return list(found.values_list("status", "reason"))


def link_of(license: License) -> str:
    return f"https://portal.example.org/licenses/{license.activation_key}/activate/"


# --- One of each kind --------------------------------------------------------------------------


def test_an_assignment_brings_the_address_to_activate_it(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    LearnerFactory.create(email="ann@example.com", full_name="Ann\nAsh")
    (license,) = assign(
        plan, "Ann@Example.com", notify=True, greeting="Welcome <all>!", closing="Yours\nBob"
    )

    deliver(AT)

    mail = the_mail(mail_server)
    assert mail["To"] == "ann@example.com"
    assert mail["Subject"] == "Acme & Sons has a license for you"
    text, html = part(mail, "plain"), part(mail, "html")
    assert text == (
        "Hello Ann Ash,\n\nWelcome <all>!\n\n"
        "Acme & Sons gives you a license of its plan Data Science. It is yours once you activate"
        " it. It ends on 1 January 2026.\n\n"
        f"Activate the license:\n{link_of(license)}\n\n"
        "The address works for you alone: sign in with the e-mail address that this mail came"
        " to.\n\nYours\nBob\n\n-- \nCredentials Portal sent this mail automatically. Replies"
        " are not read.\n"
    )
    assert f'href="{link_of(license)}"' in html
    assert "Welcome &lt;all&gt;!" in html
    assert "Acme &amp; Sons" in html
    assert "Yours<br>Bob" in html


def test_a_reminder_says_that_the_license_still_waits(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    (license,) = assign(plan, "ann@example.com")
    remind(plan_uuid=plan.uuid, by=by_at(AT + DAY))

    deliver(AT + DAY)

    mail = the_mail(mail_server)
    assert mail["Subject"] == "Your license from Acme & Sons is still waiting"
    assert part(mail, "plain").startswith("Hello,\n\nAcme & Sons gave you a license")
    assert link_of(license) in part(mail, "plain")


def test_an_activation_is_confirmed(plan: SubscriptionPlan, mail_server: MailServer) -> None:
    (license,) = assign(plan, "ann@example.com")
    activate(license)

    deliver(AT)

    mail = the_mail(mail_server)
    assert mail["Subject"] == "Your license from Acme & Sons is active"
    assert "https://portal.example.org/access/" in part(mail, "plain")
    assert str(license.activation_key) not in part(mail, "html")


def test_a_license_that_came_by_itself_is_told(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    ann = LearnerFactory.create(email="ann@example.com")
    auto_apply_license(agreement=plan.customer_agreement, user=ann, by=BY)

    deliver(AT)

    assert the_mail(mail_server)["Subject"] == "You have a license from Acme & Sons"


@pytest.mark.parametrize(
    ("learners", "subject", "says"),
    [
        (3, "Few licenses are left in Data Science", "3 of the 4 licenses"),
        (4, "No license is left in Data Science", "All 4 licenses"),
    ],
)
def test_administrators_are_told_that_seats_run_out(
    plan: SubscriptionPlan, mail_server: MailServer, learners: int, subject: str, says: str
) -> None:
    customer = plan.customer_agreement.customer
    admin = CustomerLearnerFactory.create(customer=customer, admin=True)
    for user in LearnerFactory.create_batch(learners):
        auto_apply_license(agreement=plan.customer_agreement, user=user, by=BY)
    OutboxMessage.objects.filter(payload__notice="auto_applied").delete()

    deliver(AT)

    mail = the_mail(mail_server)
    assert admin.user
    assert (mail["To"], mail["Subject"]) == (admin.user.email, subject)
    assert says in part(mail, "plain")
    assert f"https://portal.example.org/customers/{customer.slug}/" in part(mail, "plain")
    assert says in part(mail, "html").replace("<strong>", "")


def test_a_cap_that_was_reached_is_told_to_who_looks_after_customers(
    mail_server: MailServer, settings: Any
) -> None:
    settings.CUSTOMER_SUCCESS_EMAIL = "success@example.org"
    plan = plan_with_seats(10, capped=True, revoke_max_percentage=10, **CUSTOMER)
    activate(*assign(plan, "ann@example.com"))
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY)

    deliver(AT)

    mail = the_mail(mail_server)
    assert mail["To"] == "success@example.org"
    assert mail["Subject"] == "Acme & Sons has used up the revocations of Data Science"
    assert "has revoked 1 activated licenses" in part(mail, "plain")
    assert "cap of 10 %" in part(mail, "plain")


# --- Looked at again before they leave ---------------------------------------------------------


def test_a_license_that_changed_since_is_not_told(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    _revoked, active = assign(plan, "ann@example.com", "bob@example.com", notify=True)
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY)
    activate(active)

    deliver(AT)

    assert fates("assigned") == [("skipped", "changed_since")] * 2
    assert subjects(mail_server) == ["Your license from Acme & Sons is active"]


def test_a_seat_that_went_to_somebody_else_is_told_to_nobody_else(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    (license,) = assign(plan, "ann@example.com", notify=True)
    License.objects.filter(pk=license.pk).update(user_email="bob@example.com")

    deliver(AT)

    assert fates("assigned") == [("skipped", "changed_since")]
    assert mail_server.received == []


@pytest.mark.parametrize(("at", "is_told"), [(ENDS - DAY, True), (ENDS, False)])
def test_nothing_is_told_of_a_plan_that_has_ended(
    plan: SubscriptionPlan, mail_server: MailServer, at: datetime, is_told: bool
) -> None:
    assign(plan, "ann@example.com", notify=True)

    deliver(at)

    assert fates("assigned") == [("done", "") if is_told else ("skipped", "plan_ended")]


def test_a_plan_that_has_not_begun_says_when_it_does(mail_server: MailServer) -> None:
    assign(plan_with_seats(1, future=True), "ann@example.com", notify=True)

    deliver(AT)

    assert "You can activate it from 1 January 2026 on." in part(the_mail(mail_server), "plain")


def test_an_account_that_is_switched_off_gets_no_mail(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    LearnerFactory.create(email="ann@example.com", is_active=False)
    assign(plan, "ann@example.com", notify=True)

    deliver(AT)

    assert fates("assigned") == [("skipped", "no_account")]


def test_seats_that_are_free_again_are_not_said_to_run_out(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, admin=True)
    for user in LearnerFactory.create_batch(3):
        auto_apply_license(agreement=plan.customer_agreement, user=user, by=BY)
    provision_licenses(plan=plan, count=10, by=BY)

    deliver(AT)

    assert fates("few_seats") == [("skipped", "changed_since")]


def test_who_is_no_administrator_any_more_is_not_told(
    plan: SubscriptionPlan, mail_server: MailServer
) -> None:
    admin = CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, admin=True)
    for user in LearnerFactory.create_batch(3):
        auto_apply_license(agreement=plan.customer_agreement, user=user, by=BY)
    admin.status, admin.unlinked_at = "unlinked", AT
    admin.save()

    deliver(AT)

    assert fates("few_seats") == [("skipped", "no_account")]


@pytest.mark.parametrize(
    ("percentage", "fate"),
    [(10, ("skipped", "no_address")), (50, ("skipped", "changed_since"))],
)
def test_a_cap_that_was_raised_or_concerns_nobody_is_not_told(
    mail_server: MailServer, percentage: int, fate: tuple[str, str]
) -> None:
    plan = plan_with_seats(10, capped=True, revoke_max_percentage=10)
    activate(*assign(plan, "ann@example.com"))
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY)
    SubscriptionPlan.objects.update(revoke_max_percentage=percentage)

    deliver(AT)

    assert portal.CUSTOMER_SUCCESS_EMAIL == ""
    assert fates("revocation_cap") == [fate]


def test_each_of_many_gets_one_mail(plan: SubscriptionPlan, mail_server: MailServer) -> None:
    assign(plan, *emails(4), notify=True)

    deliver(AT)
    deliver(AT + DAY)

    assert sorted(mail["To"] for mail in arrived(mail_server)) == emails(4)

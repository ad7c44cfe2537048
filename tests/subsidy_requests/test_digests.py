"""`send_new_request_digests`: administrators hear of each new request once."""

from datetime import datetime
from typing import Any

import pytest

from credentials_portal.core.history import rows_without_true_history, save_with_history
from credentials_portal.core.models import JobRun, OutboxMessage
from licenses.models import Customer
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.digests import send_digests
from tests.core.outbox.mail_server import MailServer
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.letters.mails import arrived, deliver, part, subjects
from tests.licenses.factories import AT, BY, DAY, CustomerFactory, CustomerLearnerFactory
from tests.subsidy_requests.factories import (
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    customer: Customer = CustomerFactory.create(slug="acme", name="Acme")
    return customer


def command(*options: object, at: datetime = AT) -> Ran:
    return run_command("send_new_request_digests", "--as-of", at.isoformat(), *options)


def requested(customer: Customer, **fields: Any) -> LicenseRequest:
    request: LicenseRequest = LicenseRequestFactory.build(
        customer=customer, user=CustomerLearnerFactory.create(customer=customer).user, **fields
    )
    save_with_history(request, by=BY)
    return request


def test_each_administrator_gets_one_mail_of_all_new_requests(
    customer: Customer, mail_server: MailServer
) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True, user__full_name="Ada")
    CustomerLearnerFactory.create(
        customer=customer, admin=True, by_address=True, user_email="b@acme.example"
    )
    CustomerLearnerFactory.create(customer=customer, admin=True, unlinked=True)
    license_request = requested(customer, course_title="Truth")
    code_request = CouponCodeRequestFactory.create(customer=customer, course_id="edX+Demo")

    ran = command()
    deliver(AT)

    assert ran.summary == {"requests": 2, "mails": 2, "without_administrators": 0}
    first, second = sorted(arrived(mail_server), key=lambda mail: mail["To"] == "b@acme.example")
    assert (second["To"], second["Subject"]) == ("b@acme.example", "Acme: 2 new requests")
    assert part(first, "plain") == (
        "Hello Ada,\n\n2 new requests to Acme wait for a decision:\n\n"
        f"* {license_request.user.email}: Truth\n* {code_request.user.email}: edX+Demo\n\n"
        "Review the requests:\nhttps://portal.example.org/customers/acme/requests/\n\n"
        "-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"
    )


def test_a_request_is_told_of_once(customer: Customer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    request = requested(customer)

    command()
    again = command(at=AT + DAY)
    requested(customer)
    third = command(at=AT + 2 * DAY)

    request.refresh_from_db()
    assert request.digest_sent_at == AT
    assert again.summary == {"requests": 0, "mails": 0, "without_administrators": 0}
    assert third.summary == {"requests": 1, "mails": 1, "without_administrators": 0}
    assert rows_without_true_history(LicenseRequest) == 0


def test_what_nobody_could_be_told_of_waits(customer: Customer) -> None:
    requested(customer)

    without = command()
    CustomerLearnerFactory.create(customer=customer, admin=True)
    with_one = command(at=AT + DAY)

    assert without.summary == {"requests": 0, "mails": 0, "without_administrators": 1}
    assert with_one.summary == {"requests": 1, "mails": 1, "without_administrators": 0}


def test_what_is_decided_is_not_new(customer: Customer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    LicenseRequestFactory.create(customer=customer, declined=True)

    assert command().summary == {"requests": 0, "mails": 0, "without_administrators": 0}


def test_a_mail_leaves_out_what_was_decided_meanwhile(
    customer: Customer, mail_server: MailServer
) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    requested(customer)
    gone = requested(customer)
    command()
    LicenseRequest.objects.filter(pk=gone.pk).update(state="cancelled", decision_source="learner")

    deliver(AT)

    assert subjects(mail_server) == ["Acme: one new request"]


def test_a_mail_of_nothing_does_not_leave(customer: Customer, mail_server: MailServer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    requested(customer)
    command()
    LicenseRequest.objects.update(state="cancelled", decision_source="learner")

    assert deliver(AT) == [("skipped", "changed_since")]
    assert mail_server.received == []


def test_a_long_mail_names_twenty(customer: Customer, mail_server: MailServer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    LicenseRequestFactory.create_batch(22, customer=customer)
    command()

    deliver(AT)

    (mail,) = arrived(mail_server)
    assert mail["Subject"] == "Acme: 22 new requests"
    assert part(mail, "plain").count("\n* ") == 21
    assert "\n* 2 more\n" in part(mail, "plain")


def test_goes_through_all_customers_in_batches() -> None:
    for link in CustomerLearnerFactory.create_batch(3, admin=True):
        requested(link.customer)
        CouponCodeRequestFactory.create(customer=link.customer)

    ran = command("--batch-size", 2)

    assert ran.summary == {"requests": 6, "mails": 3, "without_administrators": 0}
    assert not CouponCodeRequest.objects.filter(digest_sent_at=None).exists()


def test_a_dry_run_tells_nobody(customer: Customer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    requested(customer)

    ran = command("--dry-run")

    assert ran.summary == {"requests": 1, "mails": 1, "without_administrators": 0}
    assert (OutboxMessage.objects.count(), JobRun.objects.count()) == (0, 0)
    assert LicenseRequest.objects.get().digest_sent_at is None


def test_the_old_name_takes_the_old_options(customer: Customer) -> None:
    CustomerLearnerFactory.create(customer=customer, admin=True)
    requested(customer)

    ran = run_command(
        "send_admins_email_with_new_requests", "--batch-size=25", "--sleep-duration=5"
    )

    assert (ran.code, ran.summary["mails"]) == (0, 1)


def test_payloads_name_nobody(customer: Customer) -> None:
    admin = CustomerLearnerFactory.create(customer=customer, admin=True)
    requested(customer)

    command()

    (payload,) = OutboxMessage.objects.values_list("payload", flat=True)
    assert payload == {
        "notice": "digest",
        "customer": customer.pk,
        "admin": admin.pk,
        "digest_sent_at": "2025-06-01T12:00:00Z",
    }


def test_many_customers_need_as_many_statements_as_one(statements: Statements) -> None:
    requested(CustomerLearnerFactory.create(admin=True).customer)
    with statements.counted() as for_one:
        send_digests(size=100, by=BY)
    for link in CustomerLearnerFactory.create_batch(10, admin=True):
        requested(link.customer)

    with statements.counted() as for_ten:
        page = send_digests(size=100, by=by_at(AT + DAY))

    assert page
    assert page.mails == 10
    assert len(for_ten) == len(for_one)

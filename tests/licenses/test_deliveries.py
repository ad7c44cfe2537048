"""What the LMS is told between plans' ends: who is linked, and whose license was revoked."""

from collections.abc import Collection
from datetime import datetime, timedelta

import pytest

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from licenses.models import Customer, CustomerLearner
from licenses.services import (
    link_learners,
    revoke_licenses,
    unlink_learners,
    unlink_without_license,
)
from tests.licenses.factories import (
    AT,
    BY,
    HOUR,
    CustomerFactory,
    LearnerFactory,
    activate,
    assign,
    emails,
    plan_with_seats,
)
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
Lms = StandInLms


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create()


def deliver(kind: str, at: datetime = AT) -> None:
    outbox.deliver_due(clock=lambda: at, only=[kind])


def outcomes(kind: str) -> list[tuple[str, str]]:
    found = OutboxMessage.objects.filter(kind=kind).order_by("pk")
    return list(found.values_list("status", "reason"))


def linked(lms: Lms, customer: Customer) -> Collection[str]:
    return lms.linked[str(customer.uuid)]


# --- Links -------------------------------------------------------------------------------------


def test_the_lms_is_told_who_is_linked_by_address_or_by_account(
    lms: Lms, customer: Customer
) -> None:
    ann = LearnerFactory.create()
    link_learners(customer=customer, emails=[ann.email, "bob@example.com"], by=BY)

    deliver("licenses.link")

    assert linked(lms, customer) == {ann.email, "bob@example.com"}
    assert outcomes("licenses.link") == [("done", "")]


def test_who_was_unlinked_meanwhile_is_not_linked(lms: Lms, customer: Customer) -> None:
    link_learners(customer=customer, emails=["ann@example.com"], by=BY)
    unlink_learners(CustomerLearner.objects.all(), by=BY)

    deliver("licenses.link")

    assert (lms.calls, outcomes("licenses.link")) == ([], [("skipped", "not_wanted")])


def test_one_whom_the_lms_refuses_keeps_nobody_else_from_being_linked(
    lms: Lms, customer: Customer
) -> None:
    good = emails(9)
    link_learners(customer=customer, emails=[*good, "refused@example.com"], by=BY)
    lms.fail(400, path="pending-enterprise-learner", body="refused@example.com")

    deliver("licenses.link")

    assert linked(lms, customer) == set(good)
    dead = OutboxMessage.objects.get(status="dead")
    refused = CustomerLearner.objects.get(user_email="refused@example.com")
    assert (dead.reason, dead.payload["rows"]) == ("http_400", [refused.pk])
    assert not OutboxMessage.objects.filter(status="pending").exists()


def test_the_lms_is_told_who_was_unlinked_for_good(lms: Lms, customer: Customer) -> None:
    ann, bob = LearnerFactory.create_batch(2)
    link_learners(customer=customer, emails=[ann.email, bob.email], by=BY)
    deliver("licenses.link")
    unlink_without_license(customer=customer, user_ids=[ann.pk], by=BY)

    deliver("licenses.end_link")

    assert linked(lms, customer) == {bob.email}
    assert outcomes("licenses.end_link") == [("done", "")]


def test_who_may_be_linked_again_is_not_unlinked_for_good(lms: Lms, customer: Customer) -> None:
    ann = LearnerFactory.create()
    link_learners(customer=customer, emails=[ann.email], by=BY)
    unlink_without_license(customer=customer, user_ids=[ann.pk], by=BY)
    CustomerLearner.objects.update(is_relinkable=True)

    deliver("licenses.end_link")

    assert (lms.calls, outcomes("licenses.end_link")) == ([], [("skipped", "not_wanted")])


# --- Revocations -------------------------------------------------------------------------------


def test_enrollments_of_a_revoked_license_are_revoked_when_the_lms_answers_again(lms: Lms) -> None:
    plan = plan_with_seats(1)
    (license,) = assign(plan, "ann@example.com")
    (ann,) = activate(license)
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY)
    lms.fail(503, path="license_revoke")

    deliver("licenses.revoke_enrollments")
    assert outcomes("licenses.revoke_enrollments") == [("pending", "http_503")]
    assert lms.revoked == set()

    lms.recover()
    deliver("licenses.revoke_enrollments", AT + SECOND)
    assert lms.revoked == set()
    deliver("licenses.revoke_enrollments", AT + HOUR)

    assert lms.revoked == {(str(plan.customer_agreement.customer.uuid), ann.lms_user_id)}
    assert outcomes("licenses.revoke_enrollments") == [("done", "")]

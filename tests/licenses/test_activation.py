"""Licenses taken into use: by their key, or by themselves."""

from datetime import datetime
from uuid import uuid4

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import CustomerLearner, License, Notification, SubscriptionPlan
from licenses.services import (
    LearnerUnknownError,
    LicenseNotFoundError,
    LicenseRevokedError,
    NoSeatLeftError,
    NotAutoApplicableError,
    activate_license,
    auto_apply_license,
    revoke_licenses,
)
from licenses.signals import license_activated
from tests.letters.conftest import Statements
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    ENDS,
    INSTANT,
    STARTS,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    activate,
    assign,
    by_at,
    emails,
    plan_with_seats,
    statuses,
)

pytestmark = pytest.mark.django_db


def take(license: License, user: User, at: datetime = AT) -> License:
    assert license.activation_key
    return activate_license(activation_key=license.activation_key, user=user, by=by_at(at))


def mails() -> list[str]:
    rows = OutboxMessage.objects.filter(kind="licenses.mail").order_by("pk")
    return [row.payload["notice"] for row in rows]


# --- By key ------------------------------------------------------------------------------------


def test_activates_the_license_of_the_key(announced: Heard) -> None:
    plan = plan_with_seats(1)
    (assigned,) = assign(plan, "ann@example.com")
    ann = LearnerFactory.create(email="Ann@Example.com", lms_user_id=7)

    license = take(assigned, ann, at=AT + DAY)

    assert license.pk == assigned.pk
    assert (license.status, license.lms_user_id) == ("activated", 7)
    assert (license.assigned_date, license.activation_date) == (AT, AT + DAY)
    signal, (fact,) = announced[-1]
    assert signal is license_activated
    assert (fact.license_uuid, fact.status, fact.lms_user_id) == (license.uuid, "activated", 7)
    assert mails() == ["activated"]
    assert rows_without_true_history(License) == 0


def test_activating_again_changes_nothing(announced: Heard) -> None:
    (license,) = assign(plan_with_seats(1), "ann@example.com")
    (ann,) = activate(license)
    heard, history, queued = len(announced), License.history.count(), OutboxMessage.objects.count()

    again = take(license, ann, at=AT + DAY)

    assert (again.status, again.activation_date) == ("activated", AT)
    assert (len(announced), License.history.count()) == (heard, history)
    assert OutboxMessage.objects.count() == queued


def test_the_link_by_address_becomes_the_accounts() -> None:
    plan = plan_with_seats(1)
    (license,) = assign(plan, "ann@example.com")

    (ann,) = activate(license)

    link = CustomerLearner.objects.get(customer=plan.customer_agreement.customer)
    assert (link.user, link.user_email, link.status) == (ann, "", "linked")
    assert rows_without_true_history(CustomerLearner) == 0


@pytest.mark.parametrize(
    ("at", "is_valid"),
    [(STARTS - INSTANT, False), (STARTS, True), (ENDS - INSTANT, True), (ENDS, False)],
)
def test_a_key_is_good_from_the_plans_start_until_but_not_at_its_end(
    at: datetime, is_valid: bool
) -> None:
    (license,) = assign(plan_with_seats(1), "ann@example.com")
    ann = LearnerFactory.create(email="ann@example.com")

    if is_valid:
        assert take(license, ann, at=at).status == "activated"
    else:
        with pytest.raises(LicenseNotFoundError):
            take(license, ann, at=at)


def test_a_key_is_nobody_elses() -> None:
    (license,) = assign(plan_with_seats(1), "ann@example.com")
    stranger = LearnerFactory.create()
    nameless = LearnerFactory.create(email="", lms_user_id=None)

    for user in (stranger, nameless):
        with pytest.raises(LicenseNotFoundError):
            take(license, user)
    with pytest.raises(LicenseNotFoundError):
        activate_license(activation_key=uuid4(), user=stranger, by=BY)

    license.refresh_from_db()
    assert license.status == "assigned"


def test_a_plan_that_is_switched_off_activates_nothing() -> None:
    plan = plan_with_seats(1)
    (license,) = assign(plan, "ann@example.com")
    SubscriptionPlan.objects.update(is_active=False)

    with pytest.raises(LicenseNotFoundError):
        take(license, LearnerFactory.create(email="ann@example.com"))


def test_a_revoked_license_is_not_activated() -> None:
    plan = plan_with_seats(1)
    (license,) = assign(plan, "ann@example.com")
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY)

    with pytest.raises(LicenseRevokedError):
        take(license, LearnerFactory.create(email="ann@example.com"))

    assert statuses(plan) == {"revoked": 1, "unassigned": 1}


def test_of_two_licenses_the_activated_one_stays() -> None:
    """The learner's address changed between them."""
    plan = plan_with_seats(3)
    (old,) = assign(plan, "maiden@example.com")
    (ann,) = activate(old)
    (new,) = assign(plan, "married@example.com", at=AT + DAY)
    ann.email = "married@example.com"
    ann.save()

    kept = take(new, ann, at=AT + DAY)

    new.refresh_from_db()
    assert kept.pk == old.pk
    assert (new.status, new.user_email, new.activation_key) == ("unassigned", "", None)
    assert statuses(plan) == {"activated": 1, "unassigned": 2}
    assert rows_without_true_history(License) == 0


def test_of_two_licenses_that_wait_the_one_assigned_last_is_activated() -> None:
    plan = PlanFactory.create()
    ann = LearnerFactory.create(email="married@example.com")
    old = LicenseFactory.create(
        subscription_plan=plan, assigned=True, lms_user_id=ann.lms_user_id, assigned_date=STARTS
    )
    (new,) = LicenseFactory.create_batch(
        1, subscription_plan=plan, assigned=True, user_email="married@example.com"
    )

    kept = take(old, ann)

    assert (kept.pk, kept.status) == (new.pk, "activated")
    assert statuses(plan) == {"activated": 1, "unassigned": 1}


def test_of_a_renewed_license_the_key_opens_the_one_that_is_current() -> None:
    ended, current = PlanFactory.create(expired=True), PlanFactory.create(start_date=AT - DAY)
    key = uuid4()
    ann = LearnerFactory.create()
    fields = {"assigned": True, "user_email": ann.email, "activation_key": key}
    LicenseFactory.create(subscription_plan=ended, **fields)
    new = LicenseFactory.create(subscription_plan=current, **fields)

    assert activate_license(activation_key=key, user=ann, by=BY).pk == new.pk


# --- By itself ---------------------------------------------------------------------------------


def test_gives_a_license_by_itself() -> None:
    plan = plan_with_seats(5, auto_applied=True)
    ann = LearnerFactory.create(email="Ann@example.com")

    license = auto_apply_license(agreement=plan.customer_agreement, user=ann, by=BY)

    assert (license.status, license.user_email) == ("activated", "ann@example.com")
    assert license.lms_user_id == ann.lms_user_id
    assert license.auto_applied is True
    assert license.activation_key
    assert {license.assigned_date, license.last_remind_date, license.activation_date} == {AT}
    assert mails() == ["auto_applied"]
    link = CustomerLearner.objects.get()
    assert (link.user, link.customer) == (ann, plan.customer_agreement.customer)
    assert rows_without_true_history(License) == 0


@pytest.mark.parametrize("is_activated", [True, False])
def test_a_license_that_is_held_stays(is_activated: bool) -> None:
    plan = plan_with_seats(2, auto_applied=True)
    (held,) = assign(plan, "ann@example.com")
    if is_activated:
        (ann,) = activate(held)
    else:
        ann = LearnerFactory.create(email="ann@example.com")

    license = auto_apply_license(agreement=plan.customer_agreement, user=ann, by=BY)

    assert (license.pk, license.status) == (held.pk, "activated" if is_activated else "assigned")


def test_a_license_that_was_revoked_does_not_come_back_by_itself() -> None:
    plan = plan_with_seats(2, auto_applied=True)
    ann = LearnerFactory.create()
    auto_apply_license(agreement=plan.customer_agreement, user=ann, by=BY)
    revoke_licenses(plan_uuid=plan.uuid, emails=[ann.email], by=BY)

    with pytest.raises(LicenseRevokedError):
        auto_apply_license(agreement=plan.customer_agreement, user=ann, by=BY)

    assert statuses(plan) == {"revoked": 1, "unassigned": 2}


def test_no_license_comes_when_all_are_in_use() -> None:
    plan = plan_with_seats(1, auto_applied=True)
    assign(plan, "bob@example.com")

    with pytest.raises(NoSeatLeftError):
        auto_apply_license(agreement=plan.customer_agreement, user=LearnerFactory.create(), by=BY)

    assert statuses(plan) == {"assigned": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"should_auto_apply_licenses": False},
        {"should_auto_apply_licenses": None},
        {"auto_applied": True, "is_active": False},
        {"auto_applied": True, "expired": True},
        {"auto_applied": True, "expiration_date": AT},
        {"auto_applied": True, "start_date": AT + INSTANT},
    ],
)
def test_no_license_comes_without_a_plan_that_gives_them_now(fields: dict[str, object]) -> None:
    plan = plan_with_seats(1, **fields)

    with pytest.raises(NotAutoApplicableError):
        auto_apply_license(agreement=plan.customer_agreement, user=LearnerFactory.create(), by=BY)


def test_of_two_plans_the_one_that_started_last_gives_licenses() -> None:
    old = plan_with_seats(1, auto_applied=True)
    agreement = old.customer_agreement
    new = plan_with_seats(
        1, auto_applied=True, customer_agreement=agreement, start_date=STARTS + DAY
    )

    license = auto_apply_license(agreement=agreement, user=LearnerFactory.create(), by=BY)

    assert license.subscription_plan == new


def test_an_account_that_no_license_would_find_gets_none() -> None:
    plan = plan_with_seats(1, auto_applied=True)
    nameless = LearnerFactory.create(email="", lms_user_id=None)

    with pytest.raises(LearnerUnknownError):
        auto_apply_license(agreement=plan.customer_agreement, user=nameless, by=BY)


def test_an_account_without_an_address_is_known_by_its_id_in_the_lms() -> None:
    plan = plan_with_seats(1, auto_applied=True)
    user = LearnerFactory.create(email="", lms_user_id=9)

    license = auto_apply_license(agreement=plan.customer_agreement, user=user, by=BY)

    assert (license.user_email, license.lms_user_id) == ("", 9)


# --- Use of seats ------------------------------------------------------------------------------


def test_administrators_hear_once_that_seats_run_out() -> None:
    plan = plan_with_seats(4, auto_applied=True)
    customer = plan.customer_agreement.customer
    first, second = CustomerLearnerFactory.create_batch(2, customer=customer, admin=True)
    CustomerLearnerFactory.create(customer=customer, admin=True, unlinked=True)
    CustomerLearnerFactory.create(admin=True)

    for user in LearnerFactory.create_batch(4):
        auto_apply_license(agreement=plan.customer_agreement, user=user, by=BY)

    told = [notice for notice in mails() if notice != "auto_applied"]
    assert told == ["few_seats", "few_seats", "no_seats", "no_seats"]
    of_use = OutboxMessage.objects.filter(payload__notice="few_seats")
    assert {row.payload["admin"] for row in of_use} == {first.pk, second.pk}
    assert set(Notification.objects.values_list("notification_type", "customer")) == {
        ("limited_allocations_remaining", customer.pk),
        ("no_allocations_remaining", customer.pk),
    }


def test_administrators_hear_nothing_a_second_time() -> None:
    plan = plan_with_seats(1, auto_applied=True)
    CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, admin=True)
    first, second = LearnerFactory.create_batch(2)

    auto_apply_license(agreement=plan.customer_agreement, user=first, by=BY)
    revoke_licenses(plan_uuid=plan.uuid, emails=[first.email], by=BY)
    auto_apply_license(agreement=plan.customer_agreement, user=second, by=BY)

    assert mails().count("no_seats") == 1


def test_activation_takes_a_fixed_number_of_statements(statements: Statements) -> None:
    plan = plan_with_seats(60)
    one, *_others = assign(plan, *emails(50))
    user = LearnerFactory.create(email=one.user_email)

    with statements.counted() as texts:
        take(one, user)

    assert len(texts) == 14

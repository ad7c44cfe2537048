"""Seats of a plan: added in sets, given to learners all or none."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import CustomerLearner, License, MailWording
from licenses.selectors import seats_in_use
from licenses.services import (
    NotEnoughSeatsError,
    PlanNotFoundError,
    TooManySeatsError,
    assign_licenses,
    provision_desired_licenses,
    provision_licenses,
    revoke_licenses,
)
from licenses.signals import license_assigned
from tests.letters.conftest import Statements
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
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


# --- Provisioning ------------------------------------------------------------------------------


def test_adds_free_seats_with_their_history() -> None:
    plan = PlanFactory.create()

    added = provision_licenses(plan=plan, count=3, by=BY)

    assert added == 3
    assert statuses(plan) == {"unassigned": 3}
    history = License.history.values_list("history_type", "status", "cause", "history_date")
    assert set(history) == {("+", "unassigned", "test", AT)}
    assert len(set(License.objects.values_list("uuid", flat=True))) == 3
    assert rows_without_true_history(License) == 0


@pytest.mark.parametrize("count", [1, 50])
def test_provisions_in_a_fixed_number_of_statements(statements: Statements, count: int) -> None:
    plan = PlanFactory.create()

    with statements.counted() as texts:
        provision_licenses(plan=plan, count=count, by=BY)

    assert len(texts) == 6  # savepoint, lock, count, insert, history, release


def test_refuses_more_seats_than_a_plan_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("licenses.services.seats.MAX_LICENSES", 3)
    plan, internal = plan_with_seats(2), plan_with_seats(2, internal=True)

    with pytest.raises(TooManySeatsError):
        provision_licenses(plan=plan, count=2, by=BY)
    provision_licenses(plan=internal, count=2, by=BY)

    assert (seats_in_use(plan.pk), seats_in_use(internal.pk)) == (2, 4)


def test_provisions_what_is_missing_of_the_desired_number_and_takes_none_away() -> None:
    plan = plan_with_seats(2, desired_num_licenses=5)
    LicenseFactory.create(subscription_plan=plan, revoked=True)

    assert provision_desired_licenses(plan=plan, by=BY) == 3
    assert provision_desired_licenses(plan=plan, by=BY) == 0
    plan.desired_num_licenses = 1
    plan.save()
    assert provision_desired_licenses(plan=plan, by=BY) == 0
    assert seats_in_use(plan.pk) == 5


# --- Assigning ---------------------------------------------------------------------------------


def test_assigns_a_seat_to_each_address() -> None:
    plan = plan_with_seats(3)

    assignment = assign_licenses(
        plan_uuid=plan.uuid, emails=["Ann@Example.com", " bob@example.com"], by=BY
    )

    assert assignment.already_associated == 0
    assert [license.user_email for license in assignment.assigned] == [
        "ann@example.com",
        "bob@example.com",
    ]
    for license in assignment.assigned:
        assert license.status == "assigned"
        assert license.activation_key
        assert (license.assigned_date, license.last_remind_date) == (AT, AT)
        assert license.lms_user_id is None
    assert statuses(plan) == {"assigned": 2, "unassigned": 1}
    assert rows_without_true_history(License) == 0


def test_leaves_out_who_holds_a_seat_and_counts_them() -> None:
    plan = plan_with_seats(4)
    _pending, active = assign(plan, "pending@example.com", "active@example.com")
    activate(active)

    assignment = assign_licenses(
        plan_uuid=plan.uuid,
        emails=["PENDING@example.com", "active@example.com", "new@example.com", "New@example.com"],
        by=BY,
    )

    assert assignment.already_associated == 2
    assert [license.user_email for license in assignment.assigned] == ["new@example.com"]
    assert statuses(plan) == {"activated": 1, "assigned": 2, "unassigned": 1}


def test_leaves_out_who_holds_a_seat_under_a_former_address() -> None:
    plan = plan_with_seats(2)
    (license,) = assign(plan, "maiden@example.com")
    (learner,) = activate(license)
    learner.email = "married@example.com"
    learner.save()

    assignment = assign_licenses(plan_uuid=plan.uuid, emails=["married@example.com"], by=BY)

    assert (assignment.assigned, assignment.already_associated) == ((), 1)


def test_an_account_without_an_id_in_the_lms_holds_nobody_elses_seat() -> None:
    plan = plan_with_seats(2)
    assign(plan, "first@example.com")
    LearnerFactory.create(email="second@example.com", lms_user_id=None)

    assert len(assign(plan, "second@example.com")) == 1


def test_gives_a_revoked_learner_a_new_seat() -> None:
    plan = plan_with_seats(1)
    revoked = LicenseFactory.create(
        subscription_plan=plan, revoked=True, user_email="back@example.com"
    )

    (license,) = assign(plan, "back@example.com")

    assert license.pk != revoked.pk
    assert statuses(plan) == {"assigned": 1, "revoked": 1}


def test_assigns_nothing_when_seats_are_too_few(announced: Heard) -> None:
    plan = plan_with_seats(2)

    with pytest.raises(NotEnoughSeatsError) as refusal:
        assign_licenses(plan_uuid=plan.uuid, emails=emails(3), by=BY)

    assert (refusal.value.requested, refusal.value.available) == (3, 2)
    assert statuses(plan) == {"unassigned": 2}
    assert not OutboxMessage.objects.exists()
    assert not CustomerLearner.objects.exists()
    assert announced == []


def test_assigns_nothing_of_an_unknown_plan() -> None:
    with pytest.raises(PlanNotFoundError):
        assign_licenses(plan_uuid=uuid4(), emails=["ann@example.com"], by=BY)


def test_an_empty_list_assigns_nothing(announced: Heard) -> None:
    plan = plan_with_seats(1)

    assignment = assign_licenses(plan_uuid=plan.uuid, emails=["", "  "], by=BY)

    assert (assignment.assigned, assignment.already_associated) == ((), 0)
    assert announced == []


def test_keeps_the_request_that_took_a_seat(announced: Heard) -> None:
    plan, request = plan_with_seats(2), uuid4()

    assign_licenses(
        plan_uuid=plan.uuid,
        emails=["Ann@example.com", "bob@example.com"],
        source_requests={"ANN@example.com": request},
        by=BY,
    )

    found = dict(License.objects.values_list("user_email", "source_request_uuid"))
    assert found == {"ann@example.com": request, "bob@example.com": None}
    ((_signal, facts),) = announced
    assert {fact.source_request_uuid for fact in facts} == {request, None}


def test_announces_all_assignments_at_once(announced: Heard) -> None:
    plan = plan_with_seats(3)

    licenses = assign(plan, *emails(3))

    ((signal, facts),) = announced
    assert signal is license_assigned
    assert [(fact.license_uuid, fact.status, fact.plan_id) for fact in facts] == [
        (license.uuid, "assigned", plan.pk) for license in licenses
    ]
    assert {fact.customer_id for fact in facts} == {plan.customer_agreement.customer_id}


@pytest.mark.parametrize("count", [1, 50])
def test_assigns_in_a_fixed_number_of_statements(statements: Statements, count: int) -> None:
    plan = plan_with_seats(60)

    with statements.counted() as texts:
        assign_licenses(plan_uuid=plan.uuid, emails=emails(count), greeting="Hi", by=BY)

    assert len(texts) == 19


def test_the_database_refuses_a_second_live_license_of_a_person() -> None:
    plan = plan_with_seats(1)
    assign(plan, "ann@example.com")

    with pytest.raises(IntegrityError, match="license_live_once_per_email"), transaction.atomic():
        LicenseFactory.create(subscription_plan=plan, assigned=True, user_email="ann@example.com")


# --- Mails and links ---------------------------------------------------------------------------


def test_queues_a_mail_of_ids_for_each_assignment() -> None:
    plan = plan_with_seats(2)

    ann, bob = assign(plan, "ann@example.com", "bob@example.com", notify=True, closing="Bye")

    mails = OutboxMessage.objects.filter(kind="licenses.mail").order_by("pk")
    wording = MailWording.objects.get()
    assert [
        (one.payload["notice"], one.payload["license"], one.payload["wording"], one.key)
        for one in mails
    ] == [
        ("assigned", ann.pk, wording.pk, f"license:{ann.pk}"),
        ("assigned", bob.pk, wording.pk, f"license:{bob.pk}"),
    ]
    assert wording.closing == "Bye"


def test_queues_no_mail_where_nobody_wants_one() -> None:
    silent = plan_with_seats(1, customer_agreement__disable_onboarding_notifications=True)

    assign(plan_with_seats(1), "ann@example.com", notify=False)
    assign(silent, "bob@example.com", notify=True)

    assert not OutboxMessage.objects.filter(kind="licenses.mail").exists()


def test_links_who_was_assigned_a_seat() -> None:
    plan = plan_with_seats(2)
    known = LearnerFactory.create(email="known@example.com")

    assign(plan, "known@example.com", "unknown@example.com")

    links = CustomerLearner.objects.filter(customer=plan.customer_agreement.customer)
    assert set(links.values_list("user_id", "user_email", "role", "status")) == {
        (known.pk, "", "learner", "linked"),
        (None, "unknown@example.com", "learner", "linked"),
    }


def test_names_of_what_leaves_the_portal_hold_no_address() -> None:
    assign(plan_with_seats(1), "ann@example.com", notify=True, at=AT + timedelta(days=1))

    for message in OutboxMessage.objects.all():
        assert "@" not in f"{message.dedupe_key}{message.key}{message.scope}{message.payload}"


def test_a_seat_that_was_given_back_can_be_given_again() -> None:
    plan = plan_with_seats(1)
    assign(plan, "ann@example.com")
    revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=by_at(AT + DAY))

    assert assign(plan, "ann@example.com", at=AT + 2 * DAY)[0].status == "assigned"

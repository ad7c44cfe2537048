"""Learners whom licenses forget: of old ones, and those who leave."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core import outbox
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from licenses.enums import UNLINKED
from licenses.models import CustomerLearner, License, LicenseEvent, MailWording, SubscriptionPlan
from licenses.services import activate_license, retire_learner, revoke_licenses
from licenses.signals import learner_unlinked, license_revoked
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.letters.factories import rows
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    INSTANT,
    AgreementFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    activate,
    assign,
    plan_with_seats,
    refuse,
    statuses,
)

pytestmark = pytest.mark.django_db

KEPT = timedelta(days=90)
LONG_AGO = KEPT + INSTANT


def command(*options: object, at: datetime = AT) -> Ran:
    return run_command("retire_old_licenses", "--as-of", at.isoformat(), *options)


def ended(ago: timedelta = LONG_AGO, **fields: Any) -> SubscriptionPlan:
    fields = {"start_date": AT - 900 * DAY, "expiration_processed": True, **fields}
    return PlanFactory.create(expiration_date=AT - ago, **fields)


def license_of(plan: SubscriptionPlan, **fields: Any) -> License:
    return LicenseFactory.create(subscription_plan=plan, user_email="ann@example.com", **fields)


def assert_forgotten(license: License) -> None:
    license.refresh_from_db()
    assert license.user_email == ""
    assert not License.history.filter(id=license.pk).exclude(user_email="").exists()
    assert rows_without_true_history(License) == 0


# --- retire_old_licenses -----------------------------------------------------------------------


@pytest.mark.parametrize("trait", ["assigned", "activated"])
@pytest.mark.parametrize("is_internal", [True, False])
def test_forgets_and_revokes_licenses_of_plans_that_ended_long_ago(
    trait: str, is_internal: bool, announced: Heard
) -> None:
    license = license_of(ended(for_internal_use_only=is_internal), lms_user_id=7, **{trait: True})

    ran = command()

    assert_forgotten(license)
    assert (license.status, license.revoked_date, license.lms_user_id) == ("revoked", AT, 7)
    assert ran.summary["retired"]["expired"] == 1
    assert announced == []


@pytest.mark.parametrize(
    ("ago", "kept", "is_due"),
    [
        (KEPT, KEPT, False),
        (KEPT + INSTANT, KEPT, True),
        (KEPT + INSTANT, 200 * DAY, False),
        (31 * DAY, 30 * DAY, True),
    ],
)
def test_a_license_is_kept_for_as_long_as_the_agreement_says(
    ago: timedelta, kept: timedelta, is_due: bool
) -> None:
    agreement = AgreementFactory.create(license_duration_before_purge=kept)
    license = license_of(ended(ago, customer_agreement=agreement), activated=True)

    command()

    license.refresh_from_db()
    assert license.status == ("revoked" if is_due else "activated")


@pytest.mark.parametrize(
    ("ago", "is_internal", "is_due"),
    [(KEPT, False, False), (LONG_AGO, False, True), (LONG_AGO, True, False)],
)
def test_forgets_who_held_a_license_that_was_revoked_long_ago(
    ago: timedelta, is_internal: bool, is_due: bool
) -> None:
    plan = PlanFactory.create(for_internal_use_only=is_internal)
    license = license_of(plan, revoked=True, revoked_date=AT - ago, lms_user_id=7)

    ran = command()

    license.refresh_from_db()
    assert license.user_email == ("" if is_due else "ann@example.com")
    assert (license.status, license.revoked_date) == ("revoked", AT - ago)
    assert ran.summary["retired"]["revoked"] == int(is_due)


def test_of_a_plan_that_ended_long_ago_revoked_licenses_keep_their_date() -> None:
    license = license_of(ended(for_internal_use_only=True), revoked=True, revoked_date=AT - 3 * DAY)

    command()

    assert_forgotten(license)
    assert license.revoked_date == AT - 3 * DAY


@pytest.mark.parametrize(
    ("ago", "is_internal", "is_due"),
    [(KEPT, False, False), (LONG_AGO, False, True), (LONG_AGO, True, False)],
)
def test_a_license_that_nobody_activated_for_long_is_free_again(
    ago: timedelta, is_internal: bool, is_due: bool
) -> None:
    plan = PlanFactory.create(for_internal_use_only=is_internal)
    license = license_of(plan, assigned=True, assigned_date=AT - ago)

    ran = command()

    assert statuses(plan) == {"unassigned" if is_due else "assigned": 1}
    assert ran.summary["retired"]["never_activated"] == int(is_due)
    if is_due:
        assert_forgotten(license)
        assert (license.activation_key, license.assigned_date) == (None, None)


def test_a_seat_that_is_free_again_is_continued_by_nobodys_license() -> None:
    plan = PlanFactory.create()
    renewed = license_of(PlanFactory.create(), assigned=True)
    license = license_of(plan, assigned=True, assigned_date=AT - LONG_AGO, renewed_to=renewed)

    command()

    license.refresh_from_db()
    assert (license.status, license.renewed_to) == ("unassigned", None)


def test_forgets_addresses_of_people_who_were_unlinked_long_ago() -> None:
    customer = AgreementFactory.create().customer
    fields = {"customer": customer, "by_address": True, "unlinked": True}
    due = CustomerLearnerFactory.create(**fields, unlinked_at=AT - LONG_AGO)
    recent = CustomerLearnerFactory.create(**fields, unlinked_at=AT - KEPT)
    for_good = CustomerLearnerFactory.create(
        **fields, unlinked_at=AT - LONG_AGO, is_relinkable=False
    )

    command()

    kept = CustomerLearner.objects.exclude(user_email="")
    assert set(kept) == {recent, for_good}
    assert not CustomerLearner.history.filter(id=due.pk).exclude(user_email="").exists()


# --- Unlinking comes first ---------------------------------------------------------------------


@pytest.mark.parametrize("processed", [True, False])
def test_a_license_waits_while_its_learner_is_to_be_unlinked(processed: bool) -> None:
    agreement = AgreementFactory.create(unlinking=True)
    plan = ended(customer_agreement=agreement, expiration_processed=processed)
    license = license_of(plan, activated=True)
    CustomerLearnerFactory.create(
        customer=agreement.customer, by_address=True, user_email=license.user_email
    )

    ran = command()

    license.refresh_from_db()
    assert (license.status, license.user_email) == ("activated", "ann@example.com")
    assert (ran.code, ran.summary["waiting"]) == (0, 1)

    LicenseEvent.objects.create(license=license, event_name=UNLINKED, at=AT)
    command()

    assert_forgotten(license)


def test_a_license_does_not_wait_for_an_unlinking_that_is_not_due() -> None:
    """The learner holds another license, or the customer wants nobody unlinked."""
    agreement = AgreementFactory.create(unlinking=True)
    license = license_of(ended(customer_agreement=agreement), activated=True)
    license_of(PlanFactory.create(customer_agreement=agreement), activated=True)
    not_opted_in = license_of(ended(), activated=True)

    command()

    assert_forgotten(license)
    assert_forgotten(not_opted_in)


@pytest.mark.parametrize(
    ("ago", "processed", "stays"),
    [(90 * DAY, True, False), (LONG_AGO, True, True), (LONG_AGO, False, True)],
)
def test_a_seat_that_nobody_activated_waits_only_while_its_learner_is_due_to_be_unlinked(
    ago: timedelta, processed: bool, stays: bool
) -> None:
    agreement = AgreementFactory.create(
        unlinking=True, license_duration_before_purge=KEPT + 10 * DAY
    )
    plan = ended(ago, customer_agreement=agreement, expiration_processed=processed)
    license_of(plan, assigned=True, assigned_date=AT - 200 * DAY)

    ran = command()

    assert statuses(plan) == {"assigned" if stays else "unassigned": 1}
    assert ran.summary["waiting"] == int(stays)


# --- The command -------------------------------------------------------------------------------


@pytest.fixture
def many() -> None:
    """Twelve rows that are due, of each kind three."""
    for number in range(3):
        email = f"n{number}@example.com"
        LicenseFactory.create(subscription_plan=ended(), activated=True, user_email=email)
        LicenseFactory.create(revoked=True, revoked_date=AT - LONG_AGO)
        LicenseFactory.create(assigned=True, assigned_date=AT - LONG_AGO)
        CustomerLearnerFactory.create(
            customer=AgreementFactory.create().customer,
            by_address=True,
            unlinked=True,
            unlinked_at=AT - LONG_AGO,
        )


ALL = {"expired": 3, "revoked": 3, "never_activated": 3, "unlinked_address": 3}


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_retires_page_by_page(many: None, size: int, tmp_path: Path) -> None:
    report = tmp_path / "retired.jsonl"

    ran = command("--batch-size", size, "--output", report)

    assert ran.summary == {"retired": ALL, "waiting": 0, "failed": 0}
    assert len(report.read_text().splitlines()) == 12
    assert command().summary["retired"] == dict.fromkeys(ALL, 0)


def test_a_dry_run_writes_nothing_and_counts_the_same(many: None) -> None:
    before = rows()

    dry = command("--dry-run")

    assert rows() == before
    assert dry.summary == command().summary
    assert dry.summary["retired"] == ALL


def test_a_row_that_cannot_be_written_fails_alone(many: None) -> None:
    bad = License.objects.filter(status="revoked").order_by("pk")[1]
    refuse("licenses_license", f"id = {bad.pk} AND user_email = ''")

    ran = command()

    bad.refresh_from_db()
    assert ran.code == 1
    assert (ran.summary["retired"]["revoked"], ran.summary["failed"]) == (2, 1)
    assert bad.user_email


def test_needs_as_many_statements_for_a_page_of_many(many: None, statements: Statements) -> None:
    with statements.counted() as texts:
        command()
    few = len(texts)
    for _number in range(50):
        LicenseFactory.create(subscription_plan=ended(), activated=True)
        LicenseFactory.create(assigned=True, assigned_date=AT - LONG_AGO)
        LicenseFactory.create(revoked=True, revoked_date=AT - LONG_AGO)
        CustomerLearnerFactory.create(
            customer=AgreementFactory.create().customer,
            by_address=True,
            unlinked=True,
            unlinked_at=AT - LONG_AGO,
        )

    with statements.counted() as texts:
        command()

    assert len(texts) == few


def test_no_record_of_a_run_names_anybody(many: None) -> None:
    command()

    (run,) = JobRun.objects.all()
    assert "@" not in f"{run.arguments}{run.counters}"


# --- Who leaves --------------------------------------------------------------------------------


@pytest.fixture
def ann() -> User:
    return LearnerFactory.create(
        username="ann", email="ann@example.com", full_name="Ann Ash", lms_user_id=7
    )


def leave(user: User) -> None:
    retire_user(user=user, at=AT + DAY, actor=None, reason="Asked to leave.")


def assert_nothing_names_ann() -> None:
    for model in (License, CustomerLearner):
        for found in (model.objects.all(), model.history.all()):
            assert not found.filter(user_email__icontains="ann@").exists()
    for found in (License.objects.all(), License.history.all()):
        assert not found.filter(lms_user_id=7).exists()
    for message in OutboxMessage.objects.all():
        assert "ann" not in f"{message.payload}{message.dedupe_key}"


def test_seats_of_who_leaves_are_free_and_revoked_ones_nobodys(ann: User, announced: Heard) -> None:
    plan, other = plan_with_seats(2), plan_with_seats(1)
    (held,) = assign(plan, ann.email)
    (taken,) = assign(other, ann.email)
    revoke_licenses(plan_uuid=other.uuid, emails=[ann.email], by=BY)
    announced.clear()

    leave(ann)

    held.refresh_from_db()
    taken.refresh_from_db()
    assert (held.status, held.activation_key) == ("unassigned", None)
    assert (taken.status, taken.user_email, taken.revoked_date) == ("revoked", "", AT)
    assert_nothing_names_ann()
    assert [(signal, len(facts)) for signal, facts in announced] == [
        (license_revoked, 1),
        (learner_unlinked, 2),
    ]
    for model in (License, CustomerLearner):
        assert rows_without_true_history(model) == 0


def test_the_request_that_took_a_freed_seat_is_told(ann: User, announced: Heard) -> None:
    request = uuid4()
    plan = plan_with_seats(1)
    assign(plan, ann.email, source_requests={ann.email: request})

    leave(ann)

    facts = dict(announced)[license_revoked]
    assert [(fact.source_request_uuid, fact.status) for fact in facts] == [(request, "unassigned")]
    assert [fact.lms_user_id for fact in facts] == [None]


def test_who_never_activated_is_found_by_address(ann: User) -> None:
    """The old service knew such a license by nothing else, and missed it."""
    plan = plan_with_seats(1)
    (license,) = assign(plan, "Ann@example.com")
    assert license.lms_user_id is None

    leave(ann)

    assert statuses(plan) == {"unassigned": 1}
    assert_nothing_names_ann()


def test_a_license_under_a_former_address_is_found_by_the_id_in_the_lms(ann: User) -> None:
    plan = plan_with_seats(1)
    (license,) = assign(plan, ann.email)
    assert license.activation_key
    activate_license(activation_key=license.activation_key, user=ann, by=BY)
    ann.email = "ash@example.com"
    ann.save()

    leave(ann)

    assert statuses(plan) == {"unassigned": 1}
    assert_nothing_names_ann()


def test_a_former_address_leads_to_licenses_that_do_not_know_the_id(ann: User) -> None:
    former = "formerly@example.com"
    LicenseFactory.create(activated=True, user_email=former, lms_user_id=ann.lms_user_id)
    LicenseFactory.create(assigned=True, user_email=former)
    LicenseFactory.create(revoked=True, user_email=former)

    retire_learner(user_id=ann.pk, email=ann.email, lms_user_id=ann.lms_user_id, by=BY)

    assert not License.objects.exclude(user_email="").exists()
    assert rows_without_true_history(License) == 0


def test_history_of_seats_that_went_to_others_forgets_who_leaves(ann: User) -> None:
    plan = plan_with_seats(1)
    seat = plan.licenses.get()
    assign(plan, ann.email)
    run_command("retire_old_licenses", "--as-of", (AT + 91 * DAY).isoformat())
    License.history.filter(id=seat.pk, status="assigned").update(user_email=ann.email)
    assign(plan, "bob@example.com", at=AT + 92 * DAY)

    leave(ann)

    assert_nothing_names_ann()
    assert plan.licenses.get().user_email == "bob@example.com"


def test_links_of_who_leaves_end(ann: User) -> None:
    by_account = CustomerLearnerFactory.create(user=ann)
    by_address = CustomerLearnerFactory.create(by_address=True, user_email=ann.email)
    other = CustomerLearnerFactory.create()

    leave(ann)

    for link in (by_account, by_address, other):
        link.refresh_from_db()
    assert (by_account.status, by_address.status, other.status) == (
        "unlinked",
        "unlinked",
        "linked",
    )
    assert_nothing_names_ann()


def test_words_of_administrators_forget_who_leaves(ann: User) -> None:
    MailWording.objects.create(greeting="Dear Ann Ash,", closing="Bye, ann", created_at=AT)

    leave(ann)

    wording = MailWording.objects.get()
    assert (wording.greeting, wording.closing) == ("Dear ***,", "Bye, ***")


def test_a_mail_to_who_left_is_not_sent(ann: User) -> None:
    assign(plan_with_seats(1), ann.email, notify=True)

    leave(ann)
    outbox.deliver_due(clock=lambda: AT + DAY)

    mail = OutboxMessage.objects.get(kind="licenses.mail")
    assert (mail.status, mail.reason) == ("skipped", "changed_since")


def test_an_account_that_nothing_identifies_takes_nothing_along() -> None:
    """No address and no id: licenses and links of nobody stay as they are."""
    license = LicenseFactory.create(activated=True, user_email="", lms_user_id=9)
    link = CustomerLearnerFactory.create(by_address=True, user_email="")

    leave(LearnerFactory.create(email="", lms_user_id=None))

    license.refresh_from_db()
    link.refresh_from_db()
    assert (license.status, link.status) == ("activated", "linked")


def test_activating_a_duplicate_leaves_no_trace_after_leaving(ann: User) -> None:
    plan = plan_with_seats(2)
    old = LicenseFactory.create(
        subscription_plan=plan, activated=True, user_email="old@example.com", lms_user_id=7
    )
    activate(*assign(plan, "bob@example.com"))

    leave(ann)

    old.refresh_from_db()
    assert (old.status, old.user_email, old.lms_user_id) == ("unassigned", "", None)
    assert not License.history.filter(user_email="old@example.com").exists()

"""`unlink_expired_licenses`, and `expire_subscriptions --with-unlink`: nobody is lost, nobody who
may stay has to go."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.core import outbox
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxBreaker, OutboxMessage
from credentials_portal.core.outbox import Delivery, Outcome, Verdict
from credentials_portal.devlms import StandInLms
from licenses.enums import UNLINKED, LinkStatus
from licenses.models import (
    Customer,
    CustomerLearner,
    LearnerUnlink,
    License,
    LicenseDowngrade,
    LicenseEvent,
    SubscriptionPlan,
)
from licenses.services import link_learners
from licenses.services.unlinking import queue_unlinks, record_unlinks
from licenses.signals import learner_unlinked
from tests.letters.commands import Ran, run_command
from tests.licenses.factories import (
    AT,
    DAY,
    HOUR,
    AgreementFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    by_at,
)
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
LONG_AGO = AT - 91 * DAY
Lms = StandInLms


def unlink(*arguments: object, at: datetime = AT) -> Ran:
    return run_command("unlink_expired_licenses", *arguments, "--as-of", at.isoformat())


def expire_and_unlink(*arguments: object, at: datetime = AT) -> Ran:
    line = ("expire_subscriptions", "--with-unlink", *arguments, "--as-of", at.isoformat())
    return run_command(*line)


def processed_plan(ended_at: datetime = LONG_AGO, **fields: Any) -> SubscriptionPlan:
    """A plan of a customer that wants its learners unlinked, which ended and was processed."""
    if "customer_agreement" not in fields:
        fields["customer_agreement"] = AgreementFactory.create(unlinking=True)
    return PlanFactory.create(
        **{
            "start_date": ended_at - 100 * DAY,
            "expiration_date": ended_at,
            "expiration_processed": True,
            **fields,
        }
    )


def holder(plan: SubscriptionPlan, email: str = "anna@example.com", **fields: Any) -> License:
    """A license of somebody whom the customer knows by address."""
    customer = plan.customer_agreement.customer
    if email and not CustomerLearner.objects.filter(customer=customer, user_email=email).exists():
        CustomerLearnerFactory.create(customer=customer, by_address=True, user_email=email)
    return LicenseFactory.create(
        **{"activated": True, "subscription_plan": plan, "user_email": email, **fields}
    )


def customer_of(license: License) -> Customer:
    return license.subscription_plan.customer_agreement.customer


def link_of(license: License) -> CustomerLearner:
    return CustomerLearner.objects.get(customer=customer_of(license), user_email=license.user_email)


def is_linked(license: License) -> bool:
    return link_of(license).status == LinkStatus.LINKED


def asked(lms: Lms) -> list[str]:
    """The addresses of all calls that succeeded, with repetitions."""
    return [
        email
        for call in lms.calls_to("unlink_users")
        if call.status == 200
        for email in call.body["user_emails"]
    ]


def kept(ran: Ran) -> Any:
    return ran.summary["kept_licenses"]


# --- Who goes -------------------------------------------------------------------------------------


def test_a_learner_of_a_plan_that_ended_long_ago_is_unlinked_by_one_call(lms: Lms) -> None:
    license = holder(processed_plan())

    ran = unlink()

    (call,) = lms.calls_to("unlink_users")
    assert call.path.endswith(f"/enterprise-customer/{customer_of(license).uuid}/unlink_users/")
    assert call.body == {"user_emails": ["anna@example.com"], "is_relinkable": True}
    assert (ran.code, ran.summary["unlinked"], ran.summary["waiting"]) == (0, 1, 0)
    link = link_of(license)
    assert (link.status, link.is_relinkable) == (LinkStatus.UNLINKED, True)
    assert link.unlinked_at
    assert AT <= link.unlinked_at < AT + timedelta(minutes=1)
    assert [event.license_id for event in LicenseEvent.objects.filter(event_name=UNLINKED)] == [
        license.pk
    ]
    assert not LearnerUnlink.objects.exists()
    assert rows_without_true_history(CustomerLearner) == 0


@pytest.mark.parametrize(
    ("ended_at", "goes"),
    [(AT - 89 * DAY, False), (AT - 90 * DAY, False), (AT - 90 * DAY - SECOND, True)],
)
def test_ninety_days_must_have_passed(lms: Lms, ended_at: datetime, goes: bool) -> None:
    license = holder(processed_plan(ended_at))

    ran = unlink()

    assert is_linked(license) is not goes
    assert kept(ran) == ({} if goes else {"too_recent": 1})


def test_a_customer_may_want_fewer_days(lms: Lms) -> None:
    agreement = AgreementFactory.create(unlinking=True, unlink_after_days=30)
    stays = holder(processed_plan(AT - 30 * DAY, customer_agreement=agreement))
    goes = holder(processed_plan(AT - 30 * DAY - SECOND, customer_agreement=agreement), "b@c.de")

    unlink()

    assert (is_linked(stays), is_linked(goes)) == (True, False)


def test_a_customer_may_close_the_door(lms: Lms) -> None:
    agreement = AgreementFactory.create(unlinking=True, unlink_is_relinkable=False)
    license = holder(processed_plan(customer_agreement=agreement))

    unlink()

    assert lms.calls_to("unlink_users")[0].body["is_relinkable"] is False
    assert link_of(license).is_relinkable is False


def test_a_customer_that_did_not_ask_for_it_keeps_its_learners(lms: Lms) -> None:
    license = holder(processed_plan(customer_agreement=AgreementFactory.create()))

    would, ran = unlink("--dry-run"), unlink()

    assert (would.summary["learners"], ran.summary["learners"], lms.calls) == (0, 0, [])
    assert kept(ran) == {"not_opted_in": 1}
    assert is_linked(license)


def test_the_settings_name_customers_too_and_an_unknown_one_stops_nothing(
    lms: Lms, settings: Any
) -> None:
    license = holder(processed_plan(customer_agreement=AgreementFactory.create()))
    unknown = str(uuid4())
    settings.CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED = [
        *(unknown, "nonsense"),
        str(customer_of(license).uuid),
    ]

    ran = unlink()

    assert not is_linked(license)
    assert ran.summary["unknown_customers"] == [unknown, "nonsense"]
    assert (ran.code, ran.error) == (1, "2 stuck.")


def test_several_licenses_of_a_learner_make_one_call(lms: Lms) -> None:
    first = processed_plan()
    second = processed_plan(customer_agreement=first.customer_agreement)
    licenses = {holder(first).pk, holder(second).pk}

    ran = unlink()

    assert asked(lms) == ["anna@example.com"]
    assert ran.summary["unlinked"] == 1
    marked = LicenseEvent.objects.filter(event_name=UNLINKED)
    assert set(marked.values_list("license", flat=True)) == licenses


def test_a_learner_is_known_by_the_account_too(lms: Lms) -> None:
    plan = processed_plan()
    by_address, by_id = LearnerFactory.create_batch(2)
    for learner in (by_address, by_id):
        CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, user=learner)
    LicenseFactory.create(assigned=True, subscription_plan=plan, user_email=by_address.email)
    LicenseFactory.create(
        activated=True,
        subscription_plan=plan,
        user_email="formerly@example.com",
        lms_user_id=by_id.lms_user_id,
    )

    ran = unlink()

    assert ran.summary["unlinked"] == 2
    assert set(CustomerLearner.objects.values_list("user", "status")) == {
        (by_address.pk, "unlinked"),
        (by_id.pk, "unlinked"),
    }


def test_a_learner_without_a_link_is_unlinked_at_the_lms_all_the_same(lms: Lms) -> None:
    license = LicenseFactory.create(activated=True, subscription_plan=processed_plan())

    unlink()

    assert asked(lms) == [license.user_email]
    assert not is_linked(license)
    assert rows_without_true_history(CustomerLearner) == 0


def test_a_learner_whom_the_lms_does_not_know_is_done(lms: Lms) -> None:
    holder(processed_plan(), "stranger@example.com")

    assert unlink().code == 0
    assert not LearnerUnlink.objects.exists()


# --- Who stays ------------------------------------------------------------------------------------


def test_keeps_learners_with_another_license_of_the_customer(lms: Lms) -> None:
    plan = processed_plan()
    license = holder(plan)
    other = PlanFactory.create(customer_agreement=plan.customer_agreement)
    LicenseFactory.create(activated=True, subscription_plan=other, user_email=license.user_email)

    ran = unlink()

    assert (ran.code, kept(ran), lms.calls) == (0, {"other_live_license": 1}, [])
    assert is_linked(license)


def test_another_license_is_found_by_the_id_in_the_lms(lms: Lms) -> None:
    plan = processed_plan()
    license = holder(plan)
    LicenseFactory.create(
        activated=True,
        subscription_plan=PlanFactory.create(customer_agreement=plan.customer_agreement),
        user_email="new-address@example.com",
        lms_user_id=license.lms_user_id,
    )

    assert kept(unlink()) == {"other_live_license": 1}


# It is judged once more when it is delivered: a slow machine gets there seconds later.
@pytest.mark.parametrize(("starts_in", "goes"), [(30 * DAY, False), (30 * DAY + HOUR, True)])
def test_a_plan_that_starts_soon_keeps_its_learners(
    lms: Lms, starts_in: timedelta, goes: bool
) -> None:
    license = holder(processed_plan())
    soon = PlanFactory.create(
        customer_agreement=license.subscription_plan.customer_agreement,
        start_date=AT + starts_in,
    )
    LicenseFactory.create(assigned=True, subscription_plan=soon, user_email=license.user_email)

    unlink()

    assert is_linked(license) is not goes


@pytest.mark.parametrize(
    "plan",
    [{"is_active": False}, {"expired": True}],
    ids=["switched off", "ended"],
)
def test_a_license_of_a_plan_that_is_not_in_force_keeps_nobody(
    lms: Lms, plan: dict[str, Any]
) -> None:
    license = holder(processed_plan())
    agreement = license.subscription_plan.customer_agreement
    other = PlanFactory.create(customer_agreement=agreement, **plan)
    LicenseFactory.create(activated=True, subscription_plan=other, user_email=license.user_email)

    unlink()

    assert not is_linked(license)


def test_a_revoked_license_keeps_nobody(lms: Lms) -> None:
    license = holder(processed_plan())
    agreement = license.subscription_plan.customer_agreement
    LicenseFactory.create(
        revoked=True,
        subscription_plan=PlanFactory.create(customer_agreement=agreement),
        user_email=license.user_email,
    )

    unlink()

    assert not is_linked(license)


def test_a_license_of_another_customer_keeps_nobody(lms: Lms) -> None:
    license = holder(processed_plan())
    elsewhere = holder(PlanFactory.create(), license.user_email)

    unlink()

    assert (is_linked(license), is_linked(elsewhere)) == (False, True)
    assert set(lms.unlinked) == {str(customer_of(license).uuid)}


def test_a_renewed_license_unlinks_nobody(lms: Lms) -> None:
    plan = processed_plan()
    later = LicenseFactory.create(activated=True, subscription_plan=processed_plan(AT - DAY))
    license = holder(plan, renewed_to=later)

    unlink()

    assert is_linked(license)


def test_learners_without_an_address_are_skipped_and_named_to_nobody(lms: Lms) -> None:
    plan = processed_plan()
    holder(plan, "")
    holder(plan, "")
    goes = holder(plan)

    ran = unlink()

    assert (ran.code, kept(ran)) == (0, {"no_email": 2})
    assert asked(lms) == [goes.user_email]


def test_a_learner_who_got_a_license_meanwhile_is_skipped(lms: Lms) -> None:
    stays, goes = holder(plan := processed_plan()), holder(plan, "bert@example.com")
    lms.fail(503, path="unlink_users")
    assert unlink().code == 1
    other = PlanFactory.create(customer_agreement=plan.customer_agreement)
    LicenseFactory.create(activated=True, subscription_plan=other, user_email=stays.user_email)
    lms.recover()

    ran = unlink()

    assert (ran.code, asked(lms)) == (0, [goes.user_email])
    assert (is_linked(stays), is_linked(goes)) == (True, False)
    assert not LearnerUnlink.objects.exists()


def test_a_learner_who_got_a_license_during_the_call_is_linked_again() -> None:
    license = holder(plan := processed_plan())
    queue_unlinks(customer=customer_of(license), by=by_at(AT))
    message = OutboxMessage.objects.get(kind="licenses.unlink")
    other = PlanFactory.create(customer_agreement=plan.customer_agreement)
    LicenseFactory.create(activated=True, subscription_plan=other, user_email=license.user_email)

    record_unlinks([Delivery(message, Outcome.done(detail=message.payload["rows"]))], AT)

    assert is_linked(license)
    assert not LearnerUnlink.objects.exists()
    assert not LicenseEvent.objects.exists()
    again = OutboxMessage.objects.get(kind="licenses.link")
    assert again.payload == {"customer": customer_of(license).pk, "rows": [link_of(license).pk]}


# --- Downgrade before unlink -----------------------------------------------------------------------


def test_nobody_is_unlinked_while_a_downgrade_is_open(lms: Lms) -> None:
    license = holder(processed_plan(expiration_processed=False))
    lms.fail(500, path="bulk_licensed_enrollments_expiration")

    alone, both = unlink(), expire_and_unlink()
    assert kept(alone) == both.summary["unlinked"]["kept_licenses"] == {"downgrade_open": 1}
    assert (alone.code, both.code) == (0, 1)
    assert is_linked(license)

    lms.recover()
    ran = expire_and_unlink()
    assert (ran.code, is_linked(license)) == (0, False)
    assert [call.path.rstrip("/").rpartition("/")[2] for call in lms.calls if call.status == 200][
        -2:
    ] == ["bulk_licensed_enrollments_expiration", "unlink_users"]


def test_a_downgrade_that_is_done_again_by_force_holds_back_the_unlink(lms: Lms) -> None:
    license = holder(processed_plan())
    lms.fail(500, path="bulk_licensed_enrollments_expiration")

    run_command("expire_subscriptions", "--force", "--as-of", AT.isoformat())
    ran = unlink()

    assert (kept(ran), is_linked(license)) == ({"downgrade_open": 1}, True)


def test_one_run_does_both_after_a_missed_week(lms: Lms) -> None:
    licenses = [
        holder(processed_plan(LONG_AGO - days * DAY, expiration_processed=False), f"a{days}@b.de")
        for days in range(7)
    ]

    ran = expire_and_unlink()

    assert (ran.code, ran.summary["unlinked"]["unlinked"]) == (0, 7)
    assert not any(is_linked(license) for license in licenses)
    assert lms.downgraded == {str(license.uuid) for license in licenses}


# --- An LMS in trouble ---------------------------------------------------------------------------


def test_nobody_counts_as_unlinked_while_the_lms_is_down(lms: Lms) -> None:
    plan = processed_plan()
    licenses = [holder(plan, f"learner{number}@example.com") for number in range(250)]
    lms.fail(500, path="unlink_users")

    ran = unlink()
    assert (ran.code, ran.summary["unlinked"], ran.summary["waiting"]) == (1, 0, 250)
    assert all(is_linked(license) for license in licenses)
    assert not LicenseEvent.objects.exists()

    lms.recover()
    again = unlink(at=AT + SECOND)
    assert (again.code, again.summary["unlinked"], again.summary["waiting"]) == (0, 250, 0)
    assert not any(is_linked(license) for license in licenses)
    assert sorted(asked(lms)) == sorted(license.user_email for license in licenses)


def test_a_long_outage_uses_up_no_try_for_good(lms: Lms) -> None:
    license = holder(processed_plan())
    lms.fail(503)
    for days in range(10):
        assert unlink(at=AT + days * DAY).code == 1

    lms.recover()

    assert unlink(at=AT + 10 * DAY).code == 0
    assert not is_linked(license)


def test_a_malformed_address_stands_alone_in_the_end(lms: Lms) -> None:
    plan = processed_plan()
    good = [holder(plan, f"learner{number}@example.com") for number in range(99)]
    bad = holder(plan, "no-address")

    ran = unlink()

    assert (ran.code, ran.summary["unlinked"], ran.summary["waiting"]) == (1, 99, 1)
    assert not any(is_linked(license) for license in good)
    assert is_linked(bad)
    dead = OutboxMessage.objects.get(status="dead")
    assert (dead.reason, dead.payload["rows"]) == ("http_400", [LearnerUnlink.objects.get().pk])
    # A hundred, then both halves of what was refused: 50, 25, 12, 6, 3, 1.
    assert len(lms.calls_to("unlink_users")) == 13


def test_what_staff_gave_up_is_not_asked_for_again(lms: Lms) -> None:
    holder(processed_plan(), "no-address")
    unlink()
    dead = OutboxMessage.objects.get(status="dead")
    staff = LearnerFactory.create(is_staff=True)

    outbox.settle([dead.pk], verdict=Verdict.GIVE_UP, actor=staff, reason="Gone.", at=AT)
    calls = len(lms.calls)
    ran = unlink()

    assert (ran.code, kept(ran), len(lms.calls)) == (0, {"given_up": 1}, calls)


def test_what_staff_marked_as_done_is_done(lms: Lms) -> None:
    license = holder(processed_plan(), "no-address")
    unlink()
    dead = OutboxMessage.objects.get(status="dead")
    staff = LearnerFactory.create(is_staff=True)

    outbox.settle([dead.pk], verdict=Verdict.MARK_DONE, actor=staff, reason="By hand.", at=AT)

    assert not is_linked(license)
    assert unlink().code == 0


def test_one_learner_on_whom_the_lms_stumbles_holds_up_nobody_for_ever(lms: Lms) -> None:
    plan = processed_plan()
    good = [holder(plan, f"learner{number}@example.com") for number in range(7)]
    bad = holder(plan, "poison@example.com")
    lms.fail(500, path="unlink_users", body="poison")

    for days in range(12):
        unlink(at=AT + days * DAY)

    assert not any(is_linked(license) for license in good)
    assert is_linked(bad)


def test_one_customers_trouble_stops_only_its_own_learners(lms: Lms) -> None:
    plans = [processed_plan() for _ in range(10)]
    for plan in plans:
        for number in range(2):
            holder(plan, f"learner{number}@example.com")
    down = plans[3].customer_agreement.customer
    lms.fail(500, path=str(down.uuid))

    ran = unlink()

    assert (ran.code, ran.summary["unlinked"], ran.summary["waiting"]) == (1, 18, 2)
    left = CustomerLearner.objects.filter(status=LinkStatus.LINKED)
    assert set(left.values_list("customer", flat=True)) == {down.pk}


def test_the_breaker_stops_calling_after_five_failures(lms: Lms) -> None:
    plan = processed_plan()
    customer = plan.customer_agreement.customer
    emails = [f"learner{number}@example.com" for number in range(5_100)]
    License.objects.bulk_create(
        LicenseFactory.build(
            activated=True, subscription_plan=plan, user_email=email, lms_user_id=None
        )
        for email in emails
    )
    lms.fail(500, path=str(customer.uuid))

    ran = unlink()

    assert (ran.code, ran.summary["waiting"]) == (1, 5_100)
    assert len(lms.calls_to("unlink_users")) == 5
    breaker = OutboxBreaker.objects.get()
    assert (breaker.scope, breaker.failures) == (str(customer.uuid), 5)

    lms.recover()
    assert unlink(at=AT + DAY).summary["unlinked"] == 5_100


def test_a_lost_answer_is_asked_for_again(lms: Lms) -> None:
    license = holder(processed_plan())
    lms.fail(0, path="unlink_users", after_work=True, times=1)

    assert unlink().code == 1
    assert is_linked(license)
    assert unlink(at=AT + SECOND).code == 0
    assert not is_linked(license)


# --- Again ------------------------------------------------------------------------------------------


def test_a_second_run_asks_nobody(lms: Lms) -> None:
    holder(processed_plan())
    unlink()
    calls = len(lms.calls)

    ran = unlink()

    assert (ran.code, ran.summary["learners"], len(lms.calls)) == (0, 0, calls)


def test_who_was_linked_again_is_unlinked_again_when_the_next_license_expired(lms: Lms) -> None:
    license = holder(processed_plan())
    unlink()
    customer = customer_of(license)
    link_learners(customer=customer, emails=[license.user_email], by=by_at(AT + DAY))
    assert is_linked(license)
    assert unlink(at=AT + 2 * DAY).summary["learners"] == 0

    agreement = license.subscription_plan.customer_agreement
    holder(processed_plan(AT + 10 * DAY, customer_agreement=agreement))
    assert unlink(at=AT + 100 * DAY).summary["learners"] == 0
    ran = unlink(at=AT + 100 * DAY + SECOND)

    assert (ran.code, ran.summary["unlinked"], is_linked(license)) == (0, 1, False)
    assert asked(lms) == [license.user_email] * 2


def test_learners_are_found_before_their_addresses_are_forgotten(lms: Lms) -> None:
    license = holder(processed_plan())
    retire = ("retire_old_licenses", "--as-of", AT.isoformat())

    run_command(*retire)
    assert unlink().summary["unlinked"] == 1
    assert asked(lms) == ["anna@example.com"]

    run_command(*retire)
    license.refresh_from_db()
    assert license.user_email == ""
    assert not License.history.exclude(user_email="").exists()


# --- Without an LMS, dry, and silent -------------------------------------------------------------------


def test_without_an_lms_the_portal_ends_the_link_itself() -> None:
    license = holder(processed_plan())

    ran = unlink()

    assert (ran.code, ran.summary["unlinked"], is_linked(license)) == (0, 1, False)
    message = OutboxMessage.objects.get()
    assert (message.status, message.reason) == ("skipped", "no_lms")


def test_tells_who_was_unlinked(lms: Lms) -> None:
    heard: list[Any] = []

    def hear(items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.extend(items)

    license = holder(processed_plan())
    learner_unlinked.connect(hear)
    try:
        unlink()
    finally:
        learner_unlinked.disconnect(hear)

    assert [(fact.customer_learner_id, fact.customer_id, fact.user_id) for fact in heard] == [
        (link_of(license).pk, customer_of(license).pk, None)
    ]


def test_a_dry_run_counts_what_the_run_then_does(lms: Lms) -> None:
    plan = processed_plan(expiration_processed=False)
    for number in range(3):
        holder(plan, f"learner{number}@example.com")
    holder(processed_plan(AT - DAY))

    alone, both = unlink("--dry-run"), expire_and_unlink("--dry-run")
    assert kept(alone) == {"downgrade_open": 3, "too_recent": 1}
    assert (alone.code, both.code, lms.calls) == (0, 0, [])
    assert not OutboxMessage.objects.exists()
    assert not LicenseDowngrade.objects.exists()
    assert not JobRun.objects.exists()

    did = expire_and_unlink()
    assert did.summary == both.summary
    assert did.summary["unlinked"]["unlinked"] == 3


def test_logs_and_records_of_the_run_name_nobody(
    lms: Lms, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    plan = processed_plan(expiration_processed=False)
    holder(plan)
    holder(plan, "no-address")
    lms.fail(500, path="unlink_users", times=1)

    expire_and_unlink()
    expire_and_unlink(at=AT + SECOND)

    said = caplog.text + "".join(capfd.readouterr())
    assert "remote_call" in said
    kept_for_good = [
        *JobRun.objects.values_list("arguments", "counters"),
        *OutboxMessage.objects.values_list("payload", "dedupe_key", "key", "scope", "reason"),
        *LicenseEvent.objects.values_list("event_name", "cause"),
    ]
    ours = "\n".join(
        record.getMessage() + str(vars(record))
        for record in caplog.records
        if not record.name.startswith(("factory", "django.db", "faker"))
    )
    for text in (ours, str(kept_for_good)):
        assert "anna" not in text
        assert "no-address" not in text


@pytest.mark.parametrize("learners", [1, 50])
def test_the_number_of_statements_does_not_grow_with_the_learners(lms: Lms, learners: int) -> None:
    plan = processed_plan()
    for number in range(learners):
        holder(plan, f"learner{number}@example.com")

    with CaptureQueriesContext(connection) as captured:
        assert unlink().summary["unlinked"] == learners

    statements = [q["sql"] for q in captured if "SAVEPOINT" not in q["sql"]]
    assert len(statements) == 30

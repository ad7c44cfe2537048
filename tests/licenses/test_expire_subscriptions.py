"""`expire_subscriptions`: plans that ended are processed, and their licenses downgraded once."""

from datetime import timedelta
from typing import Any

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from credentials_portal.devlms import StandInLms
from licenses.enums import EXPIRED
from licenses.models import (
    License,
    LicenseDowngrade,
    LicenseEvent,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from licenses.signals import license_expired, subscription_plan_expired
from tests.letters.commands import Ran, run_command
from tests.licenses.factories import (
    AT,
    DAY,
    HOUR,
    INSTANT,
    LicenseFactory,
    PlanFactory,
    RenewalFactory,
)
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
Lms = StandInLms


def expire(*arguments: object) -> Ran:
    at = () if "--as-of" in arguments else ("--as-of", AT.isoformat())
    return run_command("expire_subscriptions", *arguments, *at)


def ended_plan(licenses: int = 2, **fields: Any) -> SubscriptionPlan:
    plan = PlanFactory.create(**{"expired": True, **fields})
    LicenseFactory.create_batch(licenses, activated=True, subscription_plan=plan)
    return plan


def uuids(*plans: SubscriptionPlan) -> set[str]:
    found = License.objects.filter(subscription_plan__in=plans)
    return {str(uuid) for uuid in found.values_list("uuid", flat=True)}


def is_processed(plan: SubscriptionPlan) -> bool:
    plan.refresh_from_db()
    return plan.expiration_processed


def renewed(plan: SubscriptionPlan, **fields: Any) -> SubscriptionPlan:
    """A plan that renewed this one already."""
    later = PlanFactory.create(
        customer_agreement=plan.customer_agreement, start_date=plan.expiration_date, **fields
    )
    RenewalFactory.create(
        prior_subscription_plan=plan,
        renewed_subscription_plan=later,
        processed=True,
        processed_datetime=plan.expiration_date,
    )
    return later


# --- Which plans --------------------------------------------------------------------------------


def test_a_plan_ends_at_its_expiration_and_not_before(lms: Lms) -> None:
    plan = ended_plan(expiration_date=AT)

    before = expire("--as-of", (AT - INSTANT).isoformat())
    assert (before.summary["expired"]["plans"]["due"], lms.calls) == (0, [])
    assert plan.is_current(AT - INSTANT)

    at_its_end = expire("--as-of", AT.isoformat())
    assert at_its_end.summary["expired"]["plans"]["due"] == 1
    assert not plan.is_current(AT)
    assert is_processed(plan)


def test_days_that_were_missed_are_made_up_for(lms: Lms) -> None:
    plans = [ended_plan(expiration_date=AT - days * DAY) for days in (1, 2, 3, 120)]

    ran = expire()

    assert (ran.code, ran.summary["expired"]["processed"]) == (0, 4)
    assert all(is_processed(plan) for plan in plans)
    assert lms.downgraded == uuids(*plans)


def test_tells_the_lms_what_the_old_service_told_it(lms: Lms) -> None:
    old = ended_plan(1, expiration_date=AT - 2 * DAY)
    fresh = ended_plan(1, expiration_date=AT - HOUR)

    expire()

    # Of a plan that has just ended it is too early to tell what was enrolled anew since.
    assert [call.body for call in lms.calls_to("bulk_licensed_enrollments_expiration")] == [
        {
            "expired_license_uuids": list(uuids(old)),
            "ignore_enrollments_modified_after": "2025-05-30T12:00:00+00:00",
        },
        {"expired_license_uuids": list(uuids(fresh)), "ignore_enrollments_modified_after": None},
    ]


def test_only_licenses_that_somebody_holds_are_downgraded_a_hundred_a_call(lms: Lms) -> None:
    plan = ended_plan(101)
    LicenseFactory.create(subscription_plan=plan)
    LicenseFactory.create(revoked=True, subscription_plan=plan)

    expire()

    calls = lms.calls_to("bulk_licensed_enrollments_expiration")
    assert sorted(len(call.body["expired_license_uuids"]) for call in calls) == [1, 100]
    assert len(lms.downgraded) == 101


def test_a_plan_without_learners_is_processed_without_a_call(lms: Lms) -> None:
    plan = ended_plan(0)

    ran = expire()

    assert (ran.code, is_processed(plan), lms.calls) == (0, True, [])


def test_a_second_run_changes_nothing(lms: Lms) -> None:
    ended_plan()
    expire()
    calls = len(lms.calls)

    ran = expire()

    assert (ran.code, ran.summary["expired"]["plans"]["due"]) == (0, 0)
    assert len(lms.calls) == calls


# --- Renewals -------------------------------------------------------------------------------------


def test_a_renewed_plan_is_not_expired(lms: Lms) -> None:
    plan = ended_plan()
    renewed(plan)

    ran = expire()

    assert (ran.code, ran.summary["expired"]["plans"]["renewed"]) == (0, 1)
    assert (is_processed(plan), lms.calls) == (False, [])


def test_the_end_of_a_chain_expires_its_prior_plans_once(lms: Lms) -> None:
    first = ended_plan(expiration_date=AT - 60 * DAY)
    second = renewed(first, expiration_date=AT - 30 * DAY)
    last = renewed(second, expiration_date=AT - DAY)
    LicenseFactory.create(activated=True, subscription_plan=second)
    LicenseFactory.create(activated=True, subscription_plan=last)

    ran = expire()
    again = expire()

    assert (ran.summary["expired"]["processed"], again.summary["expired"]["plans"]["due"]) == (3, 0)
    assert all(is_processed(plan) for plan in (first, second, last))
    told = [
        uuid
        for call in lms.calls_to("bulk_licensed_enrollments_expiration")
        for uuid in call.body["expired_license_uuids"]
    ]
    assert sorted(told) == sorted(uuids(first, second, last))


@pytest.mark.parametrize(
    ("overdue", "verdict", "code"),
    [(48 * HOUR - SECOND, "renewal_waits", 0), (48 * HOUR, "stuck_renewal", 1)],
)
def test_an_overdue_renewal_is_waited_for_and_then_reported(
    lms: Lms, overdue: timedelta, verdict: str, code: int
) -> None:
    plan = ended_plan(expiration_date=AT - overdue)
    RenewalFactory.create(prior_subscription_plan=plan)

    ran = expire()

    assert (ran.code, ran.summary["expired"]["plans"][verdict]) == (code, 1)
    assert (is_processed(plan), lms.calls) == (False, [])


def test_a_stuck_renewal_is_expired_when_asked_for(lms: Lms) -> None:
    plan = ended_plan(expiration_date=AT - 3 * DAY)
    RenewalFactory.create(prior_subscription_plan=plan)

    ran = expire("--expire-stuck-renewals")

    assert (ran.code, is_processed(plan)) == (0, True)
    assert lms.downgraded == uuids(plan)
    assert not SubscriptionPlanRenewal.objects.get().processed


# --- What is recorded -------------------------------------------------------------------------------


def test_marks_and_announces_what_expired(lms: Lms) -> None:
    heard: list[tuple[str, Any]] = []

    def hear_license(items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.extend(("license", item.license_id) for item in items)

    def hear_plan(items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.extend(("plan", item.plan_id) for item in items)

    plan = ended_plan(2)
    kept = License.objects.filter(subscription_plan=plan).order_by("pk")[0]
    gone = License.objects.filter(subscription_plan=plan).order_by("pk")[1]
    gone.renewed_to = LicenseFactory.create(activated=True)
    gone.save()
    license_expired.connect(hear_license)
    subscription_plan_expired.connect(hear_plan)

    try:
        expire()
        expire("--force")
    finally:
        license_expired.disconnect(hear_license)
        subscription_plan_expired.disconnect(hear_plan)

    assert heard == [("license", kept.pk), ("plan", plan.pk)]
    assert [event.license_id for event in LicenseEvent.objects.filter(event_name=EXPIRED)] == [
        kept.pk
    ]
    last = SubscriptionPlan.history.filter(id=plan.pk).latest("history_id")
    assert (last.expiration_processed, last.cause) == (True, "outbox:licenses.downgrade")
    assert rows_without_true_history(SubscriptionPlan) == 0


# --- An LMS in trouble ---------------------------------------------------------------------------


def test_what_failed_stays_open_and_the_next_run_finishes_it(lms: Lms) -> None:
    plans = [ended_plan(1) for _ in range(20)]
    lms.fail(500, path="bulk_licensed_enrollments_expiration", every=10)

    ran = expire()
    assert (ran.code, ran.summary["expired"]["open_downgrades"]) == (1, 2)
    assert [is_processed(plan) for plan in plans].count(False) == 2

    lms.recover()
    again = expire()
    assert (again.code, again.summary["expired"]["open_downgrades"]) == (0, 0)
    assert all(is_processed(plan) for plan in plans)
    assert lms.downgraded == uuids(*plans)


def test_a_license_that_the_lms_cannot_downgrade_stands_alone(lms: Lms) -> None:
    plan = ended_plan(100)
    bad = License.objects.filter(subscription_plan=plan).order_by("pk")[42]
    lms.undowngradable.add(str(bad.uuid))

    ran = expire()

    assert (ran.code, ran.summary["expired"]["open_downgrades"]) == (1, 1)
    assert LicenseDowngrade.objects.get(finished_at=None).license_id == bad.pk
    assert lms.downgraded == uuids(plan) - {str(bad.uuid)}
    assert not is_processed(plan)
    waiting = OutboxMessage.objects.get(status="pending")
    assert (waiting.payload["rows"], waiting.reason) == ([bad.pk], "http_422")

    lms.undowngradable.clear()
    assert expire().code == 0
    assert is_processed(plan)


def test_a_plan_that_was_prolonged_meanwhile_is_left_alone(lms: Lms) -> None:
    plan = ended_plan()
    lms.fail(503)
    expire()
    SubscriptionPlan.objects.filter(pk=plan.pk).update(expiration_date=AT + DAY)
    lms.recover()

    ran = expire()

    assert (ran.code, is_processed(plan), lms.downgraded) == (0, False, set())
    assert not LicenseDowngrade.objects.exists()
    assert OutboxMessage.objects.get().reason == "not_wanted"
    assert expire("--as-of", (AT + DAY).isoformat()).code == 0
    assert lms.downgraded == uuids(plan)


def test_a_renewal_that_was_arranged_meanwhile_comes_first(lms: Lms) -> None:
    plan = ended_plan()
    lms.fail(503)
    expire()
    RenewalFactory.create(prior_subscription_plan=plan, effective_date=AT + HOUR)
    lms.recover()

    ran = expire()

    assert (ran.code, ran.summary["expired"]["plans"]["renewal_waits"]) == (0, 1)
    assert (is_processed(plan), lms.downgraded) == (False, set())
    assert not LicenseDowngrade.objects.exists()


def test_without_an_lms_plans_are_processed_and_what_was_not_sent_is_seen() -> None:
    plan = ended_plan()

    ran = expire()

    assert (ran.code, is_processed(plan)) == (0, True)
    message = OutboxMessage.objects.get()
    assert (message.status, message.reason) == ("skipped", "no_lms")
    assert message.payload == {
        "plan": plan.pk,
        "rows": sorted(plan.licenses.values_list("pk", flat=True)),
    }
    assert message.scope == str(plan.customer_agreement.customer.uuid)


# --- Options of the old service ----------------------------------------------------------------------


def test_a_window_narrows_what_is_looked_at(lms: Lms) -> None:
    old, new = ended_plan(expiration_date=AT - 10 * DAY), ended_plan(expiration_date=AT - DAY)

    expire("--expired-after", "2025-05-28T00:00:00", "--expired-before", "2025-06-01T00:00:00")

    assert (is_processed(old), is_processed(new)) == (False, True)


def test_a_window_in_the_future_is_refused() -> None:
    assert expire("--expired-before", (AT + DAY).isoformat()).code == 2


def test_named_plans_are_expired_again(lms: Lms) -> None:
    plan, other = ended_plan(), ended_plan()
    expire()
    lms.downgraded.clear()

    ran = expire("--subscription-uuids", plan.uuid)

    assert (ran.code, lms.downgraded) == (0, uuids(plan))
    assert is_processed(other)


def test_an_unknown_plan_is_an_error() -> None:
    ran = expire("--subscription-uuids", "00000000-0000-0000-0000-00000000000a")

    assert (ran.code, ran.error) == (
        2,
        "There is no subscription plan 00000000-0000-0000-0000-00000000000a.",
    )


def test_force_downgrades_again_what_was_processed(lms: Lms) -> None:
    plan = ended_plan()
    expire()
    lms.downgraded.clear()

    ran = expire("--force")

    assert (ran.code, lms.downgraded) == (0, uuids(plan))
    assert ran.summary["expired"]["open_downgrades"] == 0


@pytest.mark.parametrize("dry", [["--dry-run"], ["--dry-run", "True"], ["--dry-run=true"]])
def test_a_dry_run_counts_what_the_run_then_does(lms: Lms, dry: list[str]) -> None:
    ended_plan(3)
    renewed(ended_plan())

    would = expire(*dry)
    assert (would.code, lms.calls) == (0, [])
    assert not OutboxMessage.objects.exists()
    assert not JobRun.objects.exists()

    did = expire("--dry-run", "False")
    assert did.summary == would.summary
    assert did.summary["expired"] == {
        "plans": {"due": 1, "renewed": 1, "renewal_waits": 0, "stuck_renewal": 0},
        "licenses": 3,
        "processed": 1,
        "open_downgrades": 0,
    }
    assert len(lms.downgraded) == 3

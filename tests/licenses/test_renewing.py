"""Licenses carried into the plan that follows, by a service and by `process_renewals`."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun
from licenses.models import License, SubscriptionPlan, SubscriptionPlanRenewal
from licenses.services import (
    RenewalNotFoundError,
    RenewalRefusedError,
    activate_license,
    process_renewal,
)
from licenses.signals import license_renewed
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    ENDS,
    HOUR,
    INSTANT,
    AgreementFactory,
    LearnerFactory,
    LicenseFactory,
    PlanFactory,
    RenewalFactory,
    activate,
    assign,
    by_at,
    emails,
    plan_with_seats,
    refresh,
    refuse,
    statuses,
)

pytestmark = pytest.mark.django_db


def process(renewal: SubscriptionPlanRenewal, at: datetime = AT) -> SubscriptionPlan:
    processed = process_renewal(renewal_id=renewal.pk, by=by_at(at))
    assert processed.renewed_subscription_plan
    renewal.refresh_from_db()
    return processed.renewed_subscription_plan


def refusal(renewal: SubscriptionPlanRenewal) -> str:
    """Why it is refused; nothing changes."""
    plans, licenses = SubscriptionPlan.objects.count(), License.objects.count()
    with pytest.raises(RenewalRefusedError) as refused:
        process_renewal(renewal_id=renewal.pk, by=BY)
    renewal.refresh_from_db()
    assert not renewal.processed
    assert (SubscriptionPlan.objects.count(), License.objects.count()) == (plans, licenses)
    assert refused.value.details == {"reason": refused.value.reason}
    return refused.value.reason


# --- Copying -----------------------------------------------------------------------------------


def test_copies_licenses_into_a_new_plan(announced: Heard) -> None:
    prior = plan_with_seats(4, capped=True, revoke_max_percentage=7)
    pending, active = assign(prior, "pending@example.com", "active@example.com")
    activate(active)
    renewal = RenewalFactory.create(
        prior_subscription_plan=prior,
        number_of_licenses=5,
        salesforce_opportunity_id="00k000000000000001",
    )

    renewed = process(renewal, at=AT + DAY)

    assert renewed.title == f"{prior.title} - Renewal 2026"
    assert (renewed.start_date, renewed.expiration_date) == (ENDS, ENDS + 365 * DAY)
    for name in ("enterprise_catalog_uuid", "is_active", "is_revocation_cap_enabled"):
        assert getattr(renewed, name) == getattr(prior, name)
    assert renewed.revoke_max_percentage == 7
    assert renewed.salesforce_opportunity_line_item == "00k000000000000001"
    assert (renewal.processed, renewal.processed_datetime) == (True, AT + DAY)
    assert statuses(renewed) == {"activated": 1, "assigned": 1, "unassigned": 3}
    refresh([pending, active])
    copies = [License.objects.get(renewed_from=before) for before in (pending, active)]
    for before, after in zip((pending, active), copies, strict=True):
        assert (after.status, after.user_email) == (before.status, before.user_email)
        assert after.lms_user_id == before.lms_user_id
        assert after.activation_key == before.activation_key
        assert after.assigned_date == AT + DAY
    assert [copy.activation_date for copy in copies] == [None, ENDS]
    assert statuses(prior) == {"activated": 1, "assigned": 1, "unassigned": 2}
    signal, facts = announced[-1]
    assert signal is license_renewed
    assert [(fact.license_id, fact.previous_license_id) for fact in facts] == [
        (copies[0].pk, pending.pk),
        (copies[1].pk, active.pk),
    ]
    for model in (License, SubscriptionPlan, SubscriptionPlanRenewal):
        assert rows_without_true_history(model) == 0


def test_a_copied_license_is_activated_by_the_key_that_the_learner_has() -> None:
    prior = plan_with_seats(1)
    (before,) = assign(prior, "ann@example.com")
    process(RenewalFactory.create(prior_subscription_plan=prior))
    ann = LearnerFactory.create(email="ann@example.com")
    assert before.activation_key

    license = activate_license(activation_key=before.activation_key, user=ann, by=by_at(ENDS + DAY))

    before.refresh_from_db()
    assert (license.pk, license.status) == (before.renewed_to_id, "activated")
    assert before.status == "assigned"


@pytest.mark.parametrize(
    ("types", "copied"),
    [
        ("assigned_and_activated", {"activated": 1, "assigned": 1, "unassigned": 8}),
        ("activated", {"activated": 1, "unassigned": 9}),
        ("nothing", {"unassigned": 10}),
    ],
)
def test_copies_the_kinds_of_licenses_that_the_renewal_names(
    types: str, copied: dict[str, int]
) -> None:
    prior = plan_with_seats(3)
    active, _pending = assign(prior, "active@example.com", "pending@example.com")
    activate(active)

    renewed = process(
        RenewalFactory.create(prior_subscription_plan=prior, license_types_to_copy=types)
    )

    assert statuses(renewed) == copied


def test_fills_a_plan_that_exists_already() -> None:
    prior = plan_with_seats(1)
    assign(prior, "ann@example.com")
    existing = plan_with_seats(2, future=True, customer_agreement=prior.customer_agreement)

    renewed = process(
        RenewalFactory.create(
            prior_subscription_plan=prior, renewed_subscription_plan=existing, number_of_licenses=3
        )
    )

    assert renewed == existing
    assert statuses(existing) == {"assigned": 1, "unassigned": 2}


def test_processing_again_changes_nothing(announced: Heard) -> None:
    prior = plan_with_seats(1)
    assign(prior, "ann@example.com")
    renewal = RenewalFactory.create(prior_subscription_plan=prior)
    renewed = process(renewal)
    heard, history = len(announced), License.history.count()

    assert process(renewal, at=AT + DAY) == renewed

    assert renewal.processed_datetime == AT
    assert (len(announced), License.history.count()) == (heard, history)


@pytest.mark.parametrize(("disables", "gives"), [(False, True), (True, False)])
def test_the_renewed_plan_gives_licenses_by_itself_from_now_on(disables: bool, gives: bool) -> None:
    prior = plan_with_seats(1, auto_applied=True)

    renewed = process(
        RenewalFactory.create(prior_subscription_plan=prior, disable_auto_apply_licenses=disables)
    )

    prior.refresh_from_db()
    renewed.refresh_from_db()
    assert (prior.should_auto_apply_licenses, renewed.should_auto_apply_licenses) == (False, gives)
    assert rows_without_true_history(SubscriptionPlan) == 0


def test_a_long_title_leaves_room_for_the_year() -> None:
    prior = plan_with_seats(0, title="T" * 128)

    renewed = process(RenewalFactory.create(prior_subscription_plan=prior))

    assert len(renewed.title) == 128
    assert renewed.title.endswith("T - Renewal 2026")


@pytest.mark.parametrize("count", [1, 50])
def test_renews_in_a_fixed_number_of_statements(statements: Statements, count: int) -> None:
    prior = plan_with_seats(50)
    assign(prior, *emails(count))
    renewal = RenewalFactory.create(prior_subscription_plan=prior, number_of_licenses=60)

    with statements.counted() as texts:
        process(renewal)

    assert len(texts) == 21


# --- Refusing ----------------------------------------------------------------------------------


def test_refuses_fewer_licenses_than_are_copied() -> None:
    prior = plan_with_seats(3)
    assign(prior, *emails(3))

    renewal = RenewalFactory.create(prior_subscription_plan=prior, number_of_licenses=2)

    assert refusal(renewal) == "too_few_licenses"


@pytest.mark.parametrize(
    ("trait", "reason"),
    [
        ("assigned", "licenses_in_use"),
        ("activated", "licenses_in_use"),
        ("revoked", "licenses_in_use"),
    ],
)
def test_refuses_a_renewed_plan_whose_licenses_are_in_use(trait: str, reason: str) -> None:
    existing = PlanFactory.create(future=True)
    LicenseFactory.create(subscription_plan=existing, **{trait: True})

    assert refusal(RenewalFactory.create(renewed_subscription_plan=existing)) == reason


def test_refuses_a_renewed_plan_that_is_larger_than_the_renewal() -> None:
    existing = plan_with_seats(3, future=True)

    renewal = RenewalFactory.create(renewed_subscription_plan=existing, number_of_licenses=2)

    assert refusal(renewal) == "more_licenses_than_renewed"


def test_refuses_a_title_that_the_customer_has() -> None:
    prior = plan_with_seats(0)
    PlanFactory.create(
        customer_agreement=prior.customer_agreement, title=f"{prior.title} - Renewal 2026"
    )

    assert refusal(RenewalFactory.create(prior_subscription_plan=prior)) == "title_taken"


def test_refuses_more_licenses_than_a_plan_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("licenses.services.renewing.MAX_LICENSES", 3)

    assert refusal(RenewalFactory.create(number_of_licenses=4)) == "too_many_licenses"
    internal = PlanFactory.create(internal=True)
    process(RenewalFactory.create(prior_subscription_plan=internal, number_of_licenses=4))


def test_an_unknown_renewal_is_none() -> None:
    with pytest.raises(RenewalNotFoundError):
        process_renewal(renewal_id=0, by=BY)


# --- process_renewals --------------------------------------------------------------------------


def command(*options: object, at: datetime = AT) -> Ran:
    return run_command("process_renewals", "--as-of", at.isoformat(), *options)


def renewal_at(effective: datetime, **fields: Any) -> SubscriptionPlanRenewal:
    plan = plan_with_seats(1, expiration_date=effective)
    return RenewalFactory.create(prior_subscription_plan=plan, **fields)


def is_processed(renewal: SubscriptionPlanRenewal) -> bool:
    renewal.refresh_from_db()
    return renewal.processed


@pytest.mark.parametrize(
    ("effective", "options", "is_taken"),
    [
        (AT, (), True),
        (AT + 12 * HOUR, (), True),
        (AT + 12 * HOUR + INSTANT, (), False),
        (AT + 24 * HOUR, ("--processing-window-length-hours", 24), True),
        (AT + HOUR, ("--processing-window-length-hours", 0), False),
        (AT - 40 * DAY, (), True),
    ],
)
def test_takes_what_takes_effect_within_the_window_or_is_overdue(
    effective: datetime, options: tuple[object, ...], is_taken: bool
) -> None:
    renewal = renewal_at(effective)

    ran = command(*options)

    assert is_processed(renewal) is is_taken
    assert (ran.code, ran.summary["processed"]) == (0, int(is_taken))


def test_leaves_out_what_is_processed_by_hand() -> None:
    renewal = renewal_at(AT, exempt_from_batch_processing=True)

    assert command().summary["due"] == 0
    assert not is_processed(renewal)


def test_one_that_fails_stops_nobody(tmp_path: Path) -> None:
    first, bad, last = (renewal_at(AT + number * HOUR) for number in range(3))
    taken = f"{bad.prior_subscription_plan.title} - Renewal 2025"
    agreement = bad.prior_subscription_plan.customer_agreement
    PlanFactory.create(customer_agreement=agreement, title=taken)
    report = tmp_path / "renewals.csv"

    ran = command("--output", report)

    assert [is_processed(renewal) for renewal in (first, bad, last)] == [True, False, True]
    assert ran.code == 1
    assert ran.summary == {
        "due": 3,
        "processed": 2,
        "failed": 1,
        "reasons": {"title_taken": 1},
        "stuck": 0,
    }
    assert [line.split(",")[3:] for line in report.read_text().splitlines()] == [
        ["outcome", "reason"],
        ["processed", ""],
        ["failed", "title_taken"],
        ["processed", ""],
    ]
    assert JobRun.objects.get().outcome == "failed_items"


def test_what_the_database_refuses_stops_nobody() -> None:
    bad = renewal_at(AT, renewed_plan_title="Refused")
    good = renewal_at(AT + HOUR)
    refuse("licenses_subscriptionplan", "title = 'Refused'")

    ran = command()

    assert (ran.code, ran.summary["reasons"]) == (1, {"unexpected_error": 1})
    assert [is_processed(bad), is_processed(good)] == [False, True]


@pytest.mark.parametrize(
    ("overdue", "stuck"), [(48 * HOUR - INSTANT, 0), (48 * HOUR, 1), (30 * DAY, 1)]
)
def test_what_is_overdue_and_nobody_processed_is_told(overdue: timedelta, stuck: int) -> None:
    renewal_at(AT - overdue, exempt_from_batch_processing=True)

    ran = command()

    assert (ran.summary["stuck"], ran.code) == (stuck, stuck)


def test_one_that_fails_for_long_is_counted_once() -> None:
    renewal = renewal_at(AT - 30 * DAY, number_of_licenses=0)
    assign(renewal.prior_subscription_plan, "ann@example.com")

    ran = command()

    assert ran.code == 1
    assert (ran.summary["failed"], ran.summary["stuck"]) == (1, 0)


@pytest.mark.parametrize("options", [("--dry-run",), ("--dry-run", "True"), ("--dry-run=true",)])
def test_a_dry_run_changes_nothing_and_counts_the_same(options: tuple[str, ...]) -> None:
    good, bad = renewal_at(AT), renewal_at(AT, number_of_licenses=0)
    assign(bad.prior_subscription_plan, "ann@example.com")

    dry = command(*options)

    assert not is_processed(good)
    assert not JobRun.objects.exists()
    assert dry.summary == command().summary
    assert dry.summary["processed"] == 1


def test_a_dry_run_that_is_false_is_a_real_one() -> None:
    renewal = renewal_at(AT)

    assert command("--dry-run", "False").summary["processed"] == 1
    assert is_processed(renewal)


def test_a_second_run_finds_nothing() -> None:
    renewal_at(AT)

    assert command().summary["processed"] == 1
    assert command(at=timezone.now()).summary["due"] == 0


def test_the_next_renewal_follows_the_plan_that_the_first_one_made() -> None:
    agreement = AgreementFactory.create()
    first = plan_with_seats(2, customer_agreement=agreement)
    assign(first, "ann@example.com")
    second = process(RenewalFactory.create(prior_subscription_plan=first))
    third = process(RenewalFactory.create(prior_subscription_plan=second))

    chain = License.objects.filter(user_email="ann@example.com").order_by("pk")
    assert [license.subscription_plan_id for license in chain] == [first.pk, second.pk, third.pk]
    assert [license.renewed_to_id for license in chain] == [chain[1].pk, chain[2].pk, None]

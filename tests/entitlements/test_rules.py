"""The one rule, to the instant: the truth tables of the old service, and what they leave open."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements.enums import EntitlementStatus, ExpiryReason
from entitlements.rules import DEFAULT_PERIODS, Decision, Facts, Periods, RunFacts, evaluate
from tests.entitlements.factories import DAY, INSTANT, SOLD

NONE = timedelta(0)
RUN = RunFacts(start=SOLD, joined_at=SOLD)
ENDS = [SOLD + days * DAY for days in (0, 3, 15, 61, 730, 800)]


def judged(
    at: datetime, *, run: RunFacts | None = None, periods: Periods = DEFAULT_PERIODS, **fields: Any
) -> Decision:
    fields = {"created": SOLD, "order_number": "EDX-1", "run": run, **fields}
    return evaluate(Facts(**fields), periods, at)


# --- Not used yet ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "days_left", "is_redeemable", "is_refundable"),
    [
        (NONE, 730, True, True),
        (60 * DAY - INSTANT, 670, True, True),
        (60 * DAY, 670, True, True),
        (60 * DAY + INSTANT, 669, True, True),
        (61 * DAY - INSTANT, 669, True, True),
        (61 * DAY, 669, True, False),
        (729 * DAY, 1, True, False),
        (730 * DAY - INSTANT, 0, True, False),
        (730 * DAY, 0, False, False),
    ],
)
def test_an_unused_one_at_each_boundary(
    age: timedelta, days_left: int, is_redeemable: bool, is_refundable: bool
) -> None:
    decision = judged(SOLD + age)

    assert decision.status == EntitlementStatus.AVAILABLE
    assert decision.days_until_expiration == days_left
    assert decision.is_redeemable is is_redeemable
    assert decision.is_refundable is is_refundable
    assert not decision.is_regainable
    assert decision.expires_at == SOLD + 730 * DAY
    assert decision.regain_until is None
    assert decision.refundable_until == SOLD + 61 * DAY


def test_an_unused_one_has_lapsed_the_instant_after_its_period() -> None:
    decision = judged(SOLD + 730 * DAY + INSTANT)

    assert decision.status == EntitlementStatus.LAPSED
    assert decision.days_until_expiration == -1
    assert (decision.expired_at, decision.expired_reason) == (SOLD + 730 * DAY, ExpiryReason.PERIOD)
    assert not decision.is_redeemable
    assert not decision.is_refundable


@pytest.mark.parametrize("fields", [{"refund_locked": True}, {"order_number": None}])
def test_what_is_locked_or_was_not_bought_is_never_refundable(fields: dict[str, Any]) -> None:
    decision = judged(SOLD, **fields)

    assert not decision.is_refundable
    assert decision.refundable_until is None
    assert decision.is_redeemable


def test_an_end_that_was_moved_counts_instead_of_the_period() -> None:
    until = SOLD + 900 * DAY

    last = judged(until - INSTANT, extended_until=until)
    after = judged(until + INSTANT, extended_until=until)

    assert (last.is_redeemable, last.expires_at, last.days_until_expiration) == (True, until, 0)
    assert (after.expired_at, after.expired_reason) == (until, ExpiryReason.PERIOD)


# --- Used for a run ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "days_left"),
    [
        (-30 * DAY, 44),
        (NONE, 14),
        (14 * DAY - INSTANT, 1),
        (14 * DAY, 0),
        (14 * DAY + INSTANT, 0),
        (15 * DAY - INSTANT, 0),
    ],
)
def test_a_session_can_be_left_through_the_whole_of_day_14(
    since: timedelta, days_left: int
) -> None:
    began = SOLD + 30 * DAY

    decision = judged(began + since, run=RunFacts(start=began, joined_at=SOLD))

    assert decision.status == EntitlementStatus.REDEEMED
    assert decision.days_until_expiration == days_left
    assert decision.is_regainable
    assert decision.is_refundable
    assert not decision.is_redeemable
    assert decision.regain_until == decision.expires_at == began + 15 * DAY


def test_a_session_cannot_be_left_from_day_15() -> None:
    decision = judged(SOLD + 15 * DAY, run=RUN)

    assert decision.status == EntitlementStatus.SPENT
    assert decision.days_until_expiration == -1
    assert (decision.expired_at, decision.expired_reason) == (SOLD + 15 * DAY, ExpiryReason.REGAIN)
    assert not decision.is_regainable
    assert not decision.is_refundable


@pytest.mark.parametrize("status", ["downloadable", "generating", "unavailable"])
@pytest.mark.parametrize("since", [NONE, 2 * DAY, 14 * DAY])
def test_a_certificate_ends_it_at_once(status: str, since: timedelta) -> None:
    run = RunFacts(start=SOLD, joined_at=SOLD, certificate_status=status)

    decision = judged(SOLD + since, run=run)

    assert decision.status == EntitlementStatus.SPENT
    assert decision.days_until_expiration == 14 - since // DAY
    assert (decision.expired_at, decision.expired_reason) == (
        SOLD + since,
        ExpiryReason.CERTIFICATE,
    )
    assert decision.expires_at == decision.regain_until == SOLD + since
    assert not decision.is_regainable
    assert not decision.is_refundable


@pytest.mark.parametrize("status", ["", "notpassing", "error", "audit_passing", "deleted"])
def test_any_other_status_of_a_certificate_changes_nothing(status: str) -> None:
    run = RunFacts(start=SOLD, joined_at=SOLD, certificate_status=status)

    assert judged(SOLD + 2 * DAY, run=run) == judged(SOLD + 2 * DAY, run=RUN)


def test_its_period_ends_one_in_use_that_could_still_be_changed() -> None:
    at = SOLD + 730 * DAY + INSTANT

    decision = judged(at, run=RunFacts(start=SOLD, joined_at=at))

    assert decision.days_until_expiration == -1
    assert (decision.status, decision.expired_reason) == (EntitlementStatus.SPENT, "period")
    assert decision.expires_at == SOLD + 730 * DAY


def test_of_two_ends_that_have_passed_the_earlier_is_told() -> None:
    late = RunFacts(start=SOLD, joined_at=SOLD + 729 * DAY)

    decision = judged(SOLD + 800 * DAY, run=late)

    assert (decision.expired_at, decision.expired_reason) == (SOLD + 730 * DAY, "regain")


def test_in_use_it_is_refundable_for_no_longer_than_an_unused_one() -> None:
    late = RunFacts(start=SOLD, joined_at=SOLD + 55 * DAY)

    assert judged(SOLD + 61 * DAY - INSTANT, run=late).is_refundable
    assert not judged(SOLD + 61 * DAY, run=late).is_refundable
    assert judged(SOLD + 61 * DAY, run=late).is_regainable


def test_whoever_joined_later_than_the_run_started_has_14_days_from_then() -> None:
    bought = SOLD + 100 * DAY
    run = RunFacts(start=bought - 100 * DAY, joined_at=bought)

    decision = judged(bought, run=run, created=bought)

    assert decision.days_until_expiration == 14
    assert not decision.is_expired


def test_an_audit_of_old_does_not_end_what_is_redeemed_today() -> None:
    """The old service counted from the enrollment, which was older than the purchase."""
    redeemed = SOLD + 100 * DAY
    run = RunFacts(start=SOLD - 200 * DAY, joined_at=redeemed)

    assert judged(redeemed, run=run).is_regainable
    assert judged(redeemed + 15 * DAY - INSTANT, run=run).is_regainable
    assert judged(redeemed + 15 * DAY, run=run).expired_reason == ExpiryReason.REGAIN


def test_an_enrollment_before_the_purchase_counts_from_the_purchase() -> None:
    imported = RunFacts(start=SOLD - 300 * DAY, joined_at=SOLD - 200 * DAY)

    assert judged(SOLD, run=imported).regain_until == SOLD + 15 * DAY


def test_a_run_without_a_start_can_be_left_until_the_period_ends() -> None:
    run = RunFacts(start=None, joined_at=SOLD)

    assert judged(SOLD + 730 * DAY, run=run).is_regainable
    assert judged(SOLD + 730 * DAY, run=run).days_until_expiration == 0
    assert judged(SOLD + 730 * DAY + INSTANT, run=run).expired_reason == ExpiryReason.PERIOD


def test_a_run_without_a_start_ends_with_a_certificate() -> None:
    run = RunFacts(start=None, joined_at=SOLD, certificate_status="downloadable")

    assert judged(SOLD, run=run).expired_reason == ExpiryReason.CERTIFICATE


def test_professionals_may_change_for_two_days() -> None:
    periods = Periods(regain=2 * DAY)

    assert judged(SOLD + 3 * DAY - INSTANT, run=RUN, periods=periods).is_regainable
    assert not judged(SOLD + 3 * DAY, run=RUN, periods=periods).is_regainable


# --- Ended already -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "status"), [(None, EntitlementStatus.LAPSED), (RUN, EntitlementStatus.SPENT)]
)
def test_what_was_ended_stays_so(run: RunFacts | None, status: EntitlementStatus) -> None:
    ended = SOLD + 3 * DAY

    decision = judged(SOLD + 2 * DAY, run=run, expired_at=ended, expired_reason="support")

    assert decision.status == status
    assert (decision.expired_at, decision.expired_reason) == (ended, "support")
    assert decision.expires_at == ended
    assert decision.regain_until == (ended if run else None)
    assert decision.refundable_until == ended
    assert not decision.is_redeemable
    assert not decision.is_regainable
    assert not decision.is_refundable


# --- Against the old service's own words ---------------------------------------------------------

SHIFTS = st.sampled_from([-INSTANT, NONE, INSTANT])
DAYS = st.sampled_from([-300, -30, 0, 1, 13, 14, 15, 16, 55, 59, 60, 61, 100, 729, 730, 731])
INSTANTS = st.builds(lambda days, shift: SOLD + days * DAY + shift, DAYS, SHIFTS)
RUNS = st.builds(
    RunFacts,
    start=st.none() | INSTANTS,
    joined_at=INSTANTS,
    certificate_status=st.sampled_from(["", "notpassing", "downloadable"]),
)


@given(
    at=INSTANTS,
    run=st.none() | RUNS,
    order_number=st.sampled_from([None, "EDX-1"]),
    refund_locked=st.booleans(),
)
def test_says_what_the_old_service_counted_in_whole_days(
    at: datetime, run: RunFacts | None, order_number: str | None, refund_locked: bool
) -> None:
    decision = judged(at, run=run, order_number=order_number, refund_locked=refund_locked)

    age = (at - SOLD).days
    days_left = (SOLD + 730 * DAY - at).days
    has_certificate = run is not None and run.certificate_status == "downloadable"
    # A run without a start raised an error there.
    if run and run.start:
        since = min((at - run.start).days, (at - run.joined_at).days, age)
        days_left = min(days_left, 14 - since)
    is_expired = days_left < 0 or has_certificate
    is_regainable = run is not None and not is_expired
    assert decision.days_until_expiration == days_left
    assert decision.is_expired is is_expired
    assert decision.is_regainable is is_regainable
    assert decision.is_redeemable is (run is None and not is_expired and age < 730)
    assert decision.is_refundable is (
        order_number is not None
        and not refund_locked
        and not is_expired
        and age <= 60
        and (run is None or is_regainable)
    )


@given(at=INSTANTS, run=st.none() | RUNS)
def test_ends_when_it_says_and_for_a_reason(at: datetime, run: RunFacts | None) -> None:
    decision = judged(at, run=run)

    assert decision.is_expired is bool(decision.expired_reason)
    if decision.is_expired:
        assert decision.expires_at == decision.expired_at
        assert decision.expires_at <= at
    else:
        assert decision.expires_at >= at
        assert judged(decision.expires_at + INSTANT, run=run).is_expired

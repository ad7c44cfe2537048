"""Licenses taken back, within the cap; a new free seat for each. And reminders."""

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import License, SubscriptionPlan
from licenses.selectors import revocation_allowance, seats_in_use
from licenses.services import (
    NoPendingLicenseError,
    RevocationCapEnabledError,
    Revocations,
    remind,
    revoke_all,
    revoke_licenses,
    revoking,
)
from licenses.signals import license_revoked
from tests.letters.conftest import Statements
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    LicenseFactory,
    PlanFactory,
    activate,
    assign,
    by_at,
    emails,
    plan_with_seats,
    refresh,
    statuses,
)

pytestmark = pytest.mark.django_db


def revoke(plan: SubscriptionPlan, *addresses: str) -> Revocations:
    return revoke_licenses(plan_uuid=plan.uuid, emails=addresses, by=by_at(AT + DAY))


def refusals(revocations: Revocations) -> dict[str, str]:
    return {refused.email: refused.refusal for refused in revocations.unsuccessful}


def queued(kind: str) -> list[dict[str, object]]:
    return [row.payload for row in OutboxMessage.objects.filter(kind=kind).order_by("pk")]


# --- Revoking ----------------------------------------------------------------------------------


def test_revokes_and_adds_a_free_seat_for_each(announced: Heard) -> None:
    plan = plan_with_seats(3)
    pending, active = assign(plan, "pending@example.com", "active@example.com")
    activate(active)

    revocations = revoke(plan, "Pending@example.com", "active@example.com")

    refresh([pending, active])
    assert [(one.license.pk, one.original_status) for one in revocations.successful] == [
        (pending.pk, "assigned"),
        (active.pk, "activated"),
    ]
    assert revocations.unsuccessful == ()
    assert {pending.revoked_date, active.revoked_date} == {AT + DAY}
    assert statuses(plan) == {"revoked": 2, "unassigned": 3}
    assert seats_in_use(plan.pk) == 3
    signal, facts = announced[-1]
    assert signal is license_revoked
    assert {fact.license_uuid for fact in facts} == {pending.uuid, active.uuid}
    assert rows_without_true_history(License) == 0


def test_only_an_activated_license_has_enrollments_to_revoke() -> None:
    plan = plan_with_seats(2)
    _pending, active = assign(plan, "pending@example.com", "active@example.com")
    activate(active)

    revoke(plan, "pending@example.com", "active@example.com")

    assert queued("licenses.revoke_enrollments") == [{"license": active.pk}]
    message = OutboxMessage.objects.get(kind="licenses.revoke_enrollments")
    assert message.scope == str(plan.customer_agreement.customer.uuid)


def test_who_holds_no_license_is_told_apart(announced: Heard) -> None:
    plan = plan_with_seats(1)
    LicenseFactory.create(subscription_plan=plan, revoked=True, user_email="gone@example.com")
    assign(plan_with_seats(1), "elsewhere@example.com")

    revocations = revoke(plan, "Gone@example.com", "elsewhere@example.com", "")

    assert revocations.successful == ()
    assert refusals(revocations) == {
        "Gone@example.com": "not_held",
        "elsewhere@example.com": "not_held",
        "": "not_held",
    }
    assert statuses(plan) == {"revoked": 1, "unassigned": 1}
    assert len(announced) == 1


def test_revoking_twice_takes_one_license() -> None:
    plan = plan_with_seats(1)
    assign(plan, "ann@example.com")

    assert len(revoke(plan, "ann@example.com", "ANN@example.com").successful) == 1
    assert refusals(revoke(plan, "ann@example.com")) == {"ann@example.com": "not_held"}
    assert statuses(plan) == {"revoked": 1, "unassigned": 1}


# --- The cap -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seats", "percentage", "applied", "left"),
    [
        (100, 5, 0, 5),
        (101, 5, 0, 6),
        (1, 5, 0, 1),
        (0, 5, 0, 0),
        (20, 5, 1, 0),
        (100, 5, 7, -2),
        (100, 0, 0, 0),
        (3, 100, 0, 3),
    ],
)
def test_the_cap_is_a_percentage_of_the_seats_rounded_up(
    seats: int, percentage: int, applied: int, left: int
) -> None:
    plan = PlanFactory.build(
        customer_agreement=None,
        capped=True,
        revoke_max_percentage=percentage,
        num_revocations_applied=applied,
    )

    assert revocation_allowance(plan, seats=seats) == left


def test_a_plan_without_a_cap_allows_any_number() -> None:
    assert revocation_allowance(PlanFactory.build(customer_agreement=None), seats=1) is None


def test_activated_licenses_beyond_the_cap_are_refused() -> None:
    plan = plan_with_seats(20, capped=True, revoke_max_percentage=10)
    activate(*assign(plan, *emails(3)))
    assign(plan, "pending@example.com")

    revocations = revoke(plan, *emails(3), "pending@example.com")

    plan.refresh_from_db()
    assert [one.license.user_email for one in revocations.successful] == [
        "learner0@example.com",
        "learner1@example.com",
        "pending@example.com",
    ]
    assert refusals(revocations) == {"learner2@example.com": "cap_reached"}
    assert plan.num_revocations_applied == 2
    assert rows_without_true_history(SubscriptionPlan) == 0
    assert statuses(plan) == {"activated": 1, "revoked": 3, "unassigned": 19}


def test_licenses_that_nobody_activated_do_not_count_against_the_cap() -> None:
    plan = plan_with_seats(20, capped=True, revoke_max_percentage=0)
    assign(plan, *emails(2))

    assert len(revoke(plan, *emails(2)).successful) == 2

    plan.refresh_from_db()
    assert plan.num_revocations_applied == 0
    assert queued("licenses.mail") == []


def test_a_cap_that_was_lowered_leaves_less_than_nothing() -> None:
    plan = plan_with_seats(20, capped=True, revoke_max_percentage=5, num_revocations_applied=3)
    activate(*assign(plan, "ann@example.com"))

    assert refusals(revoke(plan, "ann@example.com")) == {"ann@example.com": "cap_reached"}


def test_reaching_the_cap_is_told_once() -> None:
    plan = plan_with_seats(20, capped=True, revoke_max_percentage=10)
    activate(*assign(plan, *emails(3)))
    OutboxMessage.objects.all().delete()

    revoke(plan, "learner0@example.com")
    assert queued("licenses.mail") == []
    revoke(plan, "learner1@example.com")
    revoke(plan, "learner2@example.com")

    assert queued("licenses.mail") == [{"notice": "revocation_cap", "plan": plan.pk}]


# --- All of them -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 10_000])
def test_revokes_every_license_that_is_held(
    announced: Heard, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(revoking, "PAGE", size)
    plan = plan_with_seats(6)
    active = assign(plan, *emails(3))
    activate(*active)
    pending = assign(plan, "ann@example.com", "bob@example.com")
    announced.clear()

    assert revoke_all(plan_uuid=plan.uuid, by=BY) == 5

    assert statuses(plan) == {"revoked": 5, "unassigned": 6}
    facts = [fact for _signal, page in announced for fact in page]
    assert {signal for signal, _page in announced} == {license_revoked}
    assert max(len(page) for _signal, page in announced) <= size
    assert {(fact.license_id, fact.license_uuid, fact.status) for fact in facts} == {
        (license.pk, license.uuid, "revoked") for license in (*active, *pending)
    }
    assert {fact.lms_user_id for fact in facts} == {one.lms_user_id for one in active} | {None}
    told = {row["license"] for row in queued("licenses.revoke_enrollments")}
    assert told == {license.pk for license in active}
    assert rows_without_true_history(License) == 0
    assert revoke_all(plan_uuid=plan.uuid, by=BY) == 0


def test_a_plan_with_a_cap_is_not_revoked_as_a_whole() -> None:
    plan = plan_with_seats(1, capped=True)
    assign(plan, "ann@example.com")

    with pytest.raises(RevocationCapEnabledError):
        revoke_all(plan_uuid=plan.uuid, by=BY)

    assert statuses(plan) == {"assigned": 1}


@pytest.mark.parametrize("count", [1, 50])
def test_revokes_in_a_fixed_number_of_statements(statements: Statements, count: int) -> None:
    plan = plan_with_seats(60, capped=True, revoke_max_percentage=100)
    assign(plan, *emails(55))
    License.objects.filter(status="assigned").update(status="activated", activation_date=AT)

    with statements.counted() as texts:
        revocations = revoke(plan, *emails(count))

    assert len(revocations.successful) == count
    assert len(texts) == 13


# --- Reminding ---------------------------------------------------------------------------------


def test_reminds_those_named_of_licenses_that_wait() -> None:
    plan = plan_with_seats(3)
    ann, bob, cid = assign(plan, "ann@example.com", "bob@example.com", "cid@example.com")

    count = remind(
        plan_uuid=plan.uuid,
        emails=["Ann@example.com", "bob@example.com"],
        greeting="Dear all",
        by=by_at(AT + DAY),
    )

    refresh([ann, bob, cid])
    assert count == 2
    assert [one.last_remind_date for one in (ann, bob, cid)] == [AT + DAY, AT + DAY, AT]
    told = queued("licenses.mail")
    assert [(row["notice"], row["license"]) for row in told] == [
        ("reminder", ann.pk),
        ("reminder", bob.pk),
    ]
    assert rows_without_true_history(License) == 0


def test_reminds_all_whose_licenses_wait() -> None:
    plan = plan_with_seats(3)
    active, *_waiting = assign(plan, *emails(3))
    activate(active)

    assert remind(plan_uuid=plan.uuid, by=by_at(AT + DAY)) == 2
    assert remind(plan_uuid=plan_with_seats(1).uuid, by=BY) == 0


def test_reminds_nobody_when_somebody_named_has_no_license_that_waits() -> None:
    plan = plan_with_seats(2)
    ann, bob = assign(plan, "ann@example.com", "bob@example.com")
    activate(bob)
    OutboxMessage.objects.all().delete()

    with pytest.raises(NoPendingLicenseError) as refusal:
        remind(plan_uuid=plan.uuid, emails=["ann@example.com", "Bob@example.com"], by=BY)

    ann.refresh_from_db()
    assert refusal.value.emails == ("Bob@example.com",)
    assert ann.last_remind_date == AT
    assert queued("licenses.mail") == []


@pytest.mark.parametrize("count", [1, 50])
def test_reminds_in_a_fixed_number_of_statements(statements: Statements, count: int) -> None:
    plan = plan_with_seats(60)
    assign(plan, *emails(55))

    with statements.counted() as texts:
        remind(plan_uuid=plan.uuid, emails=emails(count), greeting="Hi", by=BY)

    assert len(texts) == 8

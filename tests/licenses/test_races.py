"""Two and more at once, on connections of their own: no seat goes to two, no person gets two."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import pytest
from django.db import connection, transaction

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import CustomerLearner, License, SubscriptionPlan
from licenses.selectors import seats_in_use
from licenses.services import (
    LicenseNotFoundError,
    LicenseRevokedError,
    NoSeatLeftError,
    NotEnoughSeatsError,
    PlanBusyError,
    activate_license,
    assign_licenses,
    auto_apply_license,
    process_renewal,
    revoke_licenses,
)
from tests.core.outbox.test_races import at_once
from tests.licenses.conftest import Heard
from tests.licenses.factories import (
    AT,
    BY,
    LearnerFactory,
    RenewalFactory,
    activate,
    assign,
    emails,
    plan_with_seats,
    statuses,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 200 if os.environ.get("FULL") else 40


def assigning(plan: SubscriptionPlan, *addresses: str) -> Callable[[], object]:
    """How many seats were given, and how many of the learners held one; None: too few."""

    def work() -> object:
        try:
            given = assign_licenses(plan_uuid=plan.uuid, emails=addresses, notify=False, by=BY)
        except NotEnoughSeatsError:
            return None
        return len(given.assigned), given.already_associated

    return work


def assert_sound(*plans: SubscriptionPlan) -> None:
    for model in (License, SubscriptionPlan, CustomerLearner):
        assert rows_without_true_history(model) == 0
    for plan in plans:
        live = plan.licenses.live()
        held = list(live.values_list("user_email", flat=True))
        assert len(held) == len(set(held))


def test_the_last_seat_goes_to_one_of_eight_administrators() -> None:
    for number in range(ROUNDS):
        plan = plan_with_seats(1)

        results = at_once(
            *[assigning(plan, f"learner{number}.{admin}@example.com") for admin in range(8)]
        )

        assert sorted(map(str, results)) == ["(1, 0)"] + ["None"] * 7
        assert statuses(plan) == {"assigned": 1}
        (seat,) = plan.licenses.all()
        assert License.history.filter(id=seat.pk, status="assigned").count() == 1
    assert_sound()


def test_one_address_assigned_by_eight_gets_one_license() -> None:
    for number in range(ROUNDS):
        plan = plan_with_seats(8)

        results = at_once(*[assigning(plan, f"Learner{number}@example.com")] * 8)

        assert sorted(map(str, results)) == ["(0, 1)"] * 7 + ["(1, 0)"]
        assert statuses(plan) == {"assigned": 1, "unassigned": 7}
    assert_sound()


def test_one_address_assigned_in_two_plans_is_linked_once() -> None:
    first = plan_with_seats(2 * ROUNDS)
    second = plan_with_seats(2 * ROUNDS, customer_agreement=first.customer_agreement)
    for number in range(ROUNDS):
        pair = [f"a{number}@example.com", f"b{number}@example.com"]

        at_once(assigning(first, *pair), assigning(second, *pair[::-1]))

        assert CustomerLearner.objects.filter(user_email__in=pair).count() == 2
    assert_sound(first, second)


def test_five_of_twenty_learners_get_the_five_seats() -> None:
    learners = LearnerFactory.create_batch(20)
    for _round in range(ROUNDS):
        plan = plan_with_seats(5, auto_applied=True)

        def applying(index: int) -> Callable[[], object]:
            def work() -> object:
                try:
                    return auto_apply_license(
                        agreement=plan.customer_agreement,  # noqa: B023 - used at once
                        user=learners[index],
                        by=BY,
                    ).pk
                except NoSeatLeftError:
                    return None

            return work

        results = at_once(*[applying(index) for index in range(20)])

        given = [pk for pk in results if pk is not None]
        assert (len(given), len(set(given))) == (5, 5)
        assert statuses(plan) == {"activated": 5}
    assert_sound()


def test_a_seat_that_is_revoked_meanwhile_is_neither_lost_nor_doubled() -> None:
    for number in range(ROUNDS):
        plan = plan_with_seats(1)
        old, new = f"old{number}@example.com", f"new{number}@example.com"
        assign(plan, old)

        _revoked, given = at_once(
            lambda: revoke_licenses(plan_uuid=plan.uuid, emails=[old], by=BY),  # noqa: B023 - used at once
            assigning(plan, new),
        )

        free = {"unassigned": 1} if given is None else {"assigned": 1}
        assert statuses(plan) == {"revoked": 1, **free}
        assert seats_in_use(plan.pk) == 1
    assert_sound()


def test_two_that_revoke_stay_within_the_cap_together() -> None:
    for number in range(ROUNDS):
        plan = plan_with_seats(10, capped=True, revoke_max_percentage=30)
        addresses = emails(6, name=f"n{number}.")
        assign(plan, *addresses)
        plan.licenses.filter(status="assigned").update(status="activated", activation_date=AT)

        def revoking(some: list[str]) -> Callable[[], object]:
            return lambda: len(
                revoke_licenses(plan_uuid=plan.uuid, emails=some, by=BY).successful  # noqa: B023 - used at once
            )

        results = at_once(revoking(addresses[:3]), revoking(addresses[3:]))

        plan.refresh_from_db()
        assert sorted(map(str, results)) == ["0", "3"]
        assert plan.num_revocations_applied == 3
        assert seats_in_use(plan.pk) == 10
        told = OutboxMessage.objects.filter(payload__plan=plan.pk)
        assert told.count() == 1


def test_activating_twice_changes_the_license_once(announced: Heard) -> None:
    plan = plan_with_seats(ROUNDS)
    for number, license in enumerate(assign(plan, *emails(ROUNDS))):
        learner = LearnerFactory.create(email=license.user_email)
        assert license.activation_key
        key: UUID = license.activation_key
        announced.clear()

        at_once(
            *[lambda: activate_license(activation_key=key, user=learner, by=BY).status] * 2  # noqa: B023 - used at once
        )

        assert len(announced) == 1
        assert License.history.filter(id=license.pk, status="activated").count() == 1, number
    assert_sound(plan)


def test_a_license_that_is_revoked_while_it_is_activated_ends_revoked() -> None:
    plan = plan_with_seats(ROUNDS)
    for license in assign(plan, *emails(ROUNDS)):
        learner = LearnerFactory.create(email=license.user_email)
        assert license.activation_key
        key: UUID = license.activation_key

        def activating() -> object:
            try:
                return activate_license(activation_key=key, user=learner, by=BY).status  # noqa: B023 - used at once
            except (LicenseRevokedError, LicenseNotFoundError):
                return "refused"

        result, _revocations = at_once(
            activating,
            lambda: revoke_licenses(plan_uuid=plan.uuid, emails=[license.user_email], by=BY),  # noqa: B023 - used at once
        )

        license.refresh_from_db()
        assert license.status == "revoked"
        calls = OutboxMessage.objects.filter(
            kind="licenses.revoke_enrollments", payload__license=license.pk
        )
        assert calls.exists() is (result == "activated")
    assert_sound(plan)


def test_two_that_process_a_renewal_copy_each_license_once(announced: Heard) -> None:
    for number in range(ROUNDS // 2):
        prior = plan_with_seats(3)
        assign(prior, *emails(2, name=f"n{number}."))
        renewal = RenewalFactory.create(prior_subscription_plan=prior)
        announced.clear()

        first, second = at_once(
            *[lambda: process_renewal(renewal_id=renewal.pk, by=BY).renewed_subscription_plan_id]  # noqa: B023 - used at once
            * 2
        )

        assert first == second
        assert len(announced) == 1
        assert statuses(SubscriptionPlan.objects.get(origin_renewal=renewal)) == {
            "assigned": 2,
            "unassigned": 8,
        }
    assert_sound()


def test_a_license_given_while_the_plan_is_renewed_is_copied_or_comes_after() -> None:
    for number in range(ROUNDS // 2):
        prior = plan_with_seats(2)
        assign(prior, f"before{number}@example.com")
        renewal = RenewalFactory.create(prior_subscription_plan=prior)

        at_once(
            lambda: process_renewal(renewal_id=renewal.pk, by=BY),  # noqa: B023 - used at once
            assigning(prior, f"meanwhile{number}@example.com"),
        )

        renewed = SubscriptionPlan.objects.get(origin_renewal=renewal)
        copied = set(prior.licenses.exclude(renewed_to=None).values_list("renewed_to", flat=True))
        live = renewed.licenses.live()
        assert set(live.values_list("pk", flat=True)) == copied
        assert len(copied) in (1, 2)
    assert_sound()


def test_says_that_the_plan_is_busy_when_its_lock_is_not_to_be_had(
    holding_plan: Callable[[SubscriptionPlan], AbstractContextManager[None]],
) -> None:
    plan = plan_with_seats(1)
    works: list[Callable[[], object]] = [
        lambda: assign_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY),
        lambda: revoke_licenses(plan_uuid=plan.uuid, emails=["ann@example.com"], by=BY),
    ]

    with holding_plan(plan):
        for work in works:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '50ms'")
                with pytest.raises(PlanBusyError):
                    work()

    assert statuses(plan) == {"unassigned": 1}


def test_other_plans_go_on_while_one_is_held(
    holding_plan: Callable[[SubscriptionPlan], AbstractContextManager[None]],
) -> None:
    held = plan_with_seats(1)
    other = plan_with_seats(1, customer_agreement=held.customer_agreement)

    with holding_plan(held):
        (license,) = assign(other, "ann@example.com")
        activate(license)

    assert statuses(other) == {"activated": 1}

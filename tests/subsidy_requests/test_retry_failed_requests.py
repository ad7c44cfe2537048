"""`retry_failed_requests`: what was approved in vain is granted later."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from credentials_portal.core.models import JobRun, OutboxMessage
from licenses.models import License, SubscriptionPlan
from subsidy_requests.enums import DecisionSource, RequestState, UnlinkResult
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.approving import approve_license_requests
from tests.letters.commands import Ran, run_command
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    CustomerLearnerFactory,
    LearnerFactory,
    plan_with_seats,
    refuse,
    statuses,
)
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    CouponFactory,
    LicenseRequestFactory,
)

pytestmark = pytest.mark.django_db

NOTHING = {
    "due": 0,
    "fulfilled": 0,
    "failed": 0,
    "refused": {},
    "exhausted": 0,
    "unlinks_due": 0,
    "unlinks_failed": 0,
}


def command(*options: object) -> Ran:
    return run_command("retry_failed_requests", "--as-of", AT.isoformat(), *options)


def plan_of(seats: int) -> SubscriptionPlan:
    plan = plan_with_seats(seats)
    ConfigurationFactory.create(customer=plan.customer_agreement.customer)
    return plan


def failed(plan: SubscriptionPlan, **fields: Any) -> LicenseRequest:
    how = {"grant_attempts": 1, "failed": True, **fields}
    request: LicenseRequest = LicenseRequestFactory.create(
        customer=plan.customer_agreement.customer, subscription_plan=plan, **how
    )
    return request


def accept(table: str) -> None:
    """Undo `refuse`."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT for_test")


def states() -> list[str]:
    return list(LicenseRequest.objects.order_by("pk").values_list("state", flat=True))


def mails() -> list[int]:
    told = OutboxMessage.objects.filter(kind="subsidy_requests.mail").order_by("pk")
    return list(told.values_list("payload__request", flat=True))


def test_grants_what_failed_with_one_mail() -> None:
    plan = plan_of(1)
    request = failed(plan)

    ran = command()
    again = command()

    request.refresh_from_db()
    assert (ran.code, ran.summary) == (0, {**NOTHING, "due": 1, "fulfilled": 1})
    assert again.summary == NOTHING
    assert (request.state, request.error_code, request.grant_attempts) == ("fulfilled", "", 2)
    assert request.reviewer is not None
    assert mails() == [request.pk]
    assert License.objects.get().source_request_uuid == request.uuid


def test_what_broke_off_unexpectedly_takes_no_seat_and_is_granted_once_it_works() -> None:
    plan = plan_of(1)
    request = LicenseRequestFactory.create(customer=plan.customer_agreement.customer)
    refuse("licenses_license", "status = 'assigned'")
    approve_license_requests(
        customer=request.customer,
        uuids=[request.uuid],
        plan_uuid=plan.uuid,
        source=DecisionSource.COMMAND,
        notify=True,
        by=BY,
    )
    request.refresh_from_db()
    assert (request.state, request.error_code, request.grant_attempts) == ("error", "internal", 1)
    assert (statuses(plan), mails()) == ({"unassigned": 1}, [])

    once_more = command()
    accept("licenses_license")
    ran = command()

    assert (once_more.code, once_more.summary) == (1, {**NOTHING, "due": 1, "failed": 1})
    assert (ran.code, ran.summary) == (0, {**NOTHING, "due": 1, "fulfilled": 1})
    assert (statuses(plan), mails()) == ({"assigned": 1}, [request.pk])


def test_grants_codes_too() -> None:
    code = CouponCodeFactory.create()
    ConfigurationFactory.create(customer=code.coupon.customer, coupons=True)
    request = CouponCodeRequestFactory.create(
        customer=code.coupon.customer, coupon=code.coupon, failed=True
    )

    assert command().summary == {**NOTHING, "due": 1, "fulfilled": 1}
    assert CouponCodeRequest.objects.get(pk=request.pk).coupon_code == code


def test_the_oldest_get_what_is_free() -> None:
    plan = plan_of(1)
    failed(plan, created=AT - DAY)
    failed(plan, created=AT - 2 * DAY)

    ran = command()

    assert ran.code == 1
    assert ran.summary == {
        **NOTHING,
        "due": 2,
        "fulfilled": 1,
        "refused": {"not_enough_seats": 1},
    }
    assert states() == [RequestState.ERROR, RequestState.FULFILLED]


def test_a_coupon_without_codes_refuses_all() -> None:
    coupon = CouponFactory.create()
    ConfigurationFactory.create(customer=coupon.customer, coupons=True)
    CouponCodeRequestFactory.create(customer=coupon.customer, coupon=coupon, failed=True)

    ran = command()

    assert ran.summary == {**NOTHING, "due": 1, "refused": {"not_enough_codes": 1}}
    assert CouponCodeRequest.objects.get().grant_attempts == 0


def test_what_another_customer_cannot_have_stops_nobody() -> None:
    ended = plan_of(1)
    SubscriptionPlan.objects.filter(pk=ended.pk).update(is_active=False)
    failed(ended)
    failed(plan_of(1))

    ran = command()

    assert (ran.summary["fulfilled"], sum(ran.summary["refused"].values())) == (1, 1)
    assert states() == [RequestState.ERROR, RequestState.FULFILLED]


def test_who_cannot_be_given_one_stops_nobody() -> None:
    plan = plan_of(2)
    failed(plan, user=LearnerFactory.create(email=""))
    failed(plan)

    ran = command()

    assert (ran.summary["fulfilled"], ran.summary["refused"]) == (1, {"no_address": 1})
    assert states() == [RequestState.ERROR, RequestState.FULFILLED]
    assert statuses(plan) == {"assigned": 1, "unassigned": 1}


def test_one_that_always_fails_takes_others_with_it_once_only() -> None:
    plan = plan_of(2)
    hopeless, other = failed(plan), failed(plan)
    refuse("licenses_license", f"user_email = '{hopeless.user.email}'")

    together = command()
    alone = command()

    assert (together.summary["failed"], alone.summary["failed"]) == (2, 1)
    assert alone.summary["fulfilled"] == 1
    assert states() == [RequestState.ERROR, RequestState.FULFILLED]
    assert mails() == [other.pk]


def test_what_was_tried_often_waits_for_a_person() -> None:
    failed(plan_of(1), grant_attempts=2)

    ran = command("--max-attempts", 2)

    assert (ran.code, ran.summary) == (1, {**NOTHING, "exhausted": 1})
    assert command("--max-attempts", 3).summary["fulfilled"] == 1


def test_who_asked_again_gets_the_newer_one_only() -> None:
    plan = plan_of(2)
    old = failed(plan)
    LicenseRequestFactory.create(user=old.user, customer=old.customer)

    assert command().summary == NOTHING
    assert states() == [RequestState.ERROR, RequestState.REQUESTED]
    assert statuses(plan) == {"unassigned": 2}


def test_only_one_customer_or_plan() -> None:
    first, second, third = (failed(plan_of(1)) for _ in range(3))
    assert second.subscription_plan

    one = command("--customer", first.customer.slug)
    other = command("--plan", second.subscription_plan.uuid)

    assert (one.summary["due"], other.summary["due"]) == (1, 1)
    assert states() == [RequestState.FULFILLED, RequestState.FULFILLED, RequestState.ERROR]
    assert command("--customer", third.customer.uuid).summary["fulfilled"] == 1


def test_who_is_not_known_is_refused() -> None:
    assert command("--customer", "nobody").code == 2
    assert command("--plan", uuid4()).code == 2


def test_a_dry_run_changes_nothing() -> None:
    failed(plan_of(1))

    ran = command("--dry-run")

    assert ran.summary == {**NOTHING, "due": 1}
    assert (states(), mails(), JobRun.objects.count()) == ([RequestState.ERROR], [], 0)


def test_unlinks_who_could_not_be_unlinked() -> None:
    plan = plan_of(0)
    link = CustomerLearnerFactory.create(
        customer=plan.customer_agreement.customer, user=LearnerFactory.create()
    )
    request = LicenseRequestFactory.create(
        user=link.user,
        customer=link.customer,
        declined=True,
        unlink_requested=True,
        unlink_result=UnlinkResult.FAILED,
    )

    ran = command()
    again = command()

    link.refresh_from_db()
    request.refresh_from_db()
    assert ran.summary == {**NOTHING, "unlinks_due": 1}
    assert again.summary == NOTHING
    assert (link.status, link.is_relinkable) == ("unlinked", False)
    assert (request.state, request.unlink_result) == ("declined", UnlinkResult.DONE)

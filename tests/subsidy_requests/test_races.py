"""Two and more at once, on connections of their own: one request, one decision, one seat."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history, save_with_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from programs.models import CourseEnrollment
from subsidy_requests.enums import DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import LicenseRequest
from subsidy_requests.services.approving import approve_license_requests
from subsidy_requests.services.asking import ask_for_license
from subsidy_requests.services.cancelling import cancel_request
from subsidy_requests.services.configuring import change_configuration
from tests.core.outbox.test_races import at_once
from tests.licenses.factories import (
    AT,
    BY,
    CustomerLearnerFactory,
    LearnerFactory,
    plan_with_seats,
    statuses,
)
from tests.subsidy_requests.factories import ConfigurationFactory, LicenseRequestFactory, by_at

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 200 if os.environ.get("FULL") else 10
LEARNERS = 20

Work = Callable[[], object]


@pytest.fixture
def reviewer() -> User:
    return LearnerFactory.create()


def customer_with(seats: int) -> tuple[Customer, SubscriptionPlan]:
    """A customer whose learners may ask for licenses, and its plan."""
    plan = plan_with_seats(seats)
    customer = plan.customer_agreement.customer
    ConfigurationFactory.create(customer=customer)
    return customer, plan


def ask(customer: Customer) -> LicenseRequest:
    request: LicenseRequest = LicenseRequestFactory.build(
        customer=customer, user=LearnerFactory.create()
    )
    save_with_history(request, by=BY)
    return request


def outcome_of(work: Callable[[], object]) -> Work:
    """What it returns, or the code of the refusal."""

    def told() -> object:
        try:
            return work()
        except DomainError as refusal:
            return refusal.code

    return told


def approving(plan: SubscriptionPlan, *requests: LicenseRequest, by: User) -> Work:
    """How many were approved."""
    uuids = [request.uuid for request in requests]
    return outcome_of(
        lambda: len(
            approve_license_requests(
                customer=plan.customer_agreement.customer,
                uuids=uuids,
                plan_uuid=plan.uuid,
                source=DecisionSource.ADMIN_API,
                notify=True,
                by=by_at(AT, actor=by),
            )
        )
    )


def cancelling(request: LicenseRequest) -> Work:
    return outcome_of(
        lambda: (
            cancel_request(
                LicenseRequest,
                uuid=request.uuid,
                user=request.user,
                by=by_at(AT, actor=request.user),
            ).state
        )
    )


def asking(user: User, customer: Customer, **how: Any) -> Work:
    return outcome_of(
        lambda: (
            ask_for_license(user=user, customer=customer, course_id="edX+DemoX", by=BY, **how).pk
        )
    )


def mails_about(*requests: LicenseRequest) -> int:
    pks = [request.pk for request in requests]
    return OutboxMessage.objects.filter(
        kind="subsidy_requests.mail", payload__request__in=pks
    ).count()


def assert_sound() -> None:
    for model in (LicenseRequest, License, SubscriptionPlan, CustomerLearner):
        assert rows_without_true_history(model) == 0
    assert not CourseEnrollment.objects.exists()


def test_requests_that_two_approve_get_one_seat_and_one_mail_each(reviewer: User) -> None:
    for _round in range(ROUNDS):
        customer, plan = customer_with(seats=4)
        requests = [ask(customer), ask(customer)]

        results = at_once(
            approving(plan, *requests, by=reviewer), approving(plan, *requests[::-1], by=reviewer)
        )

        assert sorted(map(str, results)) == ["0", "2"]
        assert statuses(plan) == {"assigned": 2, "unassigned": 2}
        assert mails_about(*requests) == 2
    assert_sound()


def test_the_last_seat_goes_to_one_of_the_requests_that_two_approve(reviewer: User) -> None:
    for _round in range(ROUNDS):
        customer, plan = customer_with(seats=1)
        requests = [ask(customer), ask(customer)]

        results = at_once(*[approving(plan, request, by=reviewer) for request in requests])

        assert sorted(map(str, results)) == ["1", "not_enough_seats"]
        assert statuses(plan) == {"assigned": 1}
        states = LicenseRequest.objects.filter(customer=customer).values_list("state", flat=True)
        assert sorted(states) == [RequestState.FULFILLED, RequestState.REQUESTED]
        assert mails_about(*requests) == 1
    assert_sound()


def test_what_is_approved_while_it_is_taken_back_is_one_or_the_other(reviewer: User) -> None:
    for _round in range(ROUNDS):
        customer, plan = customer_with(seats=1)
        request = ask(customer)

        results = at_once(approving(plan, request, by=reviewer), cancelling(request))

        request.refresh_from_db()
        if request.state == RequestState.FULFILLED:
            assert results == [1, "illegal_transition"]
            assert (statuses(plan), mails_about(request)) == ({"assigned": 1}, 1)
        else:
            assert results == ["illegal_transition", RequestState.CANCELLED]
            assert (statuses(plan), mails_about(request)) == ({"unassigned": 1}, 0)
    assert_sound()


def test_twenty_who_ask_the_same_at_once_ask_once() -> None:
    for number in range(ROUNDS):
        key = "the same" if number % 2 else None
        customer, _plan = customer_with(seats=0)
        learner = LearnerFactory.create()
        CustomerLearnerFactory.create(customer=customer, user=learner)

        results = at_once(*[asking(learner, customer, idempotency_key=key)] * LEARNERS)

        request = LicenseRequest.objects.get(user=learner)
        refused = [] if key else ["outstanding_request"] * (LEARNERS - 1)
        asked = [request.pk] * (LEARNERS - len(refused))
        assert sorted(map(str, results)) == sorted(map(str, [*asked, *refused]))
        assert LicenseRequest.history.filter(id=request.pk).count() == 1
    assert_sound()


def test_what_is_approved_while_the_type_changes_is_granted_or_declined(reviewer: User) -> None:
    for _round in range(ROUNDS):
        customer, plan = customer_with(seats=1)
        request = ask(customer)

        result, _configuration = at_once(
            approving(plan, request, by=reviewer),
            lambda: change_configuration(
                customer=customer,  # noqa: B023 - used at once
                subsidy_type=SubsidyType.COUPON,
                by=by_at(AT, actor=reviewer),
            ),
        )

        request.refresh_from_db()
        is_granted = request.state == RequestState.FULFILLED
        assert is_granted or request.state == RequestState.DECLINED
        assert result == (1 if is_granted else "wrong_subsidy_type")
        assert statuses(plan) == {"assigned" if is_granted else "unassigned": 1}
    assert_sound()


def test_who_asks_again_while_what_failed_is_approved_gets_one_of_the_two(reviewer: User) -> None:
    for _round in range(ROUNDS):
        customer, plan = customer_with(seats=2)
        failed = LicenseRequestFactory.build(
            customer=customer, user=LearnerFactory.create(), course_id="edX+Former"
        )
        failed.state, failed.error_code = RequestState.ERROR, "internal"
        failed.decision_source, failed.reviewed_at = DecisionSource.COMMAND, AT
        save_with_history(failed, by=BY)
        CustomerLearnerFactory.create(customer=customer, user=failed.user)

        approved, _asked = at_once(
            approving(plan, failed, by=reviewer), asking(failed.user, customer)
        )

        failed.refresh_from_db()
        is_granted = failed.state == RequestState.FULFILLED
        assert approved == (1 if is_granted else "superseded")
        assert LicenseRequest.objects.filter(user=failed.user, state="requested").count() == 1
    assert LicenseRequest.objects.filter(state="approved").count() == 0

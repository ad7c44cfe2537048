"""Requests for licenses are approved and granted in one transaction."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import (
    Attribution,
    rows_without_true_history,
    save_with_history,
)
from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement
from licenses.models import Customer, License, SubscriptionPlan
from licenses.services import (
    NotEnoughSeatsError,
    PlanInactiveError,
    PlanNotCurrentError,
    PlanNotFoundError,
    revoke_licenses,
)
from licenses.signals import license_assigned
from programs.models import CourseEnrollment
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.models import LicenseRequest, SubsidyRequestCustomerConfiguration
from subsidy_requests.services.approving import (
    NoAddressError,
    SupersededError,
    approve_license_requests,
)
from subsidy_requests.services.gate import (
    NoSubsidyTypeError,
    RequestsNotConfiguredError,
    WrongSubsidyTypeError,
)
from subsidy_requests.services.transitions import IllegalTransitionError
from subsidy_requests.signals import (
    subsidy_request_approved,
    subsidy_request_failed,
    subsidy_request_fulfilled,
)
from tests.letters.conftest import Statements
from tests.licenses.factories import (
    AT,
    BY,
    DAY,
    LearnerFactory,
    activate,
    assign,
    plan_with_seats,
    refuse,
    statuses,
)
from tests.subsidy_requests.conftest import Heard
from tests.subsidy_requests.factories import ConfigurationFactory, LicenseRequestFactory, by_at

pytestmark = pytest.mark.django_db

THEN = AT + timedelta(hours=3)


@pytest.fixture
def plan() -> SubscriptionPlan:
    """Two free seats of a customer whose learners may ask for licenses."""
    plan = plan_with_seats(2)
    ConfigurationFactory.create(customer=plan.customer_agreement.customer)
    return plan


@pytest.fixture
def reviewer() -> User:
    return LearnerFactory.create()


def customer_of(plan: SubscriptionPlan) -> Customer:
    return plan.customer_agreement.customer


def ask(plan: SubscriptionPlan, **fields: Any) -> LicenseRequest:
    request: LicenseRequest = LicenseRequestFactory.build(
        customer=customer_of(plan), user=fields.pop("user", None) or LearnerFactory.create()
    )
    for name, value in fields.items():
        setattr(request, name, value)
    save_with_history(request, by=BY)
    return request


def approve(
    plan: SubscriptionPlan, *requests: LicenseRequest, by: User | Attribution, **how: Any
) -> list[LicenseRequest]:
    return approve_license_requests(
        **{
            "customer": customer_of(plan),
            "uuids": [request.uuid for request in requests],
            "plan_uuid": plan.uuid,
            "source": DecisionSource.ADMIN_API,
            "notify": True,
            "by": by_at(THEN, actor=by) if isinstance(by, User) else by,
            **how,
        }
    )


def states(*requests: LicenseRequest) -> list[str]:
    for request in requests:
        request.refresh_from_db()
    return [request.state for request in requests]


def mails() -> list[dict[str, Any]]:
    rows = OutboxMessage.objects.filter(kind="subsidy_requests.mail").order_by("pk")
    return [row.payload for row in rows]


def assert_nothing_happened(plan: SubscriptionPlan, *requests: LicenseRequest) -> None:
    """These wait still, none of the plan's seats is taken, and nobody is told."""
    assert set(states(*requests)) == {RequestState.REQUESTED}
    assert LicenseRequest.history.filter(history_type="~").count() == 0
    assert statuses(plan) == {"unassigned": 2}
    assert not OutboxMessage.objects.exists()


# --- Granted -----------------------------------------------------------------------------------


def test_gives_each_learner_a_seat_and_nobody_an_enrollment(
    plan: SubscriptionPlan, reviewer: User, announced: Heard
) -> None:
    requests = [ask(plan), ask(plan)]

    approved = approve(plan, *requests, by=reviewer)

    assert approved == requests
    assert states(*requests) == [RequestState.FULFILLED] * 2
    for request in requests:
        assert request.license
        assert (request.license.user_email, request.license.status) == (
            request.user.email,
            "assigned",
        )
        assert (request.license.source_request_uuid, request.subscription_plan) == (
            request.uuid,
            plan,
        )
        assert (request.reviewer, request.reviewed_at, request.state_changed_at) == (
            reviewer,
            THEN,
            THEN,
        )
        assert (request.already_had_license, request.grant_attempts) == (False, 1)
    assert [signal for signal, _items in announced] == [
        subsidy_request_approved,
        license_assigned,
        subsidy_request_fulfilled,
    ]
    assert [payload["request"] for payload in mails()] == [request.pk for request in requests]
    assert {payload["notice"] for payload in mails()} == {"fulfilled"}
    assert not OutboxMessage.objects.filter(kind="licenses.mail").exists()
    assert not CourseEnrollment.objects.exists()
    assert not CourseEntitlement.objects.exists()


def test_each_transition_has_one_history_row_of_the_reviewer(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    request = ask(plan)

    approve(plan, request, by=reviewer)

    rows = LicenseRequest.history.order_by("history_id")
    assert list(rows.values_list("state", "history_user", "decision_source")) == [
        ("requested", None, ""),
        ("approved", reviewer.pk, "admin_api"),
        ("fulfilled", reviewer.pk, "admin_api"),
    ]
    assert rows_without_true_history(LicenseRequest) == rows_without_true_history(License) == 0


def test_approving_again_does_nothing(plan: SubscriptionPlan, reviewer: User) -> None:
    request = ask(plan)
    approve(plan, request, by=reviewer)

    assert approve(plan, request, by=reviewer) == []

    assert statuses(plan) == {"assigned": 1, "unassigned": 1}
    assert len(mails()) == 1


def test_tells_nobody_who_need_not_know(plan: SubscriptionPlan, reviewer: User) -> None:
    approve(plan, ask(plan), by=reviewer, notify=False)

    assert mails() == []


def test_requests_stay_approvable_when_no_new_ones_are_taken(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    SubsidyRequestCustomerConfiguration.objects.update(subsidy_requests_enabled=False)
    request = ask(plan)

    approve(plan, request, by=reviewer)

    assert states(request) == [RequestState.FULFILLED]


def test_who_holds_a_license_of_the_plan_is_fulfilled_with_it(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    seats = [assign(plan, "ann@example.com")[0], assign(plan, "bob@example.com")[0]]
    ann, bob = activate(*seats)
    # Bob's address is another one by now: the license is known by the account.
    bob.email = "other@example.com"
    bob.save()
    requests = [ask(plan, user=ann), ask(plan, user=bob)]

    approve(plan, *requests, by=reviewer)

    assert states(*requests) == [RequestState.FULFILLED] * 2
    assert [request.license for request in requests] == seats
    assert all(request.already_had_license for request in requests)
    assert len(mails()) == 2


def test_a_learner_whose_license_was_revoked_gets_another_one(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    request = ask(plan)
    (former,) = assign(plan, request.user.email)
    revoke_licenses(plan_uuid=plan.uuid, emails=[request.user.email], by=BY)

    approve(plan, request, by=reviewer)

    assert states(request) == [RequestState.FULFILLED]
    assert request.license != former


def test_letters_in_an_address_may_be_large_or_small(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    learner = LearnerFactory.create()
    User.objects.filter(pk=learner.pk).update(email="Ann@X.org")
    request = ask(plan, user=learner)

    approve(plan, request, by=reviewer)

    assert states(request) == [RequestState.FULFILLED]
    assert request.license
    assert request.license.user_email == "ann@x.org"


def test_leaves_alone_what_is_nobodys_or_another_customers(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    foreign, own = LicenseRequestFactory.create(), ask(plan)
    uuids = [foreign.uuid, uuid4(), own.uuid]

    assert approve(plan, by=reviewer, uuids=uuids) == [own]

    assert states(foreign, own) == [RequestState.REQUESTED, RequestState.FULFILLED]


def test_without_requests_nothing_is_approved(plan: SubscriptionPlan, reviewer: User) -> None:
    request = ask(plan)

    assert approve(plan, by=reviewer) == []

    assert_nothing_happened(plan, request)


@pytest.mark.parametrize("count", [10, 100])
def test_approves_in_a_fixed_number_of_statements(
    statements: Statements, reviewer: User, count: int
) -> None:
    plan = plan_with_seats(count)
    ConfigurationFactory.create(customer=customer_of(plan))
    requests = [ask(plan) for _number in range(count)]

    with statements.counted() as texts:
        approve(plan, *requests, by=reviewer)

    assert len(texts) == 29
    assert len(mails()) == count


def test_license_holders_among_them_cost_one_statement_more(
    statements: Statements, reviewer: User
) -> None:
    plan = plan_with_seats(10)
    ConfigurationFactory.create(customer=customer_of(plan))
    requests = [ask(plan) for _number in range(10)]
    assign(plan, *(request.user.email for request in requests[:5]))

    with statements.counted() as texts:
        approve(plan, *requests, by=reviewer)

    assert len(texts) == 30
    assert states(*requests) == [RequestState.FULFILLED] * 10


# --- Refused -----------------------------------------------------------------------------------


def test_too_few_seats_are_given_to_nobody(plan: SubscriptionPlan, reviewer: User) -> None:
    requests = [ask(plan) for _number in range(3)]

    with pytest.raises(NotEnoughSeatsError):
        approve(plan, *requests, by=reviewer)

    assert_nothing_happened(plan, *requests)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"is_active": False}, PlanInactiveError),
        ({"expiration_date": THEN}, PlanNotCurrentError),
        ({"start_date": THEN + DAY}, PlanNotCurrentError),
    ],
)
def test_nothing_is_given_of_a_plan_that_cannot_be_used(
    plan: SubscriptionPlan, reviewer: User, values: dict[str, Any], error: type[DomainError]
) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(**values)
    request = ask(plan)

    with pytest.raises(error):
        approve(plan, request, by=reviewer)

    assert_nothing_happened(plan, request)


def test_another_customers_plan_is_not_found(plan: SubscriptionPlan, reviewer: User) -> None:
    request = ask(plan)

    with pytest.raises(PlanNotFoundError):
        approve(plan, request, by=reviewer, plan_uuid=plan_with_seats(1).uuid)

    assert_nothing_happened(plan, request)


@pytest.mark.parametrize("over", ["declined", "cancelled", "expired"])
def test_one_that_is_over_is_refused_with_all_others(
    plan: SubscriptionPlan, reviewer: User, over: str
) -> None:
    request = ask(plan)
    ended = ask(plan, state=over, decision_source=DecisionSource.EXPIRY, reviewed_at=AT)

    with pytest.raises(IllegalTransitionError) as refusal:
        approve(plan, request, ended, by=reviewer)

    assert refusal.value.requests == (ended,)
    assert_nothing_happened(plan, request)


@pytest.mark.parametrize(
    ("subsidy_type", "error"), [("coupon", WrongSubsidyTypeError), (None, NoSubsidyTypeError)]
)
def test_nothing_is_granted_that_the_customer_does_not_offer(
    plan: SubscriptionPlan, reviewer: User, subsidy_type: str | None, error: type[DomainError]
) -> None:
    SubsidyRequestCustomerConfiguration.objects.update(subsidy_type=subsidy_type)
    request = ask(plan)

    with pytest.raises(error):
        approve(plan, request, by=reviewer)

    assert_nothing_happened(plan, request)


def test_nothing_is_granted_without_a_configuration(plan: SubscriptionPlan, reviewer: User) -> None:
    SubsidyRequestCustomerConfiguration.objects.all().delete()
    request = ask(plan)

    with pytest.raises(RequestsNotConfiguredError):
        approve(plan, request, by=reviewer)

    assert_nothing_happened(plan, request)


def test_who_has_no_address_cannot_be_given_a_license(
    plan: SubscriptionPlan, reviewer: User
) -> None:
    request = ask(plan, user=LearnerFactory.create(email=""))

    with pytest.raises(NoAddressError):
        approve(plan, request, by=reviewer)

    assert_nothing_happened(plan, request)


# --- Failed ------------------------------------------------------------------------------------


@pytest.fixture
def failed(plan: SubscriptionPlan, reviewer: User, announced: Heard) -> LicenseRequest:
    """Approved while the database refused to store assigned seats."""
    request = ask(plan)
    refuse("licenses_license", "status = 'assigned'")
    approve(plan, request, by=reviewer)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licenses_license DROP CONSTRAINT for_test")
    return request


def test_what_could_not_be_given_is_in_error_and_takes_no_seat(
    plan: SubscriptionPlan, reviewer: User, failed: LicenseRequest, announced: Heard
) -> None:
    assert states(failed) == [RequestState.ERROR]
    assert (failed.error_code, failed.grant_attempts, failed.reviewer) == ("internal", 1, reviewer)
    assert (failed.subscription_plan, failed.license) == (plan, None)
    assert statuses(plan) == {"unassigned": 2}
    assert not OutboxMessage.objects.exists()
    assert [signal for signal, _items in announced] == [
        subsidy_request_approved,
        subsidy_request_failed,
    ]
    assert rows_without_true_history(LicenseRequest) == 0


def test_what_failed_is_granted_by_an_operator_with_one_mail(
    plan: SubscriptionPlan, reviewer: User, failed: LicenseRequest
) -> None:
    by = by_at(THEN + DAY, cause="command:retry_failed_requests")

    approve(plan, failed, by=by, source=DecisionSource.COMMAND)

    assert states(failed) == [RequestState.FULFILLED]
    assert (failed.error_code, failed.grant_attempts) == ("", 2)
    assert (failed.reviewer, failed.reviewed_at) == (reviewer, THEN)
    assert len(mails()) == 1


def test_what_failed_is_superseded_by_a_later_request(
    plan: SubscriptionPlan, reviewer: User, failed: LicenseRequest
) -> None:
    later = ask(plan, user=failed.user)

    with pytest.raises(SupersededError) as refusal:
        approve(plan, failed, by=reviewer)

    assert refusal.value.requests == (failed,)
    assert states(failed, later) == [RequestState.ERROR, RequestState.REQUESTED]
    assert approve(plan, later, by=reviewer) == [later]


def test_what_failed_is_granted_where_the_later_request_was_taken_back(
    plan: SubscriptionPlan, reviewer: User, failed: LicenseRequest
) -> None:
    ask(plan, user=failed.user, state="cancelled", decision_source=DecisionSource.LEARNER)

    approve(plan, failed, by=reviewer)

    assert states(failed) == [RequestState.FULFILLED]


def test_a_seat_that_no_request_got_is_not_given(
    plan: SubscriptionPlan, reviewer: User, deaf: Callable[[], None]
) -> None:
    request = ask(plan)
    deaf()

    approve(plan, request, by=reviewer)

    assert states(request) == [RequestState.ERROR]
    assert statuses(plan) == {"unassigned": 2}


@pytest.fixture
def deaf() -> Any:
    """Let nobody hear that licenses are assigned."""
    receivers = list(license_assigned.receivers)

    def silence() -> None:
        license_assigned.receivers = []
        license_assigned.sender_receivers_cache.clear()

    yield silence
    license_assigned.receivers = receivers
    license_assigned.sender_receivers_cache.clear()

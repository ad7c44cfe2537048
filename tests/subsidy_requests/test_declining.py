"""Requests are declined, and their learners unlinked where the administrator wants that."""

from typing import Any

import pytest
from django.db import connection

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from licenses.models import Customer, CustomerLearner
from subsidy_requests.enums import DecisionSource, RequestState, UnlinkResult
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.declining import decline_requests, unlink_again
from subsidy_requests.services.transitions import IllegalTransitionError
from subsidy_requests.signals import subsidy_request_declined
from tests.letters.conftest import Statements
from tests.licenses.factories import (
    AT,
    DAY,
    CustomerFactory,
    CustomerLearnerFactory,
    LearnerFactory,
    PlanFactory,
    assign,
    plan_with_seats,
    refuse,
)
from tests.subsidy_requests.conftest import Heard
from tests.subsidy_requests.factories import (
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db

THEN = AT + DAY
END_LINK = "licenses.end_link"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create()


@pytest.fixture
def reviewer() -> User:
    return LearnerFactory.create()


def ask(customer: Customer, **fields: Any) -> LicenseRequest:
    """A request of a learner who belongs to the customer."""
    request: LicenseRequest = LicenseRequestFactory.create(customer=customer, **fields)
    CustomerLearnerFactory.create(customer=customer, user=request.user)
    return request


def decline(
    customer: Customer, *requests: LicenseRequest, by: User, **how: Any
) -> list[LicenseRequest]:
    return decline_requests(
        LicenseRequest,
        **{
            "customer": customer,
            "uuids": [request.uuid for request in requests],
            "source": DecisionSource.ADMIN_PAGE,
            "notify": True,
            "by": by_at(THEN, actor=by),
            **how,
        },
    )


def mails() -> list[dict[str, Any]]:
    rows = OutboxMessage.objects.filter(kind="subsidy_requests.mail").order_by("pk")
    return [row.payload for row in rows]


def link_of(request: LicenseRequest) -> CustomerLearner:
    return CustomerLearner.objects.get(user=request.user)


# --- Declined ----------------------------------------------------------------------------------


def test_says_who_declined_when_and_why(
    customer: Customer, reviewer: User, announced: Heard
) -> None:
    request = ask(customer)

    assert decline(customer, request, by=reviewer, reason="Not this year.") == [request]

    request.refresh_from_db()
    assert (request.state, request.decline_reason) == (RequestState.DECLINED, "Not this year.")
    assert (request.reviewer, request.reviewed_at, request.decision_source) == (
        reviewer,
        THEN,
        DecisionSource.ADMIN_PAGE,
    )
    assert (request.unlink_requested, request.unlink_result) == (False, "")
    assert [signal for signal, _items in announced] == [subsidy_request_declined]
    assert [(mail["notice"], mail["request"]) for mail in mails()] == [("declined", request.pk)]
    newest = LicenseRequest.history.latest("history_id")
    assert (newest.history_user, newest.state) == (reviewer, "declined")
    assert rows_without_true_history(LicenseRequest) == 0


def test_declining_again_does_nothing(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    decline(customer, request, by=reviewer, reason="No.")

    assert decline(customer, request, by=LearnerFactory.create(), reason="Never.") == []

    request.refresh_from_db()
    assert (request.reviewer, request.decline_reason) == (reviewer, "No.")
    assert len(mails()) == 1


def test_what_failed_can_be_declined_without_a_mail(customer: Customer, reviewer: User) -> None:
    request = ask(customer, failed=True)

    decline(customer, request, by=reviewer, notify=False)

    request.refresh_from_db()
    assert (request.state, request.error_code, mails()) == (RequestState.DECLINED, "", [])


@pytest.mark.parametrize("over", [RequestState.CANCELLED, RequestState.EXPIRED])
def test_one_that_is_over_is_refused_with_all_others(
    customer: Customer, reviewer: User, over: RequestState
) -> None:
    request = ask(customer)
    ended = ask(customer, state=over, decision_source=DecisionSource.EXPIRY)

    with pytest.raises(IllegalTransitionError) as refusal:
        decline(customer, request, ended, by=reviewer, unlink=True)

    request.refresh_from_db()
    assert refusal.value.requests == (ended,)
    assert (request.state, link_of(request).status) == (RequestState.REQUESTED, "linked")
    assert not OutboxMessage.objects.exists()


def test_what_is_granted_is_not_declined(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    plan = plan_with_seats(1, customer_agreement__customer=customer)
    (license,) = assign(plan, request.user.email)
    LicenseRequest.objects.filter(pk=request.pk).update(
        state="fulfilled", decision_source="command", reviewed_at=AT, license=license
    )

    with pytest.raises(IllegalTransitionError):
        decline(customer, request, by=reviewer)

    request.refresh_from_db()
    assert request.state == RequestState.FULFILLED


def test_another_customers_request_is_left_alone(customer: Customer, reviewer: User) -> None:
    foreign = ask(CustomerFactory.create())

    assert decline(customer, foreign, by=reviewer, unlink=True) == []

    foreign.refresh_from_db()
    assert (foreign.state, link_of(foreign).status) == (RequestState.REQUESTED, "linked")


def test_declines_requests_for_codes_alike(customer: Customer, reviewer: User) -> None:
    request = CouponCodeRequestFactory.create(customer=customer)

    declined = decline_requests(
        CouponCodeRequest,
        customer=customer,
        uuids=[request.uuid],
        source=DecisionSource.ADMIN_API,
        notify=True,
        by=by_at(THEN, actor=reviewer),
    )

    request.refresh_from_db()
    assert (declined, request.state) == ([request], RequestState.DECLINED)
    assert mails()[0]["type"] == "coupon"


@pytest.mark.parametrize("count", [10, 100])
def test_declines_in_a_fixed_number_of_statements(
    customer: Customer, reviewer: User, statements: Statements, count: int
) -> None:
    requests = [ask(customer) for _number in range(count)]

    with statements.counted() as texts:
        decline(customer, *requests, by=reviewer, unlink=True)

    assert len(texts) == 18
    assert len(mails()) == count
    assert CustomerLearner.objects.filter(status="linked").count() == 0


# --- Unlinked ----------------------------------------------------------------------------------


def test_unlinks_for_good_and_tells_the_lms(customer: Customer, reviewer: User) -> None:
    request, other = ask(customer), ask(customer)

    decline(customer, request, by=reviewer, unlink=True)

    request.refresh_from_db()
    link = link_of(request)
    assert (link.status, link.is_relinkable, link.unlinked_at) == ("unlinked", False, THEN)
    assert (request.unlink_requested, request.unlink_result) == (True, UnlinkResult.DONE)
    assert link_of(other).status == "linked"
    assert OutboxMessage.objects.get(kind=END_LINK).payload["rows"] == [link.pk]
    assert LicenseRequest.history.filter(id=request.pk, state="declined").count() == 1


def test_who_holds_a_license_is_declined_and_not_unlinked(
    customer: Customer, reviewer: User
) -> None:
    holder, other = ask(customer), ask(customer)
    assign(plan_with_seats(1, customer_agreement__customer=customer), holder.user.email)

    decline(customer, holder, other, by=reviewer, unlink=True)

    for request in (holder, other):
        request.refresh_from_db()
    assert (holder.state, other.state) == (RequestState.DECLINED, RequestState.DECLINED)
    assert (holder.unlink_result, other.unlink_result) == (
        UnlinkResult.HOLDS_LICENSE,
        UnlinkResult.DONE,
    )
    assert (link_of(holder).status, link_of(other).status) == ("linked", "unlinked")


def test_a_license_of_an_ended_plan_keeps_nobody(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    plan = plan_with_seats(1, customer_agreement__customer=customer)
    assign(plan, request.user.email)
    type(plan).objects.filter(pk=plan.pk).update(expiration_date=THEN)

    decline(customer, request, by=reviewer, unlink=True)

    assert link_of(request).status == "unlinked"


def test_another_customers_license_keeps_nobody(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    PlanFactory.create(customer_agreement__customer=customer)
    assign(plan_with_seats(1), request.user.email)

    decline(customer, request, by=reviewer, unlink=True)

    assert CustomerLearner.objects.get(user=request.user, customer=customer).status == "unlinked"


def test_a_link_that_cannot_be_ended_undoes_no_decision(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    refuse("licenses_customerlearner", "status = 'unlinked'")

    decline(customer, request, by=reviewer, unlink=True)

    request.refresh_from_db()
    assert (request.state, request.unlink_result) == (RequestState.DECLINED, UnlinkResult.FAILED)
    assert link_of(request).status == "linked"
    assert [mail["notice"] for mail in mails()] == ["declined"]
    assert not OutboxMessage.objects.filter(kind=END_LINK).exists()


def test_a_link_that_could_not_be_ended_is_tried_again(customer: Customer, reviewer: User) -> None:
    request = ask(customer)
    refuse("licenses_customerlearner", "status = 'unlinked'")
    decline(customer, request, by=reviewer, unlink=True)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE licenses_customerlearner DROP CONSTRAINT for_test")

    tried = unlink_again(LicenseRequest, customer=customer, pks=[request.pk], by=by_at(THEN + DAY))
    again = unlink_again(LicenseRequest, customer=customer, pks=[request.pk], by=by_at(THEN + DAY))

    request.refresh_from_db()
    assert (tried, again, request.unlink_result) == ([request], [], UnlinkResult.DONE)
    assert link_of(request).status == "unlinked"
    assert len(mails()) == 1
    assert rows_without_true_history(LicenseRequest) == 0

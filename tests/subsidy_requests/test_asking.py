"""Who may ask for what, and how often."""

from collections.abc import Callable
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history
from licenses.models import Customer
from programs.models import CourseOwner
from subsidy_requests.enums import RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.asking import (
    IdempotencyKeyReusedError,
    NotLinkedError,
    OutstandingRequestError,
    ask_for_code,
    ask_for_license,
)
from subsidy_requests.services.gate import (
    NoSubsidyTypeError,
    RequestsDisabledError,
    RequestsNotConfiguredError,
    WrongSubsidyTypeError,
)
from subsidy_requests.signals import subsidy_requested
from tests.licenses.factories import AT, BY, DAY, CustomerLearnerFactory, LearnerFactory
from tests.programs.factories import CourseFactory, OrganizationFactory
from tests.subsidy_requests.conftest import Heard
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db

COURSE = "edX+DemoX"


def learner_of(*customers: Customer) -> User:
    learner = LearnerFactory.create()
    for customer in customers:
        CustomerLearnerFactory.create(customer=customer, user=learner)
    return learner


@pytest.fixture
def customer() -> Customer:
    """Its learners may ask for licenses."""
    return ConfigurationFactory.create().customer


@pytest.fixture
def ann(customer: Customer) -> User:
    return learner_of(customer)


def ask(user: User, customer: Customer, course_id: str = COURSE, **how: Any) -> LicenseRequest:
    return ask_for_license(user=user, customer=customer, course_id=course_id, **{"by": BY, **how})


def assert_refused(error: type[DomainError], ask: Callable[[], object], announced: Heard) -> None:
    before = LicenseRequest.objects.count() + CouponCodeRequest.objects.count()

    with pytest.raises(error):
        ask()

    assert LicenseRequest.objects.count() + CouponCodeRequest.objects.count() == before
    assert announced == []


# --- The gate ----------------------------------------------------------------------------------


def test_keeps_what_was_asked_with_its_history(
    customer: Customer, ann: User, announced: Heard
) -> None:
    request = ask(ann, customer, reason="For my work.")

    request.refresh_from_db()
    assert (request.user, request.customer, request.state) == (ann, customer, "requested")
    assert (request.course_id, request.reason) == (COURSE, "For my work.")
    assert (request.created, request.modified, request.state_changed_at) == (AT, AT, AT)
    assert (request.decision_source, request.reviewer, request.reviewed_at) == ("", None, None)
    ((signal, (fact,)),) = announced
    assert (signal, fact.request_uuid, fact.subsidy_type) == (
        subsidy_requested,
        request.uuid,
        "license",
    )
    assert rows_without_true_history(LicenseRequest) == 0


def test_says_what_the_catalog_calls_the_course_and_who_offers_it(
    customer: Customer, ann: User
) -> None:
    first, second = OrganizationFactory.create_batch(2)
    course = CourseFactory.create(key=COURSE, title="A Demonstration")
    CourseOwner.objects.create(course=course, organization=second, position=1)
    CourseOwner.objects.create(course=course, organization=first, position=0)

    request = ask(ann, customer)

    request.refresh_from_db()
    assert request.course_title == "A Demonstration"
    assert request.course_partners == [
        {"uuid": str(first.uuid), "name": first.name},
        {"uuid": str(second.uuid), "name": second.name},
    ]


def test_refuses_where_nothing_is_configured(announced: Heard) -> None:
    customer = CustomerLearnerFactory.create().customer
    learner = learner_of(customer)

    assert_refused(RequestsNotConfiguredError, lambda: ask(learner, customer), announced)


@pytest.mark.parametrize(
    ("configuration", "error"),
    [
        ({"disabled": True, "subsidy_type": None}, RequestsDisabledError),
        ({"disabled": True, "coupons": True}, RequestsDisabledError),
        ({"subsidy_type": None}, NoSubsidyTypeError),
        ({"coupons": True}, WrongSubsidyTypeError),
    ],
)
def test_refuses_in_the_order_of_the_gate(
    configuration: dict[str, Any], error: type[DomainError], announced: Heard
) -> None:
    customer = ConfigurationFactory.create(**configuration).customer
    learner = learner_of(customer)

    assert_refused(error, lambda: ask(learner, customer), announced)


def test_codes_are_refused_where_licenses_are_offered(
    customer: Customer, ann: User, announced: Heard
) -> None:
    def asking() -> object:
        return ask_for_code(user=ann, customer=customer, course_id=COURSE, by=BY)

    assert_refused(WrongSubsidyTypeError, asking, announced)


def test_refuses_who_does_not_belong_to_the_customer(customer: Customer, announced: Heard) -> None:
    elsewhere = learner_of(ConfigurationFactory.create().customer)
    gone = CustomerLearnerFactory.create(customer=customer, unlinked=True).user

    for stranger in (elsewhere, gone):
        assert stranger
        assert_refused(NotLinkedError, lambda: ask(stranger, customer), announced)  # noqa: B023 - used at once


# --- One open request --------------------------------------------------------------------------


def test_a_learner_asks_a_customer_for_one_license_whatever_the_course(
    customer: Customer, ann: User, announced: Heard
) -> None:
    LicenseRequestFactory.create(user=ann, customer=customer)

    assert_refused(OutstandingRequestError, lambda: ask(ann, customer, "edX+Other"), announced)


def test_asks_another_customer_at_the_same_time(customer: Customer) -> None:
    other = ConfigurationFactory.create().customer
    learner = learner_of(customer, other)

    ask(learner, customer)
    ask(learner, other)

    assert learner.licenserequests.count() == 2


@pytest.mark.parametrize("over", ["declined", "cancelled", "failed"])
def test_asks_again_once_the_former_request_is_over(
    customer: Customer, ann: User, over: str
) -> None:
    LicenseRequestFactory.create(user=ann, customer=customer, **{over: True})

    assert ask(ann, customer).state == RequestState.REQUESTED


def test_a_code_is_asked_for_once_for_each_course(announced: Heard) -> None:
    customer = ConfigurationFactory.create(coupons=True).customer
    learner = learner_of(customer)
    CouponCodeRequestFactory.create(user=learner, customer=customer, course_id=COURSE)

    def asking(course_id: str) -> CouponCodeRequest:
        return ask_for_code(user=learner, customer=customer, course_id=course_id, by=BY)

    assert_refused(OutstandingRequestError, lambda: asking(COURSE), announced)
    assert asking("edX+Other").course_id == "edX+Other"


# --- Idempotency keys --------------------------------------------------------------------------


def test_the_same_key_is_the_same_request(customer: Customer, ann: User, announced: Heard) -> None:
    first = ask(ann, customer, idempotency_key="key")

    second = ask(ann, customer, idempotency_key="key", by=by_at(AT + DAY))

    assert second == first
    assert LicenseRequest.objects.count() == len(announced) == 1


def test_the_same_key_answers_whatever_became_of_the_request(customer: Customer, ann: User) -> None:
    former = LicenseRequestFactory.create(
        user=ann, customer=customer, course_id=COURSE, declined=True, idempotency_key="key"
    )

    assert ask(ann, customer, idempotency_key="key") == former


def test_a_key_stands_for_one_request(customer: Customer, ann: User, announced: Heard) -> None:
    LicenseRequestFactory.create(
        user=ann, customer=customer, course_id=COURSE, cancelled=True, idempotency_key="key"
    )

    assert_refused(
        IdempotencyKeyReusedError,
        lambda: ask(ann, customer, "edX+Other", idempotency_key="key"),
        announced,
    )


def test_two_learners_may_choose_the_same_key(customer: Customer, ann: User) -> None:
    bob = learner_of(customer)

    assert ask(ann, customer, idempotency_key="key") != ask(bob, customer, idempotency_key="key")

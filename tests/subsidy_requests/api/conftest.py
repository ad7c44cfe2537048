"""Who calls, and the customer whose learners ask."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import Customer, CustomerLearner, SubscriptionPlan
from subsidy_requests.models import (
    Coupon,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.api.conftest import TokenFactory, issue_token, service
from tests.licenses.api.conftest import V1, Caller, allow, client_of
from tests.licenses.factories import CustomerLearnerFactory
from tests.licenses.pages.now import administrator_of, learner, plan_now, staff
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponFactory,
    LicenseRequestFactory,
)

__all__ = ["issue_token", "service"]

EVERYTHING = ("manage_any_customer", "review_subsidy_requests")
LICENSE_REQUESTS, CODE_REQUESTS = f"{V1}license-requests/", f"{V1}coupon-code-requests/"
CONFIGURATIONS = f"{V1}customer-configurations/"
UNKNOWN = UUID("11111111-1111-4111-8111-111111111111")
DECIDES = "Missing: requests.has_admin_access"
ASKS = "Missing: requests.has_learner_or_admin_access"


def linked(customer: Customer, **fields: Any) -> User:
    """A learner of the customer."""
    person = learner(**fields)
    CustomerLearnerFactory.create(customer=customer, user=person)
    return person


def post(client: APIClient, path: str, customer: Customer | UUID, **body: Any) -> Any:
    customer_uuid = customer.uuid if isinstance(customer, Customer) else customer
    named = {"enterprise_customer_uuid": str(customer_uuid), **body}
    return client.post(path, named, format="json")


def decide(
    client: APIClient, path: str, customer: Customer | UUID, *requests: Any, **body: Any
) -> Any:
    uuids = [str(one.uuid) for one in requests]
    return post(client, path, customer, subsidy_request_uuids=uuids, **body)


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def plan() -> SubscriptionPlan:
    """An active plan with two free seats."""
    return plan_now(2, title="Gold", customer_agreement__customer__slug="acme")


@pytest.fixture
def customer(plan: SubscriptionPlan) -> Customer:
    return plan.customer_agreement.customer


@pytest.fixture
def configuration(customer: Customer) -> SubsidyRequestCustomerConfiguration:
    """Learners of the customer may ask for licenses."""
    configuration: SubsidyRequestCustomerConfiguration = ConfigurationFactory.create(
        customer=customer
    )
    return configuration


@pytest.fixture
def coupon(customer: Customer) -> Coupon:
    """A coupon with two codes of a customer whose learners may ask for codes."""
    ConfigurationFactory.create(customer=customer, coupons=True)
    coupon: Coupon = CouponFactory.create(customer=customer)
    CouponCodeFactory.create_batch(2, coupon=coupon)
    return coupon


@pytest.fixture
def ada(customer: Customer) -> User:
    """A learner of the customer, with an account in the LMS."""
    return linked(customer, username="ada", email="ada@example.com", lms_user_id=77)


@pytest.fixture
def asked(customer: Customer, ada: User) -> LicenseRequest:
    """What ada asked the customer."""
    request: LicenseRequest = LicenseRequestFactory.create(
        customer=customer, user=ada, course_id="edX+DemoX"
    )
    return request


@pytest.fixture
def admin(customer: Customer) -> APIClient:
    """An administrator of the customer."""
    return client_of(administrator_of(customer, user__lms_user_id=5))


@pytest.fixture
def as_ada(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def as_caller(customer: Customer, ada: User, request: pytest.FixtureRequest) -> Caller:
    """A function that returns a client for somebody, by name.

    "anonymous"; ada, the "learner", and a "colleague" of hers; "nobody", who belongs to no
    customer; "foreign learner" and "foreign admin" of another customer; "former admin", who was
    unlinked; "admin"; "viewer" of the staff, who sees everything; "manager", who acts for every
    customer and may do nothing; "desk", who decides for every customer; "superuser"; "service"
    like desk, "reading service" with a token to read, "idle service" without permissions.
    """
    people: dict[str, Callable[[], User]] = {
        "learner": lambda: ada,
        "colleague": lambda: linked(customer),
        "nobody": learner,
        "foreign learner": lambda: _user(customer__slug="other"),
        "foreign admin": lambda: _user(customer__slug="other", admin=True),
        "former admin": lambda: _user(customer=customer, admin=True, unlinked=True),
        "admin": lambda: administrator_of(customer),
        "viewer": lambda: staff("view_license"),
        "manager": lambda: staff("manage_any_customer"),
        "desk": lambda: staff(*EVERYTHING),
        "superuser": lambda: learner(is_superuser=True),
    }

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        if name.endswith("service"):
            return _service(name, request.getfixturevalue("issue_token"))
        return client_of(people[name]())

    return client


def _user(**fields: Any) -> User:
    link: CustomerLearner = CustomerLearnerFactory.create(**fields)
    assert link.user
    return link.user


def _service(name: str, ask: TokenFactory) -> APIClient:
    token = ask(scope="read") if name == "reading service" else ask()
    if name != "idle service":
        allow(User.objects.get(username="lms_worker"), *EVERYTHING)
    return APIClient(headers={"authorization": f"Bearer {token}"})

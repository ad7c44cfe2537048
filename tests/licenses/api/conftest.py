"""Who calls, and the customer whose licenses they ask for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from tests.api.conftest import TokenFactory, issue_token, service
from tests.licenses.factories import CustomerLearnerFactory
from tests.licenses.pages.now import administrator_of, give, learner, plan_now, staff, take

__all__ = ["issue_token", "service"]

V1 = "/api/v1/"
EVERYTHING = ("manage_any_customer", "assign_license", "revoke_license", "view_license")
Caller = Callable[[str], APIClient]


def licenses_of(plan: SubscriptionPlan, act: str = "") -> str:
    return f"{V1}subscriptions/{plan.uuid}/licenses/{act}"


def client_of(person: User) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def allow(person: User, *codenames: str) -> None:
    named = Permission.objects.filter(codename__in=codenames)
    assert len(named) == len(codenames)
    person.user_permissions.add(*named)


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def plan() -> SubscriptionPlan:
    """An active plan with five seats, of which nobody holds one yet."""
    return plan_now(5, title="Gold", customer_agreement__customer__slug="acme", days_left=12)


@pytest.fixture
def customer(plan: SubscriptionPlan) -> Customer:
    return plan.customer_agreement.customer


@pytest.fixture
def ada(plan: SubscriptionPlan) -> User:
    """A learner of the customer, with an account in the LMS."""
    person = learner(username="ada", email="ada@example.com", lms_user_id=77)
    CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, user=person)
    return person


@pytest.fixture
def assigned(plan: SubscriptionPlan, ada: User) -> License:
    [license] = give(plan, ada)
    return license


@pytest.fixture
def activated(plan: SubscriptionPlan, ada: User) -> License:
    [license] = take(plan, ada)
    return license


@pytest.fixture
def admin(customer: Customer) -> APIClient:
    """An administrator of the customer."""
    return client_of(administrator_of(customer))


@pytest.fixture
def manager() -> APIClient:
    """Somebody of the staff who may do everything with every customer's licenses."""
    return client_of(staff(*EVERYTHING))


@pytest.fixture
def as_caller(
    customer: Customer, ada: User, request: pytest.FixtureRequest
) -> Callable[[str], APIClient]:
    """A function that returns a client for somebody, by name.

    "anonymous"; "learner" of the customer; "nobody", who belongs to no customer; "foreign learner"
    and "foreign admin" of another customer; "former admin", who was unlinked; "admin"; "viewer"
    of the staff, who sees everything; "manager", who acts for every customer and may do nothing;
    "desk", who may do everything; "superuser"; "service" like desk, "reading service" with a token
    to read, "idle service" without permissions.
    """

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        if name.endswith("service"):
            return _service(name, request.getfixturevalue("issue_token"))
        return client_of(_person(name, customer, ada))

    return client


def _service(name: str, ask: TokenFactory) -> APIClient:
    token = ask(scope="read") if name == "reading service" else ask()
    if name != "idle service":
        allow(User.objects.get(username="lms_worker"), *EVERYTHING, "retire_user")
    return APIClient(headers={"authorization": f"Bearer {token}"})


def _person(name: str, customer: Customer, ada: User) -> User:
    people: dict[str, Callable[[], User]] = {
        "learner": lambda: ada,
        "nobody": learner,
        "foreign learner": lambda: _linked(customer__slug="other"),
        "foreign admin": lambda: _linked(customer__slug="other", admin=True),
        "former admin": lambda: _linked(customer=customer, admin=True, unlinked=True),
        "admin": lambda: administrator_of(customer),
        "viewer": lambda: staff("view_license"),
        "manager": lambda: staff("manage_any_customer"),
        "desk": lambda: staff(*EVERYTHING, "retire_user"),
        "superuser": lambda: learner(is_superuser=True),
    }
    return people[name]()


def _linked(**fields: Any) -> User:
    link: CustomerLearner = CustomerLearnerFactory.create(**fields)
    assert link.user
    return link.user

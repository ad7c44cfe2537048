"""Who calls, and what they hold; the API looks at it now."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from entitlements.models import CourseEntitlement
from programs.models import CourseRun
from tests.api.conftest import TokenFactory, issue_token, service
from tests.entitlements.factories import DAY, EntitlementFactory
from tests.entitlements.sessions import offered_run
from tests.programs.factories import LearnerFactory

__all__ = ["issue_token", "service"]

V1 = "/api/entitlements/v1/"
ENTITLEMENTS = f"{V1}entitlements/"
NOW = timezone.now()
UNKNOWN = UUID(int=7, version=4)
Caller = Callable[[str], APIClient]


def path_of(entitlement: CourseEntitlement, rest: str = "") -> str:
    return f"{ENTITLEMENTS}{entitlement.uuid}/{rest}"


def client_of(person: User) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def allow(person: User, *codenames: str) -> None:
    named = Permission.objects.filter(codename__in=codenames)
    assert len(named) == len(codenames)
    person.user_permissions.add(*named)


def sold(days_ago: int = 10, **fields: Any) -> CourseEntitlement:
    """An entitlement, sold some days ago."""
    entitlement: CourseEntitlement = EntitlementFactory.create(
        created=NOW - days_ago * DAY, **fields
    )
    return entitlement


def key_of(entitlement: CourseEntitlement) -> str:
    """The key of the run that it is used for."""
    enrollment = entitlement.enrollment_course_run
    assert enrollment
    return enrollment.course_run.key


def run_of_course(entitlement: CourseEntitlement, **fields: Any) -> CourseRun:
    """Another run of its course that can be taken now."""
    dates = {"start_date": NOW - DAY, "end_date": NOW + 100 * DAY}
    return offered_run(entitlement, **{**dates, **fields})


def send(client: APIClient, method: str, path: str, body: Any) -> Any:
    """Send JSON in pure ASCII, so that it can hold any text."""
    content = json.dumps(body)
    return client.generic(method, path, content, content_type="application/json")


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def ada() -> User:
    learner: User = LearnerFactory.create(username="ada")
    return learner


@pytest.fixture
def as_ada(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def desk() -> User:
    """Somebody of the staff who supports learners."""
    person: User = LearnerFactory.create(username="desk", is_staff=True)
    allow(person, "support_entitlements")
    return person


@pytest.fixture
def as_desk(desk: User) -> APIClient:
    return client_of(desk)


@pytest.fixture
def as_caller(ada: User, desk: User, request: pytest.FixtureRequest) -> Caller:
    """A function that returns a client for somebody, by name.

    "anonymous"; "ada", whose entitlement is asked for; "bob", another learner; "clerk" of the
    staff, without a permission; "viewer", who sees all; "desk", who supports learners; "service"
    like desk, "reading service" with a token to read, "idle service" without a permission.
    """

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        if name.endswith("service"):
            return _service(name, request.getfixturevalue("issue_token"))
        if name in {"ada", "desk"}:
            return client_of({"ada": ada, "desk": desk}[name])
        person = LearnerFactory.create(username=name, is_staff=name != "bob")
        if name == "viewer":
            allow(person, "view_courseentitlement")
        return client_of(person)

    return client


def _service(name: str, ask: TokenFactory) -> APIClient:
    token = ask(scope="read") if name == "reading service" else ask()
    if name != "idle service":
        allow(User.objects.get(username="lms_worker"), "support_entitlements")
    return APIClient(headers={"authorization": f"Bearer {token}"})

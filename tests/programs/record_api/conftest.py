"""A learner with something earned, and who asks for it."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import CourseRun, Pathway, Program, SharedProgramRecord
from tests.api.conftest import TokenFactory, issue_token, service
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    LearnerFactory,
    SharedRecordFactory,
    pathway_of,
    program_requiring,
)

__all__ = ["issue_token", "service"]

LIST = "/records/api/v1/program_records/"
UNKNOWN_HEX = "0" * 31 + "7"
VIEW = ("view_coursegrade", "view_coursecertificate", "view_programcertificate")
Caller = Callable[[str], APIClient]


def record_path(program: Program, **query: str) -> str:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{LIST}{program.uuid}/?{asked}"


def public_path(link: SharedProgramRecord) -> str:
    return f"{LIST}{link.uuid.hex}/?is_public=true"


def csv_path(link: SharedProgramRecord) -> str:
    return f"/records/programs/shared/{link.uuid.hex}/csv"


def act_path(program: Program, act: str) -> str:
    return f"/records/programs/{program.uuid.hex}/{act}"


def post(client: APIClient, path: str, body: Any) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json")


def client_of(person: User) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def allow(person: User, *codenames: str) -> None:
    named = Permission.objects.filter(content_type__app_label="programs", codename__in=codenames)
    assert len(named) == len(codenames)
    person.user_permissions.add(*named)


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def ada() -> User:
    learner: User = LearnerFactory.create(username="ada", full_name="Ada Lovelace")
    return learner


@pytest.fixture
def run() -> CourseRun:
    course = CourseFactory.create(key="NBx+SC1", title="Supply Chains")
    earned: CourseRun = CourseRunFactory.create(course=course, key="course-v1:NBx+SC1+1T2024")
    return earned


@pytest.fixture
def program(ada: User, run: CourseRun) -> Program:
    """Of two courses; ada has earned the first with a grade of 0.91 and nothing in the second."""
    other = CourseRunFactory.create(course__title="Design").course
    made = program_requiring(
        core=[run.course, other], title="Supply Chain Practice", type="Micro Masters"
    )
    GradeFactory.create(user=ada, course_run=run, percent_grade=Decimal("0.91"), letter_grade="A")
    CourseCertificateFactory.create(user=ada, course_run=run)
    return made


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(program, name="Master of Logistics")


@pytest.fixture
def link(ada: User, program: Program) -> SharedProgramRecord:
    made: SharedProgramRecord = SharedRecordFactory.create(user=ada, program=program)
    return made


@pytest.fixture
def stranger() -> APIClient:
    return APIClient()


@pytest.fixture
def as_ada(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def as_caller(ada: User, request: pytest.FixtureRequest) -> Caller:
    """A function that returns a client for somebody, by name.

    "anonymous"; "ada", whose record it is; "bob", another learner; "clerk" of the staff, without
    a permission; "half viewer", who may see certificates and no grades; "viewer", who may see
    both; "desk", who may send for learners; "service" like viewer and desk, "reading service"
    with a token to read.
    """

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        if name.endswith("service"):
            return _service(name, request.getfixturevalue("issue_token"))
        if name == "ada":
            return client_of(ada)
        person = LearnerFactory.create(username=name.replace(" ", "-"), is_staff=name != "bob")
        allow(
            person,
            *{
                "half viewer": VIEW[1:],
                "viewer": VIEW,
                "desk": ("request_credit_for_learner",),
            }.get(name, ()),
        )
        return client_of(person)

    return client


def _service(name: str, ask: TokenFactory) -> APIClient:
    token = ask(scope="read") if name == "reading service" else ask()
    allow(User.objects.get(username="lms_worker"), *VIEW, "request_credit_for_learner")
    return APIClient(headers={"authorization": f"Bearer {token}"})

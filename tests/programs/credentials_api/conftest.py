"""A learner with certificates, and who asks for them or tells of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import (
    CourseCertificate,
    CourseRun,
    Program,
    ProgramCertificate,
    ProgramCertificateConfiguration,
)
from tests.api.conftest import TokenFactory, issue_token, service
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    program_requiring,
)

__all__ = ["issue_token", "service"]

V2 = "/api/v2/"
CREDENTIALS = f"{V2}credentials/"
GRADES = f"{V2}grades/"
CONFIGURATIONS = f"{V2}course_certificates/"
REPLACE = f"{V2}replace_usernames/"
UNKNOWN = "00000000-0000-4000-8000-000000000007"
RUN_KEY = "course-v1:NBx+SC1.x+1T2024"
KINDS = ("coursecertificate", "programcertificate", "coursegrade", "coursecertificateconfiguration")
Caller = Callable[[str], APIClient]


def path_of(certificate: CourseCertificate | ProgramCertificate) -> str:
    return f"{CREDENTIALS}{certificate.uuid}/"


def send(client: APIClient, method: str, path: str, body: Any) -> Any:
    return client.generic(method, path, json.dumps(body), content_type="application/json")


def client_of(person: User) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def allow(person: User, *acts: str) -> None:
    """Let somebody "view", "add" or "change" everything that this API tells of."""
    codenames = [f"{act}_{kind}" for act in acts for kind in KINDS]
    person.user_permissions.add(
        *Permission.objects.filter(content_type__app_label="programs", codename__in=codenames)
    )


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def ada() -> User:
    learner: User = LearnerFactory.create(username="ada")
    return learner


@pytest.fixture
def run() -> CourseRun:
    course = CourseFactory.create(key="NBx+SC1")
    made: CourseRun = CourseRunFactory.create(course=course, key=RUN_KEY)
    return made


@pytest.fixture
def program(run: CourseRun) -> Program:
    """Of one course, and it awards certificates."""
    made = program_requiring(core=[run.course], title="Supply Chain Practice")
    ProgramCertificateConfiguration.objects.create(program=made, is_active=True)
    return made


@pytest.fixture
def of_run(ada: User, run: CourseRun) -> CourseCertificate:
    made: CourseCertificate = CourseCertificateFactory.create(user=ada, course_run=run)
    return made


@pytest.fixture
def of_program(ada: User, program: Program, of_run: CourseCertificate) -> ProgramCertificate:
    made: ProgramCertificate = ProgramCertificateFactory.create(
        user=ada, program=program, from_lms=True
    )
    return made


@pytest.fixture
def as_ada(ada: User) -> APIClient:
    return client_of(ada)


@pytest.fixture
def as_caller(request: pytest.FixtureRequest) -> Caller:
    """A function that returns a client for somebody, by name.

    "anonymous"; "ada", whose certificates they are; "bob", another learner; "clerk" of the staff,
    without a permission; "viewer" and "adder" of the staff, with one kind of permission;
    "service", which may do everything, "reading service" with a token to read.
    """

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        if name.endswith("service"):
            return _service(name, request.getfixturevalue("issue_token"))
        if name == "ada":
            return client_of(request.getfixturevalue("ada"))
        person = LearnerFactory.create(username=name, is_staff=name != "bob")
        if name in {"viewer", "adder", "changer"}:
            allow(person, {"viewer": "view", "adder": "add", "changer": "change"}[name])
        return client_of(person)

    return client


@pytest.fixture
def lms(as_caller: Caller) -> APIClient:
    return as_caller("service")


def _service(name: str, ask: TokenFactory) -> APIClient:
    token = ask(scope="read") if name == "reading service" else ask()
    allow(User.objects.get(username="lms_worker"), "view", "add", "change")
    return APIClient(headers={"authorization": f"Bearer {token}"})

"""Who calls, and the letters that there are."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from letters.models import ProgramLetter
from tests.api.conftest import TokenFactory, issue_token, service
from tests.letters.factories import graduates, issue, one_course_program, publish_text

__all__ = ["issue_token", "service"]

Caller = Callable[[str], APIClient]
LETTERS = "/api/letters/v1/letters/"


def path_of(letter: ProgramLetter | UUID | str, act: str = "") -> str:
    uuid = letter.uuid if isinstance(letter, ProgramLetter) else letter
    return f"{LETTERS}{uuid}/{act}"


@pytest.fixture(autouse=True)
def _no_memory(db: None) -> None:
    cache.clear()


@pytest.fixture
def letter() -> ProgramLetter:
    """Ada's letter, which stands up to its checks, with a published text."""
    program, run = one_course_program(title="Engines")
    publish_text(program)
    [ada] = graduates(run)
    User.objects.filter(pk=ada.pk).update(username="ada", full_name="Ada Lovelace")
    [letter] = issue(program, ada)
    return letter


@pytest.fixture
def as_caller(letter: ProgramLetter, request: pytest.FixtureRequest) -> Caller:
    """A function that returns a client for somebody, by name.

    "anonymous"; "holder" of the letter; "stranger", another learner; a role of staff; "service"
    with the role Registrars, "idle service" without any, "reading service" with a token to read.
    """

    def client_of(name: str) -> APIClient:
        if name.endswith("service"):
            # A secret takes a while to hash: only where somebody uses it.
            ask: TokenFactory = request.getfixturevalue("issue_token")
            token = ask(scope="read") if name == "reading service" else ask()
            if name != "idle service":
                User.objects.get(username="lms_worker").groups.add(_group("Registrars"))
            return APIClient(headers={"authorization": f"Bearer {token}"})
        client = APIClient()
        if name == "holder":
            client.force_login(letter.user)
        elif name != "anonymous":
            client.force_login(_person(name))
        return client

    return client_of


@pytest.fixture
def registrar(as_caller: Caller) -> APIClient:
    return as_caller("Registrars")


def allow(username: str, *codenames: str) -> None:
    user = User.objects.get(username=username)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def _person(name: str) -> User:
    person: User = User.objects.create_user(name.lower())
    if name != "stranger":
        person.groups.add(_group(name))
    return person


def _group(name: str) -> Group:
    return Group.objects.get(name=name)

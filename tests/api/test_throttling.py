from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.exceptions import Throttled

from credentials_portal.accounts.models import User
from credentials_portal.api.throttling import client_address, limit_page, limit_person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_memory() -> None:
    cache.clear()


@limit_page(scope="test_page", rate="2/hour")
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("here")


def visit(address: str = "192.0.2.1", user: User | AnonymousUser | None = None) -> HttpResponse:
    request = RequestFactory(REMOTE_ADDR=address).get("/")
    request.user = user or AnonymousUser()
    response = page(request)
    assert isinstance(response, HttpResponse)
    return response


def test_a_page_is_refused_beyond_its_rate() -> None:
    visit()
    visit()

    with pytest.raises(Throttled) as refusal:
        visit()

    assert 0 < refusal.value.wait <= 3600  # type: ignore[attr-defined]  # missing in stubs


def test_each_address_has_a_rate_of_its_own() -> None:
    visit()
    visit()

    assert visit(address="192.0.2.2").content == b"here"


def test_signed_in_people_are_not_counted() -> None:
    person = User.objects.create_user("ada")

    assert [visit(user=person).content for _ in range(5)] == [b"here"] * 5


@limit_person(scope="test_send")
def send(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sent")


@limit_person(scope="test_share")
def share(request: HttpRequest) -> HttpResponse:
    return HttpResponse("shared")


def act(page: Any, user: User | AnonymousUser, method: str = "POST") -> bytes:
    request = RequestFactory().generic(method, "/")
    request.user = user
    content: bytes = page(request).content
    return content


def test_a_person_is_refused_beyond_the_rate_of_the_setting(settings: Settings) -> None:
    settings.RECORDS_RATE_LIMIT = "2/hour"
    person = User.objects.create_user("ada", is_staff=True, is_superuser=True)
    act(send, person)
    act(send, person)

    with pytest.raises(Throttled) as refusal:
        act(send, person)

    assert 0 < refusal.value.wait <= 3600  # type: ignore[attr-defined]  # missing in stubs


def test_each_person_and_each_scope_counts_apart(settings: Settings) -> None:
    settings.RECORDS_RATE_LIMIT = "1/hour"
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    act(send, ada)

    assert act(send, bob) == b"sent"
    assert act(share, ada) == b"shared"


def test_looking_counts_for_nothing_and_neither_do_strangers(settings: Settings) -> None:
    settings.RECORDS_RATE_LIMIT = "1/hour"
    ada = User.objects.create_user("ada")

    assert [act(send, ada, "GET") for _ in range(3)] == [b"sent"] * 3
    assert [act(send, AnonymousUser()) for _ in range(3)] == [b"sent"] * 3
    assert act(send, ada) == b"sent"


@pytest.mark.parametrize(
    ("proxies", "address"),
    [(0, "10.0.0.9"), (1, "192.0.2.7"), (2, "198.51.100.3"), (9, "203.0.113.1")],
)
def test_the_address_comes_from_trusted_proxies_only(
    settings: Settings, proxies: int, address: str
) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
    request = RequestFactory(REMOTE_ADDR="10.0.0.9").get(
        "/", headers={"x-forwarded-for": "203.0.113.1, 198.51.100.3, 192.0.2.7"}
    )

    assert client_address(request) == address

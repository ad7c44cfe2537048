import logging
import re
from typing import Any

import pytest
from csp.constants import HEADER
from django.test import Client
from pytest_django import Settings

from credentials_portal.accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.web.urls")]


@pytest.fixture
def person(client: Client) -> User:
    """Ada, who is signed in."""
    person: User = User.objects.create_user(
        "ada", email="ada@example.org", time_zone="Asia/Kolkata"
    )
    client.force_login(person)
    return person


def request_lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.msg  # type: ignore[misc]  # structlog's dict
        for record in caplog.records
        if record.name == "credentials_portal.requests"
    ]


def test_logs_one_line_per_request_that_names_nobody(
    client: Client, person: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    response = client.get("/test/clock/ada-lovelace/", {"email": "ada@example.org"})

    [line] = request_lines(caplog)
    assert (line["method"], line["route"], line["status"]) == ("GET", "clock", 200)
    assert line["request_id"] == response["X-Request-ID"]
    assert line["user_id"] == person.pk
    assert isinstance(line["ms"], int)
    assert "ada" not in caplog.text


def test_logs_a_request_that_no_route_answers(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    client.get("/ada-lovelace/")

    [line] = request_lines(caplog)
    assert (line["route"], line["status"]) == (None, 404)
    assert "user_id" not in line
    assert "ada-lovelace" not in caplog.text


@pytest.mark.parametrize(
    ("proxies", "given", "is_kept"),
    [(1, "edge-1234", True), (0, "edge-1234", False), (1, "a\tb bad", False), (1, "x", False)],
)
def test_keeps_the_request_id_of_a_trusted_proxy(
    client: Client, settings: Settings, proxies: int, given: str, is_kept: bool
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    response = client.get("/", headers={"x-request-id": given})

    assert (response["X-Request-ID"] == given) is is_kept
    assert is_kept or re.fullmatch("[0-9a-f]{32}", response["X-Request-ID"])


@pytest.mark.parametrize(
    ("time_zone", "shown"),
    [("Asia/Kolkata", "15:30 Asia/Kolkata"), ("", "10:00 UTC"), ("Mars/Olympus", "10:00 UTC")],
)
def test_pages_show_the_readers_time(
    client: Client, person: User, time_zone: str, shown: str
) -> None:
    User.objects.filter(pk=person.pk).update(time_zone=time_zone)

    assert client.get("/test/clock/ada/").content.decode() == shown


def test_the_next_reader_has_a_clock_of_their_own(client: Client, person: User) -> None:
    client.get("/test/clock/ada/")

    assert Client().get("/test/clock/bob/").content.decode() == "10:00 UTC"


def test_pages_allow_nothing_inline(client: Client) -> None:
    policy = client.get("/")[HEADER]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_admin_alone_has_a_relaxed_policy(client: Client) -> None:
    admin = client.get("/admin/login/")[HEADER]

    assert "script-src 'self' 'unsafe-eval'" in admin
    assert "style-src 'self' 'unsafe-inline'" in admin
    assert "frame-ancestors 'none'" in admin
    assert "unsafe" not in client.get("/administration/")[HEADER]


@pytest.mark.parametrize(
    ("failure", "status", "heading", "said"),
    [
        ("refused", 400, "This cannot be done", "The letter was &lt;never&gt; issued."),
        ("suspicious", 400, "This cannot be done", "The request could not be read."),
        ("forbidden", 403, "You may not see this", "Your account has no access"),
        ("not_found", 404, "There is no such page", "Check the address"),
        ("conflict", 409, "This is no longer possible", "The letter is revoked already."),
        ("gone", 410, "This is no longer available", "has been withdrawn"),
        ("throttled", 429, "Too many requests", "Please wait 42 seconds"),
        ("busy", 503, "Please try again in a moment", "Nothing was changed"),
    ],
)
def test_a_failing_page_says_what_happened(
    client: Client, failure: str, status: int, heading: str, said: str
) -> None:
    response = client.get(f"/test/failing/{failure}/")

    html = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{heading}</h1>" in html
    assert said in html


@pytest.mark.parametrize(("failure", "seconds"), [("throttled", "42"), ("busy", "2")])
def test_says_when_to_come_back(client: Client, failure: str, seconds: str) -> None:
    assert client.get(f"/test/failing/{failure}/")["Retry-After"] == seconds


def test_a_bug_shows_a_page_that_needs_no_database(
    client: Client, django_assert_num_queries: Any
) -> None:
    client.raise_request_exception = False

    with django_assert_num_queries(0):
        response = client.get("/test/failing/bug/")

    assert response.status_code == 500
    assert "<h1>Something went wrong</h1>" in response.content.decode()


def test_a_form_without_its_token_says_what_to_do() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/")

    assert response.status_code == 403
    assert "reload the page and send it again" in response.content.decode()

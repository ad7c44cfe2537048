from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from tests.api.conftest import SECRET, TokenFactory

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]

CREDENTIALS = {"grant_type": "client_credentials", "client_id": "lms", "client_secret": SECRET}


@pytest.mark.parametrize("path", ["/oauth2/access_token", "/oauth2/access_token/"])
def test_grants_a_bearer_token_with_and_without_the_slash(service: Application, path: str) -> None:
    response = APIClient(enforce_csrf_checks=True).post(path, CREDENTIALS)

    granted = response.json()
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert granted.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    assert granted["scope"] == "read write"


def test_grants_a_jwt_on_request(service: Application) -> None:
    response = APIClient().post("/oauth2/access_token", CREDENTIALS | {"token_type": "jwt"})

    granted = response.json()
    assert response["Cache-Control"] == "no-store"
    assert granted["token_type"] == "JWT"
    assert granted["access_token"].count(".") == 2


def test_stores_tokens_as_hashes_only(issue_token: TokenFactory) -> None:
    token = issue_token()

    stored = AccessToken.objects.get()
    assert token not in (stored.token, stored.token_checksum)


def test_refuses_a_wrong_secret(service: Application) -> None:
    response = APIClient().post("/oauth2/access_token", CREDENTIALS | {"client_secret": "guess"})

    assert response.status_code == 401
    assert response.json() == {"error": "invalid_client"}
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("user", ["inactive", "none"])
def test_grants_nothing_to_a_client_that_nobody_stands_for(service: Application, user: str) -> None:
    User.objects.update(is_active=False)
    if user == "none":
        Application.objects.update(user=None)

    response = APIClient().post("/oauth2/access_token", CREDENTIALS)

    assert response.status_code == 401
    assert response.json() == {"error": "invalid_client"}
    assert not AccessToken.objects.exists()


def test_refuses_the_password_grant(service: Application) -> None:
    Application.objects.update(authorization_grant_type=Application.GRANT_PASSWORD)

    response = APIClient().post(
        "/oauth2/access_token",
        CREDENTIALS | {"grant_type": "password", "username": "lms_worker", "password": "x"},
    )

    assert response.status_code in {400, 401}
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("scheme", "token_type"), [("Bearer", ""), ("Bearer", "jwt"), ("JWT", "jwt"), ("jwt", "jwt")]
)
def test_a_service_acts_as_the_clients_own_user(
    issue_token: TokenFactory, scheme: str, token_type: str
) -> None:
    token = issue_token(token_type=token_type)

    response = APIClient().post("/test/whoami/", headers={"authorization": f"{scheme} {token}"})

    assert response.status_code == 200
    assert response.json() == {"user": "lms_worker", "service": True}


@pytest.mark.parametrize("token", ["", "unknown", "a.b.c", "..", "é.é.é"])
def test_refuses_a_token_that_nobody_issued(service: Application, token: str) -> None:
    response = APIClient().get("/test/anybody/", headers={"authorization": f"Bearer {token}"})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert response.json()["error"]["code"] == "invalid_token"


def test_refuses_a_jwt_that_somebody_else_signed(issue_token: TokenFactory) -> None:
    header, claims, signature = issue_token(token_type="jwt").split(".")
    forged = f"{header}.{claims}.{signature[::-1]}"

    response = APIClient().get("/test/whoami/", headers={"authorization": f"JWT {forged}"})

    assert response.status_code == 401


@pytest.mark.parametrize("token_type", ["", "jwt"])
def test_an_ended_token_ends_in_both_forms(issue_token: TokenFactory, token_type: str) -> None:
    token = issue_token(token_type=token_type)
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))

    response = APIClient().get("/test/whoami/", headers={"authorization": f"Bearer {token}"})

    assert response.status_code == 401


def test_refuses_the_service_of_an_inactive_user(
    service: Application, issue_token: TokenFactory
) -> None:
    token = issue_token()
    service.user.is_active = False
    service.user.save()

    response = APIClient().get("/test/whoami/", headers={"authorization": f"Bearer {token}"})

    assert response.status_code == 401


def test_refuses_a_token_in_the_query(issue_token: TokenFactory) -> None:
    token = issue_token()

    response = APIClient().get("/test/whoami/", {"access_token": token})

    assert response.status_code == 401


@pytest.mark.parametrize(
    ("scope", "method", "status"),
    [("read", "get", 200), ("read", "post", 403), ("write", "get", 403), ("write", "post", 200)],
)
def test_a_token_does_what_its_scope_allows(
    issue_token: TokenFactory, scope: str, method: str, status: int
) -> None:
    client = APIClient(headers={"authorization": f"Bearer {issue_token(scope=scope)}"})

    response = getattr(client, method)("/test/whoami/")

    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "insufficient_scope"


def test_an_address_that_asks_for_too_many_tokens_is_told_when_to_ask_again(
    service: Application,
) -> None:
    cache.clear()
    guesser = APIClient(REMOTE_ADDR="192.0.2.1")
    guesser.force_login(User.objects.get(username="lms_worker"))
    for number in range(60):
        guesser.post("/oauth2/access_token" + "/" * (number % 2), {"grant_type": "guess"})

    refused = guesser.post("/oauth2/access_token", CREDENTIALS)
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.2").post("/oauth2/access_token", CREDENTIALS)

    seconds = int(refused["Retry-After"])
    assert refused.status_code == 429
    assert 0 < seconds <= 60
    assert refused.json() == {
        "error": "too_many_requests",
        "error_description": "This address asked for too many tokens. A token can be used for an"
        f" hour: keep it. Ask again in {seconds} seconds.",
    }
    assert elsewhere.status_code == 200
    assert AccessToken.objects.count() == 1


@pytest.mark.parametrize("value", ["\0", "\ud800", "é" * 10_000])
@pytest.mark.parametrize("name", ["client_id", "client_secret", "scope", "grant_type"])
def test_grants_nothing_to_what_is_no_text(service: Application, name: str, value: str) -> None:
    encoded = urlencode(CREDENTIALS | {name: value}, errors="surrogatepass")

    response = APIClient().post(
        "/oauth2/access_token", encoded, content_type="application/x-www-form-urlencoded"
    )

    assert response.status_code in {400, 401}
    assert "error" in response.json()
    assert not AccessToken.objects.exists()

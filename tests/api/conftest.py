from collections.abc import Callable
from dataclasses import replace

import pytest
from oauth2_provider.models import Application
from rest_framework.test import APIClient
from schemathesis.pytest.plugin import SchemathesisFunction

from credentials_portal.accounts.models import User

SECRET = "the-clients-own-secret"

TokenFactory = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each operation of schemathesis an id of its own: of those with one id, xdist runs one."""
    for item in items:
        if isinstance(item, SchemathesisFunction):
            item._id = replace(item.id, params=item.operation_label)


@pytest.fixture
def service() -> Application:
    """The LMS, as a client that acts as its own user."""
    return Application.objects.create(
        name="LMS",
        client_id="lms",
        client_secret=SECRET,
        user=User.objects.create_user("lms_worker"),
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )


@pytest.fixture
def issue_token(service: Application) -> TokenFactory:
    """A function that asks the token endpoint, as the service does."""

    def issue(**parameters: str) -> str:
        asked = {
            "grant_type": "client_credentials",
            "client_id": service.client_id,
            "client_secret": SECRET,
        }
        response = APIClient().post("/oauth2/access_token", asked | parameters)
        assert response.status_code == 200, response.content
        return str(response.json()["access_token"])

    return issue

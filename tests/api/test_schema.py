import re
from io import StringIO

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.urls("tests.api.urls")
def test_the_schema_says_how_to_authenticate(client: Client) -> None:
    schema = client.get("/api/schema/", {"format": "json"}).json()

    assert schema["openapi"].startswith("3.")
    schemes = schema["components"]["securitySchemes"]
    assert schemes["session"] == {"type": "apiKey", "in": "cookie", "name": "sessionid"}
    flow = schemes["service"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/oauth2/access_token"


def test_the_docs_need_no_other_host_and_no_inline_code(client: Client) -> None:
    html = client.get("/api/docs/").content.decode()

    sources = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(sources) == 5
    assert all(source.startswith("/") for source in sources)
    assert re.findall(r"<script>|<style|style=| on\w+=", html) == []
    for source in sources:
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/"))


def test_the_docs_script_asks_no_public_validator(client: Client) -> None:
    response = client.get("/api/docs/", {"script": ""})

    assert response["Content-Type"].startswith("application/javascript")
    assert '"validatorUrl": null' in response.content.decode()


def test_the_schema_is_valid_and_complete() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


def test_every_operation_is_documented(client: Client) -> None:
    paths = client.get("/api/schema/", {"format": "json"}).json()["paths"]

    operations = [operation for path in paths.values() for operation in path.values()]
    assert operations
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        for answer in operation["responses"].values():
            assert answer["description"]
            # Some answers have no body.
            for body in answer.get("content", {}).values():
                assert body["examples"]


def test_a_service_or_a_session_suffices(client: Client) -> None:
    paths = client.get("/api/schema/", {"format": "json"}).json()["paths"]
    letters = "/api/letters/v1/letters/"

    assert paths[letters]["get"]["security"] == [{"session": []}, {"service": ["read"]}]
    revoke = paths[letters + "{letter_uuid}/revoke/"]["post"]
    assert revoke["security"] == [{"session": []}, {"service": ["write"]}]
    verify = paths[letters + "{letter_uuid}/verify/"]["get"]
    assert {} in verify["security"]

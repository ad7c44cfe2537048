import re

import pytest
from django.contrib.staticfiles import finders
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

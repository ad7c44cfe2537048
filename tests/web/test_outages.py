"""The portal while its database is gone: a process of its own, pointed at a closed port."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

LETTER_UUID = "8f14e45f-ceea-467f-a0e6-7f8a1f3a9b1c"
VERIFY = f"/letter/program/{LETTER_UUID}/verify/"
KNOWN = {"HTTP_COOKIE": f"sessionid={'k' * 32}"}
JSON = {"HTTP_ACCEPT": "application/json"}
TOKEN = {"HTTP_AUTHORIZATION": "Bearer " + "t" * 30}
REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "home of a stranger": ("GET", "/", {}),
    "home": ("GET", "/", KNOWN),
    "no page": ("GET", "/no-such-page/", KNOWN),
    "sign in": ("POST", "/accounts/login/", {}),
    "admin": ("GET", "/admin/", KNOWN),
    "verify": ("GET", VERIFY, {}),
    "verify as a program": ("GET", VERIFY, JSON),
    "api": ("GET", "/api/letters/v1/letters/", TOKEN),
    "token": ("POST", "/oauth2/access_token", {}),
}
SCRIPT = """
import django, json, sys
django.setup()
from django.test import Client
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
answers = {}
for name, (method, path, headers) in json.load(sys.stdin).items():
    body = {"username": "ada", "password": "guess", "grant_type": "client_credentials"}
    send = client.post if method == "POST" else client.get
    response = send(path, body if method == "POST" else {}, **headers)
    answers[name] = [response.status_code, dict(response.headers), response.content.decode()]
json.dump(answers, sys.stdout)
"""

Answers = dict[str, tuple[int, dict[str, str], str]]


@pytest.fixture(scope="module")
def answers() -> Answers:
    environment = os.environ | {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "credentials_portal.settings",
    }
    probe = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=settings.BASE_DIR,
        env=environment,
        input=json.dumps(REQUESTS),
        capture_output=True,
        text=True,
        check=True,
    )
    found: Answers = json.loads(probe.stdout)
    return found


def test_who_needs_no_database_is_served(answers: Answers) -> None:
    status, _headers, html = answers["home of a stranger"]

    assert status == 200
    assert "<h1>Your programs, records and letters</h1>" in html


@pytest.mark.parametrize("name", ["home", "no page", "sign in", "admin", "verify"])
def test_a_page_says_that_nothing_is_lost_and_when_to_come_back(
    answers: Answers, name: str
) -> None:
    status, headers, html = answers[name]

    assert status == 503
    assert headers["Retry-After"] == "30"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>Please try again in a moment</h1>" in html
    assert "The portal cannot reach its records at the moment." in html
    assert "What was saved is not lost." in html
    assert "Credentials Portal</title>" in html


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            name,
            {
                "error": {
                    "code": "unavailable",
                    "message": "The portal cannot reach its records."
                    " What was saved is not lost. Try again.",
                }
            },
        )
        for name in ("api", "verify as a program")
    ]
    + [
        (
            "token",
            {
                "error": "unavailable",
                "error_description": "The portal cannot reach its records."
                " What was saved is not lost. Try again.",
            },
        )
    ],
)
def test_a_program_gets_json(answers: Answers, name: str, body: dict[str, Any]) -> None:
    status, headers, answer = answers[name]

    assert status == 503
    assert headers["Retry-After"] == "30"
    assert json.loads(answer) == body

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings as django_settings
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.web.services import send_password_links

PASSWORD = "correct horse battery"
LETTER_UUID = "8f14e45f-ceea-467f-a0e6-7f8a1f3a9b1c"


@pytest.fixture
def person() -> User:
    person: User = User.objects.create_user(
        "ada", email="ada@example.org", password=PASSWORD, full_name="Ada <Lovelace>"
    )
    return person


def test_home_tells_strangers_what_the_portal_is(client: Client) -> None:
    html = client.get("/").content.decode()

    assert "<h1>Your programs, records and letters</h1>" in html
    assert 'href="/accounts/login/"' in html


@pytest.mark.django_db
def test_home_greets_by_name_and_says_what_will_be_there(client: Client, person: User) -> None:
    client.force_login(person)

    html = client.get("/").content.decode()

    assert "Hello, <bdi>Ada &lt;Lovelace&gt;</bdi>" in html
    assert "Nothing needs you now." in html
    assert "You are in no program yet." in html


@pytest.mark.parametrize(
    "pasted",
    [
        LETTER_UUID,
        f"  {LETTER_UUID.upper()} ",
        f"https://portal.example.org/letter/program/{LETTER_UUID}/",
        f"Letter {LETTER_UUID}, please",
        LETTER_UUID.replace("-", ""),
        LETTER_UUID.replace("-", "").upper(),
    ],
)
def test_finds_the_letter_in_what_was_pasted(client: Client, pasted: str) -> None:
    response = client.get("/verify/", {"letter": pasted})

    assert response.status_code == 302
    assert response["Location"] == f"/letter/program/{LETTER_UUID}/verify/"


def test_who_has_pasted_nothing_yet_made_no_mistake(client: Client) -> None:
    html = client.get("/verify/").content.decode()

    assert "Link or id of the letter" in html
    assert "Error" not in html
    assert "error-summary" not in html


@pytest.mark.parametrize("pasted", ["", "my letter", LETTER_UUID[:-1], "\0", "x" * 501])
def test_says_where_the_letter_id_is_missing(client: Client, pasted: str) -> None:
    html = client.get("/verify/", {"letter": pasted}).content.decode()

    assert "<title>Error: verify a letter" in html
    assert 'class="error-summary" role="alert" tabindex="-1" autofocus' in html
    assert 'aria-invalid="true"' in html


@pytest.mark.django_db
def test_signs_in_and_out(client: Client, person: User) -> None:
    signed_in = client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
    home = client.get("/").content.decode()
    signed_out = client.post("/accounts/logout/").content.decode()

    assert (signed_in.status_code, signed_in["Location"]) == (302, "/")
    assert "Sign out" in home
    assert "<h1>You have signed out</h1>" in signed_out
    assert "Hello" not in client.get("/").content.decode()


@pytest.mark.django_db
def test_a_wrong_password_keeps_the_name_and_says_so(client: Client, person: User) -> None:
    response = client.post("/accounts/login/", {"username": "ada", "password": "guess"})

    html = response.content.decode()
    assert response.status_code == 200
    assert "Please enter a correct username and password." in html
    assert 'value="ada"' in html
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_closes_sign_in_after_ten_wrong_passwords(client: Client, person: User) -> None:
    cache.clear()
    wrong = {"username": "ada", "password": "guess"}
    tries = [client.post("/accounts/login/", wrong).status_code for _ in range(10)]

    right = client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})

    assert tries == [200] * 9 + [429]
    assert right.status_code == 429
    assert "<h1>Too many attempts to sign in</h1>" in right.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/login/",
        "/accounts/password_reset/",
        "/accounts/password_reset/done/",
        "/accounts/reset/done/",
        "/accounts/reset/x/y/",
    ],
)
@pytest.mark.django_db
def test_the_pages_of_an_account_have_no_inline_code(client: Client, path: str) -> None:
    html = client.get(path).content.decode()

    assert html.count("<h1>") == 1
    assert re.findall(r"<script|<style| style=| on\w+=", html) == []


@pytest.mark.django_db(transaction=True)
def test_a_forgotten_password_is_replaced_by_mail(
    client: Client, person: User, settings: Settings
) -> None:
    settings.PORTAL_BASE_URL = "https://portal.example.org"
    asked = client.post("/accounts/password_reset/", {"email": "ADA@example.org"})
    outbox.deliver_now([OutboxMessage.objects.get().pk], clock=timezone.now)
    [message] = mail.outbox
    [link] = re.findall(r"https://portal\.example\.org(/accounts/reset/\S+)", str(message.body))
    form = client.get(link, follow=True)
    passwords = {"new_password1": "a new long phrase", "new_password2": "a new long phrase"}

    done = client.post(form.redirect_chain[-1][0], passwords)

    assert asked["Location"] == "/accounts/password_reset/done/"
    assert message.to == ["ada@example.org"]
    assert message.subject == "A new password for Credentials Portal"
    [(html, kind)] = message.alternatives  # type: ignore[attr-defined]  # every mail has both
    assert kind == "text/html"
    assert str(html).count(f'href="https://portal.example.org{link}"') == 2
    assert "Hello <bdi>Ada &lt;Lovelace&gt;</bdi>" in str(html)
    for words in ("works once, and for 3 days", "A new password", "you need do nothing"):
        assert words in str(html)
    assert done["Location"] == "/accounts/reset/done/"
    person.refresh_from_db()
    assert person.check_password("a new long phrase")
    assert "This link is no longer valid" in Client().get(link).content.decode()


@pytest.mark.django_db
def test_the_rules_for_a_password_are_a_list(client: Client, person: User) -> None:
    client.force_login(person)

    html = client.get("/accounts/password_change/").content.decode()

    assert 'id="id_new_password1_helptext"><ul><li>Your password can' in html
    assert html.count("<li>Your password") == 4


class Hinted(forms.Form):
    title = forms.CharField(help_text="As on the <record>.", required=False)


def test_a_hint_is_text() -> None:
    html = render_to_string("forms/fields.html", {"form": Hinted()})

    assert "As on the &lt;record&gt;." in html
    assert '<span class="optional">(optional)</span>' in html


@pytest.mark.django_db
def test_who_must_sign_in_first_learns_why(client: Client) -> None:
    html = client.get("/letters/", follow=True).content.decode()

    assert "The page that you asked for is for people with an account." in html


@pytest.mark.django_db
def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: Client, person: User) -> None:
    asked = client.post("/accounts/password_reset/", {"email": "eve@example.org"})

    assert asked["Location"] == "/accounts/password_reset/done/"
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_who_asks_again_at_once_gets_one_mail(person: User) -> None:
    at = datetime(2024, 5, 2, 10, 0, tzinfo=UTC)

    queued = [
        len(send_password_links(users=[person], at=at + timedelta(minutes=minutes)))
        for minutes in (0, 4, 5)
    ]

    assert queued == [1, 0, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_who_has_no_account_any_more_gets_no_mail(person: User, change: dict[str, Any]) -> None:
    keys = send_password_links(users=[person], at=timezone.now())
    User.objects.filter(pk=person.pk).update(**change)

    outbox.deliver_now(keys, clock=timezone.now)

    assert OutboxMessage.objects.get().status == OutboxStatus.SKIPPED
    assert mail.outbox == []


def test_health_is_503_without_a_database_even_for_a_known_visitor() -> None:
    script = (
        "import django, json; django.setup()\n"
        "from django.test import Client\n"
        "client = Client(SERVER_NAME='localhost'); client.cookies['sessionid'] = 'k' * 32\n"
        "response = client.get('/health/')\n"
        "print(json.dumps([response.status_code, response.json()]))"
    )
    environment = os.environ | {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "DJANGO_SETTINGS_MODULE": "credentials_portal.settings",
    }

    probe = subprocess.run(
        [sys.executable, "-c", script],
        cwd=django_settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    status, facts = json.loads(probe.stdout)
    assert status == 503
    assert facts["database"] is False


@pytest.mark.django_db
def test_health_is_200_with_a_database(client: Client) -> None:
    response = client.get("/health/")

    assert response.status_code == 200
    assert response.json()["database"] is True


def test_the_letterbox_is_for_demonstrations_only(client: Client, settings: Settings) -> None:
    settings.DEMO = False

    assert client.get("/demo/mail/").status_code == 404


def test_the_letterbox_shows_the_newest_mail_first_and_as_text(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.DEMO, settings.MAIL_DIR = True, tmp_path
    backend = "django.core.mail.backends.filebased.EmailBackend"
    for subject in ("First", "Zwölf <b>"):
        with get_connection(backend, file_path=tmp_path) as connection:
            message = EmailMultiAlternatives(
                subject, "Grüße <script>1</script>\n" + "-" * 79 + "\nend", to=["ada@example.org"]
            )
            message.attach_alternative("<p>Grüße</p>", "text/html")
            connection.send_messages([message])

    html = client.get("/demo/mail/").content.decode()

    assert re.findall(r"<h2>(.*?)</h2>", html) == ["Zwölf &lt;b&gt;", "First"]
    assert html.count("Grüße &lt;script&gt;1&lt;/script&gt;") == 2
    assert html.count("end</div>") == 2


def test_the_letterbox_may_be_empty(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.DEMO, settings.MAIL_DIR = True, tmp_path / "missing"

    assert "No mail was sent yet." in client.get("/demo/mail/").content.decode()


@pytest.mark.parametrize("query", ["q=%00", "status__exact=%00", "program__id__exact=%00"])
def test_an_admins_list_refuses_a_nul_in_its_filters(admin_client: Client, query: str) -> None:
    response = admin_client.get(f"/admin/programs/coursecertificate/?{query}")

    assert response.status_code == 400
    assert "The request could not be read." in response.content.decode()

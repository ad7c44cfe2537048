"""Signing in and passwords in a real browser: the pages when something is wrong, and their way out."""

import re
from pathlib import Path

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxMessage
from tests.e2e.conftest import Violations

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
NEW_PASSWORD = "a new long phrase"


@pytest.fixture
def person() -> User:
    person: User = User.objects.create_user(
        "ada", email="ada@example.org", password=PASSWORD, full_name="Ada Lovelace"
    )
    return person


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def test_a_wrong_password_leaves_an_accessible_page(
    portal: Page, person: User, violations: Violations
) -> None:
    sign_in(portal, "guess")

    expect(portal.get_by_role("alert")).to_be_focused()
    expect(portal).to_have_title(re.compile("^Error: Sign in"))
    assert violations(portal) == []


def test_who_is_locked_out_learns_for_how_long(
    portal: Page, person: User, violations: Violations
) -> None:
    for _ in range(10):
        sign_in(portal, "guess")

    expect(portal.get_by_role("heading", level=1)).to_have_text("Too many attempts to sign in")
    expect(portal.get_by_text("Wait one hour, then sign in.")).to_be_visible()
    assert violations(portal) == []


def test_where_one_is_stands_in_the_navigation(portal: Page, person: User) -> None:
    sign_in(portal)
    navigation = portal.get_by_role("navigation", name="Main")
    current = navigation.locator("[aria-current=page]")
    expect(current).to_have_text("Home")

    navigation.get_by_role("link", name="Letters").click()

    expect(current).to_have_text("Letters")


def test_signed_out_is_accessible(portal: Page, person: User, violations: Violations) -> None:
    sign_in(portal)
    portal.get_by_role("button", name="Sign out").click()

    expect(portal.get_by_role("heading", level=1)).to_have_text("You have signed out")
    assert violations(portal) == []


def test_a_refused_new_password_leads_back_to_its_field(
    portal: Page, person: User, violations: Violations
) -> None:
    sign_in(portal)
    portal.get_by_role("link", name="Change your password").click()
    found = violations(portal)
    portal.get_by_label("Old password").fill(PASSWORD)
    portal.get_by_label("New password", exact=True).fill("123")
    portal.get_by_label("New password confirmation").fill("123")
    portal.get_by_role("button", name="Change the password").click()

    expect(portal.get_by_role("alert")).to_be_focused()
    assert found + violations(portal) == []
    portal.get_by_role("link", name="This password is too common.").click()
    expect(portal.get_by_label("New password confirmation")).to_be_focused()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_changes_the_password_without_javascript(portal: Page, person: User) -> None:
    sign_in(portal)
    portal.get_by_role("link", name="Change your password").click()
    portal.get_by_label("Old password").fill(PASSWORD)
    portal.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    portal.get_by_label("New password confirmation").fill(NEW_PASSWORD)
    portal.get_by_role("button", name="Change the password").click()

    expect(portal.get_by_role("heading", level=1)).to_have_text("Your password is new")
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD)


def test_a_forgotten_password_is_replaced_on_accessible_pages(
    portal: Page,
    person: User,
    violations: Violations,
    settings: Settings,
    live_server: LiveServer,
) -> None:
    settings.PORTAL_BASE_URL = live_server.url
    found = {}
    sign_in(portal, "guess")
    portal.get_by_role("link", name="I do not know my password").click()
    found["ask"] = violations(portal)
    portal.get_by_label("Email").fill("ada@example.org")
    portal.get_by_role("button", name="Send the link").click()
    expect(portal.get_by_role("heading", level=1)).to_have_text("Look at your mail")
    found["asked"] = violations(portal)
    outbox.deliver_now([OutboxMessage.objects.get().pk], clock=timezone.now)
    [link] = re.findall(r"http\S+/accounts/reset/\S+", str(mail.outbox[0].body))

    portal.goto(link)
    found["choose"] = violations(portal)
    portal.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    portal.get_by_label("New password confirmation").fill(NEW_PASSWORD)
    portal.get_by_role("button", name="Save the password").click()
    expect(portal.get_by_role("heading", level=1)).to_have_text("Your password is new")
    found["chosen"] = violations(portal)
    portal.goto(link)
    expect(portal.get_by_role("heading", level=1)).to_have_text("This link is no longer valid")
    found["used link"] = violations(portal)

    assert found == {"ask": [], "asked": [], "choose": [], "chosen": [], "used link": []}


def test_what_is_no_letter_id_is_said_at_the_field(portal: Page, violations: Violations) -> None:
    portal.get_by_label("Link or id of the letter").fill("my letter")
    portal.get_by_role("button", name="Verify").click()

    expect(portal.get_by_role("alert")).to_be_focused()
    expect(portal.get_by_label("Link or id of the letter")).to_have_value("my letter")
    assert violations(portal) == []


def test_the_letterbox_is_accessible(
    portal: Page, violations: Violations, settings: Settings, tmp_path: Path
) -> None:
    settings.DEMO, settings.MAIL_DIR = True, tmp_path
    backend = "django.core.mail.backends.filebased.EmailBackend"
    text = "Open https://portal.example.org/" + "very-long-" * 20 + "\n"
    with get_connection(backend, file_path=tmp_path) as connection:
        connection.send_messages([EmailMultiAlternatives("Ready", text, to=["ada@example.org"])])

    portal.goto("/demo/mail/")

    expect(portal.get_by_role("heading", name="Ready")).to_be_visible()
    assert violations(portal) == []


def test_pages_are_printed_without_their_frame(portal: Page) -> None:
    portal.emulate_media(media="print", color_scheme="dark")

    expect(portal.get_by_role("banner")).to_be_hidden()
    expect(portal.get_by_role("contentinfo")).to_be_hidden()
    background = portal.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert background == "rgb(255, 255, 255)"

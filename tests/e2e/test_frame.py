import pytest
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from tests.e2e.conftest import Violations

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def person() -> User:
    person: User = User.objects.create_user("ada", password=PASSWORD, full_name="Ada Lovelace")
    return person


def sign_in(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Sign in").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_signs_in_and_out_without_javascript(portal: Page, person: User) -> None:
    sign_in(portal)
    expect(portal.get_by_role("heading", level=1)).to_have_text("Hello, Ada Lovelace")

    portal.get_by_role("button", name="Sign out").click()

    expect(portal.get_by_role("heading", level=1)).to_have_text("You have signed out")


def test_a_wrong_password_puts_the_focus_on_what_is_wrong(portal: Page, person: User) -> None:
    portal.get_by_role("navigation").get_by_role("link", name="Sign in").click()
    portal.get_by_label("Username").fill("ada")
    portal.get_by_label("Password").fill("guess")
    portal.get_by_role("button", name="Sign in").click()

    expect(portal.get_by_role("alert")).to_be_focused()
    expect(portal.get_by_label("Username")).to_have_value("ada")


def test_the_first_tab_leads_to_the_content(portal: Page) -> None:
    portal.keyboard.press("Tab")
    expect(portal.get_by_role("link", name="Skip to the content")).to_be_in_viewport()

    portal.keyboard.press("Enter")

    expect(portal.get_by_role("main")).to_be_focused()


@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/accounts/password_reset/", "/verify/", "/no-such-page/"]
)
def test_pages_for_everybody_are_accessible(
    portal: Page, violations: Violations, path: str
) -> None:
    portal.goto(path)

    assert violations(portal) == []


def test_home_is_accessible(portal: Page, person: User, violations: Violations) -> None:
    sign_in(portal)
    expect(portal.get_by_role("heading", level=1)).to_have_text("Hello, Ada Lovelace")

    assert violations(portal) == []


def test_the_api_docs_work_under_the_strict_policy(portal: Page) -> None:
    portal.goto("/api/docs/")

    expect(portal.get_by_role("heading", name="Credentials Portal API")).to_be_visible()

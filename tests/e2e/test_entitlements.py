"""A learner's entitlements in a real browser without JavaScript."""

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from entitlements.models import CourseEntitlement
from tests.e2e.conftest import Violations
from tests.entitlements.factories import DAY
from tests.entitlements.pages.now import bought, course, page_of, refund_of, run_of, used

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def ada() -> User:
    ada: User = User.objects.create_user(
        "ada", email="ada@example.com", password=PASSWORD, full_name="Ada Lovelace"
    )
    return ada


@pytest.fixture
def entitlement(ada: User) -> CourseEntitlement:
    """Of a course with two sessions to choose from."""
    negotiation = course("Negotiation التفاوض")
    run_of(negotiation, starts=21 * DAY, enrollment_end=None)
    run_of(negotiation, starts=90 * DAY)
    return bought(ada, negotiation)


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_the_pages_are_accessible(
    portal: Page, ada: User, entitlement: CourseEntitlement, violations: Violations
) -> None:
    title = course("In use")
    in_use = used(ada, run_of(title, starts=-2 * DAY), ago=5 * DAY)
    other = run_of(title, starts=60 * DAY)
    refund_of(bought(ada, course("Refused")), "failed")
    refund_of(bought(ada, course("Unclear")), "needs_review")
    bought(ada, course("Lapsed"), ago=800 * DAY)
    bought(ada, course("Ends soon"), ago=718 * DAY)
    sign_in(portal)
    found = []
    for address in (
        "/",
        "/access/",
        page_of(in_use),
        f"{page_of(entitlement)}session/take/",
        f"{page_of(in_use)}session/take/?{urlencode({'course_run': other.key})}",
        f"{page_of(in_use)}leave/",
        f"{page_of(entitlement)}refund/",
    ):
        portal.goto(address)
        found += [f"{address}: {violation}" for violation in violations(portal)]

    assert found == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_session_is_chosen_changed_left_and_refunded(
    portal: Page, ada: User, entitlement: CourseEntitlement
) -> None:
    sign_in(portal)
    portal.goto("/access/")
    portal.get_by_role("link", name="Choose a session").click()

    portal.get_by_role("button", name="Continue").click()
    expect(portal.get_by_role("link", name="Choose a session.")).to_be_visible()
    portal.get_by_role("radio").first.check()
    portal.get_by_role("button", name="Continue").click()
    portal.get_by_role("button", name="Take this session").click()
    expect(portal.get_by_role("status")).to_have_text("The session is yours.")

    portal.get_by_role("link", name="Change the session").click()
    expect(portal.get_by_role("radio")).to_be_checked()
    portal.get_by_role("button", name="Continue").click()
    expect(portal.get_by_text("Your progress does not move:")).to_be_visible()
    portal.get_by_role("button", name="Change to this session").click()
    expect(portal.get_by_role("listitem").filter(has_text="Session changed:")).to_be_visible()

    portal.get_by_role("link", name="Leave the session").click()
    portal.get_by_role("button", name="Leave the session").click()
    expect(portal.get_by_role("status")).to_contain_text("You have left the session")

    portal.get_by_role("link", name="Ask for a refund").click()
    portal.get_by_role("button", name="Ask for the refund").click()
    expect(portal.get_by_role("status")).to_have_text("The refund was accepted.")
    expect(portal.get_by_text("will be paid the way you paid")).to_be_visible()

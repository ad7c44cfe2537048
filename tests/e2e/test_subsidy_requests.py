"""Requests in a real browser without JavaScript: a learner's, and a customer's administrators'."""

import pytest
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from licenses.models import Customer
from subsidy_requests.models import LicenseRequest
from tests.e2e.conftest import Violations
from tests.e2e.test_admin_start import in_each_scheme
from tests.licenses.factories import DAY, CustomerLearnerFactory
from tests.licenses.pages.now import NOW, plan_now
from tests.subsidy_requests.factories import LicenseRequestFactory
from tests.subsidy_requests.pages.now import acme, asked, declined, learner_of

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
LONG = "A-course-with-a-very-long-key-that-cannot-be-broken-anywhere+" * 2


@pytest.fixture
def customer() -> Customer:
    """With a plan, and requests in each state."""
    customer = acme()
    plan = plan_now(3, title="Gold", customer_agreement__customer=customer)
    email = "a-very-long-address-that-cannot-be-broken@example.com"
    asked(customer, learner_of(customer, email=email), course_id=LONG, reason="For my work. " * 9)
    LicenseRequestFactory.create(
        customer=customer, failed=True, subscription_plan=plan, state_changed_at=NOW
    )
    declined(asked(customer), reason="Ask in May.")
    return customer


@pytest.fixture
def ada(customer: Customer) -> User:
    """A learner of the customer, and an administrator; with requests of her own."""
    ada: User = User.objects.create_user(
        "ada", email="ada@example.com", password=PASSWORD, full_name="Ada Lovelace"
    )
    CustomerLearnerFactory.create(customer=customer, user=ada)
    CustomerLearnerFactory.create(customer=customer, user=ada, admin=True)
    declined(asked(customer, ada, ago=3 * DAY, course_id="NBx+NEG"), reason="Ask in May.")
    LicenseRequestFactory.create(customer=customer, user=ada, failed=True, state_changed_at=NOW)
    return ada


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_the_pages_are_accessible(
    portal: Page, ada: User, customer: Customer, violations: Violations
) -> None:
    sign_in(portal)
    own = LicenseRequest.objects.filter(user=ada, state="error").get()
    other = LicenseRequest.objects.get(state="requested")
    found = []
    for address in (
        "/",
        "/access/",
        "/access/requests/?course_id=NBx%2BNEG",
        f"/access/requests/{own.uuid}/",
        f"/access/requests/{own.uuid}/cancel/",
        "/customers/acme/requests/",
        "/customers/acme/requests/?state=",
        f"/customers/acme/requests/{other.uuid}/",
        f"/customers/acme/requests/approve/?request={other.uuid}",
        f"/customers/acme/requests/decline/?request={other.uuid}",
    ):
        portal.goto(address)
        found += [f"{address}: {violation}" for violation in violations(portal)]

    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    portal.goto("/admin/subsidy_requests/licenserequest/reports/")
    expect(portal.get_by_role("table", name="Requests that wait, by age")).to_be_visible()
    found += in_each_scheme(portal, violations)

    assert found == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_request_is_sent_granted_and_taken_back_without_javascript(
    portal: Page, ada: User, customer: Customer
) -> None:
    sign_in(portal)
    portal.goto("/access/requests/?course_id=NBx%2BNEG")
    portal.get_by_label("Why you ask").fill("For my work.")
    portal.get_by_role("button", name="Send the request").click()
    expect(portal.get_by_role("status")).to_have_text("Your request was sent.")

    portal.get_by_role("link", name="Take it back").click()
    portal.get_by_role("button", name="Take the request back").click()
    expect(portal.get_by_role("status")).to_have_text("You have taken your request back.")

    portal.get_by_role("link", name="Home", exact=True).click()
    portal.get_by_role("link", name="Review them").click()
    portal.get_by_label("Choose a-very-long-address").check()
    portal.get_by_role("button", name="Approve the chosen…").click()
    expect(portal.get_by_text("3 seats free")).to_be_visible()
    portal.get_by_role("button", name="Approve 1 request").click()
    expect(portal.get_by_role("status")).to_have_text("1 request was granted.")

    portal.get_by_role("link", name="failed (2)").click()
    for box in portal.get_by_role("checkbox").all():
        box.check()
    portal.get_by_role("button", name="Decline the chosen…").click()
    portal.get_by_label("Reason").fill("Ask in May.")
    portal.get_by_role("button", name="Decline 2 requests").click()
    expect(portal.get_by_role("status")).to_have_text("2 requests were declined.")

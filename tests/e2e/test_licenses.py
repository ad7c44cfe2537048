"""Licenses in a real browser without JavaScript: a learner's, and a customer's administrators'."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from licenses.models import License, SubscriptionPlan
from licenses.services import revoke_licenses
from tests.e2e.conftest import Violations
from tests.licenses.factories import DAY, CustomerLearnerFactory, RenewalFactory, by_at
from tests.licenses.pages.now import NOW, give, learner, plan_now, take

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def plan() -> SubscriptionPlan:
    """Of a customer that has learners in each state."""
    plan = plan_now(
        9,
        title="Gold",
        days_left=12,
        customer_agreement__customer__slug="acme",
        customer_agreement__customer__name="Acme جامعة",
        customer_agreement__unlink_expired_enabled=True,
        is_revocation_cap_enabled=True,
        revoke_max_percentage=50,
    )
    take(plan, learner(email="a-very-long-address-that-cannot-be-broken@example.com"))
    give(plan, learner(email="waiting@example.com"))
    give(plan, learner(email="gone@example.com"))
    revoke_licenses(plan_uuid=plan.uuid, emails=["gone@example.com"], by=by_at(NOW))
    agreement = plan.customer_agreement
    plan_now(2, customer_agreement=agreement, title="Later", start_date=NOW + DAY)
    plan_now(2, customer_agreement=agreement, title="Off", is_active=False)
    plan_now(2, customer_agreement=agreement, title="Old", days_left=-3)
    return plan


@pytest.fixture
def ada(plan: SubscriptionPlan) -> User:
    """An administrator of the customer, who holds a license in each state herself."""
    ada: User = User.objects.create_user(
        "ada", email="ada@example.com", password=PASSWORD, full_name="Ada Lovelace"
    )
    CustomerLearnerFactory.create(customer=plan.customer_agreement.customer, user=ada, admin=True)
    agreement = plan.customer_agreement
    states: dict[str, dict[str, Any]] = {
        "Renewed": {},
        "Ended": {"days_left": -3},
        "Switched off": {"is_active": False},
        "To come": {"start_date": NOW + DAY},
        "Withdrawn": {},
    }
    for title, fields in states.items():
        own = plan_now(1, customer_agreement=agreement, title=title, **fields)
        give(own, ada, ago=20 * DAY)
        if title == "Renewed":
            RenewalFactory.create(prior_subscription_plan=own)
        if title == "Withdrawn":
            revoke_licenses(plan_uuid=own.uuid, emails=[ada.email], by=by_at(NOW))
    take(plan_now(1, customer_agreement=agreement, title="In use", days_left=5), ada)
    give(plan, ada)
    return ada


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_the_pages_are_accessible(
    portal: Page, ada: User, plan: SubscriptionPlan, violations: Violations
) -> None:
    sign_in(portal)
    held = License.objects.get(user_email="waiting@example.com")
    own = License.objects.get(subscription_plan=plan, user_email=ada.email)
    found = []
    for address in (
        "/access/",
        f"/licenses/{own.activation_key}/activate/",
        "/customers/acme/",
        f"/customers/acme/plans/{plan.uuid}/",
        f"/customers/acme/plans/{plan.uuid}/assign/",
        f"/customers/acme/plans/{plan.uuid}/revoke/?license={held.uuid}",
        "/customers/acme/forecast/",
    ):
        portal.goto(address)
        found += [f"{address}: {violation}" for violation in violations(portal)]

    assert found == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_license_is_activated_without_javascript(
    portal: Page, ada: User, plan: SubscriptionPlan
) -> None:
    sign_in(portal)

    portal.get_by_role("link", name="Activate it").first.click()
    portal.get_by_role("button", name="Activate my license").click()

    expect(portal.get_by_role("status")).to_contain_text("is active.")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_seats_are_looked_after_without_javascript(
    portal: Page, ada: User, plan: SubscriptionPlan
) -> None:
    sign_in(portal)
    portal.get_by_role("link", name="Acme جامعة", exact=True).click()
    portal.get_by_role("link", name="Gold").click()

    portal.get_by_role("link", name="Give licenses to learners").click()
    portal.get_by_label("E-mail addresses").fill("new@example.com\nno address")
    portal.get_by_role("button", name="Give the licenses").click()
    expect(portal.get_by_role("link", name="Line 2 is no e-mail address.")).to_be_visible()
    portal.get_by_label("E-mail addresses").fill("new@example.com")
    portal.get_by_role("button", name="Give the licenses").click()
    expect(portal.get_by_role("status")).to_have_text("1 license was given.")

    portal.get_by_label("Part of an e-mail address").fill("new@")
    portal.get_by_role("button", name="Search").click()
    assert "new@" not in portal.url
    portal.get_by_label("Choose new@example.com").check()
    portal.get_by_role("button", name="Revoke the chosen…").click()
    portal.get_by_role("button", name="Revoke 1 license").click()
    expect(portal.get_by_role("status")).to_have_text("1 license was revoked.")

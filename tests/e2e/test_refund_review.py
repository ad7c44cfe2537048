"""Staff settle refunds of which nobody knows whether they were given, both ways, in a browser."""

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from entitlements.enums import ExpiryReason, RefundStatus
from entitlements.models import CourseEntitlement
from tests.e2e.test_plan_review import violations
from tests.entitlements.admin.desk import refund_of, url
from tests.entitlements.pages.now import course, learner, run_of, used

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def rafi() -> User:
    person: User = User.objects.create_user("rafi", password=PASSWORD, is_staff=True)
    person.groups.set(Group.objects.filter(name__in=["Refunds", "Support"]))
    return person


def unclear(order_number: str) -> CourseEntitlement:
    """In use, and the order service said nothing when it was asked to refund it."""
    entitlement = used(learner(), run_of(course("Statistics")), order_number=order_number)
    refund_of(entitlement, refusal="http_400", may_have_arrived=True)
    return entitlement


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/?next=/admin/")
    page.get_by_label("Username").fill("rafi")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_refunds_are_settled_both_ways(portal: Page, rafi: User) -> None:
    given, not_given = unclear("EDX-1"), unclear("EDX-2")
    sign_in(portal)

    portal.get_by_role("link", name="Settle them").click()
    portal.get_by_role("link", name="EDX-1", exact=True).click()
    portal.get_by_role("link", name="It was refunded…").click()
    expect(portal.get_by_text("The entitlement ends as refunded")).to_be_visible()
    portal.get_by_role("button", name="It was refunded").click()
    expect(portal.get_by_role("alert")).to_contain_text("Comment")
    portal.get_by_label("Comment").fill("Refund 1001 is in the order service.")
    portal.get_by_role("button", name="It was refunded").click()
    expect(portal.get_by_text("Settled: it was refunded.")).to_be_visible()

    portal.goto(f"{url('courseentitlementrefund_changelist')}?waits_for=review")
    expect(portal.get_by_role("link", name="EDX-1", exact=True)).to_have_count(0)
    portal.get_by_role("link", name="EDX-2", exact=True).click()
    portal.get_by_role("link", name="It was not refunded…").click()
    portal.get_by_label("Comment").fill("The order service never heard of it.")
    portal.get_by_role("button", name="It was not refunded").click()
    expect(portal.get_by_text("The entitlement can be used again.")).to_be_visible()

    given.refresh_from_db()
    not_given.refresh_from_db()
    assert given.refunds.get().status == RefundStatus.OPENED
    assert (given.expired_reason, given.enrollment_course_run) == (ExpiryReason.REFUND, None)
    assert not_given.refunds.get().status == RefundStatus.FAILED
    assert not_given.expired_at is None
    assert not_given.enrollment_course_run is not None
    for entitlement in (given, not_given):
        assert entitlement.support_details.get().support_user == rafi


def test_the_pages_are_accessible(portal: Page, rafi: User) -> None:
    entitlement = unclear("EDX-1")
    refund, usable = entitlement.refunds.get(), used(learner(), run_of(course("Statistics")))
    sign_in(portal)

    found = {}
    for name, part, pk in (
        ("courseentitlement_change", "#standing", usable.pk),
        ("courseentitlement_release", "#decision", usable.pk),
        ("courseentitlementrefund_confirm", "#decision", refund.pk),
        ("courseentitlement_many", "#decision", None),
    ):
        portal.goto(url(name, *([pk] if pk else [])))
        found[name] = violations(portal, part)

    assert {name: ways for name, ways in found.items() if ways} == {}

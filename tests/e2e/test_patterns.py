"""What docs/pages.md promises of the classes, and forms/fields.html of the forms."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PHONE, Violations

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.e2e.urls")]


def test_the_documents_examples_are_accessible(portal: Page, violations: Violations) -> None:
    portal.goto("/test/patterns/")

    expect(portal.get_by_role("table", name="Seats")).to_be_visible()
    assert violations(portal) == []


def test_a_stacked_row_names_its_cells_on_a_phone(portal: Page) -> None:
    portal.goto("/test/patterns/")
    portal.set_viewport_size(PHONE)

    cell = portal.get_by_role("table", name="Seats").get_by_role("cell").first

    assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Status: "'


def test_a_form_with_every_field_is_accessible(portal: Page, violations: Violations) -> None:
    portal.goto("/test/every-field/")
    found = violations(portal)
    portal.get_by_role("button", name="Send").click()
    expect(portal.get_by_role("alert")).to_be_focused()

    assert found == []
    assert violations(portal) == []


def test_the_summary_leads_to_each_field_and_tells_of_hidden_ones(portal: Page) -> None:
    portal.goto("/test/every-field/")
    portal.get_by_role("button", name="Send").click()
    summary = portal.get_by_role("alert")

    focused = []
    for link in summary.get_by_role("link").all():
        link.press("Enter")
        focused.append(portal.evaluate("document.activeElement.name"))

    assert focused == ["title", "wish", "ends", "consent"]
    expect(summary.get_by_role("listitem")).to_have_count(5)


def test_a_field_names_its_hint_and_its_error(portal: Page) -> None:
    portal.goto("/test/every-field/")
    portal.get_by_role("button", name="Send").click()

    expect(portal.get_by_label("Title")).to_have_accessible_description(
        "As it stands on the <record>. This field is required."
    )
    expect(portal.get_by_role("group", name="Wish")).to_have_accessible_description(
        "One of them. This field is required."
    )
    expect(portal.get_by_label("Note (optional)")).to_be_visible()


def test_a_mail_is_accessible(portal: Page, violations: Violations) -> None:
    html = portal.context.request.get("/test/mail/").text()
    # A page of its own: a mailbox does not have the portal's policy.
    mailbox = portal.context.new_page()
    mailbox.set_content(html)

    expect(mailbox.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    # A mail stands inside of a mailbox's landmarks.
    assert [one for one in violations(mailbox) if not re.search(": (region|landmark-)", one)] == []

"""The error pages in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Violations
from tests.web.urls import FAILURES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.e2e.urls")]


@pytest.mark.parametrize("failure", [*FAILURES, "busy"])
def test_an_error_page_is_accessible_and_says_what_to_do(
    portal: Page, violations: Violations, failure: str
) -> None:
    portal.goto(f"/test/failing/{failure}/")

    expect(portal.get_by_role("heading", level=1)).to_be_visible()
    expect(portal.get_by_role("heading", name="What you can do")).to_be_visible()
    expect(portal.get_by_role("link", name="Go to the start page")).to_be_visible()
    assert violations(portal) == []


def test_a_defect_has_a_number_to_tell(portal: Page) -> None:
    response = portal.goto("/test/failing/bug/")

    assert response is not None
    expect(portal.get_by_text(response.headers["x-request-id"])).to_be_visible()


def test_who_wanted_to_verify_a_letter_finds_the_way_from_nowhere(portal: Page) -> None:
    portal.goto("/letter/program/not-an-id/")

    portal.get_by_role("link", name="paste its link or id").click()

    expect(portal.get_by_label("Link or id of the letter")).to_be_visible()

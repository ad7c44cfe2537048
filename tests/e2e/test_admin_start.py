"""The admin's start page and its sign-in, in a real browser."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from credentials_portal.core.models import JobRun, OutboxBreaker, OutboxHold, OutboxMessage
from tests.e2e.conftest import SCHEMES, Violations
from tests.letters.admin.desk import held_run
from tests.letters.factories import applied, imported, one_course_program, planned
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def administrator() -> User:
    administrator: User = User.objects.create_superuser("root", password=PASSWORD)
    return administrator


@pytest.fixture
def trouble() -> None:
    """Something of each kind that the page can show."""
    now = timezone.now()
    held_run()
    imported(one_course_program()[0], LearnerFactory.create(), created_on=now, at=now)
    applied(planned(at=now), at=now)
    imported(one_course_program()[0], LearnerFactory.create(), created_on=now, at=now)
    planned(at=now)
    for status in ("pending", "dead", "uncertain", "done"):
        OutboxMessage.objects.create(
            kind="a.mail",
            dedupe_key=str(uuid4()),
            payload={},
            status=status,
            due_at=now - timedelta(hours=1),
            created_at=now - timedelta(hours=1),
            finished_at=now if status == "done" else None,
        )
    OutboxHold.objects.create(kind="a.call", reason="The other system moves.", held_at=now)
    OutboxBreaker.objects.create(kind="a.mail", failures=5, open_until=now)
    for name, outcome, ago in [
        ("check_history", "failed_items", timedelta(minutes=1)),
        ("purge_outbox", "done", timedelta(days=3)),
        ("award_program_certificates", "done", timedelta(minutes=1)),
    ]:
        at = now - ago
        times = {"judged_at": at, "started_at": at, "ended_at": at}
        JobRun.objects.create(name=name, system_user="cron", outcome=outcome, **times)


def sign_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Start page")


def in_each_scheme(page: Page, violations: Violations) -> list[str]:
    """What axe finds in each colour scheme; the theme asks for it when a page is loaded."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.reload()
        found += violations(page)
    return found


def test_the_start_page_is_accessible_with_all_that_it_shows(
    portal: Page, administrator: User, trouble: None, violations: Violations
) -> None:
    sign_in(portal)
    expect(portal.get_by_role("heading", name="things need somebody")).to_be_visible()
    expect(portal.get_by_role("img", name="Letters, Issued, each day")).to_be_visible()

    assert in_each_scheme(portal, violations) == []


def test_the_numbers_beside_the_charts_are_accessible(
    portal: Page, administrator: User, trouble: None, violations: Violations
) -> None:
    sign_in(portal)
    for summary in portal.get_by_text("The numbers").all():
        summary.click()
    expect(portal.get_by_role("columnheader", name="Refused for good")).to_be_visible()

    assert violations(portal) == []


def test_the_sign_in_page_is_accessible(portal: Page, violations: Violations) -> None:
    portal.goto("/admin/")

    assert in_each_scheme(portal, violations) == []


def test_the_verdict_leads_to_where_to_act(
    portal: Page, administrator: User, trouble: None
) -> None:
    sign_in(portal)

    portal.get_by_role("link", name="Look at what it holds").click()

    expect(portal.get_by_role("link", name="Release…")).to_be_visible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_verdict_can_be_read_without_javascript(
    portal: Page, administrator: User, trouble: None
) -> None:
    sign_in(portal)

    expect(portal.get_by_role("heading", name="things need somebody")).to_be_in_viewport()
    expect(portal.get_by_role("link", name="Look at what it holds")).to_be_visible()

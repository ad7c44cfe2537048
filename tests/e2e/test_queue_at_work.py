"""Staff correct a grade in the admin, and read on the letter's page what that did, and why."""

import os

import pytest
from playwright.sync_api import Locator, Page, expect

from credentials_portal.accounts.models import User
from letters.models import ProgramLetter
from tests.e2e.conftest import DESKTOP
from tests.letters.admin.desk import page_of
from tests.letters.commands import run_command
from tests.letters.factories import graduates, issue, one_course_program
from tests.letters.test_queue_at_work import let_a_day_pass

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def letter() -> ProgramLetter:
    program, run = one_course_program(title="Data Science")
    (letter,) = issue(program, *graduates(run))
    return letter


@pytest.fixture
def registrar(portal: Page) -> Page:
    User.objects.create_superuser("rita", password=PASSWORD)
    portal.goto("/accounts/login/?next=/admin/")
    portal.get_by_label("Username").fill("rita")
    portal.get_by_label("Password").fill(PASSWORD)
    portal.get_by_role("button", name="Sign in").click()
    expect(portal).to_have_url("/admin/")
    return portal


def correct_grade(page: Page, letter: ProgramLetter, percent: str) -> None:
    page.goto("/admin/programs/coursegrade/")
    page.get_by_role("link", name=letter.user.username).click()
    page.get_by_label("Percent grade").fill(percent)
    page.get_by_label("Reason").fill("Read the exam again.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url("/admin/programs/coursegrade/")


def entries(page: Page, letter: ProgramLetter) -> Locator:
    page.goto(page_of(letter))
    return page.get_by_role("region", name="Timeline").get_by_role("listitem")


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_the_timeline_tells_what_a_corrected_grade_did(
    registrar: Page, letter: ProgramLetter
) -> None:
    registrar.set_viewport_size(DESKTOP)

    correct_grade(registrar, letter, "0.3")
    run_command("revalidate_letters")
    expect(entries(registrar, letter)).to_have_count(2)
    standing = registrar.get_by_role("region", name="in Data Science")
    expect(standing).to_contain_text("suspended then if its checks still fail")
    expect(standing).to_contain_text("a grade changed, in the admin")

    let_a_day_pass()
    run_command("revalidate_letters")
    newest = entries(registrar, letter).first
    expect(newest).to_contain_text("Suspended")
    expect(newest).to_contain_text("by the portal (a grade changed, in the admin)")
    expect(newest).to_contain_text("active → suspended")
    expect(newest).to_contain_text("is not passed")

    correct_grade(registrar, letter, "0.9")
    run_command("revalidate_letters")
    newest = entries(registrar, letter).first
    expect(newest).to_contain_text("Suspension lifted")
    expect(newest).to_contain_text("suspended → active")
    expect(newest).to_contain_text("It had been suspended: the core course")
    if folder := os.environ.get("SCREENSHOTS"):
        registrar.screenshot(path=f"{folder}/timeline.png", full_page=True)

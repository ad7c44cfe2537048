"""A text from its first draft to its withdrawal, in a real browser."""

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from letters.models import ProgramLetter
from programs.models import Program
from tests.e2e.conftest import Violations
from tests.letters.factories import graduates, imported, issue, one_course_program, publish_text
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
WITHOUT_JAVASCRIPT = pytest.mark.browser_context_args(java_script_enabled=False)


@pytest.fixture
def registrar() -> User:
    person: User = User.objects.create_user("rita", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="Registrars"))
    return person


@pytest.fixture
def program() -> Program:
    """One letter that is true, and two that are not."""
    program, run = one_course_program(title="Data Science")
    (learner,) = graduates(run)
    User.objects.filter(pk=learner.pk).update(full_name="Ada Lovelace")
    issue(program, learner)
    imported(program, *LearnerFactory.create_batch(2))
    return program


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    image = Image.new("RGBA", (240, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).rounded_rectangle((4, 4, 236, 76), 16, fill="#1b5a7d")
    image.save(tmp_path / "logo.png")
    return tmp_path / "logo.png"


def sign_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("rita")
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("[type=submit]").click()


def look(page: Page, name: str) -> None:
    """Keep a picture of the page, where somebody wants to look at it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


@WITHOUT_JAVASCRIPT
def test_a_text_is_written_previewed_published_and_withdrawn_without_javascript(
    portal: Page, registrar: User, program: Program, logo: Path
) -> None:
    letter = ProgramLetter.objects.filter(program=program).earliest("pk")
    sign_in(portal)

    portal.goto("/admin/letters/programlettertemplate/add/")
    look(portal, "add")
    portal.get_by_label("Program", exact=False).first.select_option("Data Science")
    portal.locator("[name=text]").fill("Dear {name},\n\nyou completed **{program}**.")
    portal.locator("[name=logo]").set_input_files(logo)
    portal.locator("[name=signatories-0-name]").fill("Grace Hopper")
    portal.locator("[name=signatories-0-title_line_1]").fill("Dean")
    portal.locator("[name=_continue]").click()
    expect(portal.get_by_alt_text("The present picture")).to_be_visible()
    look(portal, "draft")

    portal.get_by_role("link", name="Preview", exact=True).click()
    expect(portal.get_by_role("heading", level=1)).to_have_text("Data Science")
    expect(portal.get_by_text("Dear Ada Lovelace")).to_be_visible()
    expect(portal.get_by_text("Preview, not valid", exact=True)).to_be_visible()
    look(portal, "preview")
    portal.get_by_role("link", name="Back to revision 1").click()

    portal.get_by_role("link", name="Publish…").click()
    expect(portal.get_by_text("Publishing makes 3 letters visible; 2 of them fail")).to_be_visible()
    look(portal, "publish")
    portal.get_by_label("Reason").fill("The board said so.")
    portal.get_by_role("button", name="Publish it nevertheless").click()
    expect(portal.get_by_role("alert")).to_contain_text("Nothing was published")
    look(portal, "publish-refused")
    assert not ProgramLetter.objects.shown().exists()
    portal.get_by_label("Show them nevertheless").check()
    portal.get_by_role("button", name="Publish it nevertheless").click()
    expect(portal.get_by_text("Published. 3 letters became visible.")).to_be_visible()
    look(portal, "published")

    portal.goto(f"/letter/program/{letter.uuid}/")
    expect(portal.get_by_text("Dear Ada Lovelace")).to_be_visible()
    portal.goto(f"/admin/letters/programletter/{letter.pk}/change/")
    expect(portal.get_by_role("heading", name="What others see")).to_be_visible()
    look(portal, "letter")

    portal.get_by_role("link", name="revision 1").first.click()
    portal.get_by_role("link", name="Withdraw…").click()
    look(portal, "withdraw")
    portal.get_by_label("Reason").fill("A wrong name.")
    portal.get_by_role("button", name="Hide these letters").click()
    expect(portal.get_by_text("Withdrawn. 3 letters are hidden now")).to_be_visible()
    look(portal, "withdrawn")
    answer = portal.goto(f"/letter/program/{letter.uuid}/")
    assert answer
    assert answer.status == 404


def test_a_preview_is_accessible(
    portal: Page, registrar: User, program: Program, violations: Violations
) -> None:
    template = publish_text(program)
    sign_in(portal)

    portal.goto(f"/admin/letters/programlettertemplate/{template.pk}/preview/?learner=nobody")

    expect(portal.get_by_role("alert")).to_be_visible()
    assert violations(portal) == []

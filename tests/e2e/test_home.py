"""The signed-in home with all that it can show, in a real browser."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from letters.services import LetterRecord, import_letters, revoke_letter
from tests.e2e.conftest import Violations
from tests.letters.factories import publish_text
from tests.programs.factories import (
    AT,
    BY,
    CourseFactory,
    CourseRunFactory,
    GradeFactory,
    ProgramEnrollmentFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def learner() -> User:
    """Has a program of each kind and a letter in each state."""
    learner: User = User.objects.create_user("ada", password=PASSWORD, full_name="Ada Lovelace")
    for title in ("Valid", "Suspended", "Withdrawn", "علم البيانات", "Not defined"):
        core = CourseRunFactory.create_batch(2) if title != "Not defined" else []
        electives = [CourseFactory.create(title="A-course-with-a-very-long-unbreakable-title")]
        program = program_requiring(
            core=[run.course for run in core],
            electives=[(1, electives)] if core else [],
            title=title,
        )
        ProgramEnrollmentFactory.create(user=learner, program=program)
        if core:
            GradeFactory.create(user=learner, course_run=core[0])
        record = LetterRecord(uuid4(), "ada", str(program.uuid), title != "Suspended", AT)
        if title in {"Valid", "Suspended", "Withdrawn"}:
            import_letters([(1, record)], by=BY)
            publish_text(program)
        if title == "Withdrawn":
            revoke_letter(letter_uuid=record.uuid, by=BY)
    return learner


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_home_is_accessible_with_all_that_it_shows(
    portal: Page, learner: User, violations: Violations
) -> None:
    sign_in(portal)
    expect(portal.get_by_role("article")).to_have_count(8)

    assert violations(portal) == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_what_waits_leads_to_the_letter_without_javascript(portal: Page, learner: User) -> None:
    sign_in(portal)

    portal.get_by_role("link", name="What that means").click()

    expect(
        portal.get_by_text("If you think that they are wrong, ask the institution")
    ).to_be_in_viewport()


@pytest.mark.parametrize(
    ("title", "verdict"),
    [
        ("Valid", "This letter is valid"),
        ("Suspended", "This letter is temporarily not valid"),
        ("Withdrawn", "This letter was withdrawn"),
    ],
)
def test_what_a_stranger_sees_of_a_letter_is_accessible(
    portal: Page, learner: User, violations: Violations, title: str, verdict: str
) -> None:
    letter = learner.program_letters.get(program__title=title)

    portal.goto("/")
    portal.get_by_label("Link or id of the letter").fill(str(letter.uuid))
    portal.get_by_role("button", name="Verify").click()

    expect(portal.get_by_role("heading", name=verdict)).to_be_visible()
    assert violations(portal) == []

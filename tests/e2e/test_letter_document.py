"""A letter in a real browser: on screens, and as its print."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from letters.models import LetterPicture, ProgramLetter
from tests.e2e.conftest import Violations
from tests.letters.documents.letters import LOGO
from tests.letters.documents.pages import texts
from tests.letters.factories import graduates, issue, one_course_program, publish_text
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "**{name}** has completed *{program}*.\n\n- all courses\n- a project\n\n{date}"
HEADER = "# Northbridge University\nOffice of the Registrar"


def letter_of(name: str, **texts: Any) -> ProgramLetter:
    program, run = one_course_program(title="Engines")
    [learner] = graduates(run)
    learner.full_name = name
    learner.save()
    logo = LetterPicture.objects.create(
        sha256=LOGO.sha256, width=LOGO.width, height=LOGO.height, content=LOGO.content
    )
    publish_text(program, at=AT, logo=logo, **{"text": TEXT, "header": HEADER} | texts)
    [letter] = issue(program, learner)
    return letter


def words_of(pdf: bytes) -> str:
    """Without bullets: a browser draws them, and our PDF writes them."""
    text = "".join(texts(pdf)).replace("• ", "")
    # The address may go on in another line.
    return " ".join(re.sub(r"(?<=[/-])\r\n", "", text).split())


@pytest.mark.parametrize("name", ["Ada Lovelace", "W" * 200, "محمد (علي) بن سعيد"])
def test_a_letter_is_accessible_and_fits_a_phone(
    portal: Page, violations: Violations, name: str
) -> None:
    letter = letter_of(name)

    portal.goto(f"/letter/program/{letter.uuid}/")

    expect(portal.get_by_role("heading", level=1)).to_have_text("Engines")
    expect(portal.get_by_role("article").get_by_text(name).first).to_be_visible()
    for picture in portal.get_by_role("article").get_by_role("img").all():
        assert picture.evaluate("image => image.naturalWidth") > 0
    assert violations(portal) == []


def test_the_print_of_the_page_says_what_the_pdf_says(portal: Page) -> None:
    letter = letter_of("Ada Lovelace", footer="Kept by the *registrar*.")
    portal.goto(f"/letter/program/{letter.uuid}/")

    printed = words_of(portal.pdf(prefer_css_page_size=True))
    pdf = words_of(portal.request.get(f"/letter/program/{letter.uuid}.pdf").body())

    assert printed == pdf
    assert re.match(
        "Northbridge University Office of the Registrar Program letter Engines Ada Lovelace", pdf
    )

"""Letters as their holders and strangers see them, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from credentials_portal.accounts.models import User
from letters import services
from letters.models import ProgramLetter
from letters.services import SignatoryDraft, TextDraft
from tests.e2e.conftest import Violations
from tests.letters.factories import BY, applied, grade, graduates, issue, one_course_program
from tests.letters.factories import planned as plan

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
PICTURES = Path(__file__).parents[2] / "credentials_portal/web/demo/pictures"
TEXT = TextDraft(
    header="Office of the Registrar",
    text="Dear {name},\n\nyou completed **{program}**.\n\n- with care\n- with *patience*",
    footer="1 Bridge Street",
    logo=(PICTURES / "logo.png").read_bytes(),
    signatories=[
        SignatoryDraft(
            "Prof. Ingrid Solheim-Adeyemi",
            "Dean",
            signature=(PICTURES / "signature-dean.png").read_bytes(),
        ),
        SignatoryDraft("Rosalind Okafor", "Registrar", "Northbridge Institute"),
    ],
)
NAMES = {
    "latin": "Ada Lovelace",
    "arabic": "نور بنت عبد الرحمن الحداد",
    "chinese": "林黛玉",
    "hostile": "<script>alert('x')</script>",
    "long": "Wolfeschlegelsteinhausenbergerdorff" * 5 + " Jr.",
}


def letter_of(name: str, *, title: str = "Supply Chain Practice") -> ProgramLetter:
    """A shown letter of a learner who can sign in."""
    program, run = one_course_program(title=title)
    template_id = services.write_draft(program_id=program.pk, draft=TEXT, by=BY)
    services.publish_template(template_id=template_id, by=BY)
    [learner] = graduates(run)
    learner.full_name = name
    learner.set_password(PASSWORD)
    learner.save()
    [letter] = issue(program, learner)
    return letter


def page_of(letter: ProgramLetter) -> str:
    return f"/letter/program/{letter.uuid}/"


def sign_in(page: Page, user: User) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def plain(browser: Browser, base_url: str) -> Iterator[Page]:
    """A page of a browser that runs no scripts."""
    context = browser.new_context(base_url=base_url, java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_letter_is_readable_for_everybody(
    portal: Page, violations: Violations, name: str
) -> None:
    letter = letter_of(name)

    portal.goto(page_of(letter))

    expect(portal.get_by_role("heading", level=1)).to_have_text("Supply Chain Practice")
    expect(portal.get_by_role("article")).to_contain_text(f"Dear {name},")
    if name in {NAMES["latin"], NAMES["arabic"], NAMES["long"]}:
        assert violations(portal) == []


def test_a_stranger_checks_a_letter_in_each_state(portal: Page, violations: Violations) -> None:
    valid, suspended, revoked = (letter_of("Ada Lovelace", title=t) for t in ("A", "B", "C"))
    grade(suspended.program.course_runs.get(), suspended.user, percent="0.1")
    applied(plan())
    services.revoke_letter(letter_uuid=revoked.uuid, by=BY)

    for address, verdict in (
        (f"{page_of(valid)}verify/", "This letter is valid"),
        (f"{page_of(suspended)}verify/", "This letter is temporarily not valid"),
        (f"{page_of(revoked)}verify/", "This letter was withdrawn"),
        (f"/letter/program/{'0' * 8}-0000-4000-8000-{'0' * 12}/verify/", "We cannot confirm"),
        (page_of(suspended), "This letter is not valid at the moment"),
        (page_of(revoked), "This letter was withdrawn"),
    ):
        portal.goto(address)
        expect(portal.get_by_role("heading", level=1)).to_contain_text(verdict)
        assert violations(portal) == []


def test_the_holders_list_tells_state_and_next_step(portal: Page, violations: Violations) -> None:
    letter = letter_of("Ada Lovelace")
    other, run = one_course_program(title="Without a text")
    grade(run, letter.user)
    [hidden] = issue(other, letter.user)

    sign_in(portal, letter.user)
    portal.goto("/letters/")

    expect(portal.get_by_role("article")).to_have_count(2)
    assert violations(portal) == []
    portal.goto(page_of(hidden))
    expect(portal.get_by_role("heading", level=1)).to_have_text("Your letter is being prepared")
    assert violations(portal) == []


def test_works_without_scripts_from_paste_to_verdict(plain: Page) -> None:
    letter = letter_of("Ada Lovelace")

    plain.goto("/")
    plain.get_by_label("Link or id").fill(f"https://portal.example.org{page_of(letter)}")
    plain.get_by_role("button", name="Verify").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("This letter is valid")
    expect(plain.get_by_role("main")).to_contain_text("Ada Lovelace")

    plain.goto(page_of(letter))
    expect(plain.get_by_role("article")).to_contain_text("Dear Ada Lovelace,")
    link = plain.get_by_role("link", name="PDF, to keep or print").get_attribute("href")
    pdf = plain.request.get(str(link))
    assert (pdf.status, pdf.headers["content-type"]) == (200, "application/pdf")


def test_a_printed_page_has_the_letter_and_nothing_around_it(portal: Page) -> None:
    letter = letter_of("Ada Lovelace")
    portal.goto(page_of(letter))

    portal.emulate_media(media="print")

    expect(portal.get_by_role("article")).to_be_visible()
    for name in ("PDF, to keep or print", "Sign in"):
        expect(portal.get_by_role("link", name=name)).to_be_hidden()

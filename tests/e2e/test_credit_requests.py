"""Asking for credit, and answering it, in a real browser."""

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors.credit import answer_link
from tests.e2e.conftest import Violations
from tests.programs.factories import CreditRequestFactory, pathway_of
from tests.programs.pages.now import earn, program_of, run_of

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
LONG = "A-name-that-is-very-long-and-cannot-be-broken-anywhere-" * 2


@pytest.fixture
def ann() -> User:
    ann: User = User.objects.create_user(
        "ann", email="ann@x.org", password=PASSWORD, full_name="آن العشّ"
    )
    return ann


@pytest.fixture
def program(ann: User) -> Program:
    """Ann has earned one of its two courses."""
    earned, open_ = run_of("Statistics"), run_of(LONG)
    program = program_of(ann, earned, open_, title="Data Science")
    earn(ann, earned, "0.87", letter_grade="B")
    return program


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(program, name="MSc Data", org_name="Northern University")


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def answer_page(asked: UserCreditPathway) -> str:
    return answer_link(asked).partition("//")[2].partition("/")[2]


def test_the_pages_are_accessible(
    portal: Page, ann: User, program: Program, pathway: Pathway, violations: Violations
) -> None:
    now = timezone.now()
    strict = pathway_of(program, name=LONG, org_name=LONG, requires_completion=True)
    answered = CreditRequestFactory.create(
        user=ann,
        program=program,
        pathway=pathway,
        requested_at=now,
        answer="granted",
        answered_at=now,
        answer_note=f"15 ECTS.\n{LONG}",
        consent_text="Read my record.",
    )
    CreditRequestFactory.create(user=ann, program=program, pathway=strict, failed=True)
    CreditRequestFactory.create(user=ann, pathway=pathway, legacy=True)
    fresh = CreditRequestFactory.create(
        user=ann, program=program, pathway=pathway, number=2, requested_at=now
    )
    sign_in(portal)
    found = []
    for address in (
        "/",
        f"/programs/{program.uuid}/credit/",
        f"/programs/{program.uuid}/credit/?pathway={pathway.pk}",
        f"/programs/{program.uuid}/credit/?pathway={strict.pk}",
        f"/programs/{program.uuid}/credit/?pathway=0",
        "/credit-requests/",
        f"/credit-requests/{answered.uuid}/",
        f"/credit-requests/{answered.uuid}/withdraw/",
        f"/{answer_page(answered)}",
    ):
        portal.goto(address)
        found += [f"{address}: {violation}" for violation in violations(portal)]
    portal.goto(f"/{answer_page(fresh)}")
    portal.get_by_role("button", name="Send the answer").click()
    expect(portal.get_by_role("alert")).to_be_focused()
    found += violations(portal)
    UserCreditPathway.objects.filter(pk=fresh.pk).update(status="withdrawn", withdrawn_at=now)
    portal.goto(f"/{answer_page(fresh)}")
    expect(portal.get_by_role("heading", level=1)).to_have_text(
        "This request can no longer be answered"
    )
    found += violations(portal)

    assert found == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_request_is_made_answered_and_withdrawn_without_javascript(
    portal: Page, ann: User, program: Program, pathway: Pathway
) -> None:
    sign_in(portal)
    portal.goto(f"/programs/{program.uuid}/")
    portal.get_by_role("link", name="Ask for credit").click()
    portal.get_by_role("button", name="Send my record to Northern University").click()
    expect(portal.get_by_role("alert")).to_contain_text("Agree to it, or nothing is sent.")
    portal.get_by_label("I agree").check()
    portal.get_by_role("button", name="Send my record to Northern University").click()
    expect(portal.get_by_role("status")).to_contain_text("is on its way")
    own_page = portal.url

    portal.goto(f"/{answer_page(UserCreditPathway.objects.get())}")
    portal.get_by_label("Credit is granted").check()
    portal.get_by_label("A note to the learner").fill("15 ECTS.\nBring this note.")
    portal.get_by_role("button", name="Send the answer").click()
    expect(portal.get_by_role("status")).to_contain_text("Your answer is kept.")
    expect(portal.get_by_role("region", name="What the learner sees now")).to_contain_text(
        "credit granted"
    )

    portal.goto(own_page)
    expect(portal.get_by_text("Bring this note.").first).to_be_visible()
    portal.get_by_role("link", name="Withdraw it").click()
    portal.get_by_role("button", name="Withdraw the request").click()
    expect(portal.get_by_role("status")).to_have_text("You have withdrawn your request.")
    portal.get_by_role("link", name="All your requests for credit").click()
    expect(portal.get_by_role("article")).to_contain_text("withdrawn")

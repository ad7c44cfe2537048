"""Credit requests at the staff's desk, in a real browser: the report, one request, asking."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from programs.enums import CreditAnswer, CreditRequestSource
from programs.models import Pathway, Program, UserCreditPathway
from programs.services.credit import request_credit
from tests.e2e.conftest import Violations
from tests.e2e.test_admin_start import in_each_scheme, sign_in
from tests.e2e.test_plan_review import violations as violations_in
from tests.licenses.factories import by_at
from tests.programs.admin.desk import url
from tests.programs.factories import (
    CreditRequestFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    ProgramFactory,
    pathway_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
DAY = timedelta(days=1)
REPORT = "/admin/programs/usercreditpathway/report/"


@pytest.fixture
def administrator() -> User:
    administrator: User = User.objects.create_superuser("root", password="correct horse battery")
    return administrator


@pytest.fixture
def program() -> Program:
    program: Program = ProgramFactory.create(title="Economics of Development and Data Science")
    return program


@pytest.fixture
def pathway(program: Program) -> Pathway:
    return pathway_of(
        program,
        name="MSc Development Economics",
        org_name="Harbour University",
        email="admissions@harbour.example",
    )


@pytest.fixture
def requests(program: Program, pathway: Pathway) -> None:
    """Of several months, kinds and programs, one of them unknown."""
    other = pathway_of(program, name="BSc Data", org_name="Northern Polytechnic")
    for number in range(14):
        at = NOW - 37 * number * DAY
        request = CreditRequestFactory.create(
            program=program if number % 3 else ProgramFactory.create(title="Supply Chain"),
            pathway=pathway if number % 2 else other,
            requested_at=at,
            was_completed=bool(number % 4),
            answer=CreditAnswer.GRANTED if number % 5 == 0 else "",
            answered_at=at + DAY if number % 5 == 0 else None,
        )
        ProgramCertificateFactory.create(
            user=request.user, program=request.program, awarded_at=at + 9 * DAY
        )
    CreditRequestFactory.create(legacy=True, pathway=pathway, requested_at=NOW - 90 * DAY)
    CreditRequestFactory.create(failed=True, program=program, pathway=pathway, requested_at=NOW)


@pytest.fixture
def asked(program: Program, pathway: Pathway) -> UserCreditPathway:
    ada = LearnerFactory.create(username="ada", email="ada@x.org", full_name="Ada Lovelace")
    return request_credit(
        user=ada,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.STAFF,
        on_behalf_reason="She cannot sign in this week.",
        by=by_at(NOW - DAY, actor=User.objects.get(username="root")),
    ).request


def test_the_report_is_accessible_with_its_chart_and_table(
    portal: Page, administrator: User, requests: None, violations: Violations
) -> None:
    sign_in(portal)
    portal.goto(REPORT)
    expect(portal.get_by_role("table", name="Requests by month")).to_be_visible()

    assert in_each_scheme(portal, violations) == []


def test_a_request_and_the_pages_to_act_are_accessible(
    portal: Page, administrator: User, asked: UserCreditPathway
) -> None:
    sign_in(portal)

    found = {}
    for name, part, arguments in (
        ("change", "#standing", [asked.pk]),
        ("withdraw", "#decision", [asked.pk]),
        ("ask", "#decision", []),
        ("ask_for", "#decision", [asked.user_id, asked.program_id]),
    ):
        portal.goto(url(f"usercreditpathway_{name}", *arguments))
        found[name] = violations_in(portal, part)

    assert {name: ways for name, ways in found.items() if ways} == {}


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_staff_ask_for_a_learner_and_withdraw_without_javascript(
    portal: Page, administrator: User, program: Program, pathway: Pathway
) -> None:
    LearnerFactory.create(username="ada", full_name="Ada Lovelace")
    portal.goto("/admin/")
    portal.get_by_label("Username").fill("root")
    portal.get_by_label("Password").fill("correct horse battery")
    portal.get_by_role("button", name="Log in").click()
    portal.goto("/admin/programs/usercreditpathway/")
    portal.get_by_role("link", name="Ask for credit for a learner…").click()
    portal.get_by_label("Learner").fill("ada")
    portal.get_by_label("Program").select_option(program.title)
    portal.get_by_role("button", name="Go on").click()
    expect(portal.get_by_text("and you send it for them.")).to_be_visible()

    portal.get_by_role("radio").check()
    portal.get_by_label("Reason").fill("She telephoned.")
    portal.get_by_role("button", name="Send this request").click()
    expect(portal.get_by_text("The request waits to be sent.")).to_be_visible()

    portal.get_by_role("link", name="Withdraw…").click()
    portal.get_by_label("Reason").fill("She changed her mind.")
    portal.get_by_role("button", name="Withdraw this request").click()
    expect(portal.get_by_text("The request is withdrawn.")).to_be_visible()

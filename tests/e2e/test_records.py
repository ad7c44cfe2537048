"""A learner's record, its links, and what a stranger sees, in a real browser."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from credentials_portal.accounts.models import User
from programs.models import Program, SharedProgramRecord
from programs.services.sharing import count_view
from tests.e2e.conftest import Violations
from tests.letters.factories import publish_text
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    GradeFactory,
    OrganizationFactory,
    ProgramCertificateFactory,
    ProgramEnrollmentFactory,
    SharedRecordFactory,
    pathway_of,
    program_requiring,
)
from tests.programs.pages.now import earn, run_of

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
LONG = "A-course-with-a-very-long-title-that-cannot-be-broken-anywhere-" * 3


@pytest.fixture
def ada() -> User:
    ada: User = User.objects.create_user(
        "ada", email="ada@example.org", password=PASSWORD, full_name="آدا " + "Lovelace" * 20
    )
    return ada


@pytest.fixture
def program(ada: User) -> Program:
    """With courses of each kind, pathways, a link of the learner's and one of an institution."""
    earned, failed, long = run_of("علم البيانات"), run_of("Probability"), run_of(LONG)
    electives = [run_of(title) for title in ("Ethics", "Law", "History")]
    program = program_requiring(
        core=[run.course for run in (earned, failed, long)],
        electives=[(2, [run.course for run in electives])],
        title="Data Science",
        type="MicroMasters",
    )
    program.authoring_organizations.add(OrganizationFactory.create(name="Northbridge University"))
    ProgramEnrollmentFactory.create(user=ada, program=program)
    ProgramCertificateFactory.create(user=ada, program=program)
    publish_text(program)
    for run in (earned, electives[0]):
        earn(ada, run, "0.87", letter_grade="B")
    GradeFactory.create(user=ada, course_run=failed, failing=True)
    pathway = pathway_of(program, name="MSc Data Science", org_name="Harbour University")
    CreditRequestFactory.create(user=ada, program=program, pathway=pathway)
    link = SharedRecordFactory.create(
        user=ada, program=program, expires_at=timezone.now() + timedelta(days=30)
    )
    count_view(shared_record_id=link.pk, at=AT)
    SharedRecordFactory.create(user=ada, program=program, revoked=True)
    return program


def sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def own_link(program: Program) -> SharedProgramRecord:
    link: SharedProgramRecord = program.shared_records.get(kind="link", revoked_at=None)
    return link


def test_the_pages_are_accessible(portal: Page, program: Program, violations: Violations) -> None:
    sign_in(portal)
    link = own_link(program)
    record = f"/programs/{program.uuid}/"
    found = []
    for address in (
        record,
        f"{record}share/",
        f"{record}share/{link.uuid}/change/",
        f"{record}share/{link.uuid}/replace/",
        f"{record}share/{link.uuid}/revoke/",
        f"/programs/shared/{link.uuid}/",
    ):
        portal.goto(address)
        found += [f"{address}: {violation}" for violation in violations(portal)]

    assert found == []


def test_a_dead_link_and_the_first_one_are_accessible(
    portal: Page, program: Program, violations: Violations
) -> None:
    link = own_link(program)
    sign_in(portal)
    portal.goto(f"/programs/{program.uuid}/share/{link.uuid}/revoke/")
    portal.get_by_role("button", name="Revoke this link").click()
    expect(portal.get_by_role("button", name="Make the link")).to_be_visible()
    found = violations(portal)

    portal.goto(f"/programs/shared/{link.uuid}/")
    expect(portal.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    found += violations(portal)

    assert found == []


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_link_is_made_used_replaced_and_revoked_without_javascript(
    portal: Page, program: Program
) -> None:
    SharedProgramRecord.objects.filter(pk=own_link(program).pk).update(revoked_at=AT, end="revoked")
    sign_in(portal)
    portal.get_by_role("link", name="Data Science").first.click()
    portal.get_by_role("link", name="Share this record").click()
    portal.get_by_label("a year").check()
    portal.get_by_label("Show your e-mail address").check()
    portal.get_by_role("button", name="Make the link").click()
    expect(portal.get_by_role("status")).to_contain_text("The link is made.")
    first = own_link(program)
    expect(portal.get_by_label("Address to copy and give to others")).to_have_value(
        f"http://localhost:8000/records/programs/shared/{first.uuid.hex}/"
    )
    expect(portal.get_by_role("button", name="Copy the address")).to_be_hidden()

    portal.get_by_role("link", name="See what others see").click()
    expect(portal.get_by_text("ada@example.org")).to_be_visible()
    portal.get_by_role("link", name="Who can see your record").click()

    portal.get_by_role("link", name="Replace it by another").click()
    portal.get_by_role("button", name="Replace this link").click()
    expect(portal.get_by_role("status")).to_contain_text("The link was replaced.")
    portal.goto(f"/programs/shared/{first.uuid}/")
    expect(portal.get_by_role("heading", level=1)).to_have_text("This link no longer works")

    portal.goto(f"/programs/{program.uuid}/share/")
    portal.get_by_role("link", name="Revoke it").click()
    portal.get_by_role("button", name="Revoke this link").click()
    expect(portal.get_by_role("status")).to_contain_text("The link was revoked.")


def test_the_address_is_copied_by_a_button(
    portal: Page, context: BrowserContext, program: Program
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(portal)
    portal.goto(f"/programs/{program.uuid}/share/")

    portal.get_by_role("button", name="Copy the address").click()

    expect(portal.get_by_text("Copied.")).to_be_visible()
    address = portal.get_by_label("Address to copy and give to others").input_value()
    assert portal.evaluate("navigator.clipboard.readText()") == address
    assert own_link(program).uuid.hex in address


def test_printed_the_page_is_the_record_alone(portal: Page, program: Program) -> None:
    sign_in(portal)
    portal.goto(f"/programs/{program.uuid}/")
    portal.emulate_media(media="print")

    expect(portal.get_by_role("article", name="Data Science")).to_be_visible()
    for hidden in ("Requirements", "Certificate", "Your letter", "Your record"):
        expect(portal.get_by_role("heading", name=hidden, exact=True)).to_be_hidden()
    expect(portal.get_by_role("link", name="Share this record")).to_be_hidden()
    expect(portal.get_by_text("it was not passed")).to_be_hidden()

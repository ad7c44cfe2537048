"""Staff review the plan over the thousand false letters, in a browser without JavaScript."""

import csv
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import Page, expect

from credentials_portal.accounts.models import User
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter
from tests.e2e.conftest import AXE
from tests.letters.admin.desk import url
from tests.letters.factories import applied, imported, one_course_program, planned
from tests.letters.incident import Incident, build_incident
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"


@pytest.fixture
def registrar() -> User:
    person: User = User.objects.create_user("rita", password=PASSWORD, is_staff=True)
    of_letters = Permission.objects.filter(content_type__app_label="letters")
    person.user_permissions.set(
        of_letters.filter(codename__startswith="view_")
        | of_letters.filter(codename="apply_letter_plan")
    )
    return person


def sign_in(page: Page) -> None:
    page.goto(f"/accounts/login/?next={url('lettervalidationrun_changelist')}")
    page.get_by_label("Username").fill("rita")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def incident() -> Incident:
    return build_incident()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_a_plan_is_made_reviewed_applied_and_rolled_back(
    portal: Page, incident: Incident, registrar: User, tmp_path: Path
) -> None:
    sign_in(portal)

    portal.get_by_role("link", name="Make a validation plan…").click()
    expect(portal.get_by_label("Pending")).to_be_checked()
    portal.get_by_role("button", name="Judge the letters").click()
    expect(portal.get_by_role("heading", name="What it says of 1067 letters")).to_be_visible()
    assert ProgramLetter.objects.filter(state="active").count() == 1067

    capstone = portal.get_by_role("link", name="The core course Uni+Capstone is not passed")
    capstone.click()
    shown = portal.get_by_role("region", name="Letters that fit what you chose: 1")
    expect(shown.get_by_role("link", name=str(incident.lacks_capstone))).to_be_visible()
    expect(shown.get_by_role("link", name=re.compile("^Evidence of"))).to_have_count(1)
    portal.get_by_role("link", name="Show all letters again").click()

    with portal.expect_download() as started:
        portal.get_by_role("link", name="Download the plan (CSV)").click()
    file = tmp_path / started.value.suggested_filename
    started.value.save_as(file)
    with file.open(encoding="utf-8", newline="") as lines:
        verdicts = [row["verdict"] for row in csv.DictReader(lines)]
    assert (verdicts.count("valid"), verdicts.count("invalid")) == (40, 1027)

    portal.get_by_role("link", name="Apply…").click()
    portal.get_by_label("Reason").fill("Letters of 2019-12-19: no courses then.")
    portal.get_by_label("I have read the report: apply 1027 of 1067 (96.3 %)").check()
    portal.get_by_role("button", name="Apply", exact=True).click()
    expect(portal.get_by_text("Changed: 1027.")).to_be_visible()
    assert ProgramLetter.objects.filter(state="suspended").count() == 1027

    portal.get_by_role("link", name="Roll back…").click()
    portal.get_by_label("Reason").fill("The board wants to write to the holders first.")
    portal.get_by_role("button", name="Roll back").click()
    expect(portal.get_by_text("Put back: 1027.")).to_be_visible()
    expect(portal.get_by_text("It was rolled back, and is not applied again.")).to_be_visible()
    assert ProgramLetter.objects.filter(state="active").count() == 1067
    run = LetterValidationRun.objects.get(kind="plan")
    assert LetterEvent.objects.filter(run=run, actor=registrar).count() == 2 * 1027


def violations(page: Page, part: str) -> list[str]:
    """What axe finds wrong with our part of a page of the admin, in light and in dark."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for scheme in ("light", "dark"):
        page.evaluate("s => document.documentElement.classList.toggle('dark', s == 'dark')", scheme)
        result = page.evaluate("part => axe.run(part)", part)
        found += [
            f"{scheme}: {violation['id']}: {node['html']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
    return found


def test_the_pages_are_accessible(portal: Page, registrar: User) -> None:
    program, _run = one_course_program(title="Data Science")
    imported(program, *LearnerFactory.create_batch(3))
    was_applied, plan = planned(), planned()
    sign_in(portal)

    found = {}
    for name, pk in (("change", plan.pk), ("apply", plan.pk), ("make", None)):
        portal.goto(url(f"lettervalidationrun_{name}", *([pk] if pk else [])))
        found[name] = violations(portal, "#run" if name == "change" else "#decision")
    applied(was_applied)
    portal.goto(url("lettervalidationrun_roll_back", was_applied.pk))
    found["roll_back"] = violations(portal, "#decision")

    assert found == {"change": [], "apply": [], "make": [], "roll_back": []}

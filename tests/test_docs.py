"""What the documents name must exist, and what operators must know must be named."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

from credentials_portal.web.demo import LOGINS, PASSWORD
from entitlements.enums import EntitlementStatus, ExpiryReason, RefundStatus
from letters.enums import CHECK_WORDS, LetterState
from programs.enums import RowReason
from subsidy_requests.enums import ErrorCode, RequestState

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DJANGOS_COMMANDS = {"check", "clearsessions", "collectstatic", "createsuperuser", "migrate"}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table_cells(markdown: str) -> set[str]:
    """What stands as code in the first cells of the tables' rows."""
    first_cells = re.findall(r"^\| ([^|]*) \|", markdown, re.MULTILINE)
    return {code.split()[0] for cell in first_cells for code in re.findall(r"`([^`]+)`", cell)}


def own_commands() -> set[str]:
    ours = (
        "credentials_portal.",
        "programs",
        "letters",
        "licenses",
        "entitlements",
        "subsidy_requests",
    )
    return {name for name, app in get_commands().items() if app.startswith(ours)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)(#[^)]*)?\)", document.read_text(encoding="utf-8"))

    for path, anchor in links:
        target = (document.parent / path).resolve() if path else document
        assert target.is_file(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}
            assert anchor[1:] in slugs, anchor


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document: Path) -> None:
    source = document.read_text(encoding="utf-8")
    commands = set(re.findall(r"manage\.py ([a-z_]+)", source))
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", source, re.MULTILINE))

    assert commands <= own_commands() | DJANGOS_COMMANDS | {"createapplication", "cleartokens"}
    assert targets <= set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


def test_the_guide_knows_every_command() -> None:
    assert own_commands() <= table_cells(text("docs/operations.md"))


def test_the_guide_knows_every_environment_variable() -> None:
    read = re.findall(
        r"""env\.\w+\(\s*["']([A-Z_]+)["']""", text("credentials_portal/settings.py")
    ) + re.findall(
        r"""environ\.get\(\s*["']([A-Z_]+)["']""",
        "".join(p.read_text("utf-8") for p in (ROOT / "credentials_portal").rglob("*.py")),
    )

    assert len(read) > 20
    assert set(read) <= table_cells(text("docs/operations.md"))


def test_the_guide_has_the_clock_of_beat() -> None:
    cron = text("docs/operations.md")

    for name in settings.CELERY_BEAT_SCHEDULE:
        assert re.search(rf"^[*/0-9 ]+ +manage\.py {name}$", cron, re.MULTILINE), name


def test_letters_are_told_with_every_state_and_check() -> None:
    named = {cell.partition(":")[0] for cell in table_cells(text("docs/letters.md"))}

    assert set(CHECK_WORDS) | set(LetterState) <= named


def test_entitlements_are_told_with_every_state_and_reason() -> None:
    named = table_cells(text("docs/entitlements.md"))

    assert {*EntitlementStatus.values, *ExpiryReason.values, *RefundStatus.values} <= named


def test_requests_are_told_with_every_state_and_error() -> None:
    named = table_cells(text("docs/subsidy-requests.md"))

    assert {*RequestState.values, *ErrorCode.values} <= named


def test_the_readme_has_the_demos_logins() -> None:
    assert set(LOGINS) <= table_cells(text("README.md"))
    assert PASSWORD in text("README.md")


def test_every_decision_is_in_the_index() -> None:
    records = {path.name for path in (ROOT / "docs/decisions").glob("0*.md")}

    assert records == set(re.findall(r"\((0[^)]+)\)", text("docs/decisions/README.md")))


def test_the_guide_knows_every_reason_why_a_course_of_a_record_does_not_count() -> None:
    record = text("docs/programs.md").partition("## The record")[2].partition("\n## ")[0]

    assert set(RowReason.values) <= table_cells(record)

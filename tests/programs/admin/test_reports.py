"""The report's page and downloads: who may look, and that every way to read it says the same."""

import csv
import os
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from rest_framework.test import APIClient

from credentials_portal.core.report import csv_cell
from programs.admin.credit_reports import AT_MOST, MONTHS, NAMED_BY, bars
from programs.models import Pathway, Program, UserCreditPathway
from programs.selectors.reports import (
    COLUMNS,
    NUMBERS,
    REQUEST_COLUMNS,
    GroupBy,
    ReportScope,
    credit_report,
)
from tests.letters.commands import run_command
from tests.programs.admin.desk import ROLES, links, member_of, page, staff, url, words
from tests.programs.factories import CreditRequestFactory, PathwayFactory, ProgramFactory
from tests.programs.reporting import JULY, JUNE, MAY, certificates, counted, requests, stored

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:programs_usercreditpathway_report")
LINES, REQUESTS = f"{PAGE}lines.csv", f"{PAGE}requests.csv"
PERMISSIONS = ("view_usercreditpathway", "view_credit_report")


@pytest.fixture
def auditor() -> Client:
    return staff(*PERMISSIONS)


def csv_of(browser: Client, address: str, **query: Any) -> list[list[str]]:
    response: Any = browser.get(address, query)
    assert response.status_code == 200
    lines = b"".join(response.streaming_content).decode()
    return list(csv.reader(StringIO(lines, newline="")))


def shown_on(browser: Client, **query: Any) -> Any:
    response = browser.get(PAGE, query)
    assert response.status_code == 200
    return response.context["shown"]


def cells(shown: Any) -> list[dict[str, Any]]:
    return [{name: str(cell) for name, cell in row} for row in shown.rows]


# --- Who may look ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_whoever_looks_at_programs_reads_the_report(role: str) -> None:
    browser = member_of(role)

    assert "Nothing: nobody asked an institution for credit then." in page(browser, PAGE)
    assert PAGE in links(browser, url("usercreditpathway_changelist"))
    assert PAGE in links(browser, reverse("admin:index"))


@pytest.mark.parametrize("lacking", PERMISSIONS)
def test_both_permissions_are_needed(lacking: str) -> None:
    browser = staff(*set(PERMISSIONS) - {lacking})

    assert {browser.get(address).status_code for address in (PAGE, LINES, REQUESTS)} == {403}
    assert PAGE not in links(browser, reverse("admin:index"))


def test_a_learner_and_a_stranger_are_asked_to_sign_in() -> None:
    for browser in (Client(), Client(headers={"host": "localhost"})):
        for address in (PAGE, LINES, REQUESTS):
            response = browser.get(address)
            assert response.status_code == 302
            assert "/login/" in response.headers["Location"]


# --- What it says ------------------------------------------------------------------------------


@given(rows=requests, held=certificates)
@settings(
    max_examples=60 if os.environ.get("FULL") else 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_page_download_command_and_api_say_what_a_count_by_hand_says(
    auditor: Client, rows: list[Any], held: dict[Any, Any]
) -> None:
    period = {"since": "2025-06-01", "until": "2025-07-01"}
    options = ("--since", period["since"], "--until", period["until"])
    with stored(rows, held):
        in_june = [
            request
            for request in UserCreditPathway.objects.select_related("program", "pathway")
            if JUNE <= request.requested_at < JULY
        ]
        by_hand = counted(in_june)
        plain = [
            {name: None if cell is None else str(cell) for name, cell in line.items()}
            for line in by_hand.lines
        ]

        shown = cells(shown_on(auditor, **period))
        download = csv_of(auditor, LINES, **period)
        named = csv_of(auditor, REQUESTS, **period)
        told = run_command("report_credit_requests", *options).summary
        answer = ask_api(auditor, period)

    for line, row in zip(plain, shown, strict=True):
        assert {name: row[name] for name in NUMBERS} == {name: str(line[name]) for name in NUMBERS}
        assert (row["program"], row["pathway"]) == (line["program"], line["pathway"])
    assert download == [
        list(COLUMNS),
        *([csv_cell(line[name]) for name in COLUMNS] for line in by_hand.lines),
    ]
    assert as_text(told["rows"]) == as_text(answer["results"]) == plain
    assert {name: told[name] for name in NUMBERS} == answer["total"]
    assert answer["total"] == {name: by_hand.total[name] for name in NUMBERS}
    assert len(named) == 1 + len(in_june)


def ask_api(browser: Client, query: dict[str, Any]) -> dict[str, Any]:
    client = APIClient()
    client.cookies = browser.cookies
    response = client.get("/api/programs/v1/credit-requests/summary/", query | {"page_size": 100})
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


def as_text(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: None if line[name] is None else str(line[name]) for name in COLUMNS}
        for line in lines
    ]


@pytest.mark.parametrize("group", GroupBy)
def test_a_report_by_one_thing_has_no_column_of_the_others(auditor: Client, group: GroupBy) -> None:
    CreditRequestFactory.create(requested_at=JUNE)

    shown = shown_on(auditor, group_by=group.value)

    assert [name for name, _cell in shown.rows[0]] == [*NAMED_BY[group], *NUMBERS]


def test_an_unknown_program_has_a_line_of_its_own(auditor: Client) -> None:
    CreditRequestFactory.create(requested_at=JUNE)
    CreditRequestFactory.create(legacy=True, requested_at=JUNE)

    assert "unknown program (legacy)" in page(auditor, PAGE, group_by="program")
    assert cells(shown_on(auditor))[-1]["program"] == "unknown program (legacy)"


def test_only_what_is_chosen_is_reported(auditor: Client) -> None:
    program: Program = ProgramFactory.create()
    pathway: Pathway = PathwayFactory.create(org_name="Harbour University")
    CreditRequestFactory.create(program=program, pathway=pathway, requested_at=JUNE)
    CreditRequestFactory.create(requested_at=JUNE)

    for query in (
        {"program": program.uuid},
        {"pathway": pathway.uuid},
        {"institution": "Harbour University"},
    ):
        (row,) = cells(shown_on(auditor, **query))
        assert (row["program"], row["pathway"]) == (program.title, pathway.name)
        assert len(csv_of(auditor, REQUESTS, **query)) == 2


@pytest.mark.parametrize(
    "query",
    [
        *({"since": "June"}, {"until": "2025-02-30"}, {"program": "1"}, {"institution": "Nowhere"}),
        *({"group_by": "learner"}, {"since": "2025-06-01", "until": "2025-06-01"}),
    ],
)
def test_what_cannot_be_reported_is_said_and_is_not_everything(
    auditor: Client, query: dict[str, str]
) -> None:
    CreditRequestFactory.create()

    for address in (PAGE, LINES, REQUESTS):
        response = auditor.get(address, query)
        assert "Nothing is reported. Please look at this again:" in words(response)
        assert "shown" not in response.context


def test_downloads_are_safe_in_a_spreadsheet_and_kept_by_nobody(auditor: Client) -> None:
    program = ProgramFactory.create(title="=HYPERLINK(1)")
    pathway = PathwayFactory.create(name="@Masters", org_name="+Harbour")
    request = CreditRequestFactory.create(program=program, pathway=pathway, requested_at=JUNE)
    request.user.username = "-ada"
    request.user.save()

    (line,) = csv_of(auditor, LINES)[1:]
    header, row = csv_of(auditor, REQUESTS)

    assert line[1:6:2] == ["'=HYPERLINK(1)", "'@Masters", "2025-06"]
    assert tuple(header) == REQUEST_COLUMNS
    named = dict(zip(header, row, strict=True))
    assert named["username"] == "'-ada"
    assert (named["program"], named["institution"]) == ("'=HYPERLINK(1)", "'+Harbour")
    assert named["requested_at"] == "2025-06-01T00:00:00+00:00"
    assert auditor.get(LINES).headers["Cache-Control"].startswith("no-store, private")


def test_the_page_has_the_first_lines_and_the_download_all(auditor: Client) -> None:
    pathway = PathwayFactory.create()
    for number in range(AT_MOST + 1):
        program = ProgramFactory.create(title=f"Program {number:02}")
        CreditRequestFactory.create(program=program, pathway=pathway, requested_at=JUNE)

    shown = shown_on(auditor)

    assert (len(shown.rows), shown.has_more) == (AT_MOST, True)
    assert len(csv_of(auditor, LINES)) == 1 + AT_MOST + 1


# --- The chart ---------------------------------------------------------------------------------


def test_the_chart_draws_each_month_also_those_in_which_nobody_asked() -> None:
    for at in (MAY, MAY, MAY, JULY):
        CreditRequestFactory.create(requested_at=at)

    drawn = bars(credit_report(ReportScope(), group_by=[GroupBy.MONTH]))

    assert [(bar.month, bar.number, bar.width) for bar in drawn] == [
        (date(2025, 7, 1), 1, 34),
        (date(2025, 6, 1), 0, 0),
        (date(2025, 5, 1), 3, 100),
    ]


def test_the_chart_has_the_newest_months(auditor: Client) -> None:
    for year in (2020, 2025):
        CreditRequestFactory.create(requested_at=JUNE.replace(year=year))

    response = auditor.get(PAGE)

    drawn = response.context["bars"]
    assert (len(drawn), drawn[0].month, drawn[-1].month) == (
        MONTHS,
        date(2025, 6, 1),
        date(2023, 7, 1),
    )
    assert "Older ones are in the download." in words(response)


def test_nothing_is_drawn_where_nobody_asked() -> None:
    assert bars(credit_report(ReportScope(), group_by=[GroupBy.MONTH])) == []


# --- What it costs -----------------------------------------------------------------------------


def test_the_page_takes_as_many_statements_for_fifty_lines_as_for_one(auditor: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown_on(auditor)
        return len(captured)

    CreditRequestFactory.create(requested_at=JUNE)
    for_one = statements()
    CreditRequestFactory.create_batch(50, requested_at=JUNE)

    assert statements() == for_one


def test_the_command_prints_the_lines_of_the_download(auditor: Client) -> None:
    CreditRequestFactory.create_batch(3, requested_at=JUNE)
    out = StringIO()

    call_command("report_credit_requests", "--format", "csv", stdout=out)

    assert list(csv.reader(StringIO(out.getvalue(), newline=""))) == csv_of(auditor, LINES)

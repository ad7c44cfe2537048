"""The page of reports and its downloads: who may look, and that both say what the selectors do."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credentials_portal.core.report import csv_cell
from licenses.models import Customer
from subsidy_requests.admin.report_tables import REPORTS, Scope, ages
from subsidy_requests.admin.reports import AT_MOST, ScopeForm, bars
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.selectors.reports import Period, state_counts, unused_grants, used_otherwise
from subsidy_requests.services.approving import approve_license_requests
from tests.licenses.factories import DAY, INSTANT
from tests.licenses.pages.now import NOW, learner, plan_now, signed_in, staff
from tests.programs.factories import CourseEnrollmentFactory
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)
from tests.subsidy_requests.pages.now import acme, asked, declined

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:subsidy_requests_licenserequest_reports")


@pytest.fixture
def auditor() -> Client:
    person = learner(is_staff=True)
    person.groups.set(Group.objects.filter(name="Auditors"))
    return signed_in(person)


@pytest.fixture
def customer() -> Customer:
    """With something to tell in each report."""
    customer = acme()
    for days in (1, 40):
        asked(customer, ago=days * DAY)
    declined(asked(customer), reason="=Ask in May.")
    granted(customer)
    return customer


def granted(customer: Customer) -> None:
    """A license 40 days ago that nobody activated, by a learner who took another course."""
    plan = plan_now(2, customer_agreement__customer=customer)
    request = LicenseRequestFactory.create(
        customer=customer, course_id="X+Asked", state_changed_at=NOW - 41 * DAY
    )
    approve_license_requests(
        customer=customer,
        uuids=[request.uuid],
        plan_uuid=plan.uuid,
        source=DecisionSource.COMMAND,
        notify=False,
        by=by_at(NOW - 40 * DAY),
    )
    CourseEnrollmentFactory.create(user=request.user)


def csv_of(browser: Client, name: str, **query: Any) -> list[list[str]]:
    address = reverse("admin:subsidy_requests_licenserequest_report_csv", args=[name])
    response: Any = browser.get(address, query)
    assert response.status_code == 200
    lines = b"".join(response.streaming_content).decode()
    return list(csv.reader(StringIO(lines, newline="")))


def shown_on(browser: Client, **query: Any) -> dict[str, Any]:
    response = browser.get(PAGE, query)
    assert response.status_code == 200
    return {one.name: one for one in response.context["reports"]}


def cells(shown: Any) -> list[list[Any]]:
    return [[cell for _name, cell in row] for row in shown.rows]


# --- Who may look ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["Subscriptions", "Support", "Operators", "Auditors"])
def test_whoever_may_look_at_requests_reads_the_reports(role: str) -> None:
    person = learner(is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    browser = signed_in(person)

    lists = browser.get(reverse("admin:subsidy_requests_couponcoderequest_changelist"))
    assert lists.content.decode().count(f'href="{PAGE}"') == 2
    assert set(shown_on(browser)) == set(REPORTS)


@pytest.mark.parametrize("lacking", ["view_licenserequest", "view_couponcoderequest"])
def test_who_may_look_at_one_kind_only_reads_none(lacking: str) -> None:
    both = {"view_licenserequest", "view_couponcoderequest"}
    browser = signed_in(staff(*both - {lacking}))
    download = reverse("admin:subsidy_requests_licenserequest_report_csv", args=["unused"])

    assert browser.get(PAGE).status_code == 403
    assert browser.get(download).status_code == 403
    assert PAGE not in browser.get(reverse("admin:index")).content.decode()


# --- What they say -----------------------------------------------------------------------------


def test_each_report_tells_what_the_selectors_found(auditor: Client, customer: Customer) -> None:
    unused = unused_grants(at=NOW, days=30).get()

    shown = shown_on(auditor)

    assert cells(shown["demand"]) == [["acme", "licenses", 2, 0, 1, 1]]
    assert cells(shown["age"])[0][:6] == ["acme", "licenses", 1, 0, 1, 0]
    assert cells(shown["declined"]) == [
        ["acme", "licenses", "=Ask in May.", DecisionSource.ADMIN_PAGE.label, 1]
    ]
    assert cells(shown["unused"]) == [["acme", "licenses", unused.uuid, 40]]
    (used,) = used_otherwise()
    assert cells(shown["used_otherwise"]) == [["acme", "licenses", "X+Asked", used.used, 1]]
    assert [row[2:4] for row in cells(shown["states"])] == [
        [one.state.label, one.count] for one in state_counts()
    ]
    assert cells(shown["states"])[1][2:] == [RequestState.FULFILLED.label, 1, 24.0]


@pytest.mark.parametrize("name", REPORTS)
def test_a_download_has_what_the_page_has(auditor: Client, customer: Customer, name: str) -> None:
    report = REPORTS[name]
    rows = [[row[column] for column in report.columns] for row in report.rows(Scope(NOW))]

    header, *lines = csv_of(auditor, name)

    assert header == list(report.columns)
    assert lines == [[csv_cell(cell) for cell in row] for row in rows] != []
    assert cells(shown_on(auditor)[name]) == [
        [getattr(cell, "label", cell) for cell in row] for row in rows
    ]


def test_a_download_is_safe_in_a_spreadsheet(auditor: Client, customer: Customer) -> None:
    assert csv_of(auditor, "declined")[1:] == [
        ["acme", "license", "'=Ask in May.", "admin_page", "1"]
    ]


def test_the_page_has_the_first_lines_and_the_download_all(auditor: Client) -> None:
    for number in range(AT_MOST + 1):
        LicenseRequestFactory.create(declined=True, customer__slug=f"c{number:02}")

    shown = shown_on(auditor)["declined"]

    assert (len(shown.rows), shown.has_more) == (AT_MOST, True)
    assert len(csv_of(auditor, "declined")) == 1 + AT_MOST + 1


def test_the_chart_draws_what_waits_by_age(customer: Customer) -> None:
    drawn = bars(ages(Scope(NOW)))

    assert [(bar.number, bar.width) for bar in drawn] == [(1, 100), (0, 0), (1, 100), (0, 0)]


def test_nothing_is_told_where_nobody_asked(auditor: Client) -> None:
    told = auditor.get(PAGE).content.decode()

    assert told.count("Nothing: no request is like this.") == len(REPORTS)


# --- Of whom, and when -------------------------------------------------------------------------


def test_one_customer_is_reported_alone(auditor: Client, customer: Customer) -> None:
    LicenseRequestFactory.create(customer__slug="other")

    shown = shown_on(auditor, customer="other")

    assert cells(shown["demand"]) == [["other", "licenses", 1, 0, 0, 1]]
    assert cells(shown["declined"]) == []
    assert csv_of(auditor, "declined", customer="other")[1:] == []


def test_a_month_begins_and_ends_in_the_readers_zone(auditor: Client) -> None:
    with timezone.override("Asia/Tokyo"):
        form = ScopeForm({"month": "2025-12"})
        assert form.is_valid()
        december: Period = form.cleaned_data["month"]

    assert december.begins.isoformat() == "2025-12-01T00:00:00+09:00"
    assert december.ends.isoformat() == "2026-01-01T00:00:00+09:00"


def test_requests_of_the_month_alone_are_reported(auditor: Client) -> None:
    customer = acme()
    form = ScopeForm({"month": "2025-12"})
    assert form.is_valid()
    december: Period = form.cleaned_data["month"]
    for instant in (
        december.begins - INSTANT,
        december.begins,
        december.ends - INSTANT,
        december.ends,
    ):
        LicenseRequestFactory.create(customer=customer, created=instant, declined=True)

    shown = shown_on(auditor, month="2025-12")

    assert [row[-1] for row in cells(shown["declined"])] == [2]
    assert [row[3] for row in cells(shown["states"])] == [2]


@pytest.mark.parametrize(
    "query", [{"customer": "nobody"}, {"month": "May"}, {"month": "9999-12"}, {"month": "2026-13"}]
)
def test_what_cannot_be_reported_is_said_and_is_not_everything(
    auditor: Client, customer: Customer, query: dict[str, str]
) -> None:
    address = reverse("admin:subsidy_requests_licenserequest_report_csv", args=["declined"])

    for response in (auditor.get(PAGE, query), auditor.get(address, query)):
        assert "Nothing is reported." in response.content.decode()
        assert f'action="{PAGE}"' in response.content.decode()
        assert "reports" not in response.context


def test_there_is_no_other_download(auditor: Client) -> None:
    address = reverse("admin:subsidy_requests_licenserequest_report_csv", args=["learners"])

    assert auditor.get(address).status_code == 404


def test_the_page_takes_as_many_statements_for_many_requests_as_for_one(auditor: Client) -> None:
    def add(customers: int) -> None:
        for _ in range(customers):
            customer = ConfigurationFactory.create().customer
            declined(asked(customer))
            asked(customer)
            granted(customer)
            CouponCodeFactory.create(coupon__customer=customer)
            CouponCodeRequestFactory.create(customer=customer)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown_on(auditor)
        return len(captured)

    add(1)
    for_one = statements()
    add(5)

    assert statements() == for_one

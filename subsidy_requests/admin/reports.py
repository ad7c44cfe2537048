"""The page of reports: what is asked for, and what became of it, with a download of each table."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Choices
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from credentials_portal.core.admin_pages import LookedAt
from credentials_portal.core.downloads import csv_download
from credentials_portal.core.errors import NotFoundError
from licenses.selectors.customers import customer_by_identifier
from subsidy_requests.admin.report_tables import AGE_WORDS, REPORTS, Report, Scope, ages
from subsidy_requests.selectors.reports import Period

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from licenses.models import Customer

VIEW_CODE_REQUESTS = "subsidy_requests.view_couponcoderequest"

AT_MOST = 50
"""So many lines of a table stand on the page; the download has all."""

YEARS = range(2000, 2101)

LONGEST = 100
"""Of a bar, in units of the drawing: whole numbers, which every language writes alike."""


class ScopeForm(forms.Form):
    """Of which customer, and asked for in which month of the reader's zone; all, where empty."""

    customer = forms.CharField(
        label=_("Customer"),
        help_text=_("Its short name, as in the tables, or its uuid."),
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    month = forms.DateField(
        label=_("Asked for in the month"),
        help_text=_("Such as 2026-05."),
        required=False,
        input_formats=["%Y-%m"],
        widget=UnfoldAdminTextInputWidget(attrs={"type": "month"}),
    )

    def clean_customer(self) -> "Customer | None":
        identifier = self.cleaned_data["customer"]
        try:
            return customer_by_identifier(identifier) if identifier else None
        except NotFoundError as missing:
            raise forms.ValidationError(missing.message) from None

    def clean_month(self) -> Period | None:
        first: date | None = self.cleaned_data["month"]
        if first is None:
            return None
        if first.year not in YEARS:
            raise forms.ValidationError(_("Nothing was asked for in that year."))
        years, month = divmod(first.month, 12)
        return Period(_start_of(first), _start_of(date(first.year + years, month + 1, 1)))

    def scope(self, *, at: datetime, at_most: int | None) -> Scope:
        given = self.cleaned_data
        return Scope(at, given["customer"], given["month"], at_most)


@dataclass(frozen=True)
class Bar:
    name: "_StrPromise"
    number: int
    width: int


@dataclass(frozen=True)
class Shown:
    """A report on the page: each cell with its column; `has_more`: only the first lines are here."""

    name: str
    report: Report
    rows: list[list[tuple[str, Any]]]
    has_more: bool

    @classmethod
    def of(cls, name: str, report: Report, scope: Scope) -> "Shown":
        found = list(islice(report.rows(scope), AT_MOST + 1))
        rows = [[(key, _words(row[key])) for key in report.columns] for row in found[:AT_MOST]]
        return cls(name, report, rows, has_more=len(found) > AT_MOST)


class ReportPages(LookedAt):
    """For whoever may look at both kinds of requests."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "subsidy_requests_licenserequest_report"
        return [
            path("reports/", view(self.reports_view), name=f"{name}s"),
            path("reports/<slug:name>.csv", view(self.report_csv), name=f"{name}_csv"),
            *super().get_urls(),
        ]

    def has_reports_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(VIEW_CODE_REQUESTS)

    def reports_view(self, request: HttpRequest) -> HttpResponse:
        self.require(request, VIEW_CODE_REQUESTS)
        form = ScopeForm(request.GET)
        context: dict[str, Any] = {"title": _("Reports of requests"), "form": form}
        if form.is_valid():
            scope = form.scope(at=timezone.now(), at_most=AT_MOST + 1)
            context |= {
                "page": {"at": scope.at},
                "bars": bars(ages(scope)),
                "reports": [Shown.of(name, one, scope) for name, one in REPORTS.items()],
            }
        return self.page(request, "admin/subsidy_requests/reports.html", **context)

    def report_csv(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """All lines of one report; the page, with what is wrong, where nothing can be reported."""
        self.require(request, VIEW_CODE_REQUESTS)
        if name not in REPORTS:
            raise Http404
        form = ScopeForm(request.GET)
        if not form.is_valid():
            return self.reports_view(request)
        scope = form.scope(at=timezone.now(), at_most=None)
        rows = REPORTS[name].rows(scope)
        return csv_download(f"requests-{name}.csv", tuple(REPORTS[name].columns), rows)


def bars(counts: dict[str, int]) -> list[Bar]:
    """One for each age; whatever is not 0 can be seen."""
    highest = max(counts.values())
    return [
        Bar(AGE_WORDS[age], number, -(-number * LONGEST // highest) if number else 0)
        for age, number in counts.items()
    ]


def _words(cell: Any) -> Any:
    return cell.label if isinstance(cell, Choices) else cell


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())

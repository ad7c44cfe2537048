"""The report of credit requests: its page with the chart, and its downloads."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credentials_portal.core.admin_pages import LookedAt
from credentials_portal.core.downloads import csv_download
from programs.models import Pathway, Program
from programs.selectors import programs_by_title
from programs.selectors.reports import (
    ALL_GROUPS,
    COLUMNS,
    NUMBERS,
    REQUEST_COLUMNS,
    CreditReport,
    GroupBy,
    ReportLine,
    ReportScope,
    credit_report,
    reported_requests,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

VIEW_REPORT = "programs.view_credit_report"

AT_MOST = 50
"""So many lines of the table stand on the page; the download has all."""

MONTHS = 24
"""So many months are drawn."""

LONGEST = 100
"""Of a bar, in units of the drawing: whole numbers, which every language writes alike."""

WORDS: dict[str, "_StrPromise"] = {
    "program": _("Program"),
    "pathway": _("Pathway"),
    "institution": _("Institution"),
    "month": _("Month"),
    "requests": _("Requests"),
    "learners": _("Learners"),
    "first": _("First"),
    "repeated": _("Repeated"),
    "completed_percent": _("Completed, %"),
    "failed": _("Failed"),
    "withdrawn": _("Withdrawn"),
    "received": _("Received"),
    "granted": _("Granted"),
    "refused": _("Refused"),
    "median_days": _("Days to complete"),
}
NAMED_BY = {
    GroupBy.PROGRAM: ("program",),
    GroupBy.PATHWAY: ("pathway", "institution"),
    GroupBy.MONTH: ("month",),
}
GROUPINGS = {
    "": _("program, pathway and month"),
    GroupBy.PROGRAM.value: _("program"),
    GroupBy.PATHWAY.value: _("pathway"),
    GroupBy.MONTH.value: _("month"),
}


class DayInput(UnfoldAdminTextInputWidget):
    input_type = "date"


class ScopeForm(forms.Form):
    """Which requests are reported, and by what; all, where empty."""

    since = forms.DateField(
        label=_("From the day"),
        help_text=_("From its first moment on, in UTC."),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=DayInput,
    )
    until = forms.DateField(
        label=_("Until the day"),
        help_text=_("Before its first moment, in UTC: the day itself is not included."),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=DayInput,
    )
    program = forms.ModelChoiceField(
        label=_("Program"),
        queryset=Program.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label=_("all, and what names none"),
        widget=UnfoldAdminSelectWidget,
    )
    pathway = forms.ModelChoiceField(
        label=_("Pathway"),
        queryset=Pathway.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label=_("all"),
        widget=UnfoldAdminSelectWidget,
    )
    institution = forms.ChoiceField(
        label=_("Institution"), required=False, widget=UnfoldAdminSelectWidget
    )
    group_by = forms.ChoiceField(
        label=_("A line for each"),
        choices=list(GROUPINGS.items()),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields
        pathways = list(Pathway.objects.order_by("name", "pk"))
        fields["program"].queryset = programs_by_title()
        fields["pathway"].queryset = Pathway.objects.order_by("name", "pk")
        institutions = sorted({pathway.org_name for pathway in pathways})
        fields["institution"].choices = [("", _("all")), *((name, name) for name in institutions)]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and until <= since:
            self.add_error("until", _("It must be after the first day."))
        return given

    def scope(self) -> ReportScope:
        given = self.cleaned_data
        return ReportScope(
            since=given["since"],
            until=given["until"],
            program_uuid=given["program"] and given["program"].uuid,
            pathway_uuid=given["pathway"] and given["pathway"].uuid,
            institution=given["institution"],
        )

    def groups(self) -> tuple[GroupBy, ...]:
        named = self.cleaned_data["group_by"]
        return (GroupBy(named),) if named else ALL_GROUPS


@dataclass(frozen=True)
class Bar:
    month: date
    number: int
    width: int


@dataclass(frozen=True)
class Shown:
    """The report on the page: its columns, those of numbers marked; cells with their column's name."""

    columns: list[tuple["_StrPromise", bool]]
    rows: list[list[tuple[str, Any]]]
    total: list[tuple["_StrPromise", Any]]
    has_more: bool

    @classmethod
    def of(cls, report: CreditReport, groups: tuple[GroupBy, ...]) -> "Shown":
        names = [name for group in groups for name in NAMED_BY[group]]
        columns = [*names, *NUMBERS]
        return cls(
            columns=[(WORDS[name], name in NUMBERS) for name in columns],
            rows=[_cells(line, columns) for line in report.lines[:AT_MOST]],
            total=[(WORDS[name], getattr(report.total, name)) for name in NUMBERS],
            has_more=len(report.lines) > AT_MOST,
        )


class ReportPages(LookedAt):
    """For whoever may look at requests and has the permission to report them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "programs_usercreditpathway_report"
        return [
            path("report/", view(self.report_view), name=name),
            path("report/lines.csv", view(self.lines_csv), name=f"{name}_lines"),
            path("report/requests.csv", view(self.requests_csv), name=f"{name}_requests"),
            *super().get_urls(),
        ]

    def has_report_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(VIEW_REPORT)

    def report_view(self, request: HttpRequest) -> HttpResponse:
        self.require(request, VIEW_REPORT)
        form = ScopeForm(request.GET)
        context: dict[str, Any] = {"title": _("Report of credit requests"), "form": form}
        if form.is_valid():
            scope, groups = form.scope(), form.groups()
            by_month = credit_report(scope, group_by=[GroupBy.MONTH])
            context |= {
                "shown": Shown.of(credit_report(scope, group_by=groups), groups),
                "bars": bars(by_month),
                "has_more_months": len(_months(by_month)) > MONTHS,
            }
        return self.page(request, "programs/admin/credit_report.html", **context)

    def lines_csv(self, request: HttpRequest) -> HttpResponseBase:
        """All lines; the page, with what is wrong, where nothing can be reported."""
        self.require(request, VIEW_REPORT)
        form = ScopeForm(request.GET)
        if not form.is_valid():
            return self.report_view(request)
        report = credit_report(form.scope(), group_by=form.groups())
        rows = (line.cells for line in report.lines)
        return csv_download("credit-requests-report.csv", COLUMNS, rows)

    def requests_csv(self, request: HttpRequest) -> HttpResponseBase:
        """Each request that the report counts, with its learner's username."""
        self.require(request, VIEW_REPORT)
        form = ScopeForm(request.GET)
        if not form.is_valid():
            return self.report_view(request)
        rows = reported_requests(form.scope())
        return csv_download("credit-requests.csv", REQUEST_COLUMNS, rows)


def bars(by_month: CreditReport) -> list[Bar]:
    """One for each month from the first to the last, the newest first; whatever is not 0 is seen."""
    numbers = {line.month: line.requests for line in by_month.lines}
    highest = max(numbers.values(), default=0)
    return [
        Bar(month, number, -(-number * LONGEST // highest) if number else 0)
        for month in _months(by_month)[:MONTHS]
        for number in [numbers.get(month, 0)]
    ]


def _months(by_month: CreditReport) -> list[date]:
    """All between the first and the last one, the newest first."""
    found = [line.month for line in by_month.lines if line.month]
    if not found:
        return []
    first, last = (12 * month.year + month.month - 1 for month in (min(found), max(found)))
    return [date(number // 12, number % 12 + 1, 1) for number in range(last, first - 1, -1)]


def _cells(line: ReportLine, columns: list[str]) -> list[tuple[str, Any]]:
    return [(name, _cell(line, name)) for name in columns]


def _cell(line: ReportLine, name: str) -> Any:
    """As people read it; a program that nobody knows is called so in their language."""
    if name == "program" and line.program_uuid is None:
        return _("unknown program (legacy)")
    return getattr(line, name)

"""The reports of requests as tables: the same rows stand on the page and in the download."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from subsidy_requests.enums import SubsidyType
from subsidy_requests.selectors import reports

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from licenses.models import Customer

Row = dict[str, Any]

UNUSED_AFTER_DAYS = 30

AGE_WORDS: dict[str, "_StrPromise"] = {
    "7": _("under 7 days"),
    "30": _("7 to 29 days"),
    "90": _("30 to 89 days"),
    reports.OLDER: _("90 days or more"),
}
COMMON: dict[str, "_StrPromise"] = {"customer": _("Customer"), "type": _("Type")}


@dataclass(frozen=True)
class Scope:
    """What is reported: at which instant, of whom, asked for when; None: of all, whenever.

    `at_most` so many lines of what may be long; None: all of them.
    """

    at: datetime
    customer: "Customer | None" = None
    asked: reports.Period | None = None
    at_most: int | None = None

    @cached_property
    def demands(self) -> list[reports.Demand]:
        """Read once, for two tables and the chart."""
        return reports.demands(at=self.at, **self.chosen)

    @property
    def chosen(self) -> dict[str, Any]:
        return {"customer": self.customer, "asked": self.asked}


def ages(scope: Scope) -> dict[str, int]:
    """How many requests of all customers wait, by age."""
    return {age: sum(one.by_age[age] for one in scope.demands) for age in AGE_WORDS}


def _demand(scope: Scope) -> Iterator[Row]:
    for one in scope.demands:
        yield {
            **_of(one),
            "waiting": one.waiting,
            "failed": one.failed,
            "free": one.free,
            "unmet": one.unmet,
        }


def _age(scope: Scope) -> Iterator[Row]:
    for one in scope.demands:
        yield {**_of(one), **one.by_age, "oldest_at": one.oldest_at}


def _states(scope: Scope) -> Iterator[Row]:
    for one in reports.state_counts(**scope.chosen):
        hours = None if one.median_hours is None else round(one.median_hours, 1)
        yield {**_of(one), "state": one.state, "requests": one.count, "median_hours": hours}


def _declined(scope: Scope) -> Iterator[Row]:
    for one in reports.decline_reasons(**scope.chosen):
        yield {**_of(one), "reason": one.reason, "through": one.source, "requests": one.count}


def _unused(scope: Scope) -> Iterator[Row]:
    grants = reports.unused_grants(at=scope.at, days=UNUSED_AFTER_DAYS, **scope.chosen)
    for request in grants[: scope.at_most].iterator(chunk_size=2_000):
        yield {
            "customer": request.customer.slug,
            "type": SubsidyType.LICENSE,
            "request": request.uuid,
            "days": (scope.at - request.state_changed_at).days,
        }


def _used_otherwise(scope: Scope) -> Iterator[Row]:
    for one in reports.used_otherwise(**scope.chosen):
        yield {
            **_of(one),
            "asked_for": one.requested,
            "used_for": one.used,
            "requests": one.count,
        }


def _of(one: Any) -> Row:
    return {"customer": one.slug, "type": one.kind}


@dataclass(frozen=True)
class Report:
    """A table: its `columns` by the keys of its rows, and `hint`, what the numbers say."""

    title: "_StrPromise"
    hint: "_StrPromise"
    columns: Mapping[str, "_StrPromise"]
    rows: Callable[[Scope], Iterator[Row]]


REPORTS: dict[str, Report] = {
    "demand": Report(
        _("What is asked for, and what is left"),
        _("Too few: requests that wait or failed, less the seats or codes that are free now."),
        {
            **COMMON,
            "waiting": _("Waiting"),
            "failed": _("Failed"),
            "free": _("Free"),
            "unmet": _("Too few"),
        },
        _demand,
    ),
    "age": Report(
        _("How long requests wait"),
        _("Requests without a decision, by how long ago they were asked."),
        {**COMMON, **AGE_WORDS, "oldest_at": _("The oldest")},
        _age,
    ),
    "states": Report(
        _("States, and how long it took"),
        _("Half of the requests had got into the state after so many hours."),
        {**COMMON, "state": _("State"), "requests": _("Requests"), "median_hours": _("Hours")},
        _states,
    ),
    "declined": Report(
        _("Why requests were declined"),
        _("The reason as the learners read it; there may be none."),
        {**COMMON, "reason": _("Reason"), "through": _("Through"), "requests": _("Requests")},
        _declined,
    ),
    "unused": Report(
        _("Granted, and not used"),
        _(
            "Licenses that nobody activated for 30 days. Whether a code was used only its shop knows."
        ),
        {**COMMON, "request": _("Request"), "days": _("Days")},
        _unused,
    ),
    "used_otherwise": Report(
        _("Asked for one course, used for another"),
        _("Learners who enrolled since then elsewhere, and not in the course that they named."),
        {
            **COMMON,
            "asked_for": _("Asked for"),
            "used_for": _("Used for"),
            "requests": _("Requests"),
        },
        _used_otherwise,
    ),
}
"""By what their downloads are called, in the order of the page."""

"""What a customer's administrators see: seats, who holds them, and what happens when plans end.

Somebody else's customer is not found.
"""

from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.downloads import csv_download
from licenses.enums import LicenseStatus
from licenses.models import Customer, License, SubscriptionPlan
from licenses.selectors import expiry
from licenses.selectors.access import ASSIGN, REVOKE, may_act_for
from licenses.selectors.customers import (
    LEARNER_COLUMNS,
    Turn,
    ended_plan,
    learner_rows,
    licenses_given,
    turns_ahead,
)
from licenses.selectors.standing import PlanStanding, plan_standings
from licenses.views.forms import YEARS_AHEAD, DayForm
from licenses.views.words import happening

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

ON_A_PAGE = 50
SHOWN = (LicenseStatus.ASSIGNED, LicenseStatus.ACTIVATED, LicenseStatus.REVOKED)
FORECAST_COLUMNS = (*("learner", "license_uuid", "plan", "plan_ends", "step", "happens", "why"),)


@dataclass(frozen=True)
class Reader:
    """What whoever looks at the pages of this customer may do there."""

    may_assign: bool
    may_revoke: bool

    @classmethod
    def of(cls, request: HttpRequest, customer: Customer) -> "Reader":
        user = cast("User", request.user)
        return cls(may_act_for(user, customer, ASSIGN), may_act_for(user, customer, REVOKE))


def customer_or_404(request: HttpRequest, slug: str) -> Customer:
    customers = Customer.objects.administered_by(cast("User", request.user))
    return get_object_or_404(customers, slug=slug)


def plan_or_404(customer: Customer, plan_uuid: UUID) -> SubscriptionPlan:
    plans = SubscriptionPlan.objects.filter(customer_agreement__customer=customer)
    related = plans.select_related("customer_agreement__customer", "product__plan_type")
    return get_object_or_404(related, uuid=plan_uuid)


@login_required
@require_safe
@never_cache
def customer(request: HttpRequest, slug: str) -> HttpResponse:
    """The customer's plans and how their seats are used."""
    at = timezone.now()
    owner = customer_or_404(request, slug)
    plans = SubscriptionPlan.objects.filter(customer_agreement__customer=owner)
    related = plans.select_related("customer_agreement__customer", "product__plan_type")
    standings = plan_standings(list(related), at=at)
    return render(
        request,
        "licenses/customer.html",
        {
            "customer": owner,
            "plans": sorted(
                (one for one in standings if one.plan.expiration_date > at), key=_pressing_first
            ),
            "ended_plans": [ended_plan(one) for one in standings if one.plan.expiration_date <= at],
        },
    )


def _pressing_first(standing: PlanStanding) -> tuple[bool, bool, datetime]:
    """Plans that run and end soon, then those that start later or are switched off."""
    plan = standing.plan
    return not plan.is_active, not standing.is_current, plan.expiration_date


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def plan(request: HttpRequest, slug: str, plan_uuid: UUID) -> HttpResponse:
    """Who holds the plan's seats, to be searched: an address is posted, and in no URL."""
    owner = customer_or_404(request, slug)
    [standing] = plan_standings([plan_or_404(owner, plan_uuid)], at=timezone.now())
    given = request.POST if request.method == "POST" else request.GET
    status = given.get("status", "")
    status = status if status in SHOWN else ""
    # The database knows no NUL, so no address has one.
    search = request.POST.get("search", "").replace("\0", "").strip()
    found = licenses_given(standing.plan, status=status, search=search)
    page: Page[License] = CappedPaginator(found, ON_A_PAGE).get_page(given.get("page"))
    return render(
        request,
        "licenses/plan.html",
        {
            "customer": owner,
            "standing": standing,
            "plan": standing.plan,
            "has_ended": standing.plan.expiration_date <= standing.at,
            "ended": ended_plan(standing),
            "page": page,
            "status": status,
            "statuses": [LicenseStatus(one) for one in SHOWN],
            "search": search,
            "reader": Reader.of(request, owner),
        },
    )


@login_required
@require_safe
@never_cache
def learners_csv(request: HttpRequest, slug: str, plan_uuid: UUID) -> HttpResponseBase:
    found = plan_or_404(customer_or_404(request, slug), plan_uuid)
    return csv_download(f"licenses-{found.uuid}.csv", LEARNER_COLUMNS, learner_rows(found))


@login_required
@require_safe
@never_cache
def forecast(request: HttpRequest, slug: str) -> HttpResponse:
    """Who loses what on a day, if plans stay as they are: by default when the next plan ends."""
    now = timezone.now()
    owner = customer_or_404(request, slug)
    turns = turns_ahead(owner, at=now)
    form = DayForm(request.GET if "on" in request.GET else None)
    at = _day_asked_for(form) or _turn_asked_for(request, turns, now=now)
    steps = expiry.steps(at, customer_id=owner.pk)
    total = sum(step.licenses for step in steps)
    numbers = Paginator(range(total), ON_A_PAGE).get_page(request.GET.get("page"))
    rows = expiry.forecast(
        at, customer_id=owner.pk, limit=ON_A_PAGE, offset=ON_A_PAGE * (numbers.number - 1)
    )
    return render(
        request,
        "licenses/forecast.html",
        {
            "customer": owner,
            "at": at,
            "turns": turns[:12],
            "form": form,
            "downgrades": sum(step.learners for step in steps if _happens(step, expiry.DOWNGRADE)),
            "unlinks": sum(step.learners for step in steps if _happens(step, expiry.UNLINK)),
            "rows": [(row, happening(row)) for row in rows],
            "page": numbers,
            "asked": urlencode(
                {"on": request.GET["on"]} if form.is_bound else {"at": at.isoformat()}
            ),
        },
    )


@login_required
@require_safe
@never_cache
def forecast_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    now = timezone.now()
    owner = customer_or_404(request, slug)
    turns = turns_ahead(owner, at=now)
    form = DayForm(request.GET if "on" in request.GET else None)
    at = _day_asked_for(form) or _turn_asked_for(request, turns, now=now)
    rows = (
        {
            "learner": row.learner,
            "license_uuid": row.license_uuid,
            "plan": row.plan,
            "plan_ends": row.expiration_date,
            "step": row.step,
            "happens": row.happens,
            "why": happening(row),
        }
        for row in expiry.forecast(at, customer_id=owner.pk)
    )
    return csv_download(f"forecast-{owner.slug}-{at:%Y-%m-%d}.csv", FORECAST_COLUMNS, rows)


def _happens(step: expiry.Step, what: str) -> bool:
    return step.step == what and step.verdict in {"due", "unlink"}


def _day_asked_for(form: DayForm) -> datetime | None:
    """The end of the day, in the reader's zone."""
    if not form.is_bound or not form.is_valid():
        return None
    return timezone.make_aware(datetime.combine(form.cleaned_data["on"], time.max))


def _turn_asked_for(request: HttpRequest, turns: list[Turn], *, now: datetime) -> datetime:
    """The instant that a link of this page names, else that of the next turn, else now."""
    named = request.GET.get("at", "")
    if not named:
        return turns[0].at if turns else now
    try:
        at = parse_datetime(named)
    except ValueError:
        at = None
    if at is None or timezone.is_naive(at) or at.year > now.year + YEARS_AHEAD:
        raise Http404
    return max(at, now)

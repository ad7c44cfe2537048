"""What a customer's administrators do with seats: each on a page that tells first what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.core.history import Attribution
from licenses import services
from licenses.enums import LicenseStatus
from licenses.models import Customer, License, SubscriptionPlan
from licenses.selectors.access import ASSIGN, REVOKE, may_act_for
from licenses.selectors.customers import chosen_licenses
from licenses.selectors.standing import PlanStanding, plan_standings
from licenses.services import Refusal, Revocations
from licenses.views.customers import ON_A_PAGE, customer_or_404, plan_or_404
from licenses.views.forms import AssignForm, MailForm

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def assign(request: HttpRequest, slug: str, plan_uuid: UUID) -> HttpResponse:
    """Ask for addresses; give each of them a seat, all or nobody."""
    owner, standing = _plan_for(request, slug, plan_uuid, ASSIGN)
    if standing.plan.expiration_date <= standing.at:
        messages.warning(request, _("This plan has ended: nobody can be given a license of it."))
        return redirect("customer_plan", slug, plan_uuid)
    asked = request.method == "POST"
    form = AssignForm(request.POST if asked else None)
    if asked and form.is_valid():
        try:
            told = _assign(request, standing.plan, form.cleaned_data)
        except services.NotEnoughSeatsError as refusal:
            form.add_error("emails", _not_enough(refusal))
        except services.PlanBusyError:
            form.add_error(None, _busy())
        else:
            messages.success(request, told)
            return redirect("customer_plan", slug, plan_uuid)
    return render(
        request,
        "licenses/assign.html",
        {"customer": owner, "standing": standing, "plan": standing.plan, "form": form},
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def remind(request: HttpRequest, slug: str, plan_uuid: UUID) -> HttpResponse:
    """Show who is reminded: the chosen ones whose licenses wait, or all of them; then do it."""
    owner, standing = _plan_for(request, slug, plan_uuid, ASSIGN)
    asked = request.method == "POST"
    uuids = _chosen(request)
    waiting = [
        license
        for license in chosen_licenses(standing.plan, uuids)
        if license.status == LicenseStatus.ASSIGNED
    ]
    count = len(waiting) if uuids else standing.seats.assigned
    if not count:
        messages.warning(request, _("None of these licenses waits to be activated."))
        return redirect("customer_plan", slug, plan_uuid)
    form = MailForm(request.POST if asked else None)
    if asked and form.is_valid():
        try:
            reminded = services.remind(
                plan_uuid=plan_uuid,
                emails=[license.user_email for license in waiting] if uuids else None,
                by=_by(request),
                **form.cleaned_data,
            )
        except services.PlanBusyError:
            form.add_error(None, _busy())
        except services.NoPendingLicenseError:
            form.add_error(None, _("Somebody activated meanwhile. Nobody was reminded: go back."))
        else:
            told = ngettext(
                "%d reminder is on its way.", "%d reminders are on their way.", reminded
            )
            messages.success(request, told % reminded)
            return redirect("customer_plan", slug, plan_uuid)
    return render(
        request,
        "licenses/remind.html",
        {
            "customer": owner,
            "plan": standing.plan,
            "licenses": waiting,
            "count": count,
            "form": form,
        },
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def revoke(request: HttpRequest, slug: str, plan_uuid: UUID) -> HttpResponse:
    """Show what revoking the chosen licenses does to whom; when posted, do it."""
    owner, standing = _plan_for(request, slug, plan_uuid, REVOKE)
    chosen = chosen_licenses(standing.plan, _chosen(request))
    if not chosen:
        messages.warning(request, _("Choose licenses that somebody holds first."))
        return redirect("customer_plan", slug, plan_uuid)
    is_busy = False
    if request.method == "POST":
        emails = [license.user_email for license in chosen if license.user_email]
        try:
            done = services.revoke_licenses(plan_uuid=plan_uuid, emails=emails, by=_by(request))
        except services.PlanBusyError:
            is_busy = True
        else:
            _tell(request, done)
            return redirect("customer_plan", slug, plan_uuid)
    return render(
        request,
        "licenses/revoke.html",
        {
            "customer": owner,
            "standing": standing,
            "plan": standing.plan,
            "prospects": _prospects(chosen, standing.revocations_left),
            "is_busy": is_busy,
        },
    )


@dataclass(frozen=True)
class Prospect:
    """What revoking would do to one license; `is_possible` is false beyond the plan's cap."""

    license: License
    is_possible: bool
    obstacle: str = ""


def _prospects(chosen: Sequence[License], allowance: int | None) -> list[Prospect]:
    found: list[Prospect] = []
    for license in chosen:
        if not license.user_email:
            obstacle = _("Nothing: we do not know the address. Ask the portal's staff.")
            found.append(Prospect(license, is_possible=False, obstacle=obstacle))
            continue
        counts = allowance is not None and license.status == LicenseStatus.ACTIVATED
        if counts and cast("int", allowance) <= 0:
            obstacle = _("Nothing: the plan's limit of revocations is reached.")
            found.append(Prospect(license, is_possible=False, obstacle=obstacle))
            continue
        if counts:
            allowance = cast("int", allowance) - 1
        found.append(Prospect(license, is_possible=True))
    return found


def _plan_for(
    request: HttpRequest, slug: str, plan_uuid: UUID, permission: str
) -> tuple[Customer, PlanStanding]:
    owner = customer_or_404(request, slug)
    if not may_act_for(cast("User", request.user), owner, permission):
        raise PermissionDenied
    [standing] = plan_standings([plan_or_404(owner, plan_uuid)], at=timezone.now())
    return owner, standing


def _chosen(request: HttpRequest) -> list[UUID]:
    """The licenses that the reader ticked; what is no uuid is left out."""
    given = request.POST if request.method == "POST" else request.GET
    found: list[UUID] = []
    for text in given.getlist("license")[:ON_A_PAGE]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _by(request: HttpRequest) -> Attribution:
    return Attribution(at=timezone.now(), actor=cast("User", request.user), cause="customer's page")


def _assign(request: HttpRequest, plan: SubscriptionPlan, given: dict[str, Any]) -> str:
    done = services.assign_licenses(plan_uuid=plan.uuid, by=_by(request), **given)
    count = len(done.assigned)
    told = ngettext("%d license was given.", "%d licenses were given.", count) % count
    if held := done.already_associated:
        have = ngettext(
            "%d person had one already, and keeps it.",
            "%d people had one already, and keep it.",
            held,
        )
        told = f"{told} {have % held}"
    return told


def _not_enough(refusal: services.NotEnoughSeatsError) -> str:
    told = _(
        "%(requested)d people need a license, and %(available)d are free. Nobody was given one:"
        " take some addresses out, or ask for more seats."
    )
    return told % {"requested": refusal.requested, "available": refusal.available}


def _busy() -> str:
    return _(
        "Somebody else is changing the licenses of this plan. Nothing was done, and what you wrote"
        " is still here: try again in a minute."
    )


def _tell(request: HttpRequest, done: Revocations) -> None:
    if count := len(done.successful):
        told = ngettext("%d license was revoked.", "%d licenses were revoked.", count)
        messages.success(request, told % count)
    refusals = [refused.refusal for refused in done.unsuccessful]
    if capped := refusals.count(Refusal.CAP_REACHED):
        told = ngettext(
            "%d license was not: the plan's limit of revocations is reached.",
            "%d licenses were not: the plan's limit of revocations is reached.",
            capped,
        )
        messages.warning(request, told % capped)
    if gone := refusals.count(Refusal.NOT_HELD):
        told = ngettext(
            "%d was not held by anybody any more.", "%d were not held by anybody any more.", gone
        )
        messages.warning(request, told % gone)

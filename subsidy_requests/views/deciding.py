"""What a customer's administrators decide: each on a page that tells first what follows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from subsidy_requests.enums import DecisionSource, RequestState, UnlinkResult
from subsidy_requests.selectors.requests import AnyRequest
from subsidy_requests.selectors.review import chosen_requests
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from subsidy_requests.services.declining import decline_requests
from subsidy_requests.views.forms import ApproveForm, DeclineForm
from subsidy_requests.views.reviewing import ON_A_PAGE, Desk, desk_or_404
from subsidy_requests.views.words import words_of_error

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def approve(request: HttpRequest, slug: str) -> HttpResponse:
    """Show whom the chosen requests are of, and what is left to give; when posted, give it."""
    desk, chosen = _chosen_at_desk(request, slug)
    if not chosen:
        return _nothing_chosen(request, desk)
    asked = request.method == "POST"
    form = ApproveForm(request.POST if asked else None, pools=desk.pools(timezone.now()))
    if asked and form.is_valid():
        try:
            done = _approve(request, desk, chosen, form.cleaned_data)
        except DomainError as refusal:
            form.add_error(None, str(words_of_error(refusal)))
        else:
            _tell_granted(request, done)
            return redirect(_back(desk))
    context = {"desk": desk, "customer": desk.customer, "chosen": chosen, "form": form}
    return render(request, "subsidy_requests/approve.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def decline(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what declining the chosen requests means; with the reason, do it."""
    desk, chosen = _chosen_at_desk(request, slug)
    if not chosen:
        return _nothing_chosen(request, desk)
    asked = request.method == "POST"
    form = DeclineForm(request.POST if asked else None)
    if asked and form.is_valid():
        try:
            done: Sequence[AnyRequest] = decline_requests(
                desk.model,
                customer=desk.customer,
                uuids=[one.uuid for one in chosen],
                source=DecisionSource.ADMIN_PAGE,
                by=_by(request),
                **form.cleaned_data,
            )
        except DomainError as refusal:
            form.add_error(None, str(words_of_error(refusal)))
        else:
            _tell_declined(request, done)
            return redirect(_back(desk))
    context = {"desk": desk, "customer": desk.customer, "chosen": chosen, "form": form}
    return render(request, "subsidy_requests/decline.html", context)


def _chosen_at_desk(request: HttpRequest, slug: str) -> tuple[Desk, Sequence[AnyRequest]]:
    """The requests that the reader ticked; what is no uuid, or decided, is left out."""
    desk = desk_or_404(request, slug)
    if not desk.may_decide:
        raise PermissionDenied
    given = request.POST if request.method == "POST" else request.GET
    uuids: list[UUID] = []
    for text in given.getlist("request")[:ON_A_PAGE]:
        try:
            uuids.append(UUID(text))
        except ValueError:
            continue
    chosen: Any = chosen_requests(desk.model, desk.customer, uuids) if uuids else []
    return desk, chosen


def _nothing_chosen(request: HttpRequest, desk: Desk) -> HttpResponse:
    messages.warning(request, _("Choose requests that wait for a decision first."))
    return redirect(_back(desk))


def _approve(
    request: HttpRequest, desk: Desk, chosen: Sequence[AnyRequest], given: dict[str, Any]
) -> Sequence[AnyRequest]:
    decision: dict[str, Any] = {
        "customer": desk.customer,
        "uuids": [one.uuid for one in chosen],
        "source": DecisionSource.ADMIN_PAGE,
        "notify": given["notify"],
        "by": _by(request),
    }
    if desk.gives_licenses:
        return approve_license_requests(plan_uuid=UUID(given["pool"]), **decision)
    return approve_code_requests(coupon_id=int(given["pool"]), **decision)


def _tell_granted(request: HttpRequest, done: Sequence[AnyRequest]) -> None:
    failed = [one for one in done if one.state == RequestState.ERROR]
    if count := len(done) - len(failed):
        told = ngettext("%d request was granted.", "%d requests were granted.", count)
        messages.success(request, told % count)
    if failed:
        told = ngettext(
            "%d could not be granted, and waits among those that failed.",
            "%d could not be granted, and wait among those that failed.",
            len(failed),
        )
        messages.error(request, told % len(failed))
    if not done:
        _tell_decided_meanwhile(request)


def _tell_declined(request: HttpRequest, done: Sequence[AnyRequest]) -> None:
    if count := len(done):
        told = ngettext("%d request was declined.", "%d requests were declined.", count)
        messages.success(request, told % count)
    else:
        _tell_decided_meanwhile(request)
    if held := sum(one.unlink_result == UnlinkResult.HOLDS_LICENSE for one in done):
        told = ngettext(
            "%d learner holds a license, and was not unlinked.",
            "%d learners hold a license, and were not unlinked.",
            held,
        )
        messages.warning(request, told % held)
    if failed := sum(one.unlink_result == UnlinkResult.FAILED for one in done):
        told = ngettext(
            "%d learner could not be unlinked; the portal tries again.",
            "%d learners could not be unlinked; the portal tries again.",
            failed,
        )
        messages.warning(request, told % failed)


def _tell_decided_meanwhile(request: HttpRequest) -> None:
    messages.warning(request, _("Somebody else decided on them meanwhile. Nothing was changed."))


def _back(desk: Desk) -> str:
    address = reverse("review_requests", args=[desk.customer.slug])
    return f"{address}?{urlencode({'kind': desk.kind})}"


def _by(request: HttpRequest) -> Attribution:
    return Attribution(at=timezone.now(), actor=cast("User", request.user), cause="customer's page")

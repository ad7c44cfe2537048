"""What a learner asks for, and what became of it. Others' requests are not found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from licenses.selectors.learners import licenses_of_learner
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import SubsidyRequestCustomerConfiguration
from subsidy_requests.selectors.courses import names_course_page, next_step_url
from subsidy_requests.selectors.learners import (
    HeldRequest,
    contacts_for,
    offers_to,
    requests_of_learner,
)
from subsidy_requests.selectors.requests import AnyRequest, request_of_learner, story_of
from subsidy_requests.services.asking import ask_for_code, ask_for_license
from subsidy_requests.services.cancelling import cancel_request
from subsidy_requests.views.forms import LONGEST_COURSE, AskForm
from subsidy_requests.views.words import words_of_error

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User
    from licenses.models import Customer

PAGES = "pages of requests"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def requests(request: HttpRequest) -> HttpResponse:
    """What can be asked for, of whom, and what was; when posted, ask.

    `course_id` in the address is written into the form.
    """
    user = cast("User", request.user)
    offers = list(offers_to(user))
    asked = request.method == "POST"
    form = AskForm(request.POST if asked else None, offers=offers, initial=_prefilled(request))
    if asked and form.is_valid():
        try:
            made = _ask(request, form)
        except DomainError as refusal:
            form.add_error(None, str(words_of_error(refusal)))
        else:
            messages.success(request, _("Your request was sent."))
            return redirect("subsidy_request", made.uuid)
    at = timezone.now()
    held = requests_of_learner(user, at=at)
    return render(
        request,
        "subsidy_requests/requests.html",
        {
            "form": form,
            "offers": offers,
            "waiting": [one for one in held if one.waits],
            "answered": [one for one in held if not one.waits],
            "licensed_by": _licensed_by(user, offers),
            "contacts": _contacts(user, [one.customer for one in offers]),
        },
    )


@login_required
@require_safe
@never_cache
def request(request: HttpRequest, request_uuid: UUID) -> HttpResponse:
    """How it stands, what can be done, and what happened."""
    held = held_or_404(request, request_uuid)
    asked = held.request
    context = {
        "held": held,
        "story": story_of(asked),
        "next_step": next_step_url(asked) if names_course_page(asked) else "",
        "contacts": _contacts(asked.user, [asked.customer]),
    }
    return render(request, "subsidy_requests/request.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def cancel(request: HttpRequest, request_uuid: UUID) -> HttpResponse:
    """What taking the request back means; when posted, take it back."""
    held = held_or_404(request, request_uuid)
    if request.method == "POST":
        user = cast("User", request.user)
        by = Attribution(at=timezone.now(), actor=user, cause=PAGES)
        try:
            model: type[Any] = type(held.request)
            cancel_request(model, uuid=request_uuid, user=user, by=by)
        except DomainError as refusal:
            messages.error(request, str(words_of_error(refusal)))
        else:
            messages.success(request, _("You have taken your request back."))
        return redirect("subsidy_request", request_uuid)
    if not held.can_be_cancelled:
        messages.warning(request, _("It was decided already. Nothing was changed."))
        return redirect("subsidy_request", request_uuid)
    return render(request, "subsidy_requests/cancel.html", {"held": held})


def held_or_404(request: HttpRequest, request_uuid: UUID) -> HeldRequest:
    found = request_of_learner(cast("User", request.user), request_uuid)
    if found is None:
        raise Http404
    return HeldRequest(found, timezone.now())


def _prefilled(request: HttpRequest) -> dict[str, str]:
    return {"course_id": request.GET.get("course_id", "")[:LONGEST_COURSE]}


def _ask(request: HttpRequest, form: AskForm) -> AnyRequest:
    user, given = cast("User", request.user), form.cleaned_data
    asked: dict[str, Any] = {
        "user": user,
        "customer": form.chosen.customer,
        "course_id": given["course_id"],
        "reason": given["reason"],
        "by": Attribution(at=timezone.now(), actor=user, cause=PAGES),
    }
    if form.chosen.subsidy_type == SubsidyType.COUPON:
        return ask_for_code(**asked)
    return ask_for_license(**asked)


def _contacts(
    user: "User", customers: Sequence["Customer"]
) -> list[tuple["Customer", Sequence[str]]]:
    """Those of these customers whose administrators may be written to, with their addresses."""
    found = contacts_for(user, [one.pk for one in customers]) if customers else {}
    return [(one, found[one.pk]) for one in customers if one.pk in found]


def _licensed_by(user: "User", offers: Sequence[SubsidyRequestCustomerConfiguration]) -> list[str]:
    """Those who give licenses, and of whom the learner has one to use already."""
    asked = {one.customer_id for one in offers if one.subsidy_type == SubsidyType.LICENSE}
    if not asked:
        return []
    held = licenses_of_learner(user, at=timezone.now())
    names = [one.customer.name for one in held if one.is_usable and one.customer.pk in asked]
    return list(dict.fromkeys(names))

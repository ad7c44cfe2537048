"""What a learner asked institutions, and what became of it. Others' requests are not found."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credentials_portal.core.history import Attribution
from programs.enums import CreditRequestStatus
from programs.models import Pathway, UserCreditPathway
from programs.selectors.credit import REACHED, requests_of_learner, timeline_of
from programs.selectors.sharing import OpenedLink, links_of_learner
from programs.services.credit import RequestNotOpenError, withdraw_request
from programs.views.asking import PAGES

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@login_required
@require_safe
@never_cache
def credit_requests(request: HttpRequest) -> HttpResponse:
    """All that the reader asked for, the newest first."""
    asked = requests_of_learner(user_id=cast("User", request.user).pk)
    return render(request, "programs/credit_requests.html", {"requests": asked})


@login_required
@require_safe
@never_cache
def credit_request(request: HttpRequest, request_uuid: UUID) -> HttpResponse:
    """How it stands, what was answered, what can be done, and what happened."""
    asked = _own_or_404(request, request_uuid)
    context = {
        "asked": asked,
        "opened": _link_of(asked),
        "is_link_live": bool(asked.shared_record and asked.shared_record.is_live(timezone.now())),
        "can_be_withdrawn": asked.status in REACHED,
        "can_be_repeated": _can_be_repeated(asked),
        "story": timeline_of(asked)[::-1],
    }
    return render(request, "programs/credit_request.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def withdraw(request: HttpRequest, request_uuid: UUID) -> HttpResponse:
    """What withdrawing means; when posted, withdraw."""
    asked = _own_or_404(request, request_uuid)
    if asked.status not in REACHED:
        messages.warning(request, _why_not(asked))
        return redirect("credit_request", request_uuid)
    if request.method == "POST":
        by = Attribution(at=timezone.now(), actor=cast("User", request.user), cause=PAGES)
        try:
            withdraw_request(request_uuid=request_uuid, by=by)
        except RequestNotOpenError:
            asked.refresh_from_db()
            messages.warning(request, _why_not(asked))
        else:
            messages.success(request, _("You have withdrawn your request."))
        return redirect("credit_request", request_uuid)
    return render(request, "programs/credit_withdraw.html", {"asked": asked})


def _why_not(asked: UserCreditPathway) -> str:
    """Why there is nothing to withdraw."""
    if asked.status == CreditRequestStatus.WITHDRAWN:
        return _("It was withdrawn already.")
    if asked.status == CreditRequestStatus.OTHER:
        return _("It was made in an older system: there is nothing to withdraw here.")
    return _("It was never sent: there is nothing to withdraw.")


def _own_or_404(request: HttpRequest, request_uuid: UUID) -> UserCreditPathway:
    requests = UserCreditPathway.objects.select_related("pathway", "program", "shared_record")
    found: UserCreditPathway = get_object_or_404(
        requests, uuid=request_uuid, user_id=request.user.pk
    )
    return found


def _link_of(asked: UserCreditPathway) -> OpenedLink | None:
    """The institution's link, with how often it was opened."""
    if asked.shared_record_id is None:
        return None
    links = links_of_learner(user_id=asked.user_id, program_id=asked.program_id)
    return next((one for one in links if one.link.pk == asked.shared_record_id), None)


def _can_be_repeated(asked: UserCreditPathway) -> bool:
    if asked.program_id is None:
        return False
    taking = Pathway.objects.taking_requests_about(asked.program_id)
    return taking.filter(pk=asked.pathway_id).exists()

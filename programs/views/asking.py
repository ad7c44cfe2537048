"""A learner asks an institution for credit: first sees what is sent to whom, then agrees."""

from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.api.throttling import limit_person
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from programs.enums import CreditRequestSource
from programs.models import Program
from programs.selectors.checklist import takes_part
from programs.selectors.consent import consent_words
from programs.selectors.credit import ANSWERABLE_FOR, OfferedPathway, pathways_of
from programs.selectors.record_words import ShownLearner
from programs.selectors.records import ProgramRecord, record_of
from programs.services.credit import (
    IncompleteRecordError,
    PathwayUnavailableError,
    Requested,
    TooManyRequestsError,
    request_credit,
)
from programs.services.credit.pace import earlier_requests, require_pace
from programs.views.credit_forms import ConsentForm

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

PAGES = "pages of credit requests"

REFUSALS = (IncompleteRecordError, TooManyRequestsError)
"""What the page tells before the learner asks, and instead of the form."""


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limit_person(scope="send")
def ask(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    """Which institution (`pathway` names it), what is sent to it, and why it may be refused.

    When posted with the learner's consent, ask it. Twice within two minutes is once.
    """
    user, at = cast("User", request.user), timezone.now()
    record = record_of(user_id=user.pk, program_uuid=program_uuid, at=at)
    program = record.program
    if not takes_part(user_id=user.pk, program_id=program.pk):
        raise Http404
    offered = pathways_of(program_id=program.pk, user_id=user.pk)
    chosen = _chosen(request, offered)
    if chosen is None:
        is_unknown = "pathway" in request.GET or request.method == "POST"
        context = {"program": program, "offered": offered, "is_unknown": is_unknown}
        return render(request, "programs/credit_choose.html", context)
    words = consent_words(chosen.pathway)
    form = ConsentForm(request.POST if request.method == "POST" else None, words=words)
    refusal: DomainError | None = None
    if form.is_valid():
        try:
            asked = _request(user, program, chosen, words, at)
        except PathwayUnavailableError:
            messages.warning(request, _("They take no requests any more. Nothing was sent."))
            return redirect("request_credit", program_uuid)
        except REFUSALS as error:
            refusal = error
        else:
            _tell(request, asked, chosen)
            return redirect("credit_request", asked.request.uuid)
    context = {
        "program": program,
        "record": record,
        "shown": ShownLearner.in_full(user),
        "chosen": chosen,
        "has_others": len(offered) > 1,
        "words": words,
        "form": form,
        "refusal": refusal or _refusal(record, chosen, at),
        "until": at + ANSWERABLE_FOR,
    }
    return render(request, "programs/credit_ask.html", context)


def _chosen(request: HttpRequest, offered: list[OfferedPathway]) -> OfferedPathway | None:
    """The pathway that is named; where none is, the only one that there is."""
    given = request.POST if request.method == "POST" else request.GET
    if "pathway" not in given and request.method != "POST":
        return offered[0] if len(offered) == 1 else None
    named = given.get("pathway", "")
    return next((one for one in offered if str(one.id) == named), None)


def _request(
    user: "User", program: Program, chosen: OfferedPathway, words: str, at: datetime
) -> Requested:
    return request_credit(
        user=user,
        program=program,
        pathway_id=chosen.id,
        source=CreditRequestSource.WEB,
        consent_text=words,
        by=Attribution(at=at, actor=user, cause=PAGES),
    )


def _refusal(record: ProgramRecord, chosen: OfferedPathway, at: datetime) -> DomainError | None:
    """Why `request_credit` would refuse now, as far as can be told before."""
    if chosen.requires_completion and not record.is_completed:
        return IncompleteRecordError("The institution takes completed programs only.")
    earlier = earlier_requests(
        user_id=record.user_id,
        pathway_id=chosen.id,
        program_id=record.program.pk,
        at=at,
    )
    try:
        require_pace(
            earlier,
            cooldown_days=chosen.pathway.cooldown_days,
            fingerprint=record.fingerprint,
            at=at,
        )
    except TooManyRequestsError as refusal:
        return refusal
    return None


def _tell(request: HttpRequest, asked: Requested, chosen: OfferedPathway) -> None:
    if asked.is_new:
        told = _("Your request to %(institution)s is on its way. You can withdraw it here.")
        messages.success(request, told % {"institution": chosen.institution})
    else:
        messages.info(request, _("You had just asked: this is that request. It is sent once."))

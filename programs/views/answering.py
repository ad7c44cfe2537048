"""Where an institution answers a request, without an account: the signed link is its permission."""

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.api.throttling import limit_page
from credentials_portal.core.errors import GoneError
from credentials_portal.core.history import Attribution
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import UserCreditPathway
from programs.selectors.credit import (
    ANSWERABLE_FOR,
    record_csv_link,
    record_link,
    request_of_token,
)
from programs.services.credit import RequestNotOpenError, answer_request
from programs.views.credit_forms import AnswerForm

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

PAGE = "institution's page"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limit_page(scope="answer_credit_request", rate="60/min")
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Which request it is, its record, and the answer; when posted, keep the answer.

    To open it changes nothing, since programs that scan mail open links too. 410 once the
    request is withdrawn or too old.
    """
    response = _answer(request, token)
    response["X-Robots-Tag"] = "noindex"
    # Not "no-referrer": browsers then hide the form's origin, too, and it could not be posted.
    response["Referrer-Policy"] = "same-origin"
    return response


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    at = timezone.now()
    try:
        asked = request_of_token(token, at=at)
        if asked.status == CreditRequestStatus.FAILED:
            raise GoneError("This request was never sent.")
        form = AnswerForm(
            request.POST if request.method == "POST" else None,
            initial={"answer": asked.answer, "note": asked.answer_note},
        )
        if form.is_valid():
            _keep(request, asked, form, by=Attribution(at=at, cause=PAGE))
            return redirect("answer_credit_request", token)
    except (GoneError, RequestNotOpenError):
        return render(request, "programs/credit_answer_gone.html", status=410)
    shared = asked.shared_record
    context = {
        "asked": asked,
        "form": form,
        "record_link": record_link(shared) if shared else "",
        "record_csv_link": record_csv_link(shared) if shared else "",
        "until": asked.requested_at + ANSWERABLE_FOR,
    }
    return render(request, "programs/credit_answer.html", context)


def _keep(
    request: HttpRequest, asked: UserCreditPathway, form: AnswerForm, *, by: Attribution
) -> None:
    given = CreditAnswer(form.cleaned_data["answer"])
    kept = answer_request(
        request_uuid=asked.uuid, answer=given, note=form.cleaned_data["note"], by=by
    )
    if kept.answered_at == by.at:
        messages.success(request, _told(asked.user))
    else:
        messages.info(request, _("You had answered this already. Nothing was changed."))


def _told(learner: "User") -> str:
    if learner.is_active and learner.email:
        return _("Your answer is kept. The learner is told by mail.")
    return _(
        "Your answer is kept. The portal cannot mail the learner, who reads it here when signed in."
    )

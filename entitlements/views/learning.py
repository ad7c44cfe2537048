"""What a learner sees of one entitlement, and the choice of its session. Others' are not found.

Each change is posted from a page that tells what follows, and leads back to the entitlement.
"""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credentials_portal.core.errors import DomainError, NotFoundError
from credentials_portal.core.history import Attribution
from entitlements.deliveries import acting
from entitlements.enums import RedemptionStatus
from entitlements.models import CourseEntitlementRedemption
from entitlements.selectors.learners import HeldEntitlement, entitlement_of_learner
from entitlements.selectors.sessions import Session, sessions_of
from entitlements.selectors.story import story_of
from entitlements.views.forms import SessionForm
from entitlements.views.words import words_of_error, words_of_refusal

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

PAGES = "pages of entitlements"


def held_or_404(request: HttpRequest, entitlement_uuid: UUID) -> HeldEntitlement:
    user = cast("User", request.user)
    held = entitlement_of_learner(user, entitlement_uuid, at=timezone.now())
    if held is None:
        raise Http404
    return held


def attribution(request: HttpRequest) -> Attribution:
    return Attribution(at=timezone.now(), actor=cast("User", request.user), cause=PAGES)


@login_required
@require_safe
@never_cache
def entitlement(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """How it stands, what can be done, and what happened."""
    held = held_or_404(request, entitlement_uuid)
    context = {"held": held, "session": _present(held), "story": story_of(held.entitlement)}
    return render(request, "entitlements/entitlement.html", context)


@login_required
@require_safe
@never_cache
def choose_session(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """The sessions that can be taken. Choosing one changes nothing yet."""
    held = held_or_404(request, entitlement_uuid)
    if not held.can_choose:
        return _explained(request, entitlement_uuid)
    form = _form(held)
    return render(request, "entitlements/choose_session.html", {"held": held, "form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def take_session(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """What taking the chosen session means; when posted, take it."""
    held = held_or_404(request, entitlement_uuid)
    if request.method == "POST":
        return _take(request, entitlement_uuid, request.POST.get("course_run", ""))
    if not held.can_choose:
        return _explained(request, entitlement_uuid)
    form = _form(held, request.GET)
    if not form.is_valid():
        return render(request, "entitlements/choose_session.html", {"held": held, "form": form})
    context = {
        "held": held,
        "chosen": form.chosen,
        "taken": held.decision_if_taken(form.chosen.offer),
        "left": _present(held),
    }
    return render(request, "entitlements/take_session.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def leave_session(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """What leaving the session means; when posted, leave it."""
    held = held_or_404(request, entitlement_uuid)
    if request.method == "POST":
        return _leave(request, entitlement_uuid)
    if not held.can_leave:
        return _explained(request, entitlement_uuid)
    context = {"held": held, "session": _present(held)}
    return render(request, "entitlements/leave_session.html", context)


def _take(request: HttpRequest, entitlement_uuid: UUID, course_run_key: str) -> HttpResponse:
    by = attribution(request)
    try:
        attempt = acting.redeem_now(
            entitlement_uuid=entitlement_uuid, course_run_key=course_run_key, by=by, user=by.actor
        )
    except NotFoundError:
        raise Http404 from None
    except DomainError as error:
        messages.error(request, str(words_of_error(error)))
    else:
        _tell_outcome(request, attempt)
    return redirect("entitlement", entitlement_uuid)


def _tell_outcome(request: HttpRequest, attempt: CourseEntitlementRedemption | None) -> None:
    if attempt is None or attempt.status == RedemptionStatus.DONE:
        messages.success(request, _("The session is yours."))
    elif attempt.status != RedemptionStatus.PENDING:
        messages.error(request, str(words_of_refusal(attempt)))


def _leave(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    by = attribution(request)
    try:
        acting.leave_now(entitlement_uuid=entitlement_uuid, by=by, user=by.actor)
    except NotFoundError:
        raise Http404 from None
    except DomainError as error:
        messages.error(request, str(words_of_error(error)))
    else:
        messages.success(request, _("You have left the session, and can choose another one."))
    return redirect("entitlement", entitlement_uuid)


def _explained(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """Its page says why this cannot be."""
    messages.warning(request, _("This is not possible at the moment. Nothing was changed."))
    return redirect("entitlement", entitlement_uuid)


def _form(held: HeldEntitlement, given: QueryDict | None = None) -> SessionForm:
    others = [session for session in _sessions(held) if not session.is_present]
    only = {"course_run": others[0].offer.key} if len(others) == 1 else {}
    return SessionForm(given, initial=only, sessions=others, mode=held.entitlement.mode)


def _present(held: HeldEntitlement) -> Session | None:
    return next((session for session in _sessions(held) if session.is_present), None)


def _sessions(held: HeldEntitlement) -> list[Session]:
    return sessions_of([held.judged], at=held.at)[held.entitlement.pk]

"""Asking for a refund."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.core.errors import DomainError, NotFoundError
from entitlements.deliveries import acting
from entitlements.enums import UNSETTLED_REFUNDS, RefundStatus
from entitlements.models import CourseEntitlementRefund
from entitlements.views.learning import attribution, held_or_404
from entitlements.views.words import words_of_error


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def refund(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    """What a refund means; when posted, ask for it. How it stands is told by the entitlement."""
    held = held_or_404(request, entitlement_uuid)
    if request.method == "POST":
        return _ask(request, entitlement_uuid)
    if not held.can_be_refunded:
        messages.warning(request, _("It cannot be refunded now. Nothing was changed."))
        return redirect("entitlement", entitlement_uuid)
    return render(request, "entitlements/refund.html", {"held": held})


def _ask(request: HttpRequest, entitlement_uuid: UUID) -> HttpResponse:
    by = attribution(request)
    try:
        asked = acting.refund_now(entitlement_uuid=entitlement_uuid, by=by, user=by.actor)
    except NotFoundError:
        raise Http404 from None
    except DomainError as error:
        messages.error(request, str(words_of_error(error)))
    else:
        _tell_outcome(request, asked)
    return redirect("entitlement", entitlement_uuid)


def _tell_outcome(request: HttpRequest, asked: CourseEntitlementRefund) -> None:
    if asked.status in UNSETTLED_REFUNDS:
        messages.info(request, _("The refund was asked for. There is no answer yet."))
    elif asked.status == RefundStatus.FAILED:
        messages.error(request, _("The refund was refused. Nothing else was changed."))
    else:
        messages.success(request, _("The refund was accepted."))

"""The page on which learners activate a license."""

from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from licenses import services
from licenses.selectors.learners import Standing, license_behind_key

if TYPE_CHECKING:
    from datetime import datetime

    from credentials_portal.accounts.models import User

STATUSES = {
    Standing.TO_ACTIVATE: HTTPStatus.OK,
    Standing.ACTIVE: HTTPStatus.OK,
    Standing.STARTS_LATER: HTTPStatus.OK,
    Standing.SWITCHED_OFF: HTTPStatus.CONFLICT,
    Standing.ENDED: HTTPStatus.GONE,
    Standing.REVOKED: HTTPStatus.GONE,
}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def activate(request: HttpRequest, activation_key: UUID) -> HttpResponse:
    """Show what activating the license behind this link means; when posted, activate it."""
    at = timezone.now()
    if request.method != "POST":
        return _activation_page(request, activation_key, at=at)
    user = cast("User", request.user)
    by = Attribution(at=at, actor=user, cause="activation page")
    try:
        license = services.activate_license(activation_key=activation_key, user=user, by=by)
    except services.PlanBusyError:
        return _activation_page(request, activation_key, at=at, is_busy=True)
    except DomainError:
        # The page says by itself why it cannot be.
        return _activation_page(request, activation_key, at=at)
    told = _("Your license of “%(plan)s” is active.") % {"plan": license.subscription_plan.title}
    messages.success(request, told)
    return redirect("access")


def _activation_page(
    request: HttpRequest, activation_key: UUID, *, at: "datetime", is_busy: bool = False
) -> HttpResponse:
    held = license_behind_key(cast("User", request.user), activation_key, at=at)
    status = STATUSES[held.standing] if held else HTTPStatus.NOT_FOUND
    return render(
        request,
        "licenses/activate.html",
        {"held": held, "is_busy": is_busy},
        status=HTTPStatus.CONFLICT if is_busy else status,
    )

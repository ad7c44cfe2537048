"""Pages that belong to no single app."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import (
    api_view,
    authentication_classes,
    permission_classes,
    throttle_classes,
)
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.core.health import health_facts
from credentials_portal.web.access import access_of
from credentials_portal.web.demo_mail import mails_in
from credentials_portal.web.forms import FindLetter
from credentials_portal.web.home import home_of
from credentials_portal.web.record import record_page_of

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What waits for the reader and how far they are; for everybody else, what the portal is."""
    if request.user.is_authenticated:
        home = home_of(request.user, at=timezone.now())
        return render(request, "web/home.html", {"home": home})
    return render(request, "web/welcome.html", {"form": FindLetter()})


@login_required
@require_safe
@never_cache
def access(request: HttpRequest) -> HttpResponse:
    """All that the reader may use, or might have used, and what becomes of it."""
    access = access_of(cast("User", request.user), at=timezone.now())
    return render(request, "web/access.html", {"access": access})


@login_required
@require_safe
@never_cache
def program_record(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    """The reader's own record in a program: eight statements at most, whatever there is."""
    at = timezone.now()
    page = record_page_of(cast("User", request.user), program_uuid=program_uuid, at=at)
    return render(request, "web/record.html", {"page": page})


@require_safe
def find_letter(request: HttpRequest) -> HttpResponse:
    """On to the verification of the letter whose link or id somebody pasted.

    Who follows a link to here has pasted nothing yet: no error, but the same form.
    """
    form = FindLetter(request.GET if "letter" in request.GET else None)
    if form.is_valid():
        return redirect(form.verification_path())
    return render(request, "web/welcome.html", {"form": form})


@extend_schema(exclude=True)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
@throttle_classes([])
def health(_request: Request) -> Response:
    """For load balancers and monitors: 503 only when the database is gone.

    Knows nobody: reading the session would need the very database that may be gone.
    """
    facts = health_facts()
    return Response(facts, status=200 if facts["database"] else 503)


@require_safe
def demo_mail(request: HttpRequest) -> HttpResponse:
    if not settings.DEMO:
        raise Http404
    return render(request, "web/demo_mail.html", {"mails": mails_in(settings.MAIL_DIR)})

"""Addresses of the older service that people open: its CSV, and where its pages have gone."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credentials_portal.api.throttling import limit_page
from credentials_portal.core.downloads import download
from credentials_portal.core.public_pages import public_page
from programs.api.records import SHARED_RECORD_RATE, SHARED_RECORD_SCOPE
from programs.models import SharedProgramRecord
from programs.selectors.record_words import ShownLearner, record_csv
from programs.selectors.records import record_of
from programs.selectors.sharing import shared_record
from programs.services.sharing import count_view


@public_page
@limit_page(scope=SHARED_RECORD_SCOPE, rate=SHARED_RECORD_RATE)
def shared_program_record_csv(request: HttpRequest, shared_hex: str) -> HttpResponse:
    """The record behind a link as a table. 404 for a dead link: programs ask for it, too."""
    at = timezone.now()
    link = _link_or_404(shared_hex)
    if not link.is_live(at):
        raise Http404
    record = record_of(user_id=link.user_id, program_uuid=link.program.uuid, at=at)
    if request.method == "GET" and request.user.pk != link.user_id:
        count_view(shared_record_id=link.pk, at=at)
    file = record_csv(record, ShownLearner.behind(link))
    return download(file.name, file.content, content_type="text/csv; charset=utf-8")


@login_required
@require_safe
@never_cache
def records(_request: HttpRequest) -> HttpResponse:
    return _moved("", reverse("home"))


@login_required
@require_safe
@never_cache
def program_record(_request: HttpRequest, program_hex: str) -> HttpResponse:
    return _moved(program_hex, reverse("program_record", args=[UUID(program_hex)]))


@public_page
@limit_page(scope="shared_record_link", rate=SHARED_RECORD_RATE)
def shared_program_record(request: HttpRequest, shared_hex: str) -> HttpResponse:
    """Where a link leads. A dead one says so here: the front end would only say that it failed."""
    link = _link_or_404(shared_hex)
    if not link.is_live(timezone.now()):
        return render(request, "programs/record_gone.html", status=410)
    return _moved(f"shared/{shared_hex}", reverse("shared_record_page", args=[link.uuid]))


def _moved(place: str, own_page: str) -> HttpResponse:
    """To the learner record front end where there is one, else to the portal's own page."""
    front_end = settings.LEARNER_RECORD_MFE_RECORDS_PAGE_URL
    return HttpResponseRedirect(f"{front_end.rstrip('/')}/{place}" if front_end else own_page)


def _link_or_404(shared_hex: str) -> SharedProgramRecord:
    link = shared_record(UUID(shared_hex))
    if link is None:
        raise Http404
    return link

"""A record to keep, and a record as a stranger reads it."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credentials_portal.api.throttling import limit_page
from credentials_portal.core.downloads import download
from credentials_portal.core.public_pages import public_page
from programs.selectors import record_of
from programs.selectors.checklist import takes_part
from programs.selectors.record_words import ShownLearner, record_csv
from programs.selectors.sharing import shared_record
from programs.services.sharing import count_view

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@login_required
@require_safe
@never_cache
def own_record_csv(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    """The reader's own record as a table."""
    user = cast("User", request.user)
    record = record_of(user_id=user.pk, program_uuid=program_uuid, at=timezone.now())
    if not takes_part(user_id=user.pk, program_id=record.program.pk):
        raise Http404
    file = record_csv(record, ShownLearner.in_full(user))
    return download(file.name, file.content, content_type="text/csv; charset=utf-8")


@public_page
@limit_page(scope="shared_record", rate="60/min")
def shared_record_page(request: HttpRequest, link_uuid: UUID) -> HttpResponse:
    """The live record behind a link, with what the learner chose to show.

    Whoever has the link may read it. 410 for one that is dead, which says nothing of anybody.
    Four statements, beside what it costs to know who asks, and how often.
    """
    link = shared_record(link_uuid)
    if link is None:
        raise Http404
    at = timezone.now()
    if not link.is_live(at):
        return render(request, "programs/record_gone.html", status=410)
    is_owner = request.user.pk == link.user_id
    if request.method == "GET" and not is_owner:
        count_view(shared_record_id=link.pk, at=at)
    context = {
        "record": record_of(user_id=link.user_id, program_uuid=link.program.uuid, at=at),
        "learner": ShownLearner.behind(link),
        "link": link,
        "is_owner": is_owner,
        "at": at,
    }
    return render(request, "programs/shared_record.html", context)

"""A record to keep, for programs."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from credentials_portal.core.downloads import download
from programs.selectors import record_of
from programs.selectors.checklist import takes_part
from programs.selectors.record_words import ShownLearner, record_json

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@login_required
@require_safe
@never_cache
def own_record_json(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    """The reader's own record, in the words of the API."""
    user = cast("User", request.user)
    record = record_of(user_id=user.pk, program_uuid=program_uuid, at=timezone.now())
    if not takes_part(user_id=user.pk, program_id=record.program.pk):
        raise Http404
    file = record_json(record, ShownLearner.in_full(user))
    return download(file.name, file.content, content_type="application/json")

"""Who can see a learner's record: the links to it, made, changed, replaced and revoked."""

from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from credentials_portal.api.throttling import limit_person
from credentials_portal.core.errors import GoneError
from credentials_portal.core.history import Attribution
from programs.enums import ShareKind
from programs.models import Program, SharedProgramRecord
from programs.selectors.checklist import takes_part
from programs.selectors.sharing import OpenedLink, links_of_learner, record_link
from programs.services.sharing import change_share, revoke_share, rotate_share, share_record
from programs.views.share_form import ChangeShareForm, ShareForm

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

PAGES = "pages of records"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limit_person(scope="share")
def share(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    """Who can see the reader's record; when posted, make a link to it."""
    user, at = cast("User", request.user), timezone.now()
    program = get_object_or_404(Program, uuid=program_uuid)
    links = links_of_learner(user_id=user.pk, program_id=program.pk)
    if not links and not takes_part(user_id=user.pk, program_id=program.pk):
        raise Http404
    form = ShareForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        made = share_record(user=user, program=program, by=_by(request, at), **form.choices_at(at))
        if made.is_new:
            messages.success(request, _("The link is made. Whoever has it can see your record."))
        else:
            messages.warning(request, _("There is a link already. It was left as it was."))
        return redirect("share_program_record", program_uuid)
    return render(request, "programs/share.html", _standing(program, links, at) | {"form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def change(request: HttpRequest, program_uuid: UUID, link_uuid: UUID) -> HttpResponse:
    """What the reader's link shows, and how long; when posted, change it."""
    at = timezone.now()
    link = _link_or_404(request, program_uuid, link_uuid)
    if not link.is_live(at):
        return _dead(request, program_uuid)
    form = ChangeShareForm(request.POST if request.method == "POST" else None, link=link)
    if form.is_valid():
        try:
            change_share(link_uuid=link_uuid, by=_by(request, at), **form.choices_at(at))
        except GoneError:
            return _dead(request, program_uuid)
        messages.success(request, _("The link was changed."))
        return redirect("share_program_record", program_uuid)
    return render(request, "programs/share_change.html", {"link": link, "form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@limit_person(scope="share")
def rotate(request: HttpRequest, program_uuid: UUID, link_uuid: UUID) -> HttpResponse:
    """What replacing the reader's link by another means; when posted, replace it."""
    at = timezone.now()
    link = _link_or_404(request, program_uuid, link_uuid)
    if not link.is_live(at):
        return _dead(request, program_uuid)
    if request.method == "POST":
        try:
            rotate_share(link_uuid=link_uuid, by=_by(request, at))
        except GoneError:
            return _dead(request, program_uuid)
        messages.success(request, _("The link was replaced. The old one no longer works."))
        return redirect("share_program_record", program_uuid)
    return render(request, "programs/share_rotate.html", {"link": link})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def revoke(request: HttpRequest, program_uuid: UUID, link_uuid: UUID) -> HttpResponse:
    """What revoking the reader's link means; when posted, revoke it."""
    at = timezone.now()
    link = _link_or_404(request, program_uuid, link_uuid)
    if not link.is_live(at):
        return _dead(request, program_uuid)
    if request.method == "POST":
        revoke_share(link_uuid=link_uuid, by=_by(request, at))
        messages.success(request, _("The link was revoked. It no longer works."))
        return redirect("share_program_record", program_uuid)
    return render(request, "programs/share_revoke.html", {"link": link})


def _standing(program: Program, links: list[OpenedLink], at: datetime) -> dict[str, object]:
    """The links that work, the learner's own apart, and those that do not any more."""
    live = [one for one in links if one.link.is_live(at)]
    own = next((one for one in live if one.link.kind == ShareKind.LINK), None)
    return {
        "program": program,
        "own": own,
        "address": record_link(own.link) if own else "",
        "of_institutions": [one for one in live if one.link.kind != ShareKind.LINK],
        "dead": [one for one in links if not one.link.is_live(at)],
    }


def _link_or_404(request: HttpRequest, program_uuid: UUID, link_uuid: UUID) -> SharedProgramRecord:
    """The reader's own link to this record; an institution's is ended by its request."""
    links = SharedProgramRecord.objects.select_related("program")
    return get_object_or_404(
        links,
        uuid=link_uuid,
        program__uuid=program_uuid,
        user_id=request.user.pk,
        kind=ShareKind.LINK,
    )


def _dead(request: HttpRequest, program_uuid: UUID) -> HttpResponse:
    messages.warning(request, _("This link no longer works. Nothing was changed."))
    return redirect("share_program_record", program_uuid)


def _by(request: HttpRequest, at: datetime) -> Attribution:
    return Attribution(at=at, actor=cast("User", request.user), cause=PAGES)

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from credentials_portal.api.throttling import limit_page
from credentials_portal.core.public_pages import public_page
from letters import selectors, services
from letters.documents import compose, day_of
from letters.documents.pdf import render_pdf
from letters.enums import LetterState, Viewer
from letters.models import LetterPicture
from letters.selectors import LetterPage

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


@public_page
def program_letter(request: HttpRequest, letter_uuid: UUID) -> HttpResponse:
    """The letter itself, in at most four statements.

    410 for one that is withdrawn or suspended. Without a text its holder reads that it is being
    prepared, and everybody else 404, as for one that never was.
    """
    page = _page_or_404(letter_uuid)
    if page.letter is None:
        return _without_letter(request, page)
    _count_view(request, page)
    context = {
        "document": compose(page.letter),
        "letter": page.letter,
        "is_holder": request.user.pk == page.user_id,
    }
    return render(request, "letters/letter.html", context)


@public_page
@limit_page(scope="letter_pdf", rate="60/min")
def program_letter_pdf(request: HttpRequest, letter_uuid: UUID) -> HttpResponse:
    """The letter as a PDF; the same bytes each time, and made each time."""
    page = _page_or_404(letter_uuid)
    if page.letter is None:
        return _without_letter(request, page)
    _count_view(request, page)
    return HttpResponse(
        render_pdf(compose(selectors.with_pictures(page.letter))),
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="letter-{letter_uuid}.pdf"'},
    )


@public_page
@limit_page(scope="verify_letter", rate="60/min")
def verify_letter(request: HttpRequest, letter_uuid: UUID) -> HttpResponse:
    """A stranger's check of a letter: a page, or JSON for `Accept: application/json`.

    A letter that never was and one that is not shown look alike: 404, "not found".
    """
    verification = selectors.verify_letter(letter_uuid)
    status = 200 if verification else 404
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        facts = verification.as_json() if verification else {"status": "not_found"}
        return JsonResponse(facts, status=status)
    context = {"verification": verification, "letter_uuid": letter_uuid}
    return render(request, "letters/verify.html", context, status=status)


@require_safe
@cache_control(public=True, max_age=31_536_000, immutable=True)
def letter_picture(_request: HttpRequest, sha256: str) -> HttpResponse:
    """A logo or a signature: whoever knows the hash of a picture may see it."""
    picture = get_object_or_404(LetterPicture, pk=sha256)
    return HttpResponse(
        bytes(picture.content), content_type="image/png", headers={"X-Robots-Tag": "noindex"}
    )


@login_required
@require_safe
@never_cache
def letters(request: HttpRequest) -> HttpResponse:
    """The reader's own letters: how each stands, why, and what to do."""
    own = selectors.letters_of(cast("User", request.user).pk)
    return render(request, "letters/letters.html", {"letters": own})


def _page_or_404(letter_uuid: UUID) -> LetterPage:
    page = selectors.letter_page(letter_uuid)
    if page is None:
        raise Http404
    return page


def _without_letter(request: HttpRequest, page: LetterPage) -> HttpResponse:
    if page.state == LetterState.ACTIVE:
        if request.user.pk != page.user_id:
            raise Http404
        return render(request, "letters/being_prepared.html")
    is_suspended = page.state == LetterState.SUSPENDED
    return render(request, "letters/gone.html", {"is_suspended": is_suspended}, status=410)


def _count_view(request: HttpRequest, page: LetterPage) -> None:
    if request.method == "GET":
        viewer = Viewer.OTHER
        if request.user.pk == page.user_id:
            viewer = Viewer.HOLDER
        elif request.user.is_authenticated and request.user.is_staff:
            viewer = Viewer.STAFF
        today = day_of(timezone.now())
        services.count_view(letter_id=page.letter_id, viewer=viewer, day=today)

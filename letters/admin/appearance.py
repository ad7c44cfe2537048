"""How a letter is seen: with which text, by whom and how often; and bringing it up to date."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import decided_by, person
from credentials_portal.core.errors import DomainError
from letters import services
from letters.admin.decisions import tell
from letters.admin.viewing import ExactSearch, parse_seen, seen
from letters.documents import day_of
from letters.enums import LetterState, TemplateStatus, Viewer
from letters.models import ProgramLetter, ProgramLetterTemplate

REFRESH = "letters.refresh_letter"
DAYS = 30


@dataclass(frozen=True)
class Text:
    """A revision as a letter's page names it."""

    pk: int
    revision: int
    status: str
    standing: str
    is_current: bool
    """Whether new letters of the program get it."""

    def __str__(self) -> str:
        return _("revision %d") % self.revision


@dataclass(frozen=True)
class Views:
    """How often a letter was opened, a row for each day on which it was, and all in all."""

    rows: list[tuple[date, list[int]]]
    total: list[int]
    kinds: list[str]


class AppearancePages(ExactSearch):
    """What the public sees of a letter; the admin of letters has these pages."""

    def get_urls(self) -> list[URLPattern]:
        refresh = path(
            "<int:pk>/refresh/",
            self.admin_site.admin_view(self.refresh_view),
            name="letters_programletter_refresh",
        )
        return [refresh, *super().get_urls()]

    def appearance(self, request: HttpRequest, letter: ProgramLetter) -> dict[str, Any]:
        """What the letter's page tells of how it is seen, in two statements."""
        texts = texts_of(letter)
        text, current = texts.get(letter.content_revision_id), _current(texts)
        may_refresh = person(request).has_perm(REFRESH) and letter.state != LetterState.REVOKED
        shown_as = text or current
        return {
            "text": text,
            "current_text": current,
            "is_shown": _is_shown(letter, text),
            "seen_by": _seen_by(letter, text, current),
            "views": views_of(letter),
            "days": DAYS,
            "public": {
                page: reverse(page, args=[letter.uuid])
                for page in ("program_letter", "program_letter_pdf", "verify_letter")
            },
            "preview": shown_as
            and reverse("admin:letters_programlettertemplate_preview", args=[shown_as.pk])
            + f"?{urlencode({'learner': str(letter.uuid)})}",
            "refresh": may_refresh and _address("refresh", letter.pk),
        }

    def refresh_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what a letter says and what it would say; with a reason, let it."""
        self.require(request, REFRESH)
        letter = get_object_or_404(ProgramLetter.objects.select_related("program", "user"), pk=pk)
        asked = request.method == "POST"
        form = ReasonForm(request.POST if asked else None)
        if asked and form.is_valid():
            self._refresh(request, letter, form.cleaned_data["reason"])
            return redirect(_address("change", pk))
        texts = texts_of(letter)
        text = texts.get(letter.content_revision_id)
        becomes = _current(texts) or text
        name = letter.user.full_name
        obstacle = _obstacle(letter, is_same=letter.recipient_name == name and text == becomes)
        return self.page(
            request,
            "admin/letters/refresh.html",
            title=_("Bring name and text up to date"),
            button=_("Bring it up to date"),
            letter=letter,
            name=name,
            text=text,
            new_text=becomes,
            obstacle=obstacle,
            form=form,
            is_possible=not obstacle,
            back=_address("change", pk),
            seen=request.POST.get("seen") or seen(letter.pk, letter.version),
        )

    def _refresh(self, request: HttpRequest, letter: ProgramLetter, reason: str) -> None:
        version = parse_seen([request.POST.get("seen", "")]).get(letter.pk, 0)
        by = decided_by(request, at=timezone.now(), reason=reason)
        try:
            with transaction.atomic():
                services.lock_seen_letter(letter_uuid=letter.uuid, seen_version=version)
                changed = services.refresh_letter(letter_uuid=letter.uuid, by=by)
        except DomainError as refusal:
            self.message_user(request, tell(refusal), messages.ERROR)
        else:
            if changed:
                told = _("Name and text are up to date. The PDF is made anew; nobody is mailed.")
                self.message_user(request, told, messages.SUCCESS)
            else:
                told = _("Nothing changed: name and text were up to date.")
                self.message_user(request, told, messages.WARNING)


def texts_of(letter: ProgramLetter) -> dict[int | None, Text]:
    """The text of the letter, and those that its program has or had published, by primary key."""
    rows = list(
        ProgramLetterTemplate.objects.filter(program_id=letter.program_id)
        .exclude(status=TemplateStatus.DRAFT)
        .order_by("published_at", "revision")
        .only("pk", "revision", "status")
    )
    # New letters get the revision published last, or none when that was withdrawn.
    last = rows[-1].pk if rows and rows[-1].status == TemplateStatus.PUBLISHED else None
    return {
        row.pk: Text(row.pk, row.revision, row.status, row.get_status_display(), row.pk == last)
        for row in rows
    }


def views_of(letter: ProgramLetter) -> Views:
    """Views of the last days, the newest first, in one statement."""
    since = day_of(timezone.now()) - timedelta(days=DAYS - 1)
    counted: defaultdict[date, dict[str, int]] = defaultdict(dict)
    for row in letter.view_counts.filter(day__gte=since).order_by("-day"):
        counted[row.day][row.viewer] = row.views
    rows = [(day, [of_day.get(v, 0) for v in Viewer.values]) for day, of_day in counted.items()]
    return Views(
        rows=rows,
        total=[sum(column) for column in zip(*(views for _day, views in rows), strict=True)],
        kinds=[str(label) for label in Viewer.labels],
    )


def _current(texts: dict[int | None, Text]) -> Text | None:
    return next((text for text in texts.values() if text.is_current), None)


def _is_shown(letter: ProgramLetter, text: Text | None) -> bool:
    is_published = text is not None and text.status == TemplateStatus.PUBLISHED
    return is_published and letter.state == LetterState.ACTIVE


def _seen_by(letter: ProgramLetter, text: Text | None, current: Text | None) -> str:
    """Who sees what, and what changes that."""
    if letter.state == LetterState.PENDING:
        return _("Nobody but staff knows of it before it is released.")
    if letter.state == LetterState.SUSPENDED:
        return _("Whoever opens or verifies it reads that it is not valid at the moment.")
    if letter.state == LetterState.REVOKED:
        return _("Whoever opens or verifies it reads that it was withdrawn.")
    if _is_shown(letter, text):
        return _("Whoever has its address can open and verify it.")
    hidden = _("Its holder reads that it is being prepared; to everybody else it does not exist.")
    if current:
        return f"{hidden} " + _("Bring it up to date, and it is shown with the present text.")
    return f"{hidden} " + _("It is shown as soon as a text of the program is published.")


def _obstacle(letter: ProgramLetter, *, is_same: bool) -> str:
    if letter.state == LetterState.REVOKED:
        return _("A revoked letter stays as it is.")
    if not letter.user.full_name.strip():
        return _("The learner has no name.")
    return _("Name and text are up to date.") if is_same else ""


def _address(page: str, pk: int) -> str:
    return reverse(f"admin:letters_programletter_{page}", args=[pk])

"""Letters: how each stands and why, and what a person may decide about it."""

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import ChoiceField, SplitDateTimeField
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import DayRangeFilter, decided_by, person
from credentials_portal.core.downloads import csv_download
from credentials_portal.core.errors import DomainError
from letters import selectors, services
from letters.admin.appearance import AppearancePages
from letters.admin.decisions import REINSTATE, REVOKE, Decision, decide, prospects, tell
from letters.admin.downloads import LETTER_COLUMNS, letter_rows
from letters.admin.viewing import parse_seen, seen
from letters.admin.words import (
    STATE_COLOURS,
    CheckRow,
    next_action,
    timeline,
)
from letters.documents import day_of
from letters.enums import (
    CHECK_WORDS,
    REASONS,
    UNWAIVABLE_CHECKS,
    USER_RETIRED,
    LetterState,
    describe_cause,
    describe_check,
    describe_reason,
)
from letters.models import LetterRevalidation, LetterWaiver, ProgramLetter
from letters.selectors import Judgement
from programs.selectors import titles_of_elective_sets


class ReasonFilter(admin.SimpleListFilter):
    """Why letters are in their state, by kinds: of single courses there may be thousands."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            *((code, str(words)) for code, words in REASONS.items()),
            *((kind, str(words).format(subject="…")) for kind, words in CHECK_WORDS.items()),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ProgramLetter]
    ) -> QuerySet[ProgramLetter]:
        kind = self.value()
        if not kind:
            return queryset
        return queryset.filter(Q(state_reason=kind) | Q(state_reason__startswith=f"{kind}:"))


class WaiverForm(ReasonForm):
    code = ChoiceField(label=_("Check"), widget=UnfoldAdminSelectWidget)
    expires_at = SplitDateTimeField(
        label=_("Until"),
        help_text=_("Empty: for good."),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    field_order = ("code", "reason", "expires_at")

    def __init__(self, *args: Any, checks: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        """`checks` are the codes to choose from, with their words."""
        super().__init__(*args, **kwargs)
        self.fields["code"].choices = list(checks)  # type: ignore[attr-defined]  # a ChoiceField

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise ValidationError(_("This is past: a waiver ends later than it begins."))
        return expires_at


@admin.register(ProgramLetter)
class ProgramLetterAdmin(AppearancePages):
    change_form_template = "admin/letters/letter.html"
    list_before_template = "admin/letters/download_button.html"
    list_display = ("identity", "standing", "program", "holder", "dated", "reason")
    list_display_links = ("identity",)
    list_select_related = ("program", "user")
    list_filter: ClassVar = (
        "state",
        ("program", AutocompleteSelectFilter),
        ReasonFilter,
        "issued_via",
        ("issued_at", DayRangeFilter),
    )
    search_fields = ("uuid",)
    search_help_text = _("The letter's whole uuid, or the learner's username or e-mail address.")
    sortable_by = ("dated",)
    empty_words = _(
        "Letters appear when learners complete programs, and when letters are moved in from elsewhere."
    )
    actions = ("revoke_chosen", "reinstate_chosen")
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("uuid", ("user", "program"), "recipient_name"),
                    *(("state", "version"), ("state_changed_at", "state_changed_by")),
                    *("state_reason", "state_note"),
                    *(("issued_at", "issued_via"), ("issued_by", "issue_run")),
                    *(("requirements_version", "ruleset_version"), "evidence"),
                    *(("content_revision", "first_visible_at"), ("created", "modified")),
                    *(("revoked_at", "revoked_by"), "revocation_reason"),
                    ("reinstated_at", "reinstated_by"),
                ),
            },
        ),
    )

    @admin.display(description=_("letter id"))
    def identity(self, letter: ProgramLetter) -> str:
        return str(letter.uuid)

    @admin.display(description=_("holder"))
    def holder(self, letter: ProgramLetter) -> str:
        name, login = letter.recipient_name, str(letter.user)
        return f"{name} ({login})" if name else login

    @admin.display(description=_("dated"), ordering="issued_at", empty_value="—")
    def dated(self, letter: ProgramLetter) -> date | None:
        """The day that the letter prints."""
        return letter.issued_at and day_of(letter.issued_at)

    @display(description=_("state"), label=STATE_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, letter: ProgramLetter) -> tuple[str, str]:
        return letter.state, letter.get_state_display()

    @admin.display(description=_("reason"))
    def reason(self, letter: ProgramLetter) -> str:
        return describe_reason(letter.state_reason)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm(REVOKE.permission)

    def has_reinstate_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm(REINSTATE.permission)

    @admin.action(description=_("Revoke…"), permissions=["revoke"])
    def revoke_chosen(self, request: HttpRequest, _queryset: Any) -> HttpResponse:
        return self._ask_about_chosen(request, REVOKE)

    @admin.action(description=_("Reinstate…"), permissions=["reinstate"])
    def reinstate_chosen(self, request: HttpRequest, _queryset: Any) -> HttpResponse:
        return self._ask_about_chosen(request, REINSTATE)

    def _ask_about_chosen(self, request: HttpRequest, decision: Decision) -> HttpResponse:
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)[: self.list_per_page]
        return redirect(_address_of(decision, *chosen))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        deciding = [
            path(
                f"{decision.name}/",
                view(self.decision_view),
                {"decision": decision},
                name=f"letters_programletter_{decision.name}",
            )
            for decision in (REVOKE, REINSTATE)
        ]
        waive = path("<int:pk>/waive/", view(self.waiver_view), name="letters_programletter_waive")
        download = path(
            "download/", view(self.download_view), name="letters_programletter_download"
        )
        return [*deciding, waive, download, *super().get_urls()]

    def download_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list as CSV, searched and filtered as the address says."""
        self.require(request, "letters.view_programletter")
        try:
            letters = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return _back_to()
        return csv_download("letters.csv", LETTER_COLUMNS, letter_rows(letters))

    def overview(self, request: HttpRequest, letter: ProgramLetter) -> dict[str, Any]:
        at = timezone.now()
        judgement = selectors.judge_letter(letter, at=at)
        queued = (
            LetterRevalidation.objects.filter(user=letter.user_id, program=letter.program_id)
            .select_related("held_by")
            .first()
        )
        waivers = LetterWaiver.objects.in_force(at).filter(
            user=letter.user_id, program=letter.program_id
        )
        waivable = _waivable(letter, judgement)
        titles = titles_of_elective_sets([letter.program_id])[letter.program_id]
        return {
            "title": _("Letter"),
            "colour": STATE_COLOURS[LetterState(letter.state)],
            "reason": describe_reason(letter.state_reason, titles),
            "dated": letter.issued_at and day_of(letter.issued_at),
            "failing": "; ".join(describe_check(code, titles) for code in judgement.failed_checks),
            "next_action": next_action(letter, judgement, queued),
            "checks": [
                CheckRow.of(check, is_waivable=check.code in waivable, titles=titles)
                for check in judgement.checks
            ],
            "timeline": timeline(
                letter, list(letter.events.select_related("actor", "run")), titles
            ),
            "waivers": [
                (waiver, describe_check(waiver.code, titles))
                for waiver in waivers.select_related("granted_by").order_by("pk")
            ],
            "queued": queued,
            "queued_by": queued and describe_cause(queued.cause),
            "decisions": [
                (decision, _address_of(decision, str(letter.pk)))
                for decision in (REVOKE, REINSTATE)
                if decision.applies_to(letter) and person(request).has_perm(decision.permission)
            ],
            "may_waive": bool(waivable) and person(request).has_perm("letters.waive_letter_check"),
            "may_withdraw": person(request).has_perm("letters.waive_letter_check"),
            **self.appearance(request, letter),
        }

    def decision_view(self, request: HttpRequest, decision: Decision) -> HttpResponse:
        """Show what a decision does to which letters; with a reason, do it."""
        self.require(request, decision.permission)
        asked = request.method == "POST"
        form = decision.form(request.POST if asked else None)
        versions: dict[int, int | None] = {**parse_seen(request.POST.getlist("seen"))}
        if asked and versions and form.is_valid():
            choices = {**form.cleaned_data}
            by = decided_by(request, at=timezone.now(), reason=choices.pop("reason"))
            seen_versions = parse_seen(request.POST.getlist("seen"))
            decide(request, decision, seen_versions, by=by, choices=choices)
            return _back_to(*versions)
        if not asked:
            versions = {int(pk): None for pk in request.GET.getlist("letter") if _is_key(pk)}
        found = prospects(decision, versions, at=timezone.now())
        if not found:
            self.message_user(request, _("Choose letters first."), messages.WARNING)
            return _back_to()
        return self.page(
            request,
            "admin/letters/decide.html",
            title=decision.title,
            button=decision.title,
            decision=decision,
            form=form,
            prospects=found,
            is_possible=any(prospect.is_possible for prospect in found),
            back=_address(*versions),
        )

    def waiver_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what waiving a check of this letter means; with check and reason, do it."""
        self.require(request, "letters.waive_letter_check")
        letter = get_object_or_404(ProgramLetter.objects.select_related("program", "user"), pk=pk)
        at = timezone.now()
        codes = _waivable(letter, selectors.judge_letter(letter, at=at))
        titles = titles_of_elective_sets([letter.program_id])[letter.program_id]
        asked = request.method == "POST"
        form = WaiverForm(
            request.POST if asked else None,
            checks=[(code, capfirst(describe_check(code, titles))) for code in codes],
            initial={"code": request.GET.get("code")},
        )
        if asked and form.is_valid():
            self._waive(request, letter, form.cleaned_data)
            return _back_to(letter.pk)
        return self.page(
            request,
            "admin/letters/waive.html",
            title=_("Waive a check"),
            button=_("Waive the check"),
            letter=letter,
            form=form,
            codes=codes,
            is_possible=bool(codes),
            back=_address(letter.pk),
            seen=request.POST.get("seen") or seen(letter.pk, letter.version),
        )

    def _waive(self, request: HttpRequest, letter: ProgramLetter, given: dict[str, Any]) -> None:
        version = parse_seen([request.POST.get("seen", "")]).get(letter.pk, 0)
        try:
            with transaction.atomic():
                services.lock_seen_letter(letter_uuid=letter.uuid, seen_version=version)
                services.waive_check(
                    user=letter.user,
                    program_id=letter.program_id,
                    code=given["code"],
                    by=decided_by(request, at=timezone.now(), reason=given["reason"]),
                    expires_at=given["expires_at"],
                )
        except DomainError as refusal:
            self.message_user(request, tell(refusal), messages.ERROR)
        else:
            told = _("The check is waived, and the letter is queued to be looked at again.")
            self.message_user(request, told, messages.SUCCESS)


def _waivable(letter: ProgramLetter, judgement: Judgement) -> list[str]:
    """The checks that fail and that a person may waive."""
    if letter.state_reason == USER_RETIRED:
        return []
    return [code for code in judgement.failed_checks if code not in UNWAIVABLE_CHECKS]


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _address_of(decision: Decision, *letters: str) -> str:
    query = urlencode([("letter", pk) for pk in letters])
    return f"{reverse(f'admin:letters_programletter_{decision.name}')}?{query}"


def _address(*letter_ids: int) -> str:
    """The page of one letter; for several, or none, the list."""
    if len(letter_ids) == 1:
        return reverse("admin:letters_programletter_change", args=letter_ids)
    return reverse("admin:letters_programletter_changelist")


def _back_to(*letter_ids: int) -> HttpResponse:
    return redirect(_address(*letter_ids))

"""Plans and held runs, the queue behind them, and what a program sets about its letters."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import save_with_history
from letters import services
from letters.admin.viewing import DayRangeFilter, ExactSearch, decided_by, person
from letters.enums import LetterAction, LetterState, RunKind, RunStatus, describe_check
from letters.models import (
    LetterRevalidation,
    LetterValidationRun,
    ProgramLetterConfiguration,
)

RESULTS_PER_PAGE = 50
STATUS_COLOURS = {
    RunStatus.RUNNING: "info",
    RunStatus.ABORTED: "danger",
    RunStatus.DONE: "success",
    RunStatus.APPLYING: "warning",
}
WORDS_OF_OUTCOMES = {
    **{action.value: action.label for action in LetterAction},
    "pending": _("created pending"),
    "unchanged": _("left as they are: their checks say so"),
}


@admin.register(LetterValidationRun)
class LetterValidationRunAdmin(ExactSearch):
    change_form_template = "admin/letters/run.html"
    list_display = ("uuid", "kind", "standing", "started_at", "requested_by", "judged", "invalid")
    list_select_related = ("requested_by",)
    list_filter: ClassVar = ("kind", "status", ("started_at", DayRangeFilter))
    search_fields = ("uuid",)
    search_help_text = _("The run's whole uuid.")
    sortable_by = ()
    fieldsets: ClassVar = (
        (
            None,
            {
                "fields": (
                    *(("started_at", "finished_at"), ("as_of", "requested_by")),
                    *("scope", "against", "ruleset_version", "approved_by", "approval_reason"),
                )
            },
        ),
    )

    @display(description=_("status"), label=STATUS_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, run: LetterValidationRun) -> tuple[str, str]:
        return run.status, run.get_status_display()

    @admin.display(description=_("letters judged"))
    def judged(self, run: LetterValidationRun) -> Any:
        return run.counters.get("total")

    @admin.display(description=_("of them invalid"))
    def invalid(self, run: LetterValidationRun) -> Any:
        return run.counters.get("invalid")

    def get_urls(self) -> list[URLPattern]:
        release = path(
            "<int:pk>/release/",
            self.admin_site.admin_view(self.release_view),
            name="letters_lettervalidationrun_release",
        )
        return [release, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        context = extra_context or {}
        # Where there is nothing to see, Django knows what to answer.
        if run and self.has_view_permission(request, run):
            context |= self._overview(request, run)
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _overview(self, request: HttpRequest, run: LetterValidationRun) -> dict[str, Any]:
        reasons = run.counters.get("reasons", {})
        check = request.GET.get("check", "")
        results = run.results.select_related("letter__program", "letter__user")
        if check:
            results = results.filter(failed_checks__contains=[check])
        page = Paginator(results.order_by("letter_id"), RESULTS_PER_PAGE).get_page(
            request.GET.get("page")
        )
        pending, held = _held(run)
        return {
            "title": run.get_kind_display(),
            "counts": {name: n for name, n in run.counters.items() if name != "reasons"},
            "reasons": [(code, describe_check(code), n) for code, n in reasons.items()],
            "check": check,
            "page": page,
            "results": [
                (result, [describe_check(code) for code in result.failed_checks])
                for result in page.object_list
            ],
            "done": [
                (LetterAction(action).label, count)
                for action, count in run.events.order_by("action")
                .values_list("action")
                .annotate(Count("pk"))
            ],
            "pending": pending,
            "held": held,
            "is_plan": run.kind == RunKind.PLAN,
            "can_be_applied": run.status in {RunStatus.DONE, RunStatus.APPLYING},
            "may_release": bool(pending or held)
            and person(request).has_perm("letters.release_letters"),
        }

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what releasing a run does to how many letters; with a reason, do it."""
        self.require(request, "letters.release_letters")
        run = get_object_or_404(LetterValidationRun, pk=pk)
        page_of_run = reverse("admin:letters_lettervalidationrun_change", args=[pk])
        back = redirect(page_of_run)
        asked = request.method == "POST"
        form = ReasonForm(request.POST if asked else None)
        at = timezone.now()
        try:
            if asked and form.is_valid():
                by = decided_by(request, at=at, reason=form.cleaned_data["reason"])
                outcomes = services.release_run(run=run, by=by)
                self.message_user(request, _told(outcomes), messages.SUCCESS)
                return back
            outcomes = services.preview_release(run, by=decided_by(request, at=at))
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return back
        if not outcomes:
            self.message_user(request, _("This run holds nothing."), messages.WARNING)
            return back
        return self.page(
            request,
            "admin/letters/release.html",
            title=_("Release what this run holds"),
            button=_("Release"),
            is_possible=True,
            back=page_of_run,
            run=run,
            form=form,
            outcomes=[(WORDS_OF_OUTCOMES[outcome], n) for outcome, n in outcomes.most_common()],
        )


def _held(run: LetterValidationRun) -> tuple[int, int]:
    """How many letters a run keeps pending, and how many changes it holds back."""
    pending = run.issued_letters.filter(state=LetterState.PENDING).count()
    return pending, run.held_revalidations.count()


def _told(outcomes: dict[str, int]) -> str:
    counts = [f"{WORDS_OF_OUTCOMES[outcome]}: {count}" for outcome, count in outcomes.items()]
    return "; ".join(counts) or str(_("This run held nothing any more."))


class WaitingFilter(admin.SimpleListFilter):
    title = _("waits for")
    parameter_name = "waits_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("turn", _("its turn: due now")),
            ("grace", _("the end of its grace, or another try")),
            ("release", _("release by staff")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[LetterRevalidation]
    ) -> QuerySet[LetterRevalidation]:
        match self.value():
            case "turn":
                return queryset.filter(due_at__lte=timezone.now())
            case "grace":
                return queryset.filter(due_at__gt=timezone.now())
            case "release":
                return queryset.exclude(held_by=None)
        return queryset


@admin.register(LetterRevalidation)
class LetterRevalidationAdmin(ExactSearch):
    list_display = ("user", "program", "cause", "opened_at", "due_at", "held_by", "attempts")
    list_select_related = ("user", "program", "held_by")
    list_filter: ClassVar = (WaitingFilter, ("program", AutocompleteSelectFilter))
    search_fields = ("user",)
    search_help_text = _("The learner's whole username or e-mail address.")
    sortable_by = ("due_at",)


class ConfigurationForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Kept in the history; name no person."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget,
    )

    class Meta:
        model = ProgramLetterConfiguration
        fields = ("program", "breaker_limit")


@admin.register(ProgramLetterConfiguration)
class ProgramLetterConfigurationAdmin(SimpleHistoryAdmin, ModelAdmin):
    form = ConfigurationForm
    fields = ("program", "breaker_limit", "reason")
    autocomplete_fields = ("program",)
    list_display = ("program", "breaker_limit", "modified")
    list_select_related = ("program",)
    list_filter: ClassVar = (("program", AutocompleteSelectFilter),)
    list_filter_submit = True
    show_full_result_count = False
    ordering = ("program__title", "pk")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("program",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def save_model(
        self, request: HttpRequest, obj: ProgramLetterConfiguration, form: Any, change: bool
    ) -> None:
        by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
        save_with_history(obj, by=by)

"""Runs over letters, the queue behind them, and what a program sets about its letters."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from credentials_portal.core.admin_pages import DayRangeFilter, decided_by
from credentials_portal.core.history import save_with_history
from letters.admin.plans import PlanPages
from letters.admin.releases import ReleasePages
from letters.admin.story import story
from letters.admin.viewing import ExactSearch
from letters.enums import RunKind, RunStatus
from letters.models import (
    LetterRevalidation,
    LetterValidationRun,
    ProgramLetterConfiguration,
)

STATUS_COLOURS = {
    RunStatus.RUNNING: "info",
    RunStatus.ABORTED: "danger",
    RunStatus.DONE: "success",
    RunStatus.APPLYING: "warning",
}


@admin.register(LetterValidationRun)
class LetterValidationRunAdmin(PlanPages, ReleasePages):
    change_form_template = "admin/letters/run.html"
    empty_words = _(
        "Validation plans, and runs that a breaker stopped. Make a plan to have letters judged: it changes none of them."
    )
    list_before_template = "admin/letters/plan_button.html"
    list_display = ("uuid", "kind", "standing", "started_at", "requested_by", "judged", "invalid")
    list_select_related = ("requested_by",)
    list_filter: ClassVar = ("kind", "status", ("started_at", DayRangeFilter))
    search_fields = ("uuid",)
    search_help_text = _("The run's whole uuid.")
    sortable_by = ()
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *(("started_at", "finished_at"), ("as_of", "requested_by")),
                    *("scope", "against", "ruleset_version", "approved_by", "approval_reason"),
                ),
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

    def overview(self, request: HttpRequest, run: LetterValidationRun) -> dict[str, Any]:
        is_plan = run.kind == RunKind.PLAN
        return {
            "title": run.get_kind_display(),
            "story": story(run),
            "is_plan": is_plan,
            **(self.plan_review(request, run) if is_plan else self.what_waits(request, run)),
        }


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
    empty_words = _(
        "Letters are queued here by themselves when a grade, a certificate or a program's requirements change, and leave when they have been looked at."
    )
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
        fields = ("program", "breaker_limit", "mail_on_issue")


@admin.register(ProgramLetterConfiguration)
class ProgramLetterConfigurationAdmin(SimpleHistoryAdmin, ModelAdmin):
    form = ConfigurationForm
    fields = ("program", "breaker_limit", "mail_on_issue", "reason")
    autocomplete_fields = ("program",)
    list_display = ("program", "breaker_limit", "mail_on_issue", "modified")
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

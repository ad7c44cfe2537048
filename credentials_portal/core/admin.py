from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from credentials_portal.core import outbox
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.models import JobRun, OutboxBreaker, OutboxHold, OutboxMessage
from credentials_portal.core.outbox.kinds import registered

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # not generic at run time
    """Counts no further than anybody pages: the table may hold millions."""

    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Any]", self.object_list)[:10_000].count()


class OutboxKindFilter(admin.SimpleListFilter):
    """The kinds from the code: to look them up in the table would read all of it."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in sorted(registered)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[OutboxMessage]
    ) -> QuerySet[OutboxMessage]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("What you found out. Kept in the history; name no person."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
    )


def ask_for_reason(
    model_admin: "admin.ModelAdmin[Any]",
    request: HttpRequest,
    chosen: QuerySet[Any],
    form: ReasonForm,
    *,
    template: str,
    title: object,
    consequence: object,
) -> HttpResponse:
    """The page between an action and its doing: what happens to which rows, and why, please."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "form": form,
        "chosen": chosen.order_by("pk"),
        "action": request.POST["action"],
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "consequence": consequence,
    }
    return TemplateResponse(request, template, context)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ModelAdmin):
    list_display = ("dedupe_key", "status", "reason", "attempts", "due_at", "created_at")
    list_filter: ClassVar = (OutboxKindFilter, "status")
    search_fields = ("dedupe_key__exact", "key__exact")
    search_help_text = _("The whole cause or the whole ordering key.")
    empty_words = _(
        "What leaves the portal, as mail does, is written here first, and then delivered."
    )
    ordering = ("-pk",)
    paginator = CappedPaginator
    show_full_result_count = False
    actions = ("try_again", "mark_as_done", "give_up")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.settle_outboxmessage")

    @admin.action(description=_("Try again"), permissions=["settle"])
    def try_again(
        self, request: HttpRequest, queryset: QuerySet[OutboxMessage]
    ) -> HttpResponse | None:
        return self._settle(request, queryset, outbox.Verdict.TRY_AGAIN)

    @admin.action(description=_("Mark as done"), permissions=["settle"])
    def mark_as_done(
        self, request: HttpRequest, queryset: QuerySet[OutboxMessage]
    ) -> HttpResponse | None:
        return self._settle(request, queryset, outbox.Verdict.MARK_DONE)

    @admin.action(description=_("Give up"), permissions=["settle"])
    def give_up(
        self, request: HttpRequest, queryset: QuerySet[OutboxMessage]
    ) -> HttpResponse | None:
        return self._settle(request, queryset, outbox.Verdict.GIVE_UP)

    def _settle(
        self,
        request: HttpRequest,
        queryset: QuerySet[OutboxMessage],
        verdict: outbox.Verdict,
    ) -> HttpResponse | None:
        """Ask for the reason, then settle the chosen messages, all or none."""
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return ask_for_reason(
                self,
                request,
                queryset,
                form,
                template="core/settle_outbox.html",
                title=verdict.label,
                consequence=CONSEQUENCES[verdict],
            )
        chosen = list(queryset.values_list("pk", flat=True))
        try:
            outbox.settle(
                chosen,
                verdict=verdict,
                actor=cast("User", request.user),
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
            )
        except ConflictError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
        else:
            self.message_user(request, _("Settled: %d") % len(chosen), messages.SUCCESS)
        return None


CONSEQUENCES = {
    outbox.Verdict.TRY_AGAIN: _(
        "These messages are delivered again. If the remote system has one already, it may get it "
        "twice: look there first."
    ),
    outbox.Verdict.MARK_DONE: _(
        "These messages count as delivered, with all that follows from it. Nothing is sent."
    ),
    outbox.Verdict.GIVE_UP: _(
        "These messages count as refused, with all that follows from it. Nothing is sent."
    ),
}


@admin.register(OutboxHold)
class OutboxHoldAdmin(ModelAdmin):
    """Adding a hold stops delivery; deleting it lets it go on."""

    empty_words = _("Delivery is not on hold. Adding a hold stops it, of one kind or of all.")
    list_display = ("__str__", "reason", "held_at")
    fields = ("kind", "reason")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A choice of kinds: a misspelled hold would stop nothing, in silence."""
        if db_field.name != "kind":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return forms.ChoiceField(
            label=db_field.verbose_name,
            choices=[("", _("everything")), *((name, name) for name in sorted(registered))],
            required=False,
            widget=UnfoldAdminSelectWidget,
        )

    def save_model(self, request: HttpRequest, obj: OutboxHold, form: Any, change: bool) -> None:
        obj.held_at = timezone.now()
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(OutboxBreaker)
class OutboxBreakerAdmin(ModelAdmin):
    list_display = ("kind", "scope", "failures", "open_until")
    empty_words = _(
        "When what messages are sent to does not answer, a breaker stops sending for a while."
    )
    list_filter: ClassVar = (OutboxKindFilter,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(JobRun)
class JobRunAdmin(ModelAdmin):
    list_display = ("name", "outcome", "started_at", "ended_at", "actor", "system_user")
    empty_words = _("Each run of a job or an operator's command is kept here. None has run yet.")
    list_filter = ("outcome",)
    list_select_related = ("actor",)
    search_fields = ("name",)
    ordering = ("-pk",)
    paginator = CappedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

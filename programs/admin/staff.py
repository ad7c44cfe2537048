"""What the pages of this app share: who did it, why, and how rows are found."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from credentials_portal.accounts.models import User
from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.history import (
    Attribution,
    delete_with_history,
    save_with_history,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


def by_staff(request: HttpRequest, reason: str = "") -> Attribution:
    return Attribution(
        at=timezone.now(), actor=cast("User", request.user), reason=reason, cause="admin"
    )


def reason_field() -> forms.CharField:
    return forms.CharField(
        label=_("Reason"),
        help_text=_("Kept in the history with your name."),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class ReasonForm(forms.Form):
    reason = reason_field()


class EditedByStaff(SimpleHistoryAdmin, ModelAdmin):
    """Rows of the catalog: saved with who did it; never deleted, for others refer to them."""

    paginator = CappedPaginator
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        save_with_history(obj, by=by_staff(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if not hasattr(formset.model, "history"):
            super().save_formset(request, form, formset, change)
            return
        by = by_staff(request)
        save_with_history(*formset.save(commit=False), by=by)
        deleted = [row.pk for row in formset.deleted_objects]
        delete_with_history(formset.model, deleted, by=by)


class EarnedByLearners(SimpleHistoryAdmin, ModelAdmin):
    """Rows about learners: many, found by username, e-mail address or a whole key; not edited."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    ordering = ("-pk",)
    # Makes the search box appear; `get_search_results` does the search, on indexes only.
    search_fields = ("user__username",)
    search_help_text = _("A whole username, e-mail address, key of a run or title of a program.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        """The past is shown, not brought back: a new decision with its own reason may be."""
        return True

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        return cast(
            "HttpResponse",
            super().history_form_view(request, object_id, version_id, extra_context),
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        names = {field.name for field in self.opts.get_fields()}
        found = Q(user__in=User.objects.by_login(term).values("pk"))
        if "course_run" in names:
            found |= Q(course_run__key=term)
        if "program" in names:
            found |= Q(program__title=term)
        return queryset.filter(found), False

    def decide(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        change: Callable[[list[Any], Attribution], int],
        *,
        title: "_StrPromise",
        consequence: "_StrPromise",
    ) -> HttpResponse | None:
        """Ask for a reason, showing `rows` and `consequence`; then `change` them, all or none.

        None once it is done, so that the list is shown again.
        """
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            with transaction.atomic():
                changed = change(list(rows), by_staff(request, form.cleaned_data["reason"]))
            self.message_user(request, _("Changed: %d") % changed, messages.SUCCESS)
            return None
        return self.page(
            request,
            "programs/admin/decide.html",
            title=title,
            consequence=consequence,
            form=form,
            rows=rows,
            action=request.POST.get("action", ""),
            action_checkbox_name=ACTION_CHECKBOX_NAME,
        )

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        """A page of the admin about this model."""
        site = self.admin_site.each_context(request)
        own = {"opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**site, **own, **context})

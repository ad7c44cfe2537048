"""What the admin's lists and pages of several apps share."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter

from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.history import Attribution

if TYPE_CHECKING:
    from datetime import datetime

    from credentials_portal.accounts.models import User


class OwnPages(ModelAdmin):
    """Pages of its own beside the list and the form."""

    def require(self, request: HttpRequest, permission: str) -> None:
        """Raise `PermissionDenied` to whoever may not look, or lacks this permission."""
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied

    def overview(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the page of a row tells beside its columns, to whoever may see it."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        context = extra_context or {}
        # Where there is nothing to see, Django knows what to answer.
        if obj and self.has_view_permission(request, obj):
            context |= self.overview(request, obj)
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def page(self, request: HttpRequest, template: str, /, **context: Any) -> HttpResponse:
        """A page of the admin about this model."""
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "media": self.media,
                **context,
            },
        )


class LookedAt(OwnPages):
    """Rows that nobody, superusers included, adds, edits or deletes by hand."""

    change_form_template = "core/looked_at.html"
    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 50
    list_filter_submit = True
    list_disable_select_all = True
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DayRangeFilter(RangeDateFilter):
    """From one day to another, both included, in the reader's zone; what is no day is ignored."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup in (("from", "date__gte"), ("to", "date__lte")):
            with suppress(ValidationError):
                day = forms.DateField(required=False).clean(
                    self.used_parameters.get(f"{self.field_path}_{end}")
                )
                if day:
                    queryset = queryset.filter(**{f"{self.field_path}__{lookup}": day})
        return queryset


def person(request: HttpRequest) -> "User":
    """Who asks; the admin lets in nobody who is not signed in."""
    return cast("User", request.user)


def decided_by(request: HttpRequest, *, at: "datetime", reason: str = "") -> Attribution:
    return Attribution(at=at, actor=person(request), reason=reason, cause="admin")

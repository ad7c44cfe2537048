"""What the lists and pages of this app share."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateFilter

from credentials_portal.accounts.models import User
from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.history import Attribution

if TYPE_CHECKING:
    from datetime import datetime


class LookedAt(ModelAdmin):
    """Rows that nobody, superusers included, adds, edits or deletes by hand."""

    change_form_template = "admin/letters/looked_at.html"
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

    def require(self, request: HttpRequest, permission: str) -> None:
        """Raise `PermissionDenied` to whoever may not look, or lacks this permission."""
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
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


class ExactSearch(LookedAt):
    """Searched by the whole uuid, if there is one, or by a learner's username or e-mail address.

    All of them are indexed; parts of a word would read the whole table.
    """

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q()
        if "user" in self._names():
            found |= Q(user__in=User.objects.by_login(term).values("pk"))
        if "uuid" in self._names():
            with suppress(ValueError):
                found |= Q(uuid=UUID(term))
        return queryset.filter(found) if found else queryset.none(), False

    def _names(self) -> set[str]:
        return {field.name for field in self.opts.get_fields()}


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


def person(request: HttpRequest) -> User:
    """Who asks; the admin lets in nobody who is not signed in."""
    return cast("User", request.user)


def decided_by(request: HttpRequest, *, at: "datetime", reason: str = "") -> Attribution:
    return Attribution(at=at, actor=person(request), reason=reason, cause="admin")


SEEN = re.compile(r"(\d{1,18})\.(\d{1,9})", re.ASCII)


def seen(pk: int, version: int) -> str:
    """How a form says which version of which row its reader saw."""
    return f"{pk}.{version}"


def parse_seen(values: Iterable[str]) -> dict[int, int]:
    """Versions by primary key; what is malformed is left out."""
    matches = filter(None, map(SEEN.fullmatch, values))
    return {int(match[1]): int(match[2]) for match in matches}

"""Requests: how each stands and what happened to it. Staff decide by services, after a page that
tells what follows."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import LookedAt, person
from credentials_portal.core.errors import DomainError
from subsidy_requests.admin import acting
from subsidy_requests.admin.forms import ApproveForm, DeclineForm, RetryForm
from subsidy_requests.admin.reports import ReportPages
from subsidy_requests.admin.words import STATE_COLOURS, next_of_request
from subsidy_requests.enums import GRANTABLE, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.selectors.requests import DETAILS, REVIEW, AnyRequest, story_of
from subsidy_requests.selectors.review import granted_from
from subsidy_requests.selectors.superseded import superseded


class AgeFilter(admin.SimpleListFilter):
    """How long ago the learner asked."""

    title = _("age")
    parameter_name = "older_than"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("7", _("more than a week")), ("30", _("more than 30 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in {"7", "30"}:
            return queryset
        days = timedelta(days=int(str(self.value())))
        return queryset.filter(created__lt=timezone.now() - days)


class RequestAdmin(LookedAt):
    """Each kind of request."""

    change_form_template = "admin/subsidy_requests/request.html"
    list_before_template = "admin/subsidy_requests/reports_button.html"
    search_fields = ("uuid",)
    search_help_text = _("The whole uuid, key of the course, e-mail address or username.")
    sortable_by = ()
    actions = ("approve_chosen", "retry_chosen", "decline_chosen")
    empty_words = _("What learners ask their organizations for stands here.")
    common_fields: ClassVar = (
        *("uuid", ("user", "customer"), ("course_id", "course_title"), "reason"),
        *("state", "state_changed_at", "decision_source", ("reviewer", "reviewed_at")),
        *("decline_reason", ("error_code", "grant_attempts")),
        *(("unlink_requested", "unlink_result"), "digest_sent_at", ("created", "modified")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        requests: QuerySet[Any] = super().get_queryset(request)
        return requests.select_related(*DETAILS[self.model])

    def has_review_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm(REVIEW)

    @display(description=_("state"), label=STATE_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, request: Any) -> tuple[str, str]:
        return request.state, request.get_state_display()

    @admin.display(description=_("asked"))
    def asked(self, request: Any) -> Any:
        return request.created

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Whole words only: the table may hold millions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        people = User.objects.by_login(term).values("pk")
        matches = Q(user__in=people) | Q(course_id=term)
        with suppress(ValueError):
            matches = Q(uuid=UUID(term))
        return queryset.filter(matches), False

    def overview(self, request: HttpRequest, asked: AnyRequest) -> dict[str, Any]:
        is_late = superseded(self.model.objects.filter(pk=asked.pk)).exists()
        return {
            "title": _("Request"),
            "colour": STATE_COLOURS[RequestState(asked.state)],
            "next_action": next_of_request(asked, is_superseded=is_late),
            "story": story_of(asked),
        }

    @admin.action(description=_("Approve…"), permissions=["review"])
    def approve_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = self._of_one_customer(request, queryset.filter(state__in=GRANTABLE))
        if not chosen:
            return None
        pools = acting.pools_for(chosen, at=timezone.now())
        if not pools:
            told = _("The customer has no running plan, or coupon, to grant it from.")
            self.message_user(request, told, messages.ERROR)
            return None
        form = ApproveForm(_posted(request), pools=pools)
        consequence = _(
            "Each learner gets a license, or a code, of what you choose: all of them or nobody."
            " Nobody is enrolled in anything. Who has a license of the plan already keeps it, and"
            " takes no seat."
        )
        if not form.is_valid():
            return self._ask(request, chosen, form, _("Approve requests"), consequence)
        self._do(request, chosen, form, acting.approve, _("Granted: %d"))
        return None

    @admin.action(description=_("Try failed ones again…"), permissions=["review"])
    def retry_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = self._of_one_customer(request, queryset.filter(state=RequestState.ERROR))
        if not chosen:
            return None
        form = RetryForm(_posted(request))
        consequence = _(
            "They are granted from the plan, or coupon, from which it failed. To take another one,"
            " approve them instead."
        )
        if not form.is_valid():
            return self._ask(request, chosen, form, _("Try again"), consequence)
        for some in acting.by_pool(chosen).values():
            of = granted_from(some[0])
            self._do(request, some, form, acting.retry, _("Granted: %d"), of=of)
        return None

    @admin.action(description=_("Decline…"), permissions=["review"])
    def decline_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = self._of_one_customer(request, queryset.filter(state__in=GRANTABLE))
        if not chosen:
            return None
        form = DeclineForm(_posted(request))
        consequence = _(
            "These requests are declined for good. The learners can ask again; what they hold"
            " stays as it is."
        )
        if not form.is_valid():
            return self._ask(request, chosen, form, _("Decline requests"), consequence)
        self._do(request, chosen, form, acting.decline, _("Declined: %d"))
        return None

    def _of_one_customer(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """The chosen requests; none, with a message, where this cannot be."""
        chosen = list(queryset.select_related(*DETAILS[self.model]).order_by("created", "pk"))
        if not chosen:
            told = _("None of the chosen requests is in a state for this.")
            self.message_user(request, told, messages.WARNING)
        elif len({one.customer_id for one in chosen}) > 1:
            told = _("These requests are of several customers: decide on one customer at a time.")
            self.message_user(request, told, messages.ERROR)
            return []
        return chosen

    def _ask(
        self,
        request: HttpRequest,
        chosen: Sequence[AnyRequest],
        form: forms.Form,
        title: object,
        consequence: object,
    ) -> HttpResponse:
        return self.page(
            request,
            "admin/subsidy_requests/decide.html",
            title=title,
            button=title,
            is_possible=True,
            back=reverse(f"admin:subsidy_requests_{self.opts.model_name}_changelist"),
            consequence=consequence,
            customer=chosen[0].customer,
            chosen=chosen,
            action=request.POST["action"],
            action_checkbox_name=ACTION_CHECKBOX_NAME,
            form=form,
        )

    def _do(
        self,
        request: HttpRequest,
        chosen: Sequence[AnyRequest],
        form: forms.Form,
        act: acting.Act,
        told: Any,
        *,
        of: str = "",
    ) -> None:
        """Decide, and tell what came of it, and `of` what; a refusal changes nothing."""

        def tell(words: str, level: int) -> None:
            self.message_user(request, f"{of}: {words}" if of else words, level)

        try:
            done = act(request, chosen, form.cleaned_data)
        except DomainError as refusal:
            tell(refusal.message, messages.ERROR)
            return
        failed = sum(one.state == RequestState.ERROR for one in done)
        tell(told % (len(done) - failed), messages.SUCCESS)
        if failed:
            tell(_("Failed: %d") % failed, messages.ERROR)
        if stayed := acting.still_linked(done):
            tell(_("Not unlinked, see their requests: %d") % stayed, messages.WARNING)


@admin.register(LicenseRequest)
class LicenseRequestAdmin(ReportPages, RequestAdmin):
    list_display = ("uuid", "customer", "user", "course_id", "standing", "asked")
    list_filter: ClassVar = (
        "state",
        AgeFilter,
        ("customer", AutocompleteSelectFilter),
        ("subscription_plan", AutocompleteSelectFilter),
    )
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *RequestAdmin.common_fields,
                    ("subscription_plan", "license", "already_had_license"),
                ),
            },
        ),
    )


@admin.register(CouponCodeRequest)
class CouponCodeRequestAdmin(RequestAdmin):
    """The codes themselves are their learners'."""

    list_display = ("uuid", "customer", "user", "course_id", "standing", "asked")
    list_filter: ClassVar = (
        "state",
        AgeFilter,
        ("customer", AutocompleteSelectFilter),
        ("coupon", AutocompleteSelectFilter),
    )
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {"classes": ("collapse",), "fields": (*RequestAdmin.common_fields, "coupon")},
        ),
    )


def _posted(request: HttpRequest) -> Any:
    return request.POST if "confirmed" in request.POST else None

"""Entitlements: how each stands and why, and what staff may do about it."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.accounts.models import User
from credentials_portal.core.admin_pages import DayRangeFilter, LookedAt, decided_by, person
from credentials_portal.core.errors import DomainError
from entitlements.admin.actions import ACTIONS, SUPPORT, Action
from entitlements.admin.forms import CreationForm
from entitlements.admin.many import ManyForm, Verdict, carry_out, claim, give, try_out
from entitlements.admin.story import story
from entitlements.admin.words import (
    STANDINGS,
    deadlines,
    describe_periods,
    next_action,
    reason,
    since,
)
from entitlements.enums import EntitlementStatus
from entitlements.models import CourseEntitlement
from entitlements.selectors.endings import having_ended
from entitlements.selectors.learners import held_entitlements
from entitlements.selectors.overview import ending_soon
from entitlements.selectors.policies import site_of
from entitlements.services.unenrolling import enrollment_key
from programs.selectors import courses_titled

COURSES_FOUND = 20
UNUSED = (EntitlementStatus.AVAILABLE, EntitlementStatus.LAPSED)
OVER = (EntitlementStatus.SPENT, EntitlementStatus.LAPSED)


class StatusFilter(admin.SimpleListFilter):
    """How they stand now, whether or not a sweep has noted it."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return EntitlementStatus.choices

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CourseEntitlement]
    ) -> QuerySet[CourseEntitlement]:
        value = self.value()
        if value not in EntitlementStatus.values:
            return queryset
        status = EntitlementStatus(value)
        of_use = queryset.filter(enrollment_course_run__isnull=status in UNUSED)
        return having_ended(of_use, has_ended=status in OVER, at=timezone.now())


class EndFilter(admin.SimpleListFilter):
    title = _("end")
    parameter_name = "ends"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("soon", _("unused, and ends within 30 days"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CourseEntitlement]
    ) -> QuerySet[CourseEntitlement]:
        if self.value() != "soon":
            return queryset
        return queryset.filter(pk__in=ending_soon(timezone.now()).values("pk"))


class HeldList(ChangeList):
    """A page of entitlements, judged together."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        entitlements = list(self.result_list)
        held = held_entitlements(entitlements, at=timezone.now())
        for entitlement, one in zip(entitlements, held, strict=True):
            entitlement.held = one
        self.result_list = entitlements


@admin.register(CourseEntitlement)
class CourseEntitlementAdmin(LookedAt):
    change_form_template = "admin/entitlements/entitlement.html"
    list_before_template = "admin/entitlements/list_buttons.html"
    list_display = ("user", "standing", "course", "mode", "order_number", "ends")
    list_select_related = ("user", "policy")
    list_filter: ClassVar = (
        StatusFilter,
        EndFilter,
        ("user", AutocompleteSelectFilter),
        "mode",
        "expired_reason",
        ("created", DayRangeFilter),
    )
    search_fields = ("uuid",)
    search_help_text = _(
        "The learner's whole username or e-mail address, the whole order number or uuid, or the"
        " course's key, uuid or words of its title."
    )
    sortable_by = ()
    empty_words = _("Entitlements come with orders, from staff, or from an import.")
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("uuid", "user", "course_uuid", "mode", "order_number", "refund_locked"),
                    *("policy", "enrollment_course_run", "redeemed_at", "extended_until"),
                    *(("expired_at", "expired_reason"), ("created", "modified")),
                ),
            },
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return HeldList

    @display(description=_("state"), label={c: c for c, _words in STANDINGS.values()})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, entitlement: Any) -> tuple[str, Any]:
        return STANDINGS[entitlement.held.standing]

    @admin.display(description=_("course"))
    def course(self, entitlement: Any) -> str:
        return entitlement.held.course_title or str(entitlement.course_uuid)

    @admin.display(description=_("ends, or ended"))
    def ends(self, entitlement: Any) -> Any:
        return entitlement.held.ends_at

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """On indexes only: the table may hold millions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        users = list(User.objects.by_login(term).values_list("pk", flat=True))
        courses = courses_titled(term, at_most=COURSES_FOUND)
        found = Q(order_number=term) | Q(user__in=users) | Q(course_uuid__in=courses)
        with suppress(ValueError):
            found |= Q(uuid=UUID(term)) | Q(course_uuid=UUID(term))
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        acting = [
            path(
                f"<int:pk>/{action.name}/",
                view(self.action_view),
                {"action": action},
                name=f"entitlements_courseentitlement_{action.name}",
            )
            for action in ACTIONS
        ]
        create = path(
            "create/", view(self.create_view), name="entitlements_courseentitlement_create"
        )
        many = path("many/", view(self.many_view), name="entitlements_courseentitlement_many")
        return [create, many, *acting, *super().get_urls()]

    def overview(self, request: HttpRequest, entitlement: CourseEntitlement) -> dict[str, Any]:
        [held] = held_entitlements([entitlement], at=timezone.now())
        colour, state = STANDINGS[held.standing]
        return {
            "title": _("Entitlement"),
            "held": held,
            "colour": colour,
            "state": state,
            "since": since(held),
            "reason": reason(held),
            "next_action": next_action(held),
            "outbox_key": held.taking
            and enrollment_key(
                user_id=entitlement.user_id, course_run_id=held.taking.course_run_id
            ),
            "deadlines": list(deadlines(held)),
            "periods": describe_periods(entitlement.periods),
            "story": story(entitlement),
            "actions": [
                (action, _address(action.name, entitlement.pk))
                for action in ACTIONS
                if action.is_possible(held) and person(request).has_perm(SUPPORT)
            ],
        }

    def action_view(self, request: HttpRequest, pk: int, action: Action) -> HttpResponse:
        """Show what follows from an action; with a comment, do it."""
        self.require(request, SUPPORT)
        entitlements = CourseEntitlement.objects.select_related("user", "policy")
        entitlement = get_object_or_404(entitlements, pk=pk)
        [held] = held_entitlements([entitlement], at=timezone.now())
        asked = request.method == "POST"
        form = action.form_of(held)(request.POST if asked else None, initial=action.initial)
        if asked and form.is_valid():
            given = {"entitlement_uuid": entitlement.uuid, **form.cleaned_data}
            if self._act(request, action, given):
                return redirect(_address("change", pk))
        return self.page(
            request,
            "admin/entitlements/act.html",
            title=action.title,
            button=action.button,
            action=action,
            held=held,
            state=STANDINGS[held.standing][1],
            consequences=list(action.consequences(held)),
            is_possible=action.is_possible(held),
            back=_address("change", pk),
            form=form,
        )

    def _act(self, request: HttpRequest, action: Action, given: dict[str, Any]) -> bool:
        """Whether it was done; the reader is told what was, or why not."""
        try:
            action.act(by=decided_by(request, at=timezone.now()), **given)
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return False
        self.message_user(request, action.done, messages.SUCCESS)
        return True

    def create_view(self, request: HttpRequest) -> HttpResponse:
        """Give a learner an entitlement, with a comment."""
        self.require(request, SUPPORT)
        asked = request.method == "POST"
        form = CreationForm(request.POST if asked else None)
        if asked and form.is_valid():
            given = {**form.cleaned_data}
            given["site_id"] = site_of(request.get_host())
            by = decided_by(request, at=timezone.now())
            try:
                created = give(by=by, **given)
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                self.message_user(request, _("The entitlement is given."), messages.SUCCESS)
                return redirect(_address("change", created.pk))
        return self.page(
            request,
            "admin/entitlements/create.html",
            title=_("Give an entitlement"),
            button=_("Give it"),
            is_possible=True,
            back=_address("changelist"),
            form=form,
        )

    def many_view(self, request: HttpRequest) -> HttpResponse:
        """Show what would become of each row of a table; once that was seen, do it."""
        self.require(request, SUPPORT)
        form = ManyForm(request.POST or None)
        verdicts: list[Verdict] = []
        is_done = False
        if request.method == "POST" and form.is_valid():
            by = decided_by(request, at=timezone.now())
            is_done = form.is_checked
            if is_done and not claim(form):
                self.message_user(request, _("This was done already."), messages.WARNING)
                return redirect(_address("changelist"))
            do = carry_out if is_done else try_out
            verdicts = do(form, site_id=site_of(request.get_host()), by=by)
            form = form.confirming()
        refused = sum(bool(verdict.refusal) for verdict in verdicts)
        return self.page(
            request,
            "admin/entitlements/many.html",
            title=_("Give or extend many entitlements"),
            button=_("Do it for each row that can be done") if verdicts else _("Check the table"),
            is_possible=not is_done and (not verdicts or refused < len(verdicts)),
            back=_address("changelist"),
            form=form,
            verdicts=verdicts,
            is_done=is_done,
            refused=refused,
            left=len(verdicts) - refused,
        )


def _address(name: str, *args: int) -> str:
    return reverse(f"admin:entitlements_courseentitlement_{name}", args=args)

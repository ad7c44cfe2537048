"""Licenses: how each stands and what happened to it; reminded and revoked by decisions."""

from collections import defaultdict
from contextlib import suppress
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from credentials_portal.accounts.models import User
from credentials_portal.core.admin import ReasonForm, ask_for_reason
from credentials_portal.core.admin_pages import LookedAt, decided_by, person
from credentials_portal.core.errors import DomainError
from licenses import services
from licenses.admin.words import STATUS_COLOURS, next_of_license, story
from licenses.enums import LicenseStatus
from licenses.models import License
from licenses.selectors.access import ASSIGN, REVOKE


@admin.register(License)
class LicenseAdmin(LookedAt):
    change_form_template = "admin/licenses/license.html"
    list_display = ("uuid", "subscription_plan", "standing", "user_email", "assigned_date")
    list_select_related = ("subscription_plan",)
    list_filter: ClassVar = ("status", ("subscription_plan", AutocompleteSelectFilter))
    search_fields = ("uuid",)
    search_help_text = _("The whole uuid, e-mail address, username or activation key.")
    sortable_by = ()
    actions = ("remind_chosen", "revoke_chosen")
    fieldsets: ClassVar = (
        (
            _("All that is kept of it"),
            {
                "classes": ("collapse",),
                "fields": (
                    *("uuid", "subscription_plan", "status", ("user_email", "lms_user_id")),
                    *("activation_key", ("assigned_date", "last_remind_date")),
                    *(("activation_date", "revoked_date"), "renewed_to", "auto_applied"),
                    *("source_request_uuid", ("created", "modified")),
                ),
            },
        ),
    )

    @display(description=_("status"), label=STATUS_COLOURS)  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, license: License) -> tuple[str, str]:
        return license.status, license.get_status_display()

    def has_remind_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm(ASSIGN)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm(REVOKE)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """On indexes only: the table may hold millions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        user = User.objects.by_login(term).first()
        found = License.objects.held_by(
            email=user.email if user else term, lms_user_id=user.lms_user_id if user else None
        )
        matches = Q(pk__in=found.values("pk"))
        with suppress(ValueError):
            matches = Q(uuid=UUID(term)) | Q(activation_key=UUID(term))
        return queryset.filter(matches), False

    def overview(self, _request: HttpRequest, license: License) -> dict[str, Any]:
        return {
            "title": _("License"),
            "colour": STATUS_COLOURS[LicenseStatus(license.status)],
            "next_action": next_of_license(license, timezone.now()),
            "story": story(license),
            "events": list(license.events.order_by("-pk")[:50]),
        }

    @admin.action(description=_("Remind…"), permissions=["remind"])
    def remind_chosen(
        self, request: HttpRequest, queryset: QuerySet[License]
    ) -> HttpResponse | None:
        waiting = queryset.filter(status=LicenseStatus.ASSIGNED)
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            consequence = _(
                "Their learners get a mail with the link that activates the license. Licenses that"
                " do not wait to be activated are left out."
            )
            return self._ask(request, waiting, form, _("Remind learners"), consequence)
        by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
        for plan_uuid, emails in _by_plan(waiting).items():
            try:
                reminded = services.remind(plan_uuid=plan_uuid, emails=emails, by=by)
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                self.message_user(request, _("Reminded: %d") % reminded, messages.SUCCESS)
        return None

    @admin.action(description=_("Revoke…"), permissions=["revoke"])
    def revoke_chosen(
        self, request: HttpRequest, queryset: QuerySet[License]
    ) -> HttpResponse | None:
        held = queryset.filter(pk__in=License.objects.live().values("pk"))
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            consequence = _(
                "Their learners lose these licenses at once, and the courses taken through them. A"
                " free seat takes the place of each. Activated ones count against a plan's limit;"
                " those beyond it are left alone."
            )
            return self._ask(request, held, form, _("Revoke licenses"), consequence)
        by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
        for plan_uuid, emails in _by_plan(held).items():
            try:
                done = services.revoke_licenses(plan_uuid=plan_uuid, emails=emails, by=by)
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
                continue
            if done.successful:
                told = _("Revoked: %d") % len(done.successful)
                self.message_user(request, told, messages.SUCCESS)
            if done.unsuccessful:
                told = _("Not revoked, because of the plan's limit: %d") % len(done.unsuccessful)
                self.message_user(request, told, messages.WARNING)
        return None

    def _ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[License],
        form: ReasonForm,
        title: object,
        consequence: object,
    ) -> HttpResponse | None:
        if not chosen.exists():
            told = _("None of the chosen licenses is in a state for this.")
            self.message_user(request, told, messages.WARNING)
            return None
        return ask_for_reason(
            self,
            request,
            chosen.select_related("subscription_plan"),
            form,
            template="admin/licenses/decide.html",
            title=title,
            consequence=consequence,
        )


def _by_plan(licenses: QuerySet[License]) -> dict[UUID, list[str]]:
    """Addresses by plan, in the order of the rows."""
    found: dict[UUID, list[str]] = defaultdict(list)
    named = licenses.exclude(user_email="").order_by("subscription_plan", "pk")
    for plan_uuid, email in named.values_list("subscription_plan__uuid", "user_email"):
        found[plan_uuid].append(email)
    return found

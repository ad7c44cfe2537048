"""Plans: their terms, how their seats stand, and more seats."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import DayRangeFilter, decided_by, person
from credentials_portal.core.admin_terms import EditedByStaff, ReasonedForm
from credentials_portal.core.errors import DomainError
from licenses import services
from licenses.admin.words import PLAN_STATES, next_of_plan, state_of_plan
from licenses.enums import MAX_LICENSES
from licenses.models import SubscriptionPlan
from licenses.selectors.access import ASSIGN, may_act_for_every
from licenses.selectors.standing import plan_standings

PROVISION = "licenses.change_subscriptionplan"


class PlanForm(ReasonedForm):
    class Meta:
        model = SubscriptionPlan
        fields = "__all__"

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        starts, ends = given.get("start_date"), given.get("expiration_date")
        if starts and ends and starts >= ends:
            self.add_error("expiration_date", _("It ends before it starts."))
        return given


class ProvisionForm(ReasonForm):
    count = forms.IntegerField(
        label=_("How many seats to add"),
        min_value=1,
        max_value=MAX_LICENSES,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    field_order = ("count", "reason")


class StandingFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("current", _("running")),
            ("future", _("starts later")),
            ("ended", _("ended, to be processed")),
            ("processed", _("ended and processed")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SubscriptionPlan]
    ) -> QuerySet[SubscriptionPlan]:
        at = timezone.now()
        match self.value():
            case "current":
                return queryset.filter(start_date__lte=at, expiration_date__gt=at, is_active=True)
            case "future":
                return queryset.filter(start_date__gt=at, is_active=True)
            case "ended":
                return queryset.filter(expiration_date__lte=at, expiration_processed=False)
            case "processed":
                return queryset.filter(expiration_date__lte=at, expiration_processed=True)
        return queryset


@admin.register(SubscriptionPlan)
class SubscriptionPlanAdmin(EditedByStaff):
    form = PlanForm
    change_form_template = "admin/licenses/plan.html"
    list_display = ("title", "customer", "standing", "start_date", "expiration_date")
    list_select_related = ("customer_agreement__customer",)
    list_filter: ClassVar = (
        StandingFilter,
        "is_active",
        "for_internal_use_only",
        ("customer_agreement", AutocompleteSelectFilter),
        ("expiration_date", DayRangeFilter),
    )
    search_fields = ("title", "customer_agreement__customer__name", "uuid__exact")
    autocomplete_fields = ("customer_agreement", "product")
    sortable_by = ("start_date", "expiration_date")
    readonly_fields = ("uuid", "expiration_processed", "num_revocations_applied")
    fieldsets: ClassVar = (
        (None, {"fields": ("customer_agreement", "title", "is_active", "product")}),
        (_("When"), {"fields": ("start_date", "expiration_date", "expiration_processed")}),
        (
            _("Seats"),
            {
                "fields": (
                    *("should_auto_apply_licenses", "is_revocation_cap_enabled"),
                    *("revoke_max_percentage", "num_revocations_applied", "for_internal_use_only"),
                )
            },
        ),
        (
            _("Elsewhere"),
            {"fields": ("uuid", "enterprise_catalog_uuid", "salesforce_opportunity_line_item")},
        ),
        (None, {"fields": ("reason",)}),
    )

    @admin.display(description=_("customer"))
    def customer(self, plan: SubscriptionPlan) -> str:
        return plan.customer_agreement.customer.name

    @display(description=_("state"), label={c: c for c, _words in PLAN_STATES.values()})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, plan: SubscriptionPlan) -> tuple[str, Any]:
        return PLAN_STATES[state_of_plan(plan, timezone.now())]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "customer_agreement") if obj else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionPlan]:
        plans: QuerySet[SubscriptionPlan] = super().get_queryset(request)
        return plans.select_related("customer_agreement__customer", "product__plan_type")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and "expiration_date" in form.changed_data:
            # A plan that was prolonged ends anew.
            obj.expiration_processed = False
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        provision = path(
            "<int:pk>/provision/",
            self.admin_site.admin_view(self.provision_view),
            name="licenses_subscriptionplan_provision",
        )
        return [provision, *super().get_urls()]

    def overview(self, request: HttpRequest, plan: SubscriptionPlan) -> dict[str, Any]:
        [standing] = plan_standings([plan], at=timezone.now())
        colour, words = PLAN_STATES[state_of_plan(plan, standing.at)]
        return {
            "standing": standing,
            "colour": colour,
            "state": words,
            "next_action": next_of_plan(standing),
            "customer": plan.customer_agreement.customer,
            "may_provision": person(request).has_perm(PROVISION),
            "may_assign": may_act_for_every(person(request), ASSIGN),
        }

    def provision_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what more seats mean; with their number and a reason, add them."""
        self.require(request, PROVISION)
        plan = get_object_or_404(self.get_queryset(request), pk=pk)
        [standing] = plan_standings([plan], at=timezone.now())
        missing = (plan.desired_num_licenses or 0) - standing.seats.total
        asked = request.method == "POST"
        form = ProvisionForm(
            request.POST if asked else None, initial={"count": missing if missing > 0 else None}
        )
        back = reverse("admin:licenses_subscriptionplan_change", args=[pk])
        if asked and form.is_valid():
            by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
            try:
                added = services.provision_licenses(
                    plan=plan, count=form.cleaned_data["count"], by=by
                )
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                self.message_user(request, _("Seats added: %d") % added, messages.SUCCESS)
                return redirect(back)
        return self.page(
            request,
            "admin/licenses/provision.html",
            title=_("Provision seats"),
            button=_("Add the seats"),
            is_possible=True,
            back=back,
            plan=plan,
            standing=standing,
            form=form,
        )

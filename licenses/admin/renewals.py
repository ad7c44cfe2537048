"""Renewals: what follows a plan, and carrying its licenses over."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import decided_by, person
from credentials_portal.core.admin_terms import EditedByStaff, ReasonedForm
from credentials_portal.core.errors import DomainError
from licenses import services
from licenses.admin.words import RENEWAL_STATES, state_of_renewal
from licenses.enums import LicenseTypesToCopy
from licenses.models import SubscriptionPlanRenewal
from licenses.selectors.plans import stuck_renewals
from licenses.selectors.standing import plan_standings

PROCESS = "licenses.process_expiry"
TERMS = (
    *("prior_subscription_plan", "renewed_subscription_plan", "renewed_plan_title"),
    *("number_of_licenses", "license_types_to_copy", "disable_auto_apply_licenses"),
    *("effective_date", "renewed_expiration_date", "exempt_from_batch_processing"),
    "salesforce_opportunity_id",
)


class RenewalForm(ReasonedForm):
    class Meta:
        model = SubscriptionPlanRenewal
        fields = TERMS

    def clean(self) -> dict[str, Any]:
        """A renewal follows its plan without overlapping it, and ends after it begins."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        prior = given.get("prior_subscription_plan") or getattr(
            self.instance, "prior_subscription_plan", None
        )
        starts, ends = given.get("effective_date"), given.get("renewed_expiration_date")
        if starts and prior and starts < prior.expiration_date:
            self.add_error("effective_date", _("The plan has not ended by then."))
        if starts and ends and starts >= ends:
            self.add_error("renewed_expiration_date", _("It ends before it takes effect."))
        return given


class StandingFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            ("open", _("not processed")),
            ("stuck", _("stuck")),
            ("processed", _("processed")),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[SubscriptionPlanRenewal]
    ) -> QuerySet[SubscriptionPlanRenewal]:
        match self.value():
            case "open":
                return queryset.filter(processed=False)
            case "stuck":
                return queryset.filter(pk__in=stuck_renewals(timezone.now()).values("pk"))
            case "processed":
                return queryset.filter(processed=True)
        return queryset


@admin.register(SubscriptionPlanRenewal)
class SubscriptionPlanRenewalAdmin(EditedByStaff):
    form = RenewalForm
    fields = (*TERMS, "processed", "processed_datetime", "reason")
    change_form_template = "admin/licenses/renewal.html"
    list_display = ("plan", "standing", "effective_date", "number_of_licenses")
    list_select_related = ("prior_subscription_plan",)
    list_filter: ClassVar = (StandingFilter, "exempt_from_batch_processing")
    search_fields = ("prior_subscription_plan__title", "salesforce_opportunity_id")
    autocomplete_fields = ("prior_subscription_plan", "renewed_subscription_plan")
    ordering = ("-effective_date", "-pk")
    sortable_by = ("effective_date",)

    @admin.display(description=_("plan that is renewed"))
    def plan(self, renewal: SubscriptionPlanRenewal) -> str:
        return renewal.prior_subscription_plan.title

    @display(description=_("state"), label={c: c for c, _words in RENEWAL_STATES.values()})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, renewal: SubscriptionPlanRenewal) -> tuple[str, Any]:
        return RENEWAL_STATES[state_of_renewal(renewal, timezone.now())]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        state = ("processed", "processed_datetime")
        return (*state, "prior_subscription_plan") if obj else state

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_past = obj is not None and obj.processed
        return not is_past and bool(super().has_change_permission(request, obj))

    def get_urls(self) -> list[URLPattern]:
        process = path(
            "<int:pk>/process/",
            self.admin_site.admin_view(self.process_view),
            name="licenses_subscriptionplanrenewal_process",
        )
        return [process, *super().get_urls()]

    def overview(self, request: HttpRequest, renewal: SubscriptionPlanRenewal) -> dict[str, Any]:
        colour, words = RENEWAL_STATES[state_of_renewal(renewal, timezone.now())]
        return {
            "colour": colour,
            "state": words,
            "may_process": not renewal.processed and person(request).has_perm(PROCESS),
        }

    def process_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what processing a renewal does; with a reason, do it now."""
        self.require(request, PROCESS)
        renewals = SubscriptionPlanRenewal.objects.select_related(
            "prior_subscription_plan__customer_agreement__customer",
            "prior_subscription_plan__product__plan_type",
            "renewed_subscription_plan",
        )
        renewal = get_object_or_404(renewals, pk=pk)
        asked = request.method == "POST"
        form = ReasonForm(request.POST if asked else None)
        back = reverse("admin:licenses_subscriptionplanrenewal_change", args=[pk])
        if asked and form.is_valid():
            by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
            try:
                services.process_renewal(renewal_id=pk, by=by)
            except DomainError as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            else:
                self.message_user(request, _("The renewal is processed."), messages.SUCCESS)
            return redirect(back)
        [standing] = plan_standings([renewal.prior_subscription_plan], at=timezone.now())
        copied = {
            LicenseTypesToCopy.ASSIGNED_AND_ACTIVATED: standing.seats.allocated,
            LicenseTypesToCopy.ACTIVATED: standing.seats.activated,
            LicenseTypesToCopy.NOTHING: 0,
        }[LicenseTypesToCopy(renewal.license_types_to_copy)]
        return self.page(
            request,
            "admin/licenses/process_renewal.html",
            title=_("Process a renewal"),
            button=_("Process the renewal"),
            is_possible=not renewal.processed,
            back=back,
            renewal=renewal,
            copied=copied,
            is_too_small=copied > renewal.number_of_licenses,
            form=form,
        )

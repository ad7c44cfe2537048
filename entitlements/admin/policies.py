"""Policies: how long entitlements last. One that is changed is superseded, never rewritten."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.sites.models import Site
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from credentials_portal.core.admin import ReasonForm
from credentials_portal.core.admin_pages import LookedAt, decided_by, person
from credentials_portal.core.counting import Count
from credentials_portal.core.errors import DomainError
from entitlements.admin.words import describe_periods
from entitlements.enums import PolicyMode
from entitlements.models import CourseEntitlementPolicy
from entitlements.rules import DAY, DEFAULT_PERIODS, Periods
from entitlements.services import policies

admin.site.unregister(Site)

ADD = "entitlements.add_courseentitlementpolicy"
CHANGE = "entitlements.change_courseentitlementpolicy"
STATES = {
    "current": ("success", gettext_lazy("in force")),
    "past": ("", gettext_lazy("superseded")),
}


class PeriodsForm(ReasonForm):
    """The periods in whole days, which is how the rule counts."""

    expiration_days = forms.IntegerField(
        label=gettext_lazy("Days to use it"),
        help_text=gettext_lazy("From the day of the sale."),
        min_value=0,
        max_value=policies.MAX_DAYS,
        initial=DEFAULT_PERIODS.expiration.days,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    refund_days = forms.IntegerField(
        label=gettext_lazy("Days to have it refunded"),
        help_text=gettext_lazy("From the day of the sale, through the whole of the last day."),
        min_value=0,
        max_value=policies.MAX_DAYS,
        initial=DEFAULT_PERIODS.refund.days,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    regain_days = forms.IntegerField(
        label=gettext_lazy("Days to change or leave the session"),
        help_text=gettext_lazy("From its start or from joining it, whichever is later."),
        min_value=0,
        max_value=policies.MAX_DAYS,
        initial=DEFAULT_PERIODS.regain.days,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    field_order = ("site", "mode", "expiration_days", "refund_days", "regain_days", "reason")

    @property
    def periods(self) -> Periods:
        names = ("expiration_days", "refund_days", "regain_days")
        return Periods(*(self.cleaned_data[name] * DAY for name in names))


class PolicyForm(PeriodsForm):
    site = forms.ModelChoiceField(
        Site.objects.order_by("domain"),
        label=gettext_lazy("Site"),
        empty_label=gettext_lazy("any site"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    mode = forms.ChoiceField(
        label=gettext_lazy("Mode"),
        choices=[("", gettext_lazy("any mode")), *PolicyMode.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )


@admin.register(CourseEntitlementPolicy)
class CourseEntitlementPolicyAdmin(LookedAt):
    change_form_template = "admin/entitlements/policy.html"
    list_before_template = "admin/entitlements/policy_button.html"
    list_display = ("__str__", "standing", "periods")
    list_select_related = ("site",)
    list_filter: ClassVar = (("superseded_at", admin.EmptyFieldListFilter), "mode")
    sortable_by = ()
    empty_words = gettext_lazy(
        "Without a policy an entitlement lasts 730 days, is refundable for 60, and its session can"
        " be changed for 14."
    )
    fields = ("site", "mode", "superseded_at")

    @display(description=gettext_lazy("state"), label={c: c for c, _words in STATES.values()})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, policy: CourseEntitlementPolicy) -> tuple[str, Any]:
        return _state(policy)

    @admin.display(description=gettext_lazy("periods"))
    def periods(self, policy: CourseEntitlementPolicy) -> str:
        return describe_periods(policy.periods)

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """Those in force first."""
        return (F("superseded_at").desc(nulls_first=True), "pk")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "entitlements_courseentitlementpolicy_{}"
        return [
            path("new/", view(self.new_view), name=name.format("new")),
            path("<int:pk>/supersede/", view(self.supersede_view), name=name.format("supersede")),
            path("<int:pk>/withdraw/", view(self.withdraw_view), name=name.format("withdraw")),
            *super().get_urls(),
        ]

    def overview(self, request: HttpRequest, policy: CourseEntitlementPolicy) -> dict[str, Any]:
        colour, state = _state(policy)
        return {
            "title": _("Entitlement policy"),
            "colour": colour,
            "state": state,
            "periods": describe_periods(policy.periods),
            "in_use": Count.of(policy.entitlements.all()),
            "may_change": not policy.superseded_at and person(request).has_perm(CHANGE),
        }

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """Add a policy for a site, a mode, both or all."""
        self.require(request, ADD)
        form = PolicyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            by = decided_by(request, at=timezone.now(), reason=given["reason"])
            site, mode = given["site"], given["mode"] or None
            added = self._tried(
                request,
                lambda: policies.add_policy(
                    site_id=site and site.pk, mode=mode, periods=form.periods, by=by
                ),
            )
            if added:
                return redirect(_address("change", added.pk))
        return self._page(request, "new_policy", _("Add a policy"), _("Add it"), form)

    def supersede_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put a policy with other periods in the place of this one."""
        self.require(request, CHANGE)
        policy = get_object_or_404(CourseEntitlementPolicy, pk=pk)
        periods = policy.periods
        initial = {
            "expiration_days": periods.expiration.days,
            "refund_days": periods.refund.days,
            "regain_days": periods.regain.days,
        }
        form = PeriodsForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
            changed = self._tried(
                request,
                lambda: policies.change_policy(policy_id=pk, periods=form.periods, by=by),
            )
            if changed:
                return redirect(_address("change", changed.pk))
        title, button = _("Change this policy"), _("Change it")
        return self._page(request, "supersede_policy", title, button, form, policy)

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make no entitlement under this policy any more."""
        self.require(request, CHANGE)
        policy = get_object_or_404(CourseEntitlementPolicy, pk=pk)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
            self._tried(request, lambda: policies.withdraw_policy(policy_id=pk, by=by))
            return redirect(_address("change", pk))
        title, button = _("Withdraw this policy"), _("Withdraw it")
        return self._page(request, "withdraw_policy", title, button, form, policy)

    def _tried(
        self, request: HttpRequest, change: Callable[[], CourseEntitlementPolicy]
    ) -> CourseEntitlementPolicy | None:
        """The policy that came of it; None where it was refused. The reader is told."""
        try:
            policy = change()
        except DomainError as refusal:
            self.message_user(request, refusal.message, messages.ERROR)
            return None
        self.message_user(request, _("The policy is saved."), messages.SUCCESS)
        return policy

    def _page(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        button: str,
        form: forms.Form,
        policy: CourseEntitlementPolicy | None = None,
    ) -> HttpResponse:
        return self.page(
            request,
            f"admin/entitlements/{template}.html",
            title=title,
            button=button,
            form=form,
            policy=policy,
            in_use=policy and Count.of(policy.entitlements.all()),
            is_possible=policy is None or policy.superseded_at is None,
            back=_address("change", policy.pk) if policy else _address("changelist"),
        )


@admin.register(Site)
class SiteAdmin(ModelAdmin):
    """The portal's addresses, for which there may be policies."""

    list_display = ("domain", "name")
    search_fields = ("domain", "name")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _state(policy: CourseEntitlementPolicy) -> tuple[str, Any]:
    return STATES["past" if policy.superseded_at else "current"]


def _address(name: str, *args: int) -> str:
    return reverse(f"admin:entitlements_courseentitlementpolicy_{name}", args=args)

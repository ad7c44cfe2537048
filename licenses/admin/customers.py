"""Customers, their terms, and the people who belong to them."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminEmailInputWidget

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core.admin import ReasonForm, ask_for_reason
from credentials_portal.core.admin_pages import LookedAt, decided_by, person
from credentials_portal.core.admin_terms import EditedByStaff
from licenses import services
from licenses.enums import CustomerRole, LinkStatus
from licenses.models import Customer, CustomerAgreement, CustomerLearner

MESSAGING = (
    *("modal_header_text", "expired_subscription_modal_messaging"),
    *("button_label_in_modal", "url_for_button_in_modal"),
)


@admin.register(Customer)
class CustomerAdmin(EditedByStaff):
    list_display = ("name", "slug", "uuid")
    search_fields = ("name", "slug", "uuid__exact")
    search_help_text = _("Part of the name, or the whole uuid.")
    fields = ("name", "slug", "uuid", "reason")
    readonly_fields = ("uuid",)
    change_form_template = "admin/licenses/customer.html"


@admin.register(CustomerAgreement)
class CustomerAgreementAdmin(EditedByStaff):
    list_display = ("customer", "unlink_expired_enabled", "unlink_after_days", "modified")
    list_select_related = ("customer",)
    list_filter = ("unlink_expired_enabled", "has_custom_license_expiration_messaging")
    search_fields = ("customer__name", "customer__slug", "uuid__exact")
    autocomplete_fields = ("customer",)
    readonly_fields = ("uuid",)
    fieldsets: ClassVar = (
        (None, {"fields": ("customer", "uuid", "default_enterprise_catalog_uuid")}),
        (
            _("When plans end"),
            {
                "fields": (
                    *("unlink_expired_enabled", "unlink_after_days", "unlink_is_relinkable"),
                    "license_duration_before_purge",
                )
            },
        ),
        (
            _("Mails and self-service"),
            {
                "fields": (
                    "disable_onboarding_notifications",
                    "disable_expiration_notifications",
                    "enable_auto_applied_subscriptions_with_universal_link",
                )
            },
        ),
        (
            _("What learners read when a plan has ended: all of it, or nothing"),
            {"fields": ("has_custom_license_expiration_messaging", *MESSAGING)},
        ),
        (None, {"fields": ("reason",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CustomerAgreement]:
        agreements: QuerySet[CustomerAgreement] = super().get_queryset(request)
        return agreements.select_related("customer")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("uuid", "customer") if obj else ("uuid",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class LinkForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Somebody becomes a customer's learner or administrator, by address."""

    user_email = forms.EmailField(label=_("E-mail address"), widget=UnfoldAdminEmailInputWidget)

    class Meta:
        model = CustomerLearner
        fields = ("customer", "user_email", "role")

    def validate_constraints(self) -> None:
        """The services take a link that exists for done."""


@admin.register(CustomerLearner)
class CustomerLearnerAdmin(LookedAt):
    """Links are made and ended, not edited."""

    form = LinkForm
    list_display = ("who", "customer", "role", "standing", "linked_at", "unlinked_at")
    list_select_related = ("user", "customer")
    list_filter: ClassVar = (("customer", AutocompleteSelectFilter), "role", "status")
    search_fields = ("user_email",)
    search_help_text = _("The person's whole username or e-mail address.")
    autocomplete_fields = ("customer",)
    sortable_by = ()
    actions = ("end_links",)

    @admin.display(description=_("person"))
    def who(self, link: CustomerLearner) -> str:
        return str(link.user) if link.user else link.user_email or str(_("retired"))

    @display(description=_("status"), label={"linked": "success", "unlinked": "warning"})  # type: ignore[untyped-decorator]  # unfold has no types
    def standing(self, link: CustomerLearner) -> tuple[str, str]:
        return link.status, link.get_status_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm("licenses.add_customerlearner")

    def has_end_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm("licenses.change_customerlearner")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        given = ("customer", "user_email", "role")
        more = ("user", "status", "is_relinkable", "linked_at", "unlinked_at")
        return (*given, *more) if obj else given

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(user__in=User.objects.by_login(term).values("pk"))
        return queryset.filter(found | Q(user_email=normalise_email(term))), False

    def save_model(
        self, request: HttpRequest, obj: CustomerLearner, form: Any, change: bool
    ) -> None:
        by = decided_by(request, at=timezone.now())
        given = form.cleaned_data
        customer, email = given["customer"], given["user_email"]
        if given["role"] == CustomerRole.ADMIN:
            link = services.appoint_administrator(customer=customer, email=email, by=by)
        else:
            services.link_learners(customer=customer, emails=[email], by=by)
            address = Q(user_email=normalise_email(email)) | Q(
                user__in=User.objects.by_login(normalise_email(email)).values("pk")
            )
            link = customer.learners.filter(address, role=given["role"]).get()
        obj.pk = link.pk

    def log_addition(self, request: HttpRequest, obj: CustomerLearner, message: Any) -> None:
        """The row's own history tells it, and names no address."""

    @admin.action(description=_("End the link…"), permissions=["end"])
    def end_links(
        self, request: HttpRequest, queryset: QuerySet[CustomerLearner]
    ) -> HttpResponse | None:
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        linked = queryset.filter(status=LinkStatus.LINKED)
        if not form.is_valid():
            return ask_for_reason(
                self,
                request,
                linked.select_related("user", "customer"),
                form,
                template="admin/licenses/end_links.html",
                title=_("End links"),
                consequence=_(
                    "These people no longer belong to their customers in the portal: an"
                    " administrator no longer sees the seats. Licenses stay as they are. The LMS"
                    " is not told."
                ),
            )
        by = decided_by(request, at=timezone.now(), reason=form.cleaned_data["reason"])
        ended = services.unlink_learners(queryset, by=by)
        self.message_user(request, _("Ended: %d") % len(ended), messages.SUCCESS)
        return None

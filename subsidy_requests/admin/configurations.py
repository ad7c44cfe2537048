"""What customers offer to those who ask."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.admin_pages import decided_by
from credentials_portal.core.admin_terms import EditedByStaff
from subsidy_requests.admin.forms import ConfigurationForm
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import SubsidyRequestCustomerConfiguration
from subsidy_requests.selectors.review import open_or_failed
from subsidy_requests.services.configuring import change_configuration, open_configuration

SETTINGS = ("subsidy_requests_enabled", "subsidy_type", "shows_contacts")


@admin.register(SubsidyRequestCustomerConfiguration)
class ConfigurationAdmin(EditedByStaff):
    form = ConfigurationForm
    change_form_template = "admin/subsidy_requests/configuration.html"
    list_display = ("customer", "subsidy_requests_enabled", "subsidy_type", "modified")
    list_select_related = ("customer",)
    list_filter = ("subsidy_requests_enabled", "subsidy_type")
    search_fields = ("customer__name", "customer__slug", "customer__uuid__exact")
    autocomplete_fields = ("customer",)
    empty_words = _("A customer's learners can ask once it is said here for what.")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        declining = ("is_decline_meant", "notify") if obj else ()
        return ("customer", *SETTINGS, *declining, "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("customer",) if obj else ()

    def overview(
        self, request: HttpRequest, configuration: SubsidyRequestCustomerConfiguration
    ) -> dict[str, Any]:
        """How many requests a change of the type would decline."""
        offered = configuration.subsidy_type
        customer = configuration.customer
        return {
            "customer": customer,
            "would_decline": open_or_failed(customer, SubsidyType(offered)) if offered else 0,
        }

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = form.cleaned_data
        by = decided_by(request, at=timezone.now(), reason=given["reason"])
        settings: Any = {name: given[name] for name in SETTINGS}
        if change:
            change_configuration(customer=obj.customer, notify=given["notify"], by=by, **settings)
        else:
            obj.pk = open_configuration(customer=obj.customer, by=by, **settings).pk

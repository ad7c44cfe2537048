"""What the portal noted and what it still has to do; looked at only."""

from typing import ClassVar

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from credentials_portal.core.admin_pages import LookedAt
from credentials_portal.core.admin_terms import EditedByStaff
from licenses.models import (
    LearnerUnlink,
    LicenseDowngrade,
    LicenseEvent,
    Notification,
    PlanType,
    Product,
)


class OpenFilter(admin.EmptyFieldListFilter):
    """Whether something is left to do."""


@admin.register(LicenseDowngrade)
class LicenseDowngradeAdmin(LookedAt):
    list_display = ("license", "subscription_plan", "queued_at", "finished_at", "is_given_up")
    list_select_related = ("license", "subscription_plan")
    list_filter: ClassVar = (
        ("finished_at", OpenFilter),
        "is_given_up",
        ("subscription_plan", AutocompleteSelectFilter),
    )
    search_fields = ("license__uuid__exact",)
    search_help_text = _("The license's whole uuid.")
    sortable_by = ()


@admin.register(LearnerUnlink)
class LearnerUnlinkAdmin(LookedAt):
    list_display = ("__str__", "license", "queued_at", "given_up_at")
    list_select_related = ("license",)
    list_filter: ClassVar = (("given_up_at", OpenFilter),)
    search_fields = ("license__uuid__exact",)
    search_help_text = _("The license's whole uuid.")
    sortable_by = ()


@admin.register(LicenseEvent)
class LicenseEventAdmin(LookedAt):
    list_display = ("event_name", "license", "at", "cause")
    list_select_related = ("license",)
    search_fields = ("license__uuid__exact",)
    search_help_text = _("The license's whole uuid.")
    sortable_by = ()


@admin.register(Notification)
class NotificationAdmin(LookedAt):
    list_display = ("notification_type", "customer", "subscription_plan", "last_sent")
    list_select_related = ("customer", "subscription_plan")
    list_filter: ClassVar = ("notification_type", ("customer", AutocompleteSelectFilter))
    sortable_by = ()


@admin.register(Product)
class ProductAdmin(EditedByStaff):
    list_display = ("name", "plan_type", "salesforce_product_id")
    list_select_related = ("plan_type",)
    list_filter = ("plan_type",)
    search_fields = ("name",)
    fields = ("name", "description", "plan_type", "salesforce_product_id", "reason")


@admin.register(PlanType)
class PlanTypeAdmin(LookedAt):
    """They come with the portal; what hangs on them is in the code."""

    list_display = ("label", "is_paid_subscription", "internal_use_only")
    search_fields = ("label",)

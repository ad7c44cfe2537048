"""What is under way and what staff did, across all entitlements; looked at only."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from credentials_portal.core.admin_pages import LookedAt
from entitlements.models import (
    CourseEntitlementRedemption,
    CourseEntitlementSupportDetail,
    EntitlementReview,
)


class OfEntitlement(LookedAt):
    """Found by the entitlement that it is about."""

    search_fields = ("entitlement__uuid__exact",)
    search_help_text = _("The entitlement's whole uuid.")
    sortable_by = ()


@admin.register(CourseEntitlementRedemption)
class CourseEntitlementRedemptionAdmin(OfEntitlement):
    list_display = ("entitlement", "course_run", "status", "refusal", "requested_at", "finished_at")
    list_select_related = ("entitlement", "course_run")
    list_filter = ("status",)
    empty_words = _("Attempts of learners to use an entitlement for a session are kept here.")


@admin.register(CourseEntitlementSupportDetail)
class CourseEntitlementSupportDetailAdmin(OfEntitlement):
    list_display = ("entitlement", "action", "support_user", "unenrolled_run", "created")
    list_select_related = ("entitlement", "support_user", "unenrolled_run")
    list_filter = ("action",)
    empty_words = _("What staff do about entitlements is kept here, with their comments.")


@admin.register(EntitlementReview)
class EntitlementReviewAdmin(LookedAt):
    list_display = ("user", "course_run", "cause", "opened_at")
    list_select_related = ("user", "course_run")
    sortable_by = ()
    search_fields = ("user__username__exact",)
    search_help_text = _("The learner's whole username.")
    empty_words = _("Nothing waits: what certificates and enrollments changed was looked at.")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("opened_at", "pk")

"""Course entitlements: what learners bought and have not, or have, used for a run of a course."""

from entitlements.models.entitlements import (
    CourseEntitlement,
    CourseEntitlementQuerySet,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.models.policies import CourseEntitlementPolicy
from entitlements.models.work import EntitlementReminder, EntitlementReview

__all__ = [
    "CourseEntitlement",
    "CourseEntitlementPolicy",
    "CourseEntitlementQuerySet",
    "CourseEntitlementRedemption",
    "CourseEntitlementRefund",
    "CourseEntitlementSupportDetail",
    "EntitlementReminder",
    "EntitlementReview",
]

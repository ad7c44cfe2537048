"""What the columns of `entitlements` hold about persons."""

from credentials_portal.core.personal import register

register.holds_personal(
    entitlements__CourseEntitlementSupportDetail__comments="emptied, live and in the history",
)
register.holds_nothing_personal(
    entitlements__CourseEntitlement__order_number="an id of the order service",
    entitlements__CourseEntitlementRefund__order_number="an id of the order service",
    entitlements__CourseEntitlementRefund__refusal="a code",
    entitlements__CourseEntitlementRefund__remote_ids="ids of the order service",
    entitlements__CourseEntitlementRedemption__refusal="a code",
    entitlements__EntitlementReview__cause="a name from the code",
    sites__Site__domain="the portal's own",
    sites__Site__name="the portal's own",
)

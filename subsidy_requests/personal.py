"""What the columns of `subsidy_requests` hold about persons."""

from credentials_portal.core.personal import register

OFFERED = "the catalog's words"

register.holds_personal(
    **{
        f"subsidy_requests__{model}__{column}": "emptied, live and in the history"
        for model in ("LicenseRequest", "CouponCodeRequest")
        for column in ("reason", "decline_reason", "idempotency_key")
    }
)
register.holds_nothing_personal(
    **{
        f"subsidy_requests__{model}__{column}": OFFERED
        for model in ("LicenseRequest", "CouponCodeRequest")
        for column in ("course_id", "course_title", "course_partners")
    },
    subsidy_requests__Coupon__title="an organization's words",
    subsidy_requests__CouponCode__code="a secret, nobody's name",
)

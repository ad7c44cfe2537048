"""Writes of `licenses`: the only code that changes seats and links."""

from licenses.services.activation import (
    LearnerUnknownError,
    LicenseNotFoundError,
    LicenseRevokedError,
    NoSeatLeftError,
    NotAutoApplicableError,
    activate_license,
    auto_apply_license,
)
from licenses.services.administrators import appoint_administrator
from licenses.services.customers import CustomerExistsError, open_customer, open_plan
from licenses.services.links import (
    link_learners,
    link_user,
    unlink_learners,
    unlink_without_license,
)
from licenses.services.locking import (
    PlanBusyError,
    PlanInactiveError,
    PlanNotCurrentError,
    PlanNotFoundError,
    lock_usable_plan,
)
from licenses.services.reminding import NoPendingLicenseError, remind
from licenses.services.renewing import (
    RenewalNotFoundError,
    RenewalRefusedError,
    process_renewal,
    require_processable,
)
from licenses.services.retiring import (
    RetiredPage,
    RetirementRule,
    preview_page,
    retire_learner,
    retire_page,
    retirement_pages,
)
from licenses.services.revoking import (
    Refusal,
    Refused,
    RevocationCapEnabledError,
    Revocations,
    Revoked,
    revoke_all,
    revoke_licenses,
)
from licenses.services.seats import (
    Assignment,
    NotEnoughSeatsError,
    TooManySeatsError,
    assign_licenses,
    provision_desired_licenses,
    provision_licenses,
)

__all__ = [
    "Assignment",
    "CustomerExistsError",
    "LearnerUnknownError",
    "LicenseNotFoundError",
    "LicenseRevokedError",
    "NoPendingLicenseError",
    "NoSeatLeftError",
    "NotAutoApplicableError",
    "NotEnoughSeatsError",
    "PlanBusyError",
    "PlanInactiveError",
    "PlanNotCurrentError",
    "PlanNotFoundError",
    "Refusal",
    "Refused",
    "RenewalNotFoundError",
    "RenewalRefusedError",
    "RetiredPage",
    "RetirementRule",
    "RevocationCapEnabledError",
    "Revocations",
    "Revoked",
    "TooManySeatsError",
    "activate_license",
    "appoint_administrator",
    "assign_licenses",
    "auto_apply_license",
    "link_learners",
    "link_user",
    "lock_usable_plan",
    "open_customer",
    "open_plan",
    "preview_page",
    "process_renewal",
    "provision_desired_licenses",
    "provision_licenses",
    "remind",
    "require_processable",
    "retire_learner",
    "retire_page",
    "retirement_pages",
    "revoke_all",
    "revoke_licenses",
    "unlink_learners",
    "unlink_without_license",
]

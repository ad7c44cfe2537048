"""What `licenses` announces. All are sent by its services, inside the transaction, once per set.

Not sent by raw SQL, `QuerySet.update`, a shell or an import.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.dispatch import Signal


@dataclass(frozen=True)
class LicenseFact:
    """A license after a change; nothing personal but the ids.

    `source_request_uuid` names the subsidy request that took the seat, if one did.
    """

    license_id: int
    license_uuid: UUID
    plan_id: int
    customer_id: int
    status: str
    lms_user_id: int | None = None
    source_request_uuid: UUID | None = None
    previous_license_id: int | None = None


@dataclass(frozen=True)
class PlanFact:
    plan_id: int
    plan_uuid: UUID
    customer_id: int
    expiration_date: datetime


@dataclass(frozen=True)
class CustomerLearnerFact:
    customer_learner_id: int
    customer_id: int
    user_id: int | None


license_assigned = Signal()
"""Licenses were assigned to learners, by an administrator or a request. Items: `LicenseFact`."""

license_activated = Signal()
"""Learners activated their licenses, or got activated ones by auto-apply. Items: `LicenseFact`."""

license_revoked = Signal()
"""Licenses were revoked, by an administrator or because their learner left; not when a plan
ended. Items: `LicenseFact`."""

license_renewed = Signal()
"""Licenses were copied into a renewed plan. Items: `LicenseFact` of the new ones, with
`previous_license_id`."""

license_expired = Signal()
"""The plan of live licenses that nothing renewed ended, and was processed. Items: `LicenseFact`."""

subscription_plan_expired = Signal()
"""Plans ended, and everything that follows from it was done. Items: `PlanFact`."""

learner_unlinked = Signal()
"""Learners lost their link to a customer. Items: `CustomerLearnerFact`."""

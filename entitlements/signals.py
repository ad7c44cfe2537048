"""What `entitlements` announces. All are sent by its services, inside the transaction, once per set.

Not sent by an import, by raw SQL or by a shell.
"""

from dataclasses import dataclass
from uuid import UUID

from django.dispatch import Signal


@dataclass(frozen=True)
class EntitlementFact:
    """An entitlement, and what happened to it.

    `course_run_id` is the run that it is used for; of a released or expired one the run that it
    was used for. `reason` is an `ExpiryReason` where one applies.
    """

    entitlement_id: int
    entitlement_uuid: UUID
    user_id: int
    course_uuid: UUID
    mode: str
    course_run_id: int | None = None
    reason: str = ""


entitlement_granted = Signal()
"""Entitlements were created by an order or by staff; not when a replayed order found its own.
Items: `EntitlementFact`."""

entitlement_redeemed = Signal()
"""Entitlements are used for a run now: redeemed, or switched from another run. Items:
`EntitlementFact`."""

entitlement_released = Signal()
"""Learners left the run for which they used an entitlement, which is available again or was
ended. Not when they switched to another run. Items: `EntitlementFact`."""

entitlement_expired = Signal()
"""Entitlements can no longer be used, for `reason`. Items: `EntitlementFact`."""

entitlement_reissued = Signal()
"""Staff made ended entitlements usable again. Items: `EntitlementFact`."""

entitlement_refund_opened = Signal()
"""Refunds were accepted by who pays them. `entitlement_expired` is sent too. Items:
`EntitlementFact`."""

entitlement_refund_failed = Signal()
"""Refunds were refused; the entitlements are as they were. Items: `EntitlementFact`."""

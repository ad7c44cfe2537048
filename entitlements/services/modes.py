"""Another mode for what an order paid for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from credentials_portal.core import outbox
from credentials_portal.core.history import Attribution, update_each_with_history
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import EntitlementMode
from entitlements.models import CourseEntitlement
from entitlements.selectors.judging import Usage
from entitlements.selectors.policies import policy_for
from entitlements.services.locking import lock_entitlement, require_unfrozen
from entitlements.services.redeeming import RESERVE
from entitlements.services.unenrolling import enrollment_key
from programs import services as programs

SET_MODE = "entitlements.set_mode"


@dataclass(frozen=True)
class ModeChange:
    """Whether the entitlement got another mode, and the messages that its enrollment waits for."""

    is_changed: bool
    message_ids: Sequence[int] = ()


@retry_conflicts
@transaction.atomic
def change_mode(
    *,
    course_uuid: UUID,
    order_number: str,
    mode: EntitlementMode,
    by: Attribution,
    updates_enrollment: bool = False,
) -> ModeChange:
    """Give what an order paid for in a course this mode, and the policy that goes with it.

    The policy is that of today, of the site of the former one; with the mode already, nothing
    changes. `updates_enrollment`: the learner's enrollment is to get the mode as well. Raises
    `EntitlementNotFoundError`, `EntitlementFrozenError`.
    """
    judged = lock_entitlement(course_uuid=course_uuid, order_number=order_number, by=by)
    entitlement, usage = judged.entitlement, judged.usage
    require_unfrozen(entitlement)
    is_changed = entitlement.mode != mode
    if is_changed:
        policy = policy_for(mode=mode, site_id=_site_id(entitlement))
        values = {"mode": mode, "policy_id": policy.pk if policy else None}
        update_each_with_history(CourseEntitlement, {entitlement.pk: values}, by=by)
    if not (updates_enrollment and usage and usage.is_active and usage.mode != mode):
        return ModeChange(is_changed)
    return ModeChange(is_changed, _queue_enrollment(entitlement, usage, mode, by=by))


def record_modes(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Store the modes that enrollments got."""
    for message, outcome in deliveries:
        if outcome.status == OutboxStatus.DONE:
            programs.enroll_in_run(
                user_id=message.payload["user"],
                course_run_id=message.payload["course_run"],
                mode=message.payload["mode"],
                by=Attribution(at=at, cause=SET_MODE),
            )


def _site_id(entitlement: CourseEntitlement) -> int:
    site_id = entitlement.policy.site_id if entitlement.policy else None
    default: int = settings.SITE_ID
    return site_id or default


def _queue_enrollment(
    entitlement: CourseEntitlement, usage: Usage, mode: EntitlementMode, *, by: Attribution
) -> list[int]:
    item = outbox.Item(
        # Asked for again after a refusal, it is another message.
        cause=str(uuid4()),
        payload={
            "entitlement": entitlement.pk,
            "user": usage.user_id,
            "course_run": usage.course_run_id,
            "mode": mode,
        },
        key=enrollment_key(user_id=usage.user_id, course_run_id=usage.course_run_id),
    )
    return outbox.enqueue(SET_MODE, [item], at=by.at, reserve=RESERVE)

"""Enrollments that end because their entitlement is used for them no more: told to the LMS later."""

from collections.abc import Sequence
from datetime import datetime

from credentials_portal.core import outbox
from credentials_portal.core.history import Attribution, newest_history_ids
from credentials_portal.core.models.outbox import OutboxStatus
from credentials_portal.core.outbox import Delivery
from entitlements.models import CourseEntitlement
from programs import services as programs

UNENROLL = "entitlements.unenroll"


def enrollment_key(*, user_id: int, course_run_id: int) -> str:
    """The outbox' ordering key of what is done to one learner's enrollment in one run."""
    return f"enrollment:{user_id}:{course_run_id}"


def queue_unenrollment(
    entitlement: CourseEntitlement, *, course_run_id: int, by: Attribution
) -> None:
    """End the learner's enrollment in a run that the entitlement is not used for any more.

    Called after the change that it follows from, under the entitlement's lock. When it leaves,
    it is skipped if the run is taken with an entitlement again, or in a mode that this one never
    had: somebody paid for that elsewhere.
    """
    modes = CourseEntitlement.history.filter(id=entitlement.pk).values_list("mode", flat=True)
    change = newest_history_ids(CourseEntitlement, [entitlement.pk])[entitlement.pk]
    outbox.enqueue(
        UNENROLL,
        [
            outbox.Item(
                cause=f"{change}.{course_run_id}",
                payload={
                    "user": entitlement.user_id,
                    "course_run": course_run_id,
                    "modes": sorted({entitlement.mode, *modes}),
                },
                key=enrollment_key(user_id=entitlement.user_id, course_run_id=course_run_id),
            )
        ],
        at=by.at,
    )


def record_unenrollments(deliveries: Sequence[Delivery], at: datetime) -> None:
    """Store that enrollments ended; those that were skipped stay as they are."""
    for message, outcome in deliveries:
        if outcome.status == OutboxStatus.DONE:
            programs.leave_run(
                user_id=message.payload["user"],
                course_run_id=message.payload["course_run"],
                by=Attribution(at=at, cause=UNENROLL),
            )

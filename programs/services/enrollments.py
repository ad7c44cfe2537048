from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, upsert_with_history
from programs.models import CourseEnrollment, Program, ProgramEnrollment
from programs.signals import RunFact, course_enrollment_changed


@dataclass(frozen=True)
class EnrollmentRecord:
    """An enrollment in a run as the LMS tells it."""

    user_id: int
    course_run_id: int
    mode: str = ""
    is_active: bool = True
    certificate_status: str = ""


@transaction.atomic
def enroll_in_programs(
    *, user_ids: Sequence[int], program: Program, by: Attribution, is_active: bool = True
) -> int:
    """Enroll learners, or end their enrollments; returns how many changed."""
    return len(
        upsert_with_history(
            ProgramEnrollment,
            [
                {"user_id": user_id, "program_id": program.pk, "is_active": is_active}
                for user_id in dict.fromkeys(user_ids)
            ],
            key=("user_id", "program_id"),
            returning=("user_id",),
            by=by,
        )
    )


@transaction.atomic
def record_course_enrollments(records: Iterable[EnrollmentRecord], *, by: Attribution) -> int:
    """Store enrollments, new or changed; announces `course_enrollment_changed` for those."""
    latest = {(record.user_id, record.course_run_id): record for record in records}
    changed = upsert_with_history(
        CourseEnrollment,
        [vars(record) for record in latest.values()],
        key=("user_id", "course_run_id"),
        returning=("user_id", "course_run_id"),
        by=by,
    )
    facts = tuple(RunFact(*row.values) for row in changed)
    announce(course_enrollment_changed, facts, at=by.at, actor=by.actor, cause=by.cause)
    return len(facts)

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


@transaction.atomic
def enroll_in_run(*, user_id: int, course_run_id: int, mode: str, by: Attribution) -> int:
    """Store that a learner takes a run in this mode; returns the enrollment's id.

    What the LMS said of a certificate stays. Announces `course_enrollment_changed` if it did.
    """
    stored = _lock_enrollment(user_id, course_run_id)
    status = stored.certificate_status if stored else ""
    record = EnrollmentRecord(user_id, course_run_id, mode, certificate_status=status)
    record_course_enrollments([record], by=by)
    return CourseEnrollment.objects.get(user=user_id, course_run=course_run_id).pk


@transaction.atomic
def leave_run(*, user_id: int, course_run_id: int, by: Attribution) -> None:
    """Store that a learner takes a run no more. Announces `course_enrollment_changed` if one did."""
    stored = _lock_enrollment(user_id, course_run_id)
    if stored:
        record = EnrollmentRecord(
            user_id,
            course_run_id,
            stored.mode,
            is_active=False,
            certificate_status=stored.certificate_status,
        )
        record_course_enrollments([record], by=by)


def _lock_enrollment(user_id: int, course_run_id: int) -> CourseEnrollment | None:
    rows = CourseEnrollment.objects.select_for_update(no_key=True)
    return rows.filter(user=user_id, course_run=course_run_id).first()

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, delete_with_history, upsert_with_history
from programs.models import CourseGrade, CourseRun
from programs.signals import RunFact, course_grade_changed


@dataclass(frozen=True)
class GradeRecord:
    """A grade as a source tells it. `percent_grade` is a fraction between 0 and 1.

    `passed` None: the portal decides, by the run's `passing_grade`.
    """

    user_id: int
    course_run_id: int
    percent_grade: Decimal | None = None
    letter_grade: str = ""
    passed: bool | None = None
    verified: bool = True
    is_final: bool = False
    graded_at: datetime | None = None
    lms_last_updated_at: datetime | None = None


@transaction.atomic
def record_grades(records: Iterable[GradeRecord], *, by: Attribution) -> int:
    """Store grades, new or changed; returns how many of them changed anything.

    A record whose `lms_last_updated_at` is older than the stored one, or missing where one is
    stored, is ignored. Of several records of one learner and run the one counts that would remain
    if they were recorded one after the other. Announces `course_grade_changed` for what changed.
    """
    latest: dict[tuple[int, int], GradeRecord] = {}
    for record in records:
        key = (record.user_id, record.course_run_id)
        if key not in latest or _replaces(record, latest[key]):
            latest[key] = record
    passing = dict(
        CourseRun.objects.filter(pk__in={run_id for _, run_id in latest}).values_list(
            "pk", "passing_grade"
        )
    )
    changed = upsert_with_history(
        CourseGrade,
        [
            {
                **vars(record),
                "passed": passes(record.percent_grade, passing_grade=passing[record.course_run_id])
                if record.passed is None
                else record.passed,
            }
            for record in latest.values()
        ],
        key=("user_id", "course_run_id"),
        newer="lms_last_updated_at",
        returning=("user_id", "course_run_id"),
        by=by,
    )
    facts = tuple(RunFact(*row.values) for row in changed)
    announce(course_grade_changed, facts, at=by.at, actor=by.actor, cause=by.cause)
    return len(facts)


@transaction.atomic
def delete_grades(*, grade_ids: Sequence[int], by: Attribution) -> int:
    """Remove grades that should never have been there; their history stays."""
    deleted = delete_with_history(
        CourseGrade, grade_ids, returning=("user_id", "course_run_id"), by=by
    )
    facts = tuple(RunFact(*values) for values in deleted)
    announce(course_grade_changed, facts, at=by.at, actor=by.actor, cause=by.cause)
    return len(facts)


def _replaces(news: GradeRecord, known: GradeRecord) -> bool:
    """Whether `news` would overwrite `known`, were it stored: `upsert_with_history`'s `newer`."""
    if known.lms_last_updated_at is None:
        return True
    return (
        news.lms_last_updated_at is not None
        and news.lms_last_updated_at >= known.lms_last_updated_at
    )


def passes(percent_grade: Decimal | None, *, passing_grade: Decimal) -> bool:
    """Whether a grade passes where its source does not say."""
    return percent_grade is not None and percent_grade >= passing_grade

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, save_with_history, upsert_with_history
from programs.models import Course, CourseMode, CourseRun
from programs.selectors import programs_including_runs
from programs.signals import ProgramChange, program_requirements_changed


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run of a course, and the paid modes in which it can be taken.

    `title` is its own, where it is not called as its course.
    """

    course_key: str
    course_title: str
    key: str
    title: str = ""
    start: datetime
    end: datetime
    enrollment_end: datetime | None = None
    modes: Collection[str] = ("verified",)


@transaction.atomic
def record_course_runs(records: Collection[RunRecord], *, by: Attribution) -> None:
    """Store runs, new or changed, with their courses and modes; no program includes a new one.

    Announces `program_requirements_changed` for those that include one that changed.
    """
    courses = {record.course_key: record.course_title for record in records}
    rows = [{"key": key, "title": title} for key, title in courses.items()]
    upsert_with_history(Course, rows, key=("key",), returning=("id",), by=by)
    course_ids = dict(Course.objects.filter(key__in=courses).values_list("key", "pk"))
    runs = [
        {
            "key": record.key,
            "course_id": course_ids[record.course_key],
            "title_override": record.title,
            "start_date": record.start,
            "end_date": record.end,
            "enrollment_end": record.enrollment_end,
        }
        for record in records
    ]
    stored = upsert_with_history(CourseRun, runs, key=("key",), returning=("id",), by=by)
    announce_changed_runs([row.values[0] for row in stored if not row.is_new], by=by)
    keys = [record.key for record in records]
    run_ids = dict(CourseRun.objects.filter(key__in=keys).values_list("key", "pk"))
    modes = [
        {"course_run_id": run_ids[record.key], "slug": mode, "upgrade_deadline": None}
        for record in records
        for mode in record.modes
    ]
    upsert_with_history(CourseMode, modes, key=("course_run_id", "slug"), returning=("id",), by=by)


@transaction.atomic
def save_course_run(run: CourseRun, *, by: Attribution) -> None:
    """Save a run as staff edited it.

    Another end makes grades final or provisional, and another course is met or no longer:
    both announce `program_requirements_changed`. A new passing grade changes no stored grade.
    """
    stored = CourseRun.objects.select_for_update(no_key=True).filter(pk=run.pk)
    before = stored.values_list("course_id", "end_date").first()
    save_with_history(run, by=by)
    if before not in (None, (run.course_id, run.end_date)):
        announce_changed_runs([run.pk], by=by)


def announce_changed_runs(course_run_ids: Iterable[int], *, by: Attribution) -> None:
    """Announce `program_requirements_changed` for the programs that include any of these runs."""
    including = programs_including_runs(course_run_ids).values()
    program_ids = sorted({program_id for found in including for program_id in found})
    announce(
        program_requirements_changed,
        [ProgramChange(program_id) for program_id in program_ids],
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )

from collections.abc import Iterable

from django.db import transaction

from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, save_with_history
from programs.models import CourseRun
from programs.selectors import programs_including_runs
from programs.signals import ProgramChange, program_requirements_changed


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

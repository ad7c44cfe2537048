from collections.abc import Iterable, Mapping

from django.db import transaction

from credentials_portal.core.history import Attribution, save_with_history, upsert_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.models import Course, CourseMode, CourseRun, Program
from programs.services.catalog import announce_changed_runs
from programs.services.micromasters.records import CourseSeed, ProgramSeed, RunSeed
from programs.services.micromasters.tally import CHANGED, CREATED, UNCHANGED, Row, Tally
from programs.services.nodes import RecordError
from programs.services.requirements import define_requirements, include_runs, requirements_of

VERIFIED = "verified"
RUN_FIELDS = ("start_date", "end_date", "enrollment_start", "enrollment_end")


@retry_conflicts
@transaction.atomic
def load_program(
    seed: ProgramSeed, *, loaded: Iterable[ProgramSeed], by: Attribution, is_dry_run: bool
) -> Tally:
    """Make the portal say what the file says of one program; returns what that changes.

    `loaded` are the programs of the file before it; in a dry run they are not in the database.
    Its first requirements take effect when its first run began, so that whatever is dated later
    is judged by them; other requirements later on take effect at `by.at`. Raises `RecordError`
    for a run that stands under another course already, and for a course or run of which one
    of `loaded` tells otherwise.
    """
    wanted_courses, wanted_runs = _rows([seed])
    told_courses, told_runs = _rows(loaded)
    stored_courses = {**_stored_courses(wanted_courses), **told_courses}
    stored_runs = {**_stored_runs(wanted_runs), **told_runs}
    for key in wanted_runs.keys() & stored_runs.keys():
        if stored_runs[key]["course"] != wanted_runs[key]["course"]:
            raise RecordError(f"the run {key} belongs to another course")
    _refuse_other("course", wanted_courses, told_courses)
    _refuse_other("run", wanted_runs, told_runs)

    tally = Tally()
    program = Program.objects.filter(uuid=seed.uuid).first()
    tally.add("programs", _state(program, seed))
    courses = tally.compare("courses", wanted_courses, stored_courses)
    runs = tally.compare("course_runs", wanted_runs, stored_runs)
    if not is_dry_run:
        _write_courses({key: wanted_courses[key] for key in courses}, by=by)
        _write_runs({key: wanted_runs[key] for key in runs}, by=by)
        _write_program(program, seed, by=by)
        moved = {
            key
            for key, row in wanted_runs.items()
            if key in stored_runs and row["end_date"] != stored_runs[key]["end_date"]
        }
        announce_changed_runs(_run_ids(moved).values(), by=by)
    return tally


def _stored_courses(keys: Iterable[str]) -> dict[str, Row]:
    titles = Course.objects.filter(key__in=list(keys)).values_list("key", "title")
    return {key: {"title": title} for key, title in titles}


def _stored_runs(keys: Iterable[str]) -> dict[str, Row]:
    """The stored runs in the form of `_run_row`; without a deadline where the mode is missing."""
    stored = CourseRun.objects.filter(key__in=list(keys)).select_related("course")
    modes = CourseMode.objects.filter(slug=VERIFIED, course_run__in=stored)
    deadlines = dict(modes.values_list("course_run_id", "upgrade_deadline"))
    return {
        run.key: {
            "course": run.course.key,
            "title_override": run.title_override,
            **{name: getattr(run, name) for name in RUN_FIELDS},
            **({"upgrade_deadline": deadlines[run.pk]} if run.pk in deadlines else {}),
        }
        for run in stored
    }


def _rows(seeds: Iterable[ProgramSeed]) -> tuple[dict[str, Row], dict[str, Row]]:
    """Courses and runs by key, in the form in which the stored ones are read."""
    courses = [course for seed in seeds for course in seed.courses]
    return (
        {course.key: {"title": course.title} for course in courses},
        {run.key: _run_row(course, run) for course in courses for run in course.runs},
    )


def _refuse_other(what: str, wanted: Mapping[str, Row], told: Mapping[str, Row]) -> None:
    for key, row in wanted.items():
        if told.get(key, row) != row:
            raise RecordError(f"another program of the file tells otherwise of the {what} {key}")


def _run_row(course: CourseSeed, run: RunSeed) -> Row:
    return {
        "course": course.key,
        "title_override": run.title,
        **{name: getattr(run, name) for name in RUN_FIELDS},
        "upgrade_deadline": run.upgrade_deadline,
    }


def _state(program: Program | None, seed: ProgramSeed) -> str:
    if program is None:
        return CREATED
    course_ids = _course_ids(course.key for course in seed.courses)
    latest = program.requirements_versions.order_by("number").last()
    if latest is None or len(course_ids) < len(seed.courses):
        return CHANGED
    included = program.included_runs.values_list("course_run__key", flat=True)
    is_same = requirements_of(latest) == seed.required_groups(course_ids) and list(included) == [
        run.key for run in seed.runs
    ]
    return UNCHANGED if is_same else CHANGED


def _course_ids(keys: Iterable[str]) -> dict[str, int]:
    return dict(Course.objects.filter(key__in=list(keys)).values_list("key", "pk"))


def _run_ids(keys: Iterable[str]) -> dict[str, int]:
    return dict(CourseRun.objects.filter(key__in=list(keys)).values_list("key", "pk"))


def _write_courses(rows: Mapping[str, Row], *, by: Attribution) -> None:
    courses = [{"key": key, **row} for key, row in rows.items()]
    upsert_with_history(Course, courses, key=("key",), returning=("id",), by=by)


def _write_runs(rows: Mapping[str, Row], *, by: Attribution) -> None:
    course_ids = _course_ids(row["course"] for row in rows.values())
    runs = [
        {
            "key": key,
            "course_id": course_ids[row["course"]],
            **{name: row[name] for name in ("title_override", *RUN_FIELDS)},
        }
        for key, row in rows.items()
    ]
    upsert_with_history(CourseRun, runs, key=("key",), returning=("id",), by=by)

    run_ids = _run_ids(rows)
    modes = [
        {
            "course_run_id": run_ids[key],
            "slug": VERIFIED,
            "upgrade_deadline": row["upgrade_deadline"],
        }
        for key, row in rows.items()
    ]
    upsert_with_history(CourseMode, modes, key=("course_run_id", "slug"), returning=("id",), by=by)


def _write_program(program: Program | None, seed: ProgramSeed, *, by: Attribution) -> None:
    if program is None:
        program = Program(uuid=seed.uuid, title=seed.title)
        save_with_history(program, by=by)
    run_ids = _run_ids(run.key for run in seed.runs)
    include_runs(program=program, course_run_ids=[run_ids[run.key] for run in seed.runs], by=by)
    latest = program.requirements_versions.order_by("number").last()
    began_at = min([by.at, *(run.start_date for run in seed.runs)])
    define_requirements(
        program=program,
        groups=seed.required_groups(_course_ids(course.key for course in seed.courses)),
        effective_from=max(by.at, latest.effective_from) if latest else began_at,
        by=by,
    )

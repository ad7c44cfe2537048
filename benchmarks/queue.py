"""Correct 5,000 grades in one import, and look at as many queued letters."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks.letters import command
from benchmarks.measuring import Measurement, measured
from credentials_portal.core.history import Attribution
from letters import receivers
from letters.models import LetterRevalidation, ProgramLetter
from letters.services import open_revalidations
from programs import signals
from programs.models import CourseGrade, CourseRun
from programs.services import GradeRecord, record_grades

LEARNERS, COURSES, ROUNDS = 1_000, 5, 5
QUEUED = 5_000
MOST = 1.2
BEGAN = datetime(2020, 1, 1, tzinfo=UTC)


def measure(_size: str) -> None:
    """Works on the letters that `benchmarks.letters` left."""
    grades = LEARNERS * COURSES
    print(f"\nThe queue: {grades:,} corrected grades of {LEARNERS:,} learners in 2 programs each")
    with TemporaryDirectory() as folder:
        _compare("import_micromasters", _importing(Path(folder)))
    _compare("record_grades", _recording())
    _measure_revalidation()


def _compare(name: str, correct: Callable[[], int]) -> None:
    """The same change of all grades with and without the letters' receiver, by turns."""
    correct()
    best: dict[bool, Measurement] = {}
    changed = 0
    for listens in [False, True] * ROUNDS:
        LetterRevalidation.objects.all().delete()
        with _letters_listening(listens), measured(_title(name, listens)) as one:
            changed = correct()
        if listens not in best or one.seconds < best[listens].seconds:
            best[listens] = one
    rows = LetterRevalidation.objects.count()
    best[False].show()
    best[True].show(best[False])
    ratio = best[True].seconds / best[False].seconds
    print(f"    {rows:,} rows queued; {ratio:.2f} x, at most {MOST} x wanted")
    if (changed, rows) != (LEARNERS * COURSES, LEARNERS * 2) or ratio > MOST:
        raise SystemExit(f"{name}: {changed} grades changed, {rows} rows, {ratio:.2f} x")


def _title(name: str, listens: bool) -> str:
    return name if listens else f"floor: {name}, nobody listens"


@contextmanager
def _letters_listening(listens: bool) -> Iterator[None]:
    uid = "letters.queue_learners_on_course_result"
    if not listens:
        signals.course_grade_changed.disconnect(dispatch_uid=uid)
    try:
        yield
    finally:
        signals.course_grade_changed.connect(
            receivers.queue_learners_on_course_result, dispatch_uid=uid
        )


def _importing(folder: Path) -> Callable[[], int]:
    """Every call imports the learners' other grades: passed and failed by turns."""
    programs = folder / "programs.json"
    programs.write_text(json.dumps([_program("Spring", 0), _program("Autumn", COURSES - 1)]))
    users = folder / "users.json"
    percents = cycle(["0.81", "0.31"])

    def correct() -> int:
        percent = next(percents)
        users.write_text(json.dumps([_learner(number, percent) for number in range(LEARNERS)]))
        summary = command("import_micromasters", f"--programs={programs}", f"--users={users}")
        changed: int = summary["grades"]["created"] + summary["grades"]["changed"]
        return changed

    return correct


def _program(title: str, first: int) -> dict[str, Any]:
    """Both programs include the course in which the first ends and the second begins."""
    places = range(first, first + COURSES)
    return {"title": title, "courses": [_course(place) for place in places]}


def _course(place: int) -> dict[str, Any]:
    run = {
        "edx_course_key": _key(place),
        "title": "",
        "start_date": BEGAN.isoformat(),
        "end_date": (BEGAN + timedelta(days=90)).isoformat(),
    }
    return {"title": f"Burst {place}", "course_runs": [run]}


def _key(place: int) -> str:
    return f"course-v1:Burst+B{place}+2020"


def _learner(number: int, percent: str) -> dict[str, Any]:
    """Grades in the first program's runs, the last of which is the second's as well."""
    return {
        "email": f"burst{number}@example.org",
        "username": f"burst{number}",
        "first_name": "Burst",
        "last_name": str(number),
        "_enrollments": [],
        "_grades": [{"edx_course_key": _key(p), "grade": percent} for p in range(COURSES)],
    }


def _recording() -> Callable[[], int]:
    """Every call corrects the grades that the import left, in one statement."""
    run_ids = list(
        CourseRun.objects.filter(key__in=map(_key, range(COURSES))).values_list("pk", flat=True)
    )
    stored = list(
        CourseGrade.objects.filter(course_run__in=run_ids).values_list("user_id", "course_run_id")
    )
    percents = cycle([Decimal("0.82"), Decimal("0.32")])

    def correct() -> int:
        percent = next(percents)
        records = [GradeRecord(user, run, percent, is_final=True) for user, run in stored]
        by = Attribution(at=timezone.now(), cause="benchmark")
        return record_grades(records, by=by)

    return correct


def _measure_revalidation() -> None:
    LetterRevalidation.objects.all().delete()
    letters = ProgramLetter.objects.order_by("pk").values_list("user_id", "program_id")[:QUEUED]
    open_revalidations(list(letters), cause="benchmark", at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with measured(f"revalidate_letters: {QUEUED:,} queued learners") as work:
        summary = command("revalidate_letters")
    work.show()
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in summary["outcomes"].items())
    print(f"    {told}; {summary['queued']:,} left in the queue")

"""The thousand false letters, at full size: 1,024 + 3 false ones and 40 that are true."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from credentials_portal.accounts.models import User
from letters.models import ProgramLetter
from letters.services import LetterRecord, import_letters
from programs.models import Course, CourseRun, Program
from programs.services import enroll_in_programs
from tests.letters.factories import by_at, empty_queue, grade, issue, require
from tests.programs.factories import CourseRunFactory, ProgramFactory, program_requiring

ISSUED = datetime(2019, 12, 19, 17, 11, tzinfo=UTC)
EDITED = datetime(2020, 9, 1, tzinfo=UTC)
ENDED = datetime(2020, 12, 15, tzinfo=UTC)
LATER = datetime(2021, 6, 1, tzinfo=UTC)
FALSE, ELSEWHERE, TRUE_HERE, TRUE_ELSEWHERE = 1024, 3, 10, 30


@dataclass(frozen=True)
class Incident:
    program: Program  # the one that was empty when its letters were issued
    runs: list[CourseRun]
    false: list[User]
    true: list[ProgramLetter]
    lacks_capstone: ProgramLetter
    lacks_electives: ProgramLetter
    lost_grade: ProgramLetter
    reasons: dict[str, int]


def build_incident() -> Incident:
    """As it happened: letters first, then courses, then grades; the queue is worked off."""
    program = ProgramFactory.create(title="Program 5")
    false = people("false", FALSE)
    enroll_in_programs(user_ids=[one.pk for one in false], program=program, by=by_at(ISSUED))
    _import(program, false, ISSUED, first_uuid=1)
    runs = [_run(f"P5+{number}") for number in range(3)]
    require(program, *runs, at=EDITED)
    for run in runs:
        grade(run, *false[:600], percent="0", at=ENDED, graded_at=ENDED)
    true_here = people("true5-", TRUE_HERE)
    for run in runs:
        grade(run, *true_here, at=ENDED, graded_at=ENDED)
    true = _import(program, true_here, LATER, first_uuid=2000)

    other = {name: _run(name) for name in ("Core", "Capstone", "Elective1", "Elective2")}
    core, capstone = other["Core"], other["Capstone"]
    electives = [other["Elective1"].course, other["Elective2"].course]
    elsewhere = program_requiring(
        core=[core.course, capstone.course],
        electives=[(2, electives)],
        title="Elsewhere",
    )
    true_elsewhere = people("true-", TRUE_ELSEWHERE)
    no_capstone, no_electives, lost = people("elsewhere", ELSEWHERE)
    graduates = [*true_elsewhere, lost]
    grade(core, *graduates, no_capstone, no_electives, at=ENDED, graded_at=ENDED)
    grade(capstone, *graduates, no_electives, at=ENDED, graded_at=ENDED)
    grade(other["Elective1"], *graduates, no_capstone, no_electives, at=ENDED, graded_at=ENDED)
    grade(other["Elective2"], *graduates, no_capstone, at=ENDED, graded_at=ENDED)
    true += _import(elsewhere, true_elsewhere[:15], LATER, first_uuid=3000)
    true += issue(elsewhere, *true_elsewhere[15:], at=LATER)
    lacks = _import(elsewhere, [no_capstone, no_electives], LATER, first_uuid=4000)
    (lost_grade,) = issue(elsewhere, lost, at=LATER)
    grade(core, lost, percent="0.3", at=datetime(2022, 3, 1, tzinfo=UTC), graded_at=ENDED)
    empty_queue()

    elective_set = elsewhere.requirements_versions.get().groups.get(kind="electives")
    return Incident(
        program=program,
        runs=runs,
        false=false,
        true=true,
        lacks_capstone=lacks[0],
        lacks_electives=lacks[1],
        lost_grade=lost_grade,
        reasons={
            "program_started": FALSE,
            **{f"core_course:{run.course.key}": FALSE for run in runs},
            f"core_course:{capstone.course.key}": 1,
            f"core_course:{core.course.key}": 1,
            f"elective_set:{elective_set.number}": 1,
        },
    )


def people(prefix: str, count: int) -> list[User]:
    created: list[User] = User.objects.bulk_create(
        User(username=f"{prefix}{number}", full_name=f"Person {prefix}{number}")
        for number in range(count)
    )
    return created


def _run(name: str) -> CourseRun:
    course = Course.objects.create(key=f"Uni+{name}", title=name)
    return CourseRunFactory.create(course=course, start_date=EDITED, end_date=ENDED)


def _import(
    program: Program, learners: Sequence[User], created_on: datetime, *, first_uuid: int
) -> list[ProgramLetter]:
    records = [
        LetterRecord(UUID(int=number), learner.username, str(program.pk), True, created_on)
        for number, learner in enumerate(learners, start=first_uuid)
    ]
    tally = import_letters(list(enumerate(records)), by=by_at(LATER))
    assert (tally.imported, tally.errors) == (len(learners), [])
    return _letters(program, learners)


def _letters(program: Program, learners: Iterable[User]) -> list[ProgramLetter]:
    return list(ProgramLetter.objects.filter(program=program, user__in=learners).order_by("pk"))

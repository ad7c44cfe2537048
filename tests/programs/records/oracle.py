"""What a program record says, said once more: slowly, in Python, over plain values.

Written from the rules of the older service and what was decided about them, not from the SQL,
so that both can only agree by being right.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Run:
    """`available_at`: from when learners see its certificates; None: at once."""

    course: int
    is_included: bool
    ends_at: datetime | None
    available_at: datetime | None


@dataclass(frozen=True)
class Grade:
    percent: Decimal | None
    letter: str
    is_verified: bool
    is_passed: bool
    is_final: bool
    modified: datetime


@dataclass(frozen=True)
class Certificate:
    is_awarded: bool
    awarded_at: datetime
    override: datetime | None


@dataclass(frozen=True)
class Attempt:
    """What a learner has of one run."""

    grade: Grade | None
    certificate: Certificate | None


@dataclass(frozen=True)
class ProgramCertificate:
    is_awarded: bool
    is_computed: bool
    awarded_at: datetime


@dataclass(frozen=True)
class Learner:
    """Attempts by index of the run."""

    attempts: dict[int, Attempt]
    certificate: ProgramCertificate | None


@dataclass(frozen=True)
class World:
    """One program; the included of these runs stand in this order."""

    status: str
    runs: tuple[Run, ...]
    learners: tuple[Learner, ...]


@dataclass(frozen=True)
class Row:
    course: int
    run: int | None = None
    attempts: int | None = None
    issued_at: datetime | None = None
    percent: Decimal | None = None
    letter: str = ""
    reason: str | None = None
    until: datetime | None = None
    so_far: Decimal | None = None


@dataclass(frozen=True)
class Record:
    rows: list[Row]
    is_completed: bool
    is_empty: bool
    last_updated: datetime


def record(world: World, learner: Learner, at: datetime) -> Record:
    courses: list[int] = []
    for run in world.runs:
        if run.is_included and run.course not in courses:
            courses.append(run.course)
    rows = [row_of(world, learner, course, at) for course in courses]
    return Record(
        rows=rows,
        is_completed=is_completed(world, learner, at),
        is_empty=all(row.attempts is None for row in rows),
        last_updated=last_updated(world, learner, at),
    )


def is_listed(world: World, learner: Learner, at: datetime) -> bool:
    """In the list stand active and retired programs in which a course is earned."""
    earned = [row for row in record(world, learner, at).rows if row.issued_at is not None]
    return world.status in ("active", "retired") and len(earned) > 0


def is_completed(world: World, learner: Learner, at: datetime) -> bool:
    """It waits for the last of the learner's course certificates, whatever became of them."""
    if learner.certificate is None or not learner.certificate.is_awarded:
        return False
    dates = []
    for index, attempt in learner.attempts.items():
        run = world.runs[index]
        if run.is_included and attempt.certificate is not None:
            dates.append(run.available_at or attempt.certificate.awarded_at)
    if not dates:
        return learner.certificate.is_computed and learner.certificate.awarded_at <= at
    return all(date <= at for date in dates)


def last_updated(world: World, learner: Learner, at: datetime) -> datetime:
    """The newest thing behind it that can be seen."""
    newest = None
    for index, attempt in learner.attempts.items():
        run = world.runs[index]
        if not run.is_included or not is_visible(run, attempt, at):
            continue
        assert attempt.certificate
        dates = [run.available_at or attempt.certificate.awarded_at]
        if attempt.grade is not None and attempt.grade.is_verified:
            dates.append(attempt.grade.modified)
        for date in dates:
            if newest is None or date > newest:
                newest = date
    return newest or at


def is_visible(run: Run, attempt: Attempt, at: datetime) -> bool:
    if attempt.certificate is None:
        return False
    return run.available_at is None or run.available_at <= at


def row_of(world: World, learner: Learner, course: int, at: datetime) -> Row:
    numbers = [
        number
        for number, run in enumerate(world.runs)
        if run.course == course and run.is_included and number in learner.attempts
    ]
    best = None
    attempts = 0
    for number in numbers:
        attempt = learner.attempts[number]
        if not is_visible(world.runs[number], attempt, at):
            continue
        if attempt.grade is not None and attempt.grade.is_verified:
            attempts += 1
        assert attempt.certificate
        if attempt.certificate.is_awarded and (
            best is None or is_better(world, learner, number, best)
        ):
            best = number
    if best is None:
        reason, until = why_not(world, learner, course, at)
        so_far = grade_so_far(world, learner, course, reason, at)
        return Row(course, reason=reason, until=until, so_far=so_far)
    grade = learner.attempts[best].grade
    if grade is None or not grade.is_verified:
        return Row(course, best, issued_at=issued_at(world, learner, best))
    return Row(
        course,
        best,
        attempts=attempts,
        issued_at=issued_at(world, learner, best),
        percent=grade.percent,
        letter=grade.letter,
    )


def issued_at(world: World, learner: Learner, number: int) -> datetime:
    certificate = learner.attempts[number].certificate
    assert certificate
    return certificate.override or world.runs[number].available_at or certificate.awarded_at


def is_better(world: World, learner: Learner, number: int, other: int) -> bool:
    """A verified grade is better than none, more percent than less, then the later date."""
    mine, theirs = learner.attempts[number].grade, learner.attempts[other].grade
    mine = mine if mine and mine.is_verified else None
    theirs = theirs if theirs and theirs.is_verified else None
    if (mine is None) != (theirs is None):
        return theirs is None
    if mine is not None and theirs is not None and mine.percent != theirs.percent:
        if mine.percent is None or theirs.percent is None:
            return theirs.percent is None
        return mine.percent > theirs.percent
    return issued_at(world, learner, number) > issued_at(world, learner, other)


NEAREST_FIRST = (
    "not_available_until",
    "no_certificate",
    "not_final",
    "revoked",
    "excluded_run",
    "unverified",
    "not_passed",
    "no_grade",
)


def why_not(
    world: World, learner: Learner, course: int, at: datetime
) -> tuple[str, datetime | None]:
    reasons = ["no_grade"]
    untils = []
    for number, attempt in learner.attempts.items():
        run = world.runs[number]
        if run.course != course:
            continue
        reason = why_not_this(run, attempt, at)
        if not run.is_included:
            counts = reason in ("counts", "no_certificate")
            reason = "excluded_run" if counts else "no_grade"
        if reason == "not_available_until" and run.available_at:
            untils.append(run.available_at)
        reasons.append(reason)
    nearest = min(reasons, key=NEAREST_FIRST.index)
    return nearest, min(untils) if untils else None


def grade_so_far(
    world: World, learner: Learner, course: int, reason: str, at: datetime
) -> Decimal | None:
    """The best grade of the included runs that do not count for this reason, if it is a grade's."""
    percents = []
    for number, attempt in learner.attempts.items():
        run = world.runs[number]
        if run.course != course or not run.is_included or attempt.grade is None:
            continue
        if why_not_this(run, attempt, at) == reason and attempt.grade.percent is not None:
            percents.append(attempt.grade.percent)
    return max(percents, default=None) if reason in ("not_final", "not_passed") else None


def why_not_this(run: Run, attempt: Attempt, at: datetime) -> str:
    """Why one run does not count, were it included."""
    if attempt.certificate:
        if not attempt.certificate.is_awarded:
            return "revoked"
        return "counts" if is_visible(run, attempt, at) else "not_available_until"
    if attempt.grade is None:
        return "no_grade"
    if not attempt.grade.is_verified:
        return "unverified"
    has_ended = run.ends_at is not None and run.ends_at <= at
    if not attempt.grade.is_final and not has_ended:
        return "not_final"
    return "no_certificate" if attempt.grade.is_passed else "not_passed"

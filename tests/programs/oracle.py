"""What it means to complete a program, said once more: slowly, in Python, over plain values.

Written from the decision, not from the SQL, and without a look at what `programs` stores, so
that both can only agree by being right.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Run:
    course: int
    passing_grade: Decimal
    ends_at: datetime | None
    is_included: bool


@dataclass(frozen=True)
class Grade:
    percent: Decimal | None
    says_passed: bool | None
    is_verified: bool
    is_final: bool
    graded_at: datetime | None


@dataclass(frozen=True)
class Certificate:
    is_awarded: bool
    awarded_at: datetime


@dataclass(frozen=True)
class Attempt:
    """What a learner has of one run."""

    grade: Grade | None
    certificate: Certificate | None


@dataclass(frozen=True)
class Group:
    courses: tuple[int, ...]
    required_number: int | None  # None: all of them


@dataclass(frozen=True)
class Version:
    effective_from: datetime
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class World:
    """One program: its runs and versions, and each learner's attempts by index of the run."""

    runs: tuple[Run, ...]
    versions: tuple[Version, ...]
    learners: tuple[dict[int, Attempt], ...]


def version_in_force(world: World, at: datetime) -> Version | None:
    begun = [version for version in world.versions if version.effective_from <= at]
    return begun[-1] if begun else None


def is_complete(
    world: World, learner: dict[int, Attempt], version: Version | None, at: datetime
) -> bool:
    if version is None or not version.groups:
        return False
    for group in version.groups:
        met = sum(bool(dates_met(world, learner, course, at)) for course in group.courses)
        if met < (len(group.courses) if group.required_number is None else group.required_number):
            return False
    return True


def dates_met(
    world: World, learner: dict[int, Attempt], course: int, at: datetime
) -> list[datetime | None]:
    """When the learner met the course, by each of the runs that did; empty: never."""
    found = []
    for index, attempt in learner.items():
        run = world.runs[index]
        if run.course == course and run.is_included:
            found += date_passed(run, attempt, at)
    return found


def date_passed(run: Run, attempt: Attempt, at: datetime) -> list[datetime | None]:
    certificate, grade = attempt.certificate, attempt.grade
    if certificate is not None:
        return [certificate.awarded_at] if certificate.is_awarded else []
    if grade is None or not grade.is_verified:
        return []
    has_ended = run.ends_at is not None and run.ends_at <= at
    if not (grade.is_final or has_ended):
        return []
    passes = grade.says_passed
    if passes is None:
        passes = grade.percent is not None and grade.percent >= run.passing_grade
    return [grade.graded_at or (run.ends_at if has_ended else None)] if passes else []

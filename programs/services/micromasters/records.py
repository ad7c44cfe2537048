"""The records of MicroMasters' seed files, checked: what is returned here can be loaded.

Only what the portal needs is read. Birth dates, addresses, education and employment are not
even looked at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import NAMESPACE_URL, UUID, uuid5

from django.utils.text import slugify

from programs.services.nodes import Node, RecordError
from programs.services.requirements import RequiredGroup


@dataclass(frozen=True)
class RunSeed:
    key: str
    title: str
    start_date: datetime
    end_date: datetime
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    upgrade_deadline: datetime | None


@dataclass(frozen=True)
class CourseSeed:
    key: str
    title: str
    runs: tuple[RunSeed, ...]


@dataclass(frozen=True)
class GroupSeed:
    courses: tuple[CourseSeed, ...]
    required_number: int | None = None
    title: str = ""


@dataclass(frozen=True)
class ProgramSeed:
    title: str
    groups: tuple[GroupSeed, ...]

    @property
    def uuid(self) -> UUID:
        """Always the same for a title, so that a program is found again."""
        return uuid5(NAMESPACE_URL, f"micromasters:{self.title}")

    @property
    def courses(self) -> tuple[CourseSeed, ...]:
        return tuple(course for group in self.groups for course in group.courses)

    @property
    def runs(self) -> tuple[RunSeed, ...]:
        return tuple(run for course in self.courses for run in course.runs)

    def required_groups(self, course_ids: Mapping[str, int]) -> list[RequiredGroup]:
        """The requirements, given the ids of the courses by key."""
        return [
            RequiredGroup(
                tuple(course_ids[course.key] for course in group.courses),
                group.required_number,
                group.title,
            )
            for group in self.groups
        ]


@dataclass(frozen=True)
class LearnerSeed:
    """A learner; `username` is empty where the file gives none."""

    index: int
    email: str
    username: str
    full_name: str
    run_keys: tuple[str, ...]
    grades: Mapping[str, Decimal]


def program_seed(value: object) -> ProgramSeed:
    """Read a record of the programs' file; raises `RecordError`."""
    record = Node.of(value, "")
    title = record.text("title")
    core = tuple(_course(node, title) for node in record.nodes("courses"))
    groups = [GroupSeed(core)] if core else []
    for node in record.nodes("elective_sets", is_optional=True):
        courses = tuple(_course(course, title) for course in node.nodes("courses"))
        groups.append(
            GroupSeed(
                courses, node.whole_number("required_number", 1, len(courses)), node.text("title")
            )
        )
    seed = ProgramSeed(title, tuple(groups))
    _refuse_repeated("course", [course.key for course in seed.courses])
    _refuse_repeated("run", [run.key for run in seed.runs])
    return seed


def learner_seed(value: object, index: int) -> LearnerSeed:
    """Read a record of the users' file; raises `RecordError`."""
    record = Node.of(value, "")
    grades = [
        (node.text("edx_course_key"), node.grade("grade"))
        for node in record.nodes("_grades", is_optional=True)
    ]
    _refuse_repeated("graded run", [key for key, _grade in grades])
    enrollments = record.nodes("_enrollments", is_optional=True)
    return LearnerSeed(
        index=index,
        email=record.email("email"),
        username=record.username("username"),
        full_name=_full_name(record),
        run_keys=tuple(dict.fromkeys(node.text("edx_course_key") for node in enrollments)),
        grades=dict(grades),
    )


def _course(node: Node, program_title: str) -> CourseSeed:
    title = node.text("title")
    runs = tuple(_run(child) for child in node.nodes("course_runs"))
    # Open edX' run keys contain the course's: course-v1:ORG+COURSE+RUN.
    matches = [re.fullmatch(r"course-v1:([^+]+\+.+)\+[^+]+", run.key) for run in runs]
    keys = {match and match[1] for match in matches}
    key = keys.pop() if len(keys) == 1 else None
    key = key or slugify(f"{program_title} {title}", allow_unicode=True)
    if not key:
        raise RecordError(f"{node.path('title')} gives no key for the course")
    return CourseSeed(key[:255], title, runs)


def _run(node: Node) -> RunSeed:
    run = RunSeed(
        key=node.text("edx_course_key"),
        title=node.optional_text("title"),
        start_date=node.date("start_date"),
        end_date=node.date("end_date"),
        enrollment_start=node.optional_date("enrollment_start"),
        enrollment_end=node.optional_date("enrollment_end"),
        upgrade_deadline=node.optional_date("upgrade_deadline"),
    )
    if run.end_date <= run.start_date:
        raise RecordError(f"{node.path('end_date')} is not after start_date")
    if run.enrollment_start and run.enrollment_end and run.enrollment_end <= run.enrollment_start:
        raise RecordError(f"{node.path('enrollment_end')} is not after enrollment_start")
    return run


def _full_name(record: Node) -> str:
    names = [record.optional_text("first_name"), record.optional_text("last_name")]
    full_name = " ".join(filter(None, names))
    return (
        full_name[:255]
        or record.optional_text("preferred_name")
        or record.optional_text("edx_name")
    )


def _refuse_repeated(what: str, keys: list[str]) -> None:
    if len(set(keys)) < len(keys):
        raise RecordError(f"the same {what} stands in it twice")

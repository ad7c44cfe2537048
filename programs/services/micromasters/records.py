"""The records of MicroMasters' seed files, checked: what is returned here can be loaded.

Only what the portal needs is read. Birth dates, addresses, education and employment are not
even looked at.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self
from uuid import NAMESPACE_URL, UUID, uuid5

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django.utils.text import slugify

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import DomainError
from programs.services.requirements import RequiredGroup

# A date outside of these is a way to say "never", or a slip of the pen.
FIRST_YEAR, LAST_YEAR = 1900, 2199

GRADE_STEP = Decimal("0.0001")


class RecordError(DomainError):
    """A record that cannot be loaded. The message names the place in it, and no value."""

    code = "bad_record"


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


@dataclass(frozen=True)
class Node:
    """A JSON object, and where in its record it stands."""

    fields: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, value: object, where: str) -> Self:
        if not isinstance(value, dict):
            raise RecordError(f"{where or 'the record'} is no object")
        return cls(value, where)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def required(self, key: str) -> Any:
        if key not in self.fields:
            raise RecordError(f"{self.path(key)} is missing")
        return self.fields[key]

    def text(self, key: str, *, max_length: int = 255) -> str:
        value = self.required(key)
        if not isinstance(value, str):
            raise RecordError(f"{self.path(key)} is no text")
        text = value.strip()
        if not text:
            raise RecordError(f"{self.path(key)} is empty")
        if len(text) > max_length:
            raise RecordError(f"{self.path(key)} is longer than {max_length} characters")
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
            raise RecordError(f"{self.path(key)} has control characters")
        return text

    def optional_text(self, key: str) -> str:
        """The text, or "" where there is none."""
        value = self.fields.get(key)
        return "" if value is None or value == "" else self.text(key)

    def email(self, key: str) -> str:
        # Django's own check knows no address with letters beyond ASCII, which RFC 6531 allows.
        address = normalise_email(self.text(key, max_length=254))
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise RecordError(f"{self.path(key)} is no e-mail address")
        return address

    def username(self, key: str) -> str:
        if not self.fields.get(key):
            return ""
        name = self.text(key, max_length=150)
        try:
            UnicodeUsernameValidator()(name)
        except ValidationError as error:
            raise RecordError(f"{self.path(key)} is no username") from error
        return name

    def whole_number(self, key: str, least: int, most: int) -> int:
        value = self.required(key)
        if type(value) is not int or not least <= value <= most:
            raise RecordError(f"{self.path(key)} is no whole number from {least} to {most}")
        return value

    def grade(self, key: str) -> Decimal:
        value = self.required(key)
        if isinstance(value, str) and re.fullmatch(r"\d*\.?\d+", value.strip(), re.ASCII):
            value = Decimal(value.strip())
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
            raise RecordError(f"{self.path(key)} is no number from 0 to 1")
        return Decimal(value).quantize(GRADE_STEP, ROUND_HALF_UP)

    def date(self, key: str) -> datetime:
        value = self.required(key)
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        if moment is None or moment.utcoffset() is None:
            raise RecordError(f"{self.path(key)} is no instant with a zone")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise RecordError(f"{self.path(key)} lies outside {FIRST_YEAR} to {LAST_YEAR}")
        return moment

    def optional_date(self, key: str) -> datetime | None:
        return None if self.fields.get(key) is None else self.date(key)

    def nodes(self, key: str, *, is_optional: bool = False) -> list["Node"]:
        """The objects of a list; none where `is_optional` and the key is missing."""
        if is_optional and key not in self.fields:
            return []
        value = self.required(key)
        if not isinstance(value, list):
            raise RecordError(f"{self.path(key)} is no list")
        return [Node.of(item, f"{self.path(key)}[{index}]") for index, item in enumerate(value)]


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

"""What a program asks of a learner, course by course: what is met, by what, and what is not, and why."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject

from credentials_portal.core.sql import Fragment
from programs.enums import GroupKind, RowReason
from programs.models import CourseGrade, Pathway, RequirementCourse, UserCreditPathway
from programs.selectors import (
    REQUIREMENTS_SATISFIABLE,
    Check,
    Completion,
    ProgramRecord,
    RecordRow,
    judge_subjects,
)
from programs.selectors.credit import REACHED
from programs.sql import CORE_COURSE, ELECTIVE_SET, program_learners, requirement_versions


@dataclass(frozen=True)
class CourseStep:
    """A course that a program asks for, and what the learner has of it.

    `percent_grade`, a fraction, is the grade in the run that met it; or else, where a grade is why
    it is not met, the best of those. `reason` says why; None: the program includes no run of it.
    """

    title: str
    is_met: bool
    earned_at: datetime | None
    percent_grade: Decimal | None
    reason: RowReason | None


@dataclass(frozen=True)
class SetStep:
    """Courses of which `needed` are asked for: the core asks for all of its courses."""

    title: str
    is_core: bool
    needed: int
    courses: tuple[CourseStep, ...]

    @property
    def met(self) -> int:
        return sum(course.is_met for course in self.courses)

    @property
    def is_met(self) -> bool:
        return self.met >= self.needed

    @property
    def still_needed(self) -> int:
        return max(0, self.needed - self.met)


@dataclass(frozen=True)
class Checklist:
    """How far a learner is in a program, by the requirements in force; without any, no sets.

    `total` counts as the program's progress does: each core course, and each set as one. One
    that is not `is_possible` offers too few of its courses.
    """

    sets: tuple[SetStep, ...]
    is_complete: bool
    is_possible: bool

    @property
    def total(self) -> int:
        return sum(len(each.courses) if each.is_core else 1 for each in self.sets)

    @property
    def met(self) -> int:
        return sum(each.met if each.is_core else each.is_met for each in self.sets)


@dataclass(frozen=True)
class CreditOffer:
    """A pathway that takes a program's record; `asked_at`: when the learner last sent it there."""

    pathway_id: int
    name: str
    org_name: str
    asked_at: datetime | None


def checklist_of(*, record: ProgramRecord, at: datetime) -> Checklist | None:
    """What is met and missing in the program of a learner's record: two statements at most.

    None: the learner has nothing to do with the program.
    """
    subject = _taking_part(record.user_id, program_id=record.program.pk, at=at)
    judged = judge_subjects(subject, at=at)
    if not judged:
        return None
    [completion] = judged
    rows = {row.course_key: row for row in record.rows}
    return Checklist(
        sets=tuple(_sets(completion, rows)),
        is_complete=completion.is_complete,
        is_possible=REQUIREMENTS_SATISFIABLE not in completion.missing,
    )


def takes_part(*, user_id: int, program_id: int) -> bool:
    """Whether a learner has anything in a program: an enrollment, a result, or a certificate."""
    learners = program_learners(_only(program_id))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM ({learners.sql}) AS learner WHERE user_id = %s)",  # noqa: S608 - composed of constants
            (*learners.params, user_id),
        )
        [is_there] = cursor.fetchone() or (False,)
        return bool(is_there)


def credit_offers(*, program_id: int, user_id: int) -> list[CreditOffer]:
    """Where this learner can send the program's record, by name: one statement."""
    mine = UserCreditPathway.objects.filter(
        pathway=OuterRef("pk"), user=user_id, program=program_id, status__in=REACHED
    )
    asked_at = Subquery(mine.order_by("-requested_at").values("requested_at")[:1])
    pathways = Pathway.objects.taking_requests_about(program_id).order_by("name", "pk")
    rows = pathways.annotate(asked_at=asked_at).values_list("pk", "name", "org_name", "asked_at")
    return [CreditOffer(*row) for row in rows]


def _only(program_id: int) -> Fragment:
    return Fragment("SELECT %s::bigint AS program_id", (program_id,))


def _taking_part(user_id: int, *, program_id: int, at: datetime) -> Fragment:
    """The learner with the program's requirements in force; nothing for one who takes no part."""
    learners, versions = program_learners(_only(program_id)), requirement_versions(at=at)
    return Fragment(
        f"""
        SELECT user_id, learner.program_id, version_id FROM ({learners.sql}) AS learner
        LEFT JOIN ({versions.sql}) AS version
          ON version.program_id = learner.program_id AND version.is_in_force
        WHERE user_id = %s
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (*learners.params, *versions.params, user_id),
    )


def _sets(completion: Completion, rows: dict[str, RecordRow]) -> Iterable[SetStep]:
    checks = {check.code: check for check in completion.checks}
    members: defaultdict[int, list[Any]] = defaultdict(list)
    for member in _members(completion):
        members[member.group_id].append(member)
    for of_group in members.values():
        group = of_group[0].group
        yield SetStep(
            title=group.title,
            is_core=group.kind == GroupKind.CORE,
            needed=group.required_number,
            courses=tuple(
                _course(member, checks[_code(member)], rows.get(member.course.key))
                for member in of_group
            ),
        )


def _members(completion: Completion) -> Iterable[Any]:
    """The courses that are asked for, in their order, with the learner's verified grades."""
    if completion.version_id is None:
        return []
    grades = CourseGrade.objects.filter(
        user_id=completion.user_id,
        verified=True,
        percent_grade__isnull=False,
        course_run__course=OuterRef("course"),
        course_run__programs=completion.program_id,
    ).order_by()
    return (
        RequirementCourse.objects.filter(version_id=completion.version_id)
        .select_related("group", "course")
        .annotate(
            grades=ArraySubquery(
                grades.values(json=JSONObject(run="course_run__key", percent="percent_grade"))
            )
        )
        .order_by("group__position", "group_id", "position")
    )


def _code(member: RequirementCourse) -> str:
    if member.group.kind == GroupKind.CORE:
        return f"{CORE_COURSE}:{member.course.key}"
    return f"{ELECTIVE_SET}:{member.group.number}"


def _course(member: Any, check: Check, row: RecordRow | None) -> CourseStep:
    of_course = [met for met in check.evidence if met["course"] == member.course.key]
    evidence = next(iter(of_course), None)
    if evidence is None:
        so_far, reason = (row.percent_so_far, row.reason) if row else (None, None)
        return CourseStep(str(member.course), False, None, so_far, reason)
    grades = {grade["run"]: Decimal(str(grade["percent"])) for grade in member.grades}
    earned_at = evidence["earned_at"]
    return CourseStep(
        title=str(member.course),
        is_met=True,
        earned_at=datetime.fromisoformat(earned_at) if earned_at else None,
        percent_grade=grades.get(evidence["run"]),
        reason=None,
    )

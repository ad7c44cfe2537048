from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

from django.db import transaction

from credentials_portal.core.errors import DomainError
from credentials_portal.core.events import announce
from credentials_portal.core.history import (
    Attribution,
    bulk_create_with_history,
    delete_with_history,
    insert_history,
)
from programs.enums import GroupKind
from programs.models import (
    Program,
    ProgramCourseRun,
    ProgramRequirementsVersion,
    RequirementCourse,
    RequirementGroup,
)
from programs.selectors import completed_learners
from programs.signals import ProgramChange, program_requirements_changed


class ImpossibleRequirementsError(DomainError):
    code = "impossible_requirements"


@dataclass(frozen=True)
class RequiredGroup:
    """Courses of which `required_number` must be met; None (the core): all of them.

    `number` says which of the program's elective sets it is; None: `define_requirements` finds
    out. It is no part of what is asked, and does not count when two are compared.
    """

    course_ids: tuple[int, ...]
    required_number: int | None = None
    title: str = ""
    number: int | None = field(default=None, compare=False)

    @property
    def kind(self) -> GroupKind:
        return GroupKind.CORE if self.required_number is None else GroupKind.ELECTIVES

    @property
    def needed(self) -> int:
        return len(self.course_ids) if self.required_number is None else self.required_number


@transaction.atomic
def define_requirements(
    *,
    program: Program,
    groups: Sequence[RequiredGroup],
    by: Attribution,
    note: str = "",
    effective_from: datetime | None = None,
) -> ProgramRequirementsVersion:
    """Make these the program's requirements from `effective_from` on; `by.at` if it is None.

    Earlier versions stay as they are; the latest is returned when it says the same by then. No
    groups at all says that the program has no requirements: nobody completes it. An elective set
    that names no number keeps that of the set of the same title, else of the same courses, in any
    earlier version; one that is new gets the next. Raises `ImpossibleRequirementsError` when a
    group cannot be met, when a course stands in two groups, when there are two cores, when a
    number is unknown or stands twice, and when the latest version takes effect later than this one.
    """
    _check_possible(groups)
    Program.objects.select_for_update(no_key=True).get(pk=program.pk)
    latest = program.requirements_versions.order_by("number").last()
    begins_at = effective_from or by.at
    if latest is not None and begins_at < latest.effective_from:
        raise ImpossibleRequirementsError(
            f"Version {latest.number} takes effect on {latest.effective_from:%Y-%m-%d}: the next"
            " one cannot take effect before it."
        )
    if latest is not None and requirements_of(latest) == list(groups):
        return latest

    version = ProgramRequirementsVersion.objects.create(
        program=program,
        number=latest.number + 1 if latest else 1,
        effective_from=begins_at,
        group_count=len(groups),
        note=note,
        created_by=by.actor,
    )
    rows = RequirementGroup.objects.bulk_create(
        RequirementGroup(
            version=version,
            kind=group.kind,
            number=group.number,
            title=group.title,
            position=position,
            required_number=group.needed,
            course_count=len(group.course_ids),
        )
        for position, group in enumerate(_numbered(groups, _elective_sets(program)))
    )
    RequirementCourse.objects.bulk_create(
        RequirementCourse(version=version, group=row, course_id=course_id, position=position)
        for row, group in zip(rows, groups, strict=True)
        for position, course_id in enumerate(group.course_ids)
    )
    _announce_change(program, by)
    return version


@transaction.atomic
def include_runs(*, program: Program, course_run_ids: Sequence[int], by: Attribution) -> None:
    """Make exactly these the runs that count towards the program, in this order."""
    Program.objects.select_for_update(no_key=True).get(pk=program.pk)
    wanted = {run_id: position for position, run_id in enumerate(dict.fromkeys(course_run_ids))}
    present = {row.course_run_id: row for row in program.included_runs.order_by("pk")}
    dropped = [row.pk for run_id, row in present.items() if run_id not in wanted]
    added = [
        ProgramCourseRun(program=program, course_run_id=run_id, position=position)
        for run_id, position in wanted.items()
        if run_id not in present
    ]
    moved = [
        row for run_id, row in present.items() if wanted.get(run_id, row.position) != row.position
    ]
    for row in moved:
        row.position = wanted[row.course_run_id]
    delete_with_history(ProgramCourseRun, dropped, by=by)
    bulk_create_with_history(ProgramCourseRun, added, by=by)
    ProgramCourseRun.objects.bulk_update(moved, ["position"])
    insert_history(ProgramCourseRun, [row.pk for row in moved], history_type="~", by=by)
    if added or dropped:
        _announce_change(program, by)


@dataclass(frozen=True)
class Preview:
    """How many learners are complete now, and how many would become so, or no longer be."""

    before: int
    gained: int
    lost: int

    @property
    def after(self) -> int:
        return self.before + self.gained - self.lost


def preview(change: Callable[[], object], *, program: Program, at: datetime) -> Preview:
    """What `change`, made at `at`, would do to those who completed the program; it is undone.

    What it raises passes through.
    """
    with transaction.atomic():
        before = completed_learners(program_id=program.pk, at=at)
        change()
        after = completed_learners(program_id=program.pk, at=at)
        transaction.set_rollback(True)
    return Preview(len(before), len(after - before), len(before - after))


def _check_possible(groups: Sequence[RequiredGroup]) -> None:
    for group in groups:
        if not 1 <= group.needed <= len(group.course_ids):
            raise ImpossibleRequirementsError(
                f"“{group.title or group.kind.label}” asks for {group.needed} of"
                f" {len(group.course_ids)} courses: at least one, and no more than there are."
            )
    if sum(group.kind == GroupKind.CORE for group in groups) > 1:
        raise ImpossibleRequirementsError("A program has one core at the most.")
    counts = Counter(course_id for group in groups for course_id in group.course_ids)
    if any(count > 1 for count in counts.values()):
        raise ImpossibleRequirementsError("A course stands in one group only.")


def requirements_of(version: ProgramRequirementsVersion) -> list[RequiredGroup]:
    """What a version asks for, in the form in which it was defined."""
    return [_required(group) for group in version.groups.prefetch_related("courses")]


def _required(group: RequirementGroup) -> RequiredGroup:
    return RequiredGroup(
        course_ids=tuple(member.course_id for member in group.courses.all()),
        required_number=None if group.kind == GroupKind.CORE else group.required_number,
        title=group.title,
        number=group.number,
    )


def _elective_sets(program: Program) -> list[RequiredGroup]:
    """The elective sets of all versions, those of the newest first."""
    sets = RequirementGroup.objects.filter(version__program=program, kind=GroupKind.ELECTIVES)
    rows = sets.order_by("-version__number", "position").prefetch_related("courses")
    return [_required(group) for group in rows]


IDENTITIES: tuple[Callable[[RequiredGroup], Any], ...] = (
    lambda group: (group.title, frozenset(group.course_ids)),
    lambda group: group.title,
    lambda group: frozenset(group.course_ids),
)
"""What tells that two elective sets are the same one, the surest first; an empty one does not."""


def _numbered(groups: Sequence[RequiredGroup], known: list[RequiredGroup]) -> list[RequiredGroup]:
    """The groups with the numbers of their sets, given the program's sets so far."""
    sets = {place: g for place, g in enumerate(groups) if g.kind == GroupKind.ELECTIVES}
    numbers = {place: group.number for place, group in sets.items() if group.number}
    if len(set(numbers.values())) < len(numbers):
        raise ImpossibleRequirementsError("An elective set stands in it twice.")
    if not set(numbers.values()) <= {one.number for one in known}:
        raise ImpossibleRequirementsError("The program has no elective set of this number.")
    for identity in IDENTITIES:
        for place in sorted(sets.keys() - numbers.keys()):
            free = (one for one in known if one.number not in numbers.values())
            wanted = identity(sets[place])
            same = (one.number for one in free if wanted and identity(one) == wanted)
            if number := next(same, None):
                numbers[place] = number
    unused = count(max((one.number or 0 for one in known), default=0) + 1)
    numbers |= {place: next(unused) for place in sorted(sets.keys() - numbers.keys())}
    return [replace(group, number=numbers.get(place)) for place, group in enumerate(groups)]


def _announce_change(program: Program, by: Attribution) -> None:
    announce(
        program_requirements_changed,
        (ProgramChange(program.pk),),
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )

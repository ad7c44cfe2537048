from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

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
    """Courses of which `required_number` must be met; None (the core): all of them."""

    course_ids: tuple[int, ...]
    required_number: int | None = None
    title: str = ""

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
    groups at all says that the program has no requirements: nobody completes it. Raises
    `ImpossibleRequirementsError` when a group cannot be met, when a course stands in two groups,
    when there are two cores, and when the latest version takes effect later than this one.
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
            title=group.title,
            position=position,
            required_number=group.needed,
            course_count=len(group.course_ids),
        )
        for position, group in enumerate(groups)
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
    return [
        RequiredGroup(
            course_ids=tuple(member.course_id for member in group.courses.all()),
            required_number=None if group.kind == GroupKind.CORE else group.required_number,
            title=group.title,
        )
        for group in version.groups.prefetch_related("courses")
    ]


def _announce_change(program: Program, by: Attribution) -> None:
    announce(
        program_requirements_changed,
        (ProgramChange(program.pk),),
        at=by.at,
        actor=by.actor,
        cause=by.cause,
    )

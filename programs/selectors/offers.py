"""Which runs of a course are offered, and how a learner could take them."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from credentials_portal.core.sql import Fragment
from programs.models import Course, CourseEnrollment, CourseRun


@dataclass(frozen=True)
class RunOffer:
    """A run of a course, its dates (None: none is set), and its paid modes.

    `upgrade_deadlines` tells of each paid mode until when one may take it; None: no end.
    """

    course_run_id: int
    course_uuid: UUID
    course_title: str
    key: str
    title: str
    start: datetime | None
    end: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    upgrade_deadlines: dict[str, datetime | None]

    def offers(self, mode: str, *, at: datetime) -> bool:
        """Whether the mode can be taken at `at`."""
        deadline = self.upgrade_deadlines.get(mode)
        return mode in self.upgrade_deadlines and (deadline is None or at < deadline)

    def takes_enrollments(self, *, at: datetime) -> bool:
        """Whether its window of enrollment is open; a bound that is missing is open."""
        return not (self.enrollment_start and at <= self.enrollment_start) and not (
            self.enrollment_end and at >= self.enrollment_end
        )

    def open_until(self, mode: str) -> datetime | None:
        """Until when somebody can enroll in the mode; None: no end is set."""
        ends = [end for end in (self.enrollment_end, self.upgrade_deadlines.get(mode)) if end]
        return min(ends, default=None)


@dataclass(frozen=True)
class CourseWords:
    """What a course is called, and the organizations that offer it, by `uuid` and `name`."""

    title: str
    owners: list[dict[str, str]]


@dataclass(frozen=True)
class Enrolled:
    """A learner's enrollment in a run as the portal knows it."""

    enrollment_id: int
    user_id: int
    course_run_id: int
    mode: str
    is_active: bool


def course_offers(course_uuids: Collection[UUID]) -> dict[UUID, list[RunOffer]]:
    """The runs of each of these courses by start, those without one last: two statements."""
    found: dict[UUID, list[RunOffer]] = {uuid: [] for uuid in course_uuids}
    runs = CourseRun.objects.filter(course__uuid__in=found).select_related("course")
    for run in runs.prefetch_related("modes").order_by("start_date", "key"):
        found[run.course.uuid].append(_offer(run))
    return found


def run_offer(key: str) -> RunOffer | None:
    """The run with this key, if there is one."""
    return run_offers([key]).get(key)


def run_offers(keys: Collection[str]) -> dict[str, RunOffer]:
    """Those of the runs with these keys that the portal knows: two statements."""
    runs = CourseRun.objects.filter(key__in=keys).select_related("course")
    return {run.key: _offer(run) for run in runs.prefetch_related("modes")}


def run_keys(course_run_ids: Collection[int]) -> dict[int, str]:
    """The keys of these runs."""
    return dict(CourseRun.objects.filter(pk__in=course_run_ids).values_list("pk", "key"))


def course_by_identifier(identifier: str) -> UUID | None:
    """The uuid of the course with this key or uuid, if there is one."""
    named = Q(key=identifier)
    with suppress(ValueError):
        named |= Q(uuid=UUID(identifier))
    return Course.objects.filter(named).values_list("uuid", flat=True).first()


def courses_titled(words: str, *, at_most: int) -> list[UUID]:
    """The uuids of courses with this key, or with these words in their title."""
    named = Course.objects.filter(Q(key=words) | Q(title__icontains=words))
    return list(named.order_by("pk").values_list("uuid", flat=True)[:at_most])


def course_titles(course_uuids: Collection[UUID]) -> dict[UUID, str]:
    """The titles of those of these courses that the portal knows."""
    courses = Course.objects.filter(uuid__in=course_uuids)
    return {course.uuid: str(course) for course in courses}


def course_words(key: str) -> CourseWords | None:
    """What the catalog says of the course with this key: two statements."""
    course = Course.objects.filter(key=key).first()
    if course is None:
        return None
    owners = course.owners.order_by("courseowner__position", "pk").values_list("uuid", "name")
    return CourseWords(
        title=course.title, owners=[{"uuid": str(uuid), "name": name} for uuid, name in owners]
    )


def enrollments_in(
    *, user_ids: Collection[int], course_run_ids: Collection[int]
) -> dict[tuple[int, int], Enrolled]:
    """The enrollments of these learners in these runs, by learner and run; ended ones too."""
    rows = CourseEnrollment.objects.filter(
        user_id__in=user_ids, course_run_id__in=course_run_ids
    ).values_list("pk", "user_id", "course_run_id", "mode", "is_active")
    return {(row[1], row[2]): Enrolled(*row) for row in rows}


def course_enrollments() -> Fragment:
    """Who is in a run of which course since when: user_id, course_key, enrolled_at."""
    active = CourseEnrollment.objects.filter(is_active=True).order_by()
    rows = active.values("user_id", "course_run__course__key", "created")
    return Fragment.of(rows).renamed("user_id", "course_key", "enrolled_at")


def _offer(run: CourseRun) -> RunOffer:
    return RunOffer(
        course_run_id=run.pk,
        course_uuid=run.course.uuid,
        course_title=str(run.course),
        key=run.key,
        title=run.title or str(run.course),
        start=run.start_date,
        end=run.end_date,
        enrollment_start=run.enrollment_start,
        enrollment_end=run.enrollment_end,
        upgrade_deadlines={mode.slug: mode.upgrade_deadline for mode in run.modes.all()},
    )

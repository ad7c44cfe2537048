"""The program record: what a learner has earned in a program, as an institution reads it.

One computation for the page, the JSON, the CSV, the mails and the fingerprint; always live.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from credentials_portal.core.errors import NotFoundError
from programs.enums import (
    LISTED,
    CertificateSource,
    CertificateStatus,
    RevocationKind,
    RowReason,
)
from programs.models import Program
from programs.sql.records import program_list_rows, program_record_head, program_record_runs

NAMES_BETWEEN = ", "


@dataclass(frozen=True)
class RecordRow:
    """One course of a record, with its best awarded run; where it does not count, why.

    `percent_grade` is a fraction. `reason_until` is when a certificate becomes available;
    `percent_so_far`, where a grade is the reason, the best of those that it is about.
    """

    name: str
    school: str
    course_key: str
    run_key: str = ""
    attempts: int | None = None
    issued_at: datetime | None = None
    percent_grade: Decimal | None = None
    letter_grade: str = ""
    reason: RowReason | None = None
    reason_until: datetime | None = None
    percent_so_far: Decimal | None = None

    @property
    def is_earned(self) -> bool:
        return self.issued_at is not None

    @property
    def has_grade(self) -> bool:
        return self.attempts is not None


@dataclass(frozen=True)
class ProgramRecord:
    """A learner's record in `program` at an instant.

    `is_completed`: a program certificate is awarded and visible. `completed_at` tells of that one,
    `completion_shown_from` also of one that is not visible yet. `is_revoked`: somebody decided
    that it is not the learner's any more. `last_updated` is `at` where the record holds nothing.
    """

    user_id: int
    program: Program
    school: str
    rows: tuple[RecordRow, ...]
    is_completed: bool
    completed_at: datetime | None
    last_updated: datetime
    completion_shown_from: datetime | None = None
    is_revoked: bool = False

    @property
    def is_empty(self) -> bool:
        """No course has a grade that counts: the older service's word."""
        return not any(row.has_grade for row in self.rows)

    @property
    def earned(self) -> int:
        return sum(row.is_earned for row in self.rows)

    @property
    def fingerprint(self) -> str:
        """Changes with what the record says: not with when it is read, what its courses are called
        or in what order they stand."""
        said = sorted(
            (
                row.course_key,
                row.run_key,
                row.attempts,
                row.issued_at and row.issued_at.timestamp(),
                None if row.percent_grade is None else str(row.percent_grade.normalize()),
                row.letter_grade,
            )
            for row in self.rows
        )
        text = json.dumps([str(self.program.uuid), self.is_completed, said])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ListedRecord:
    """A program in which a learner has earned a course certificate that is visible."""

    program_id: int
    uuid: UUID
    title: str
    school: str
    is_completed: bool


@dataclass(frozen=True)
class _Attempt:
    """A learner's result in a run, included or not, as the SQL tells it."""

    course_key: str
    course_title: str
    school: str
    run_key: str
    title_override: str
    is_included: bool
    status: str | None
    awarded_at: datetime | None
    date_override: datetime | None
    available_at: datetime | None
    percent_grade: Decimal | None
    letter_grade: str | None
    is_verified: bool | None
    is_passed: bool | None
    is_final: bool | None
    grade_modified_at: datetime | None

    @property
    def has_certificate(self) -> bool:
        return self.status is not None

    @property
    def visible_from(self) -> datetime:
        """When learners see the certificate; an override does not move it."""
        visible_from = self.available_at or self.awarded_at
        assert visible_from  # noqa: S101 - asked only where there is a certificate
        return visible_from

    def is_visible(self, at: datetime) -> bool:
        return self.has_certificate and (self.available_at is None or self.available_at <= at)

    def is_awarded(self, at: datetime) -> bool:
        return self.status == CertificateStatus.AWARDED and self.is_visible(at)

    @property
    def issued_at(self) -> datetime:
        return self.date_override or self.visible_from

    @property
    def has_verified_grade(self) -> bool:
        return bool(self.is_verified)

    @property
    def title(self) -> str:
        return self.title_override or self.course_title or self.course_key


def record_of(*, user_id: int, program_uuid: UUID, at: datetime) -> ProgramRecord:
    """The learner's record in this program: two statements. Raises `NotFoundError`."""
    head = program_record_head(user_id=user_id, program_uuid=program_uuid)
    program: Any = next(iter(Program.objects.raw(head.sql, head.params)), None)
    if program is None:
        raise NotFoundError("There is no such program.")
    attempts = _attempts(user_id=user_id, program_id=program.pk, at=at)
    shown_from = _shown_from(program, attempts)
    is_completed = shown_from is not None and shown_from <= at
    rows = tuple(_rows(attempts, at))
    return ProgramRecord(
        user_id=user_id,
        program=program,
        school=NAMES_BETWEEN.join(program.school_names),
        rows=rows,
        is_completed=is_completed,
        completed_at=program.certificate_awarded_at if is_completed else None,
        last_updated=max(_updates(attempts, at), default=at),
        completion_shown_from=shown_from,
        is_revoked=program.certificate_revocation_kind == RevocationKind.DECIDED,
    )


def records_of_learner(*, user_id: int, at: datetime) -> list[ListedRecord]:
    """Active and retired programs with an earned course, by title: one statement."""
    listed = program_list_rows(user_id=user_id, at=at, statuses=LISTED)
    with connection.cursor() as cursor:
        cursor.execute(listed.sql, listed.params)
        return [
            ListedRecord(
                program_id=program_id,
                uuid=uuid,
                title=title,
                school=NAMES_BETWEEN.join(school_names),
                is_completed=is_completed,
            )
            for program_id, uuid, title, school_names, is_completed in cursor.fetchall()
        ]


def _attempts(*, user_id: int, program_id: int, at: datetime) -> list[_Attempt]:
    """Every included run in its order, then runs of the same courses that are not included."""
    runs = program_record_runs(user_id=user_id, program_id=program_id, at=at)
    with connection.cursor() as cursor:
        cursor.execute(runs.sql, runs.params)
        return [
            _Attempt(course_key, course_title, NAMES_BETWEEN.join(owners), *rest)
            for course_key, course_title, owners, *rest in cursor.fetchall()
        ]


def _shown_from(program: Any, attempts: Iterable[_Attempt]) -> datetime | None:
    """From when an awarded program certificate is seen; None: there is none, or nobody can say.

    It is seen from when the last of the learner's course certificates in the program is. Where
    there is none of those, only one that the portal computed is seen: others wait for them.
    """
    if program.certificate_status != CertificateStatus.AWARDED:
        return None
    dates = [one.visible_from for one in attempts if one.is_included and one.has_certificate]
    if not dates and program.certificate_source != CertificateSource.COMPUTED:
        return None
    return max(dates, default=program.certificate_awarded_at)


def _updates(attempts: Iterable[_Attempt], at: datetime) -> Iterable[datetime]:
    for one in attempts:
        if one.is_included and one.is_visible(at):
            yield one.visible_from
            if one.has_verified_grade and one.grade_modified_at:
                yield one.grade_modified_at


def _rows(attempts: Iterable[_Attempt], at: datetime) -> Iterable[RecordRow]:
    """One row for each course, where its first included run stands."""
    by_course: defaultdict[str, list[_Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_course[attempt.course_key].append(attempt)
    for of_course in by_course.values():
        yield _row(of_course, at)


def _row(of_course: list[_Attempt], at: datetime) -> RecordRow:
    included = [one for one in of_course if one.is_included]
    awarded = [one for one in included if one.is_awarded(at)]
    best = max(awarded, key=_rank, default=None)
    if best is None:
        first = included[0]
        reason, until = _reason(of_course, at)
        return RecordRow(
            first.title,
            first.school,
            first.course_key,
            reason=reason,
            reason_until=until,
            percent_so_far=_percent_so_far(included, reason),
        )
    counted = [one for one in included if one.has_verified_grade and one.is_visible(at)]
    with_grade = best.has_verified_grade
    return RecordRow(
        name=best.title,
        school=best.school,
        course_key=best.course_key,
        run_key=best.run_key,
        attempts=len(counted) if with_grade else None,
        issued_at=best.issued_at,
        percent_grade=best.percent_grade if with_grade else None,
        letter_grade=(best.letter_grade or "") if with_grade else "",
    )


def _rank(awarded: _Attempt) -> tuple[bool, bool, Decimal, datetime]:
    """By grade, the latest first among equals; without a grade last."""
    percent = awarded.percent_grade if awarded.has_verified_grade else None
    return (
        awarded.has_verified_grade,
        percent is not None,
        percent if percent is not None else Decimal(0),
        awarded.issued_at,
    )


def _reason(of_course: list[_Attempt], at: datetime) -> tuple[RowReason, datetime | None]:
    """Why nothing of a course counts: what is nearest to counting first."""
    included = [one for one in of_course if one.is_included]
    awaited = [
        one.visible_from
        for one in included
        if one.status == CertificateStatus.AWARDED and not one.is_visible(at)
    ]
    if awaited:
        return RowReason.NOT_AVAILABLE_UNTIL, min(awaited)
    graded = [one for one in included if one.has_verified_grade and not one.has_certificate]
    if any(one.is_passed and one.is_final for one in graded):
        return RowReason.NO_CERTIFICATE, None
    if any(not one.is_final for one in graded):
        return RowReason.NOT_FINAL, None
    if any(one.status == CertificateStatus.REVOKED for one in included):
        return RowReason.REVOKED, None
    return _reason_without_certificate(of_course, at), None


def _reason_without_certificate(of_course: list[_Attempt], at: datetime) -> RowReason:
    """The same, where all verified grades of included runs are final and none passes."""
    included = [one for one in of_course if one.is_included]
    if any(_counts_elsewhere(one, at) for one in of_course if not one.is_included):
        return RowReason.EXCLUDED_RUN
    if any(one.is_verified is False for one in included):
        return RowReason.UNVERIFIED
    if any(one.has_verified_grade for one in included):
        return RowReason.NOT_PASSED
    return RowReason.NO_GRADE


def _percent_so_far(included: list[_Attempt], reason: RowReason) -> Decimal | None:
    """The best verified grade of those that are not final, or that do not pass."""
    if reason not in (RowReason.NOT_FINAL, RowReason.NOT_PASSED):
        return None
    waits = reason == RowReason.NOT_FINAL
    grades = [
        one.percent_grade
        for one in included
        if one.has_verified_grade and not one.has_certificate and bool(one.is_final) != waits
    ]
    return max((grade for grade in grades if grade is not None), default=None)


def _counts_elsewhere(excluded: _Attempt, at: datetime) -> bool:
    """Whether a run that is not included would count, or nearly, if it were."""
    if excluded.has_certificate:
        return excluded.is_awarded(at)
    return bool(excluded.has_verified_grade and excluded.is_passed and excluded.is_final)

"""What holds of entitlements at an instant, with the runs that they are used for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from credentials_portal.core.sql import Fragment
from entitlements.models import CourseEntitlement
from entitlements.rules import Decision, Facts, RunFacts, evaluate
from programs.selectors import enrollment_facts


@dataclass(frozen=True)
class Usage:
    """The enrollment that an entitlement is used for."""

    enrollment_id: int
    user_id: int
    course_run_id: int
    run_key: str
    course_uuid: UUID
    run_start: datetime | None
    mode: str
    is_active: bool
    enrolled_at: datetime
    certificate_status: str


@dataclass(frozen=True)
class JudgedEntitlement:
    """An entitlement, its use if it has one, and what the rule says of it."""

    entitlement: CourseEntitlement
    usage: Usage | None
    decision: Decision

    @property
    def course_run_id(self) -> int | None:
        """The run that it is used for."""
        return self.usage.course_run_id if self.usage else None


def judge(entitlements: Iterable[CourseEntitlement], *, at: datetime) -> list[JudgedEntitlement]:
    """Judge these entitlements, in their order: one statement, and none without any in use.

    Their policies are read where they were not selected with them.
    """
    rows = list(entitlements)
    usages = usages_of(row.enrollment_course_run_id for row in rows if row.enrollment_course_run_id)
    return [_judged(row, usages.get(row.enrollment_course_run_id or 0), at) for row in rows]


def usages_of(enrollment_ids: Iterable[int]) -> dict[int, Usage]:
    """What is known of these enrollments, by id."""
    ids = list(enrollment_ids)
    if not ids:
        return {}
    facts = enrollment_facts(Fragment("SELECT unnest(%s::bigint[])", (ids,)))
    columns = ", ".join(Usage.__dataclass_fields__)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM ({facts.sql}) AS fact",  # noqa: S608 - names from code
            facts.params,
        )
        return {row[0]: Usage(*row) for row in cursor.fetchall()}


def _judged(entitlement: CourseEntitlement, usage: Usage | None, at: datetime) -> JudgedEntitlement:
    facts = Facts(
        created=entitlement.created,
        expired_at=entitlement.expired_at,
        expired_reason=entitlement.expired_reason,
        extended_until=entitlement.extended_until,
        order_number=entitlement.order_number,
        refund_locked=entitlement.refund_locked,
        run=RunFacts(
            start=usage.run_start,
            joined_at=entitlement.redeemed_at or usage.enrolled_at,
            certificate_status=usage.certificate_status,
        )
        if usage
        else None,
    )
    return JudgedEntitlement(entitlement, usage, evaluate(facts, entitlement.periods, at))

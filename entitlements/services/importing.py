"""Entitlements of the old service, with their uuids and dates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.rehearsal import Rehearsal
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import EntitlementMode, ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementPolicy
from entitlements.services.dumps import (
    BadRowError,
    Result,
    Row,
    id_of,
    store,
    uuid_of,
    values_of,
)
from programs import selectors as programs

REQUIRED_COLUMNS = ("uuid", "course_uuid", "mode", "created")
LEARNER_COLUMNS = ("user_id", "username")
RUN_COLUMN = "enrollment_course_run"
CLAIM = "claim"
"""What a dry run notes of entitlements: what no other one may have."""

RUN_USED = "another entitlement is used for its enrollment: this one counts as unused"
RUN_UNKNOWN = "it has ended, and its enrollment is not here: imported without"


class UnknownPolicyError(BadRowError):
    """A policy of the portal that does not exist."""

    code = "unknown_policy"


class _Person(NamedTuple):
    user_id: int
    lms_user_id: int | None
    username: str


@dataclass
class EntitlementImport:
    """One import, which is brought page by page.

    `policies` maps the old service's policies to ours; None stands for the built-in periods. What
    is here already, by its uuid, stays as it is. Nothing is announced, and nobody gets mail. A dry
    run tells the same and writes nothing in the database, so it notes what it would have.
    """

    by: Attribution
    policies: Mapping[str, int | None] = field(default_factory=dict)
    dry_run: bool = False
    unwritten: Rehearsal = field(default_factory=Rehearsal)

    def __post_init__(self) -> None:
        wanted = {pk for pk in self.policies.values() if pk is not None}
        found = CourseEntitlementPolicy.objects.filter(pk__in=wanted).values_list("pk", flat=True)
        if missing := wanted - set(found):
            raise UnknownPolicyError(f"There is no policy {min(missing)}.")

    @retry_conflicts
    @transaction.atomic
    def bring(self, rows: Sequence[Row]) -> list[Result]:
        """Import these rows in one transaction; bad ones are told and left."""
        draft = _Page(rows, self).draft
        return store(CourseEntitlement, rows, draft, by=self.by, dry_run=self.dry_run)

    def close(self) -> None:
        self.unwritten.close()


class _Page:
    """Some rows, with all that is here of what they name: a fixed number of statements."""

    def __init__(self, rows: Sequence[Row], work: EntitlementImport) -> None:
        self.work = work
        people = _people(rows)
        self.by_lms_id = {person.lms_user_id: person for person in people}
        self.by_username = {person.username: person for person in people}
        courses = {uuid for text in values_of(rows, "course_uuid") if (uuid := uuid_of(text))}
        self.course_uuids = programs.course_titles(courses).keys()
        self.runs = programs.run_offers(values_of(rows, RUN_COLUMN))
        self.enrollments = programs.enrollments_in(
            user_ids=[person.user_id for person in people],
            course_run_ids={run.course_run_id for run in self.runs.values()},
        )
        enrollment_ids = {enrollment.enrollment_id for enrollment in self.enrollments.values()}
        rivals = _rivals(rows, enrollment_ids)
        self.taken = {claim for rival in rivals for claim in _claims(rival)}

    def draft(self, row: Row) -> tuple[CourseEntitlement, str] | None:
        """The entitlement, and what was mended about it; None: it is here already."""
        uuid = row.uuid("uuid")
        if self._is_taken({uuid_claim(uuid)}):
            return None
        created = row.instant("created")
        if created is None or created > self.work.by.at:
            raise BadRowError("created is missing, or lies in the future")
        expired_at = row.instant("expired_at")
        entitlement = CourseEntitlement(
            uuid=uuid,
            user_id=self._learner(row),
            course_uuid=self._course(row),
            mode=_mode(row),
            order_number=row.text("order_number"),
            refund_locked=row.truth("refund_locked"),
            policy_id=self._policy(row),
            expired_at=expired_at,
            expired_reason=ExpiryReason.IMPORTED if expired_at else "",
            created=created,
            modified=row.instant("modified") or created,
        )
        if self._is_taken(_claims(entitlement)):
            raise BadRowError("another entitlement for the course has its order")
        entitlement.enrollment_course_run_id, mended = self._enrollment(row, entitlement)
        self._take(_claims(entitlement))
        return entitlement, mended

    def _is_taken(self, claims: set[str]) -> bool:
        noted = self.work.unwritten.noted(CLAIM, claims) if self.work.dry_run else {}
        return bool(noted) or not self.taken.isdisjoint(claims)

    def _take(self, claims: set[str]) -> None:
        self.taken |= claims
        if self.work.dry_run:
            self.work.unwritten.note(CLAIM, dict.fromkeys(claims, ""))

    def _learner(self, row: Row) -> int:
        """Whoever has the id in the LMS; else the username, unless with another id."""
        lms_user_id, username = row.number_of("user_id"), row.text("username")
        person = self.by_lms_id.get(lms_user_id or 0) or self.by_username.get(username or "")
        if person is None or (lms_user_id and person.lms_user_id not in {None, lms_user_id}):
            raise BadRowError("there is no such learner")
        return person.user_id

    def _course(self, row: Row) -> UUID:
        uuid = row.uuid("course_uuid")
        if uuid not in self.course_uuids:
            raise BadRowError("there is no such course")
        return uuid

    def _policy(self, row: Row) -> int | None:
        named = row.text("policy")
        if named is not None and named not in self.work.policies:
            raise BadRowError(f"nobody said which policy stands for {named}")
        return None if named is None else self.work.policies[named]

    def _enrollment(self, row: Row, entitlement: CourseEntitlement) -> tuple[int | None, str]:
        """The enrollment for which it is used, and what was mended about it."""
        key = row.text(RUN_COLUMN)
        if key is None:
            return None, ""
        run = self.runs.get(key)
        named = (entitlement.user_id, run.course_run_id if run else 0)
        enrollment = self.enrollments.get(named)
        if run is None or enrollment is None:
            if entitlement.expired_at is None:
                raise BadRowError("its enrollment is not here")
            return None, RUN_UNKNOWN
        if run.course_uuid != entitlement.course_uuid:
            raise BadRowError("its run is one of another course")
        claims = {_enrollment_claim(enrollment.enrollment_id)}
        if entitlement.expired_at is None and self._is_taken(claims):
            return None, RUN_USED
        return enrollment.enrollment_id, ""


def uuid_claim(uuid: UUID) -> str:
    return f"uuid:{uuid}"


def _order_claim(course_uuid: UUID, order_number: str) -> str:
    return f"order:{course_uuid}:{order_number}"


def _enrollment_claim(enrollment_id: int) -> str:
    return f"enrollment:{enrollment_id}"


def _claims(entitlement: CourseEntitlement) -> set[str]:
    """What no other entitlement may have: its uuid, its order, and its enrollment while it lasts."""
    claims = {uuid_claim(entitlement.uuid)}
    if entitlement.order_number:
        claims.add(_order_claim(entitlement.course_uuid, entitlement.order_number))
    if entitlement.enrollment_course_run_id and not entitlement.expired_at:
        claims.add(_enrollment_claim(entitlement.enrollment_course_run_id))
    return claims


def _mode(row: Row) -> str:
    mode = row.required("mode")
    if mode not in EntitlementMode.values:
        raise BadRowError("there is no such mode")
    return mode


def _people(rows: Sequence[Row]) -> list[_Person]:
    """Whom these rows name, by their ids in the LMS or by username."""
    lms_ids = {number for text in values_of(rows, "user_id") if (number := id_of(text))}
    named = Q(lms_user_id__in=lms_ids) | Q(username__in=values_of(rows, "username"))
    people = User.objects.filter(named).values_list("pk", "lms_user_id", "username")
    return [_Person(*person) for person in people]


def _rivals(rows: Sequence[Row], enrollment_ids: Collection[int]) -> QuerySet[CourseEntitlement]:
    """What is stored and has anything of these rows."""
    uuids = {uuid for text in values_of(rows, "uuid") if (uuid := uuid_of(text))}
    return CourseEntitlement.objects.filter(
        Q(uuid__in=uuids)
        | Q(order_number__in=values_of(rows, "order_number"))
        | Q(enrollment_course_run__in=enrollment_ids)
    )

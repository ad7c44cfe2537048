"""Enrolling learners in the runs for which they use entitlements, and ending those enrollments.

Where that is done: at the LMS; without one, in the portal's own enrollments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from credentials_portal.accounts.models import User
from credentials_portal.clients.http import Answer, Refused, Result, Unavailable
from credentials_portal.clients.lms import Lms, lms
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import OutboxKind, Outcome
from entitlements.enums import FREE_MODES, RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.selectors.judging import judge, usages_of
from entitlements.services.modes import SET_MODE, record_modes
from entitlements.services.redeeming import (
    ALREADY_PAID,
    ENROLL,
    ENTITLEMENT_ENDED,
    is_over,
    record_redemptions,
)
from entitlements.services.unenrolling import UNENROLL, record_unenrollments
from programs.selectors import enrollments_in, run_keys


@dataclass(frozen=True)
class Seat:
    """A learner in a run, by our ids and by those of the LMS."""

    user_id: int
    username: str
    course_run_id: int
    run_key: str


class Enrollments(Protocol):
    """Whoever enrolls learners. Repeating a call does no harm."""

    def find(self, seat: Seat) -> Result:
        """The enrollment, ended or not, as `mode` and `is_active`; the body is None: there is none."""

    def enroll(self, seat: Seat, *, mode: str) -> Result:
        """Enroll the learner, or give the enrollment this mode."""

    def unenroll(self, seat: Seat) -> Result: ...


class LmsEnrollments:
    """Those of the LMS."""

    def __init__(self, client: Lms) -> None:
        self._client = client

    def find(self, seat: Seat) -> Result:
        return self._client.enrollment(seat.username, seat.run_key)

    def enroll(self, seat: Seat, *, mode: str) -> Result:
        return self._client.enroll(seat.username, seat.run_key, mode=mode)

    def unenroll(self, seat: Seat) -> Result:
        return self._client.unenroll(seat.username, seat.run_key)


class PortalEnrollments:
    """Those of the portal, which are written when the outcome is recorded."""

    def find(self, seat: Seat) -> Result:
        named = seat.user_id, seat.course_run_id
        found = enrollments_in(user_ids=named[:1], course_run_ids=named[1:]).get(named)
        body = {"mode": found.mode, "is_active": found.is_active} if found else None
        return Answer(HTTPStatus.OK, body)

    def enroll(self, seat: Seat, *, mode: str) -> Result:
        return Answer(HTTPStatus.OK)

    def unenroll(self, seat: Seat) -> Result:
        return Answer(HTTPStatus.OK)


def deliver_enrollments(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Enroll those who still wait for it in the modes of their entitlements."""
    return {message.pk: _enroll(message, at) for message in messages}


def deliver_unenrollments(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """End the enrollments that no entitlement is used for any more."""
    return {message.pk: _unenroll(message) for message in messages}


def deliver_modes(messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
    """Give enrollments the modes that their entitlements got."""
    return {message.pk: _set_mode(message) for message in messages}


def _enroll(message: OutboxMessage, at: datetime) -> Outcome:
    attempts = CourseEntitlementRedemption.objects.select_related(
        "entitlement__user", "entitlement__policy", "course_run"
    )
    attempt = attempts.get(pk=message.payload["redemption"])
    entitlement, run = attempt.entitlement, attempt.course_run
    if attempt.status != RedemptionStatus.PENDING:
        return Outcome.skipped("settled")
    if is_over(judge([entitlement], at=at)[0]):
        return Outcome.skipped(ENTITLEMENT_ENDED)
    seat = Seat(entitlement.user_id, entitlement.user.username, run.pk, run.key)
    enrollments = _enrollments()
    found = enrollments.find(seat)
    if not isinstance(found, Answer):
        return _outcome(found)
    mode = _active_mode(found)
    if mode == entitlement.mode:
        # An earlier try whose answer was lost.
        return Outcome.done()
    if mode is not None and mode not in FREE_MODES:
        return Outcome.failed(ALREADY_PAID)
    return _outcome(enrollments.enroll(seat, mode=entitlement.mode))


def _unenroll(message: OutboxMessage) -> Outcome:
    user_id, course_run_id = message.payload["user"], message.payload["course_run"]
    if _is_taken_again(user_id, course_run_id):
        return Outcome.skipped("taken_again")
    user = User.objects.get(pk=user_id)
    if user.is_retired:
        # The LMS knows them by a name that is erased here, and has let them go itself.
        return Outcome.skipped("learner_left")
    seat = Seat(user_id, user.username, course_run_id, run_keys([course_run_id])[course_run_id])
    enrollments = _enrollments()
    found = enrollments.find(seat)
    mode = _active_mode(found) if isinstance(found, Answer) else None
    if mode is not None and mode not in message.payload["modes"]:
        return Outcome.skipped("changed_since")
    result = enrollments.unenroll(seat) if mode is not None else found
    # What was refused is for people to look at: somebody is in a run that nobody pays for.
    return Outcome.dead(result.reason) if isinstance(result, Refused) else _outcome(result)


def _set_mode(message: OutboxMessage) -> Outcome:
    entitlement = CourseEntitlement.objects.select_related("user").get(
        pk=message.payload["entitlement"]
    )
    used = usages_of([entitlement.enrollment_course_run_id or 0])
    usage = used.get(entitlement.enrollment_course_run_id or 0)
    if usage is None or usage.course_run_id != message.payload["course_run"]:
        return Outcome.skipped("released")
    if entitlement.mode != message.payload["mode"]:
        return Outcome.skipped("changed_since")
    seat = Seat(usage.user_id, entitlement.user.username, usage.course_run_id, usage.run_key)
    enrollments = _enrollments()
    found = enrollments.find(seat)
    if not isinstance(found, Answer):
        return _outcome(found)
    if _active_mode(found) is None:
        return Outcome.skipped("not_enrolled")
    return _outcome(enrollments.enroll(seat, mode=entitlement.mode))


def _is_taken_again(user_id: int, course_run_id: int) -> bool:
    used = CourseEntitlement.objects.filter(
        user=user_id, expired_at=None, enrollment_course_run__course_run_id=course_run_id
    )
    attempts = CourseEntitlementRedemption.objects.filter(
        status=RedemptionStatus.PENDING, entitlement__user=user_id, course_run=course_run_id
    )
    return used.exists() or attempts.exists()


def _enrollments() -> Enrollments:
    client = lms()
    return LmsEnrollments(client) if client else PortalEnrollments()


def _active_mode(found: Answer) -> str | None:
    """The mode in which the learner is in the run; None: the learner is not."""
    return str(found.body["mode"]) if found.body and found.body["is_active"] else None


def _outcome(result: Result) -> Outcome:
    match result:
        case Answer():
            return Outcome.done()
        case Refused(reason=reason):
            return Outcome.failed(reason)
        case Unavailable(reason=reason, retry_after=after):
            return Outcome.retry(reason, after=after)


KINDS = (
    OutboxKind(name=ENROLL, deliver=deliver_enrollments, record=record_redemptions),
    OutboxKind(name=UNENROLL, deliver=deliver_unenrollments, record=record_unenrollments),
    OutboxKind(name=SET_MODE, deliver=deliver_modes, record=record_modes),
)

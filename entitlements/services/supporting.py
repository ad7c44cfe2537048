"""What staff do about entitlements for learners; each action with a comment, in one transaction.

Who calls has checked the permission `entitlements.support_entitlements`. Comments are kept in the
support details alone. Unless said otherwise all raise `EntitlementNotFoundError`,
`CommentMissingError`, and `EntitlementFrozenError` while a use or a refund is under way.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from entitlements.enums import ExpiryReason, SupportAction
from entitlements.models import CourseEntitlement
from entitlements.selectors.judging import JudgedEntitlement
from entitlements.services import remedies
from entitlements.services.granting import OrderTakenError, grant_entitlement
from entitlements.services.locking import lock_entitlement
from entitlements.services.notes import (
    CommentMissingError,
    SupportNote,
    require_comments,
    write_notes,
)
from entitlements.services.remedies import ActionInvalidError, RunNotUsedError


class Unchanged(Enum):
    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


@retry_conflicts
@transaction.atomic
def create_entitlement(
    *,
    user: User,
    course_uuid: UUID,
    mode: str,
    comments: str,
    by: Attribution,
    site_id: int | None = None,
    order_number: str | None = None,
    refund_locked: bool = True,
) -> CourseEntitlement:
    """Give a learner an entitlement (CREATE). Raises `CommentMissingError`, `OrderTakenError`."""
    granted = grant_entitlement(
        user=user,
        course_uuid=course_uuid,
        mode=mode,
        by=replace(by, reason=SupportAction.CREATE),
        order_number=order_number,
        site_id=site_id,
        refund_locked=refund_locked,
        notes=[SupportNote(action=SupportAction.CREATE, comments=comments)],
    )
    if not granted.is_new:
        raise OrderTakenError("This order paid for this course already.")
    return granted.entitlement


def reissue_entitlement(
    *, entitlement_uuid: UUID, comments: str, by: Attribution, leaves_run: bool = True
) -> CourseEntitlement:
    """Make it usable again, for `ENTITLEMENT_REISSUE_PERIOD` at least (REISSUE).

    With `leaves_run` its learner leaves the session, without a refund. It stays refundable only
    if it was. Announces `entitlement_reissued` of one that had ended. Raises `ActionInvalidError`
    for a learner who was retired; and where the session is kept `EntitlementUsedError` if that
    would end it at once again, and `EnrollmentPaidError`.
    """
    remedy = partial(remedies.reissue, leaves_run=leaves_run)
    return _act(
        SupportAction.REISSUE, entitlement_uuid, comments, remedy, by=by, leaves_run=leaves_run
    )


def expire_entitlement(
    *,
    entitlement_uuid: UUID,
    comments: str,
    by: Attribution,
    expired_at: datetime | None = None,
    leaves_run: bool = False,
) -> CourseEntitlement:
    """End it at once; `expired_at` is the date that is told, `by.at` without one (EXPIRE).

    One that ended before keeps its date. With `leaves_run` its learner leaves the session,
    without a refund. Raises `EndToComeError`.
    """
    remedy = partial(remedies.expire, expired_at=expired_at, leaves_run=leaves_run)
    return _act(
        SupportAction.EXPIRE, entitlement_uuid, comments, remedy, by=by, leaves_run=leaves_run
    )


def extend_entitlement(
    *, entitlement_uuid: UUID, days: int, comments: str, by: Attribution
) -> CourseEntitlement:
    """Let it be used for so many days longer; it is reminded of anew (EXTEND).

    Raises `EntitlementExpiredError`, and `ActionInvalidError` for too few or too many days.
    """
    remedy = partial(remedies.extend, days=days)
    return _act(SupportAction.EXTEND, entitlement_uuid, comments, remedy, by=by)


def transfer_entitlement(
    *,
    entitlement_uuid: UUID,
    comments: str,
    by: Attribution,
    user: User | None = None,
    course_uuid: UUID | None = None,
) -> CourseEntitlement:
    """Give an unused one to another learner, or for another course, or both (TRANSFER).

    Another learner did not pay for it, so that it is not refundable any more. Raises
    `EntitlementExpiredError`, `EntitlementUsedError`, `ActionInvalidError`, and
    `OrderTakenError` where the same order paid for the other course too.
    """
    remedy = partial(remedies.transfer, user=user, course_uuid=course_uuid)
    return _act(SupportAction.TRANSFER, entitlement_uuid, comments, remedy, by=by)


def release_entitlement(
    *, entitlement_uuid: UUID, comments: str, by: Attribution
) -> CourseEntitlement:
    """Let its learner leave the session, without a refund (LEAVE).

    Raises `EntitlementExpiredError`, `RunNotUsedError`.
    """
    return _act(
        SupportAction.LEAVE, entitlement_uuid, comments, remedies.release, by=by, leaves_run=True
    )


@retry_conflicts
@transaction.atomic
def amend_entitlement(
    *,
    entitlement_uuid: UUID,
    by: Attribution,
    notes: Sequence[SupportNote] = (),
    expired_at: datetime | Unchanged | None = UNCHANGED,
    refund_locked: bool | Unchanged = UNCHANGED,
) -> CourseEntitlement:
    """What the old service's PATCH asks for, all or nothing.

    The notes say what is done: REISSUE, EXPIRE or LEAVE; a run in them is the one that its
    learner leaves. Without REISSUE and EXPIRE the end stays as it is, and so does the right to a
    refund unless `refund_locked` is given. Raises what the actions do, `RunNotUsedError`,
    `RunUnknownError`, and `ActionInvalidError` where notes and values do not fit together.
    """
    require_comments(notes)
    actions = {note.action for note in notes}
    by = replace(by, reason=", ".join(sorted(actions)))
    judged = lock_entitlement(uuid=entitlement_uuid, by=by)
    leaves_run = _leaves_run(judged, notes)
    is_locked = None if refund_locked is UNCHANGED else refund_locked
    _require_fitting(judged, actions, expired_at, is_locked)
    if SupportAction.REISSUE in actions:
        remedies.reissue(judged, leaves_run=leaves_run, refund_locked=is_locked, by=by)
    else:
        if SupportAction.EXPIRE in actions:
            ends_at = None if expired_at is UNCHANGED else expired_at
            remedies.expire(judged, expired_at=ends_at, leaves_run=leaves_run, by=by)
        elif leaves_run:
            remedies.release(judged, by=by)
        if is_locked is not None:
            remedies.lock_refund_right(judged.entitlement, is_locked, by=by)
    write_notes(judged.entitlement, notes, by=by)
    return _reloaded(judged)


@retry_conflicts
@transaction.atomic
def revoke_entitlement(*, entitlement_uuid: UUID, by: Attribution) -> CourseEntitlement:
    """Take it back with its order: it ends, its learner leaves the run, nothing is refunded.

    Nothing that is under way holds it up. Once more changes nothing. Raises
    `EntitlementNotFoundError` alone.
    """
    judged = lock_entitlement(uuid=entitlement_uuid, by=by)
    remedies.end(judged, ExpiryReason.REVOKE, leaves_run=True, by=by)
    return _reloaded(judged)


@retry_conflicts
@transaction.atomic
def _act(
    action: SupportAction,
    entitlement_uuid: UUID,
    comments: str,
    remedy: Callable[..., None],
    *,
    by: Attribution,
    leaves_run: bool = False,
) -> CourseEntitlement:
    by = replace(by, reason=action)
    judged = lock_entitlement(uuid=entitlement_uuid, by=by)
    run_key = judged.usage.run_key if leaves_run and judged.usage else None
    remedy(judged, by=by)
    note = SupportNote(action=action, comments=comments, unenrolled_run=run_key)
    write_notes(judged.entitlement, [note], by=by)
    return _reloaded(judged)


def _leaves_run(judged: JudgedEntitlement, notes: Sequence[SupportNote]) -> bool:
    """Whether its learner is to leave the run; where there is none, the notes may name any."""
    if judged.usage is None:
        return False
    named = {note.unenrolled_run for note in notes if note.unenrolled_run}
    if named - {judged.usage.run_key}:
        raise RunNotUsedError("It is used for another session.")
    return bool(named) or any(note.action == SupportAction.LEAVE for note in notes)


def _require_fitting(
    judged: JudgedEntitlement,
    actions: set[SupportAction],
    expired_at: datetime | Unchanged | None,
    is_locked: bool | None,
) -> None:
    """Raise an error where an action asks for one thing and a value for another."""
    ending = actions & {SupportAction.REISSUE, SupportAction.EXPIRE}
    if len(ending) > 1:
        raise ActionInvalidError("It is reissued or it expires, not both.")
    if expired_at is not UNCHANGED:
        opposite = SupportAction.EXPIRE if expired_at is None else SupportAction.REISSUE
        is_changed = expired_at != judged.entitlement.expired_at
        if opposite in ending or (is_changed and not ending):
            raise ActionInvalidError("Its end changes as REISSUE or EXPIRE say, and not without.")
    if is_locked not in {None, judged.entitlement.refund_locked} and not actions:
        raise CommentMissingError("Say why: a comment is required.")


def _reloaded(judged: JudgedEntitlement) -> CourseEntitlement:
    entitlements = CourseEntitlement.objects.select_related("policy", "user")
    return entitlements.get(pk=judged.entitlement.pk)

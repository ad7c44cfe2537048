"""The changes of an entitlement's state: each writes the rows, their history, and announces.

Whoever calls holds the rows' locks and has judged them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_each_with_history
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement
from entitlements.signals import (
    EntitlementFact,
    entitlement_expired,
    entitlement_redeemed,
    entitlement_released,
)

UNUSED: Mapping[str, Any] = {"enrollment_course_run_id": None, "redeemed_at": None}
COLUMNS = ("pk", "uuid", "user_id", "course_uuid", "mode")


@dataclass(frozen=True)
class Ending:
    """Why an entitlement ends, the run that it was used for, and the date that is told.

    Without a date it is that of the change.
    """

    reason: ExpiryReason
    course_run_id: int | None = None
    expired_at: datetime | None = None


def use(
    entitlement: CourseEntitlement, *, enrollment_id: int, course_run_id: int, by: Attribution
) -> EntitlementFact:
    """Use it for this enrollment from now on; announces `entitlement_redeemed`."""
    values = {"enrollment_course_run_id": enrollment_id, "redeemed_at": by.at}
    (fact,) = _write({entitlement.pk: values}, {entitlement.pk: course_run_id}, by=by)
    _tell(entitlement_redeemed, [fact], by)
    return fact


def release(
    entitlement: CourseEntitlement, *, course_run_id: int, by: Attribution
) -> EntitlementFact:
    """It is used for no run any more; announces `entitlement_released`."""
    (fact,) = release_all({entitlement.pk: course_run_id}, by=by)
    return fact


def release_all(course_run_ids: Mapping[int, int], *, by: Attribution) -> list[EntitlementFact]:
    """The same for many: the run of each, by the entitlement's primary key."""
    facts = _write(dict.fromkeys(course_run_ids, UNUSED), course_run_ids, by=by)
    _tell(entitlement_released, facts, by)
    return facts


def end(
    endings: Mapping[int, Ending], *, by: Attribution, releases: bool = False
) -> list[EntitlementFact]:
    """End these entitlements, by primary key; announces `entitlement_expired`.

    `releases` also takes them from their runs, and announces `entitlement_released` of those
    that had one.
    """
    facts = _write(
        {
            pk: {
                "expired_at": ending.expired_at or by.at,
                "expired_reason": ending.reason,
                **(UNUSED if releases else {}),
            }
            for pk, ending in endings.items()
        },
        {pk: ending.course_run_id for pk, ending in endings.items()},
        {pk: ending.reason for pk, ending in endings.items()},
        by=by,
    )
    _tell(entitlement_expired, facts, by)
    if releases:
        _tell(entitlement_released, [fact for fact in facts if fact.course_run_id], by)
    return facts


def fact_of(
    entitlement: CourseEntitlement, *, course_run_id: int | None = None, reason: str = ""
) -> EntitlementFact:
    return EntitlementFact(
        entitlement.pk,
        entitlement.uuid,
        entitlement.user_id,
        entitlement.course_uuid,
        entitlement.mode,
        course_run_id,
        reason,
    )


def _write(
    values: Mapping[int, Mapping[str, Any]],
    course_run_ids: Mapping[int, int] | Mapping[int, int | None],
    reasons: Mapping[int, str] | None = None,
    *,
    by: Attribution,
) -> list[EntitlementFact]:
    rows = update_each_with_history(CourseEntitlement, values, returning=COLUMNS, by=by)
    return [
        EntitlementFact(
            pk, uuid, user_id, course_uuid, mode, course_run_ids[pk], (reasons or {}).get(pk, "")
        )
        for pk, uuid, user_id, course_uuid, mode in rows
    ]


def _tell(signal: Signal, facts: Collection[EntitlementFact], by: Attribution) -> None:
    announce(signal, facts, at=by.at, actor=by.actor, cause=by.cause)

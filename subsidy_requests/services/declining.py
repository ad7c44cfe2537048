"""Declining requests, and unlinking learners whose requests were declined."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import structlog
from django.db import transaction

from credentials_portal.core.history import Attribution, update_each_with_history
from credentials_portal.core.retries import lost_conflict, retry_conflicts
from licenses import services as licenses
from subsidy_requests.enums import (
    GRANTABLE,
    DecisionSource,
    Notice,
    RequestState,
    UnlinkResult,
)
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.notices import queue_request_mails
from subsidy_requests.services.transitions import (
    IllegalTransitionError,
    lock_chosen,
    lock_requests,
    move,
)

if TYPE_CHECKING:
    from licenses.models import Customer

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

AT_ONCE = 1_000

logger = structlog.get_logger(__name__)


@retry_conflicts
@transaction.atomic
def decline_requests(
    model: type[R],
    *,
    customer: "Customer",
    uuids: Collection[UUID],
    reason: str = "",
    source: DecisionSource,
    notify: bool,
    unlink: bool = False,
    by: Attribution,
) -> list[R]:
    """Decline these requests of the customer; returns those that were not declined before.

    Requests of other customers are left alone. The `reason` is for the learners, who get a mail
    if `notify`. With `unlink` they no longer belong to the customer and cannot be linked again,
    but for those who hold a license; `unlink_result` says what came of it, and that it fails does
    not undo the decision. Raises `IllegalTransitionError`, and changes nothing, where one is
    granted, cancelled or expired.
    """
    chosen = lock_chosen(model, customer=customer, uuids=uuids)
    todo = [one for one in chosen if one.state in GRANTABLE]
    stuck = [one for one in chosen if one.state not in (*GRANTABLE, RequestState.DECLINED)]
    if stuck:
        raise IllegalTransitionError(stuck, RequestState.DECLINED)
    results = _unlink(customer, todo, by=by) if unlink and todo else {}
    move(
        todo,
        RequestState.DECLINED,
        source=source,
        values={
            "reviewed_at": by.at,
            "reviewer_id": by.actor.pk if by.actor else None,
            "decline_reason": reason,
            "unlink_requested": unlink,
        },
        of_each={one.pk: {"unlink_result": results.get(one.user_id, "")} for one in todo},
        by=by,
    )
    if notify:
        queue_request_mails(Notice.DECLINED, todo, at=by.at)
    return todo


def decline_all(model: type[R], *, customer: "Customer", notify: bool, by: Attribution) -> int:
    """Decline what learners wait for, since the customer offers something else; returns how many.

    The caller holds the customer's configuration. They are read by the thousand.
    """
    declined = 0
    waiting = {"customer": customer, "state__in": GRANTABLE}
    while todo := lock_requests(model, at_most=AT_ONCE, **waiting):
        move(
            todo,
            RequestState.DECLINED,
            source=DecisionSource.TYPE_CHANGE,
            values={"reviewed_at": by.at, "reviewer_id": None},
            by=by,
        )
        if notify:
            queue_request_mails(Notice.AUTO_DECLINED, todo, at=by.at)
        declined += len(todo)
    return declined


@retry_conflicts
@transaction.atomic
def unlink_again(
    model: type[R], *, customer: "Customer", pks: Collection[int], by: Attribution
) -> list[R]:
    """Try again to unlink the learners of these declined requests, where it failed.

    Returns the requests that were tried, with what came of it.
    """
    failed = lock_requests(model, pk__in=pks, customer=customer, unlink_result=UnlinkResult.FAILED)
    if not failed:
        return []
    results = _unlink(customer, failed, by=by)
    for one in failed:
        one.unlink_result = results[one.user_id]
    values = {one.pk: {"unlink_result": one.unlink_result} for one in failed}
    update_each_with_history(model, values, by=by)
    return failed


def _unlink(
    customer: "Customer", requests: Sequence[R], *, by: Attribution
) -> dict[int, UnlinkResult]:
    """What came of unlinking the learners of these requests, by user."""
    users = {one.user_id for one in requests}
    try:
        with transaction.atomic():
            stayed = licenses.unlink_without_license(customer=customer, user_ids=users, by=by)
    except Exception as error:
        # A lost conflict is the whole transaction's to do again.
        if lost_conflict(error):
            raise
        ids = [one.pk for one in requests]
        logger.error("learners_not_unlinked", ids=ids, error=type(error).__name__)
        return dict.fromkeys(users, UnlinkResult.FAILED)
    return {
        user: UnlinkResult.HOLDS_LICENSE if user in stayed else UnlinkResult.DONE for user in users
    }

"""Approving requests: decided and granted in one transaction, or shown as failed."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog
from django.db import transaction

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import ConflictError, DomainError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import lost_conflict, retry_conflicts
from licenses import services as licenses
from subsidy_requests.enums import (
    GRANTABLE,
    REVIEWED_BY_SOMEBODY,
    DecisionSource,
    ErrorCode,
    Notice,
    RequestState,
    SubsidyType,
)
from subsidy_requests.models import Coupon, CouponCodeRequest, LicenseRequest, SubsidyRequest
from subsidy_requests.selectors.requests import DETAILS
from subsidy_requests.selectors.superseded import superseded
from subsidy_requests.services.coupons import (
    LOCAL_POOL,
    CouponProvider,
    NotEnoughCodesError,
    lock_usable_coupon,
)
from subsidy_requests.services.gate import require_granting
from subsidy_requests.services.notices import queue_request_mails
from subsidy_requests.services.transitions import (
    IllegalTransitionError,
    lock_chosen,
    lock_requests,
    move,
)

if TYPE_CHECKING:
    from licenses.models import Customer, SubscriptionPlan

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

DONE = (RequestState.APPROVED, RequestState.FULFILLED)
"""Approved again, these stay as they are."""

logger = structlog.get_logger(__name__)


class SupersededError(ConflictError):
    """The learner asked again after these failed; only the newest can be granted."""

    code = "superseded"

    def __init__(self, requests: Sequence[SubsidyRequest]) -> None:
        super().__init__(f"{len(requests)} of these requests were followed by newer ones.")
        self.requests = tuple(requests)


class NoAddressError(ConflictError):
    """Some learners have no address, without which nobody can be given a license."""

    code = "no_address"

    def __init__(self, requests: Sequence[SubsidyRequest]) -> None:
        super().__init__(f"{len(requests)} of these learners have no e-mail address.")
        self.requests = tuple(requests)


class NotFulfilledError(Exception):
    """Seats were given, and requests did not get them."""


@retry_conflicts
@transaction.atomic
def approve_license_requests(
    *,
    customer: "Customer",
    uuids: Collection[UUID],
    plan_uuid: UUID,
    source: DecisionSource,
    notify: bool,
    by: Attribution,
) -> list[LicenseRequest]:
    """Give each of these learners a seat of the plan, all of them or nobody.

    Requests that are approved already, and those of other customers, are left alone; the ones
    that were moved are returned as they are now. Who holds a license of the plan is given that
    one. They are fulfilled by `license_assigned`; where it fails unexpectedly, no seat is taken
    and they are in error. Learners get a mail if `notify`, once they have their license.

    Raises, and changes nothing: what `require_granting` raises, `IllegalTransitionError` (some
    are declined, cancelled or expired), `SupersededError`, `NoAddressError`; of the plan
    `PlanNotFoundError`, `PlanInactiveError`, `PlanNotCurrentError`, `PlanBusyError`,
    `NotEnoughSeatsError`.
    """
    require_granting(customer, SubsidyType.LICENSE)
    todo = _lock_grantable(LicenseRequest, customer, uuids)
    if not todo:
        return []
    if nameless := [one for one in todo if not one.user.email]:
        raise NoAddressError(nameless)
    plan = licenses.lock_usable_plan(plan_uuid=plan_uuid, customer_id=customer.pk, at=by.at)
    _approve(todo, source=source, values={"subscription_plan_id": plan.pk}, by=by)
    return _granted(todo, lambda: _give_seats(plan, todo, by=by), notify=notify, by=by)


@retry_conflicts
@transaction.atomic
def approve_code_requests(
    *,
    customer: "Customer",
    uuids: Collection[UUID],
    coupon_id: int,
    source: DecisionSource,
    notify: bool,
    by: Attribution,
    provider: CouponProvider = LOCAL_POOL,
) -> list[CouponCodeRequest]:
    """As `approve_license_requests`, with a code of the coupon for each.

    A request for which the provider has none after all is in error alone. Raises, and changes
    nothing: what `require_granting` raises, `IllegalTransitionError`, `SupersededError`,
    `CouponNotFoundError`, `CouponUnusableError`, `NotEnoughCodesError`.
    """
    require_granting(customer, SubsidyType.COUPON)
    todo = _lock_grantable(CouponCodeRequest, customer, uuids)
    if not todo:
        return []
    coupon = lock_usable_coupon(coupon_id=coupon_id, customer_id=customer.pk, at=by.at)
    free = provider.free_codes(coupon)
    if free < len(todo):
        raise NotEnoughCodesError(requested=len(todo), available=free)
    _approve(todo, source=source, values={"coupon_id": coupon.pk}, by=by)
    return _granted(todo, lambda: _give_codes(coupon, todo, provider, by=by), notify=notify, by=by)


def _lock_grantable(model: type[R], customer: "Customer", uuids: Collection[UUID]) -> list[R]:
    """Those of these that can be approved; raises where one never can."""
    chosen = lock_chosen(model, customer=customer, uuids=uuids)
    todo = [one for one in chosen if one.state in GRANTABLE]
    stuck = [one for one in chosen if one.state not in (*GRANTABLE, *DONE)]
    if stuck:
        raise IllegalTransitionError(stuck, RequestState.APPROVED)
    failed = [one.pk for one in todo if one.state == RequestState.ERROR]
    if failed and (late := list(superseded(model.objects.filter(pk__in=failed)))):
        raise SupersededError(late)
    return todo


def _approve(
    requests: Sequence[R], *, source: DecisionSource, values: dict[str, Any], by: Attribution
) -> None:
    """An operator who tries again what somebody approved leaves that decision as it is."""
    is_decision = source in REVIEWED_BY_SOMEBODY
    reviewer_id = by.actor.pk if by.actor else None
    of_each = {
        one.pk: {
            "reviewed_at": by.at if is_decision else one.reviewed_at or by.at,
            "reviewer_id": reviewer_id if is_decision else one.reviewer_id,
            "grant_attempts": one.grant_attempts + 1,
        }
        for one in requests
    }
    move(requests, RequestState.APPROVED, source=source, values=values, of_each=of_each, by=by)


def _granted(
    requests: Sequence[R], give: Callable[[], None], *, notify: bool, by: Attribution
) -> list[R]:
    """The approved requests after what gives to them, or undoes what it did."""
    model = type(requests[0])
    pks = [one.pk for one in requests]
    now = _after(give, model, pks)
    if now is None:
        values = {"error_code": ErrorCode.INTERNAL}
        move(lock_requests(model, pk__in=pks), RequestState.ERROR, values=values, by=by)
        return _as_they_are(model, pks)
    if notify:
        fulfilled = [one for one in now if one.state == RequestState.FULFILLED]
        queue_request_mails(Notice.FULFILLED, fulfilled, at=by.at)
    return now


def _after(give: Callable[[], None], model: type[R], pks: Sequence[int]) -> list[R] | None:
    """The requests once it was given; None: that failed as nobody expects, and is undone."""
    try:
        with transaction.atomic():
            give()
            now = _as_they_are(model, pks)
            if any(one.state == RequestState.APPROVED for one in now):
                raise NotFulfilledError
            return now
    except Exception as error:
        # Refusals are the caller's, and a lost conflict is the whole transaction's to do again.
        if isinstance(error, DomainError) or lost_conflict(error):
            raise
        logger.error("requests_not_granted", ids=list(pks), error=type(error).__name__)
        return None


def _as_they_are(model: type[R], pks: Sequence[int]) -> list[R]:
    rows = model.objects.filter(pk__in=pks).order_by("pk")
    return list(rows.select_related(*DETAILS[model]))


def _give_seats(
    plan: "SubscriptionPlan", requests: Sequence[LicenseRequest], *, by: Attribution
) -> None:
    by_email = {normalise_email(one.user.email): one for one in requests}
    given = licenses.assign_licenses(
        plan_uuid=plan.uuid,
        emails=list(by_email),
        by=by,
        notify=False,
        source_requests={email: one.uuid for email, one in by_email.items()},
    )
    of_each = {
        by_email[email].pk: {"license_id": license_id, "already_had_license": True}
        for email, license_id in given.held.items()
    }
    holders = [by_email[email] for email in given.held]
    move(holders, RequestState.FULFILLED, of_each=of_each, by=by)


def _give_codes(
    coupon: Coupon,
    requests: Sequence[CouponCodeRequest],
    provider: CouponProvider,
    *,
    by: Attribution,
) -> None:
    codes = provider.take_codes(coupon, [one.uuid for one in requests], at=by.at)
    lucky = [one for one in requests if one.uuid in codes]
    of_each = {one.pk: {"coupon_code_id": codes[one.uuid]} for one in lucky}
    move(lucky, RequestState.FULFILLED, of_each=of_each, by=by)
    unlucky = [one for one in requests if one.uuid not in codes]
    move(unlucky, RequestState.ERROR, values={"error_code": ErrorCode.NO_CODES}, by=by)

"""Trying again what failed: grants of approved requests, and the unlinking of declined learners."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import QuerySet

from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution
from licenses.services import NotEnoughSeatsError
from subsidy_requests.enums import DecisionSource, RequestState, SubsidyType, UnlinkResult
from subsidy_requests.models import REQUESTS_OF
from subsidy_requests.selectors.superseded import superseded
from subsidy_requests.services.approving import (
    NoAddressError,
    SupersededError,
    approve_code_requests,
    approve_license_requests,
)
from subsidy_requests.services.coupons import NotEnoughCodesError
from subsidy_requests.services.declining import unlink_again
from subsidy_requests.services.transitions import IllegalTransitionError

if TYPE_CHECKING:
    from licenses.models import Customer, SubscriptionPlan

AT_ONCE = 100
POOLS = {SubsidyType.LICENSE: "subscription_plan", SubsidyType.COUPON: "coupon"}


@dataclass(frozen=True)
class RetryScope:
    """Which failed requests: of whom, of which plan, after how many attempts at most."""

    max_attempts: int
    customer: "Customer | None" = None
    plan: "SubscriptionPlan | None" = None

    @property
    def kinds(self) -> tuple[SubsidyType, ...]:
        return (SubsidyType.LICENSE,) if self.plan else tuple(SubsidyType)


@dataclass(frozen=True)
class FailedGrants:
    """Requests of one customer that failed to get something from the same plan or coupon."""

    kind: SubsidyType
    customer: "Customer"
    pool: Any
    uuids: tuple[UUID, ...]


@dataclass(frozen=True)
class Retried:
    """What became of them; those that were `refused`, with the error's code, are as they were."""

    fulfilled: Sequence[UUID] = ()
    failed: Sequence[UUID] = ()
    refused: Mapping[UUID, str] = field(default_factory=dict)


def failed_grants(scope: RetryScope) -> list[FailedGrants]:
    """What is to be tried again, the oldest first, in groups of a hundred at most.

    Without those whose learners asked again later. What failed more than once is tried alone, so
    that one which always fails takes no others with it.
    """
    groups: list[FailedGrants] = []
    for kind in scope.kinds:
        rows = _failed(kind, scope).filter(grant_attempts__lt=scope.max_attempts)
        rows = rows.exclude(pk__in=superseded(_failed(kind, scope)).values("pk"))
        together: dict[tuple[int, int, int], list[Any]] = {}
        for request in rows.select_related("customer", POOLS[kind]).order_by("created", "pk"):
            pool = getattr(request, POOLS[kind])
            alone = request.pk if request.grant_attempts > 1 else 0
            together.setdefault((request.customer_id, pool.pk, alone), []).append(request)
        for requests in together.values():
            groups.extend(_groups(kind, requests))
    return groups


def exhausted(scope: RetryScope) -> int:
    """How many were tried so often in vain that a person must decide."""
    count = 0
    for kind in scope.kinds:
        rows = _failed(kind, scope).filter(grant_attempts__gte=scope.max_attempts)
        count += rows.exclude(pk__in=superseded(_failed(kind, scope)).values("pk")).count()
    return count


def retry_grants(group: FailedGrants, *, by: Attribution) -> Retried:
    """Approve them again, in a transaction of its own; each learner who gets it is told.

    Where too little is free, the oldest get it. One that cannot be granted stops no other.
    """
    return _retry_those(group, group.uuids, by=by)


def failed_unlinks(scope: RetryScope) -> list[tuple[SubsidyType, "Customer", list[int]]]:
    """Declined requests whose learners could not be unlinked, by customer."""
    found: dict[tuple[SubsidyType, int], tuple[Customer, list[int]]] = {}
    for kind in scope.kinds:
        rows = _in_scope(kind, scope).filter(unlink_result=UnlinkResult.FAILED)
        for request in rows.select_related("customer").order_by("pk"):
            _customer, pks = found.setdefault((kind, request.customer_id), (request.customer, []))
            pks.append(request.pk)
    return [(kind, customer, pks) for (kind, _pk), (customer, pks) in found.items()]


def retry_unlinks(
    kind: SubsidyType, customer: "Customer", pks: Sequence[int], *, by: Attribution
) -> int:
    """Try again to unlink them; returns for how many it failed once more."""
    tried = unlink_again(REQUESTS_OF[kind], customer=customer, pks=pks, by=by)
    return sum(request.unlink_result == UnlinkResult.FAILED for request in tried)


def _groups(kind: SubsidyType, requests: Sequence[Any]) -> Iterator[FailedGrants]:
    pool, customer = getattr(requests[0], POOLS[kind]), requests[0].customer
    for start in range(0, len(requests), AT_ONCE):
        uuids = tuple(request.uuid for request in requests[start : start + AT_ONCE])
        yield FailedGrants(kind, customer, pool, uuids)


def _retry_those(group: FailedGrants, uuids: Sequence[UUID], *, by: Attribution) -> Retried:
    """All that can be granted; each further try is of fewer."""
    if not uuids:
        return Retried()
    left_out: Sequence[UUID]
    try:
        return _retry(group, uuids, by=by)
    except (NotEnoughSeatsError, NotEnoughCodesError) as error:
        left_out, refusal = uuids[error.available :], error.code
    except (IllegalTransitionError, NoAddressError, SupersededError) as error:
        left_out, refusal = [one.uuid for one in error.requests], error.code
    except DomainError as error:
        left_out, refusal = uuids, error.code
    rest = _retry_those(group, [uuid for uuid in uuids if uuid not in left_out], by=by)
    refused = {**rest.refused, **dict.fromkeys(left_out, refusal)}
    return Retried(rest.fulfilled, rest.failed, refused)


def _retry(group: FailedGrants, uuids: Sequence[UUID], *, by: Attribution) -> Retried:
    how: dict[str, Any] = {
        "customer": group.customer,
        "uuids": uuids,
        "source": DecisionSource.COMMAND,
        "notify": True,
        "by": by,
    }
    tried: Sequence[Any]
    if group.kind == SubsidyType.LICENSE:
        tried = approve_license_requests(plan_uuid=group.pool.uuid, **how)
    else:
        tried = approve_code_requests(coupon_id=group.pool.pk, **how)
    done = [request.uuid for request in tried if request.state == RequestState.FULFILLED]
    return Retried(done, [request.uuid for request in tried if request.uuid not in done])


def _failed(kind: SubsidyType, scope: RetryScope) -> QuerySet[Any]:
    return _in_scope(kind, scope).filter(state=RequestState.ERROR)


def _in_scope(kind: SubsidyType, scope: RetryScope) -> QuerySet[Any]:
    rows: QuerySet[Any] = REQUESTS_OF[kind].objects.all()
    if scope.customer:
        rows = rows.filter(customer=scope.customer)
    return rows.filter(subscription_plan=scope.plan) if scope.plan else rows

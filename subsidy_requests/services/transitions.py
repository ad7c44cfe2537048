"""How requests change state: the one place that writes it, with history and announcement."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog
from django.dispatch import Signal

from credentials_portal.core.errors import ConflictError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, update_each_with_history
from subsidy_requests.enums import TRANSITIONS, DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import CouponCodeRequest, LicenseRequest, SubsidyRequest
from subsidy_requests.signals import (
    RequestFact,
    subsidy_request_approved,
    subsidy_request_cancelled,
    subsidy_request_declined,
    subsidy_request_expired,
    subsidy_request_failed,
    subsidy_request_fulfilled,
)

if TYPE_CHECKING:
    from licenses.models import Customer

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

logger = structlog.get_logger(__name__)

ANNOUNCED: dict[RequestState, Signal] = {
    RequestState.APPROVED: subsidy_request_approved,
    RequestState.FULFILLED: subsidy_request_fulfilled,
    RequestState.DECLINED: subsidy_request_declined,
    RequestState.CANCELLED: subsidy_request_cancelled,
    RequestState.EXPIRED: subsidy_request_expired,
    RequestState.ERROR: subsidy_request_failed,
}


class IllegalTransitionError(ConflictError):
    """A request is not in a state from which it can get there; none was changed."""

    code = "illegal_transition"

    def __init__(self, requests: Sequence[SubsidyRequest], state: RequestState) -> None:
        super().__init__(f"{len(requests)} of these requests cannot become {state}.")
        self.requests = tuple(requests)
        self.state = state


def lock_requests(model: type[R], *, at_most: int | None = None, **named: Any) -> list[R]:
    """The requests of which this is true, locked by primary key until the transaction ends."""
    rows = model.objects.filter(**named).order_by("pk")
    rows = rows.select_for_update(of=("self",), no_key=True)
    return list(rows.select_related("user", "customer")[:at_most])


def lock_chosen(model: type[R], *, customer: "Customer", uuids: Collection[UUID]) -> list[R]:
    """Those of these requests that are this customer's, locked; others are ignored, and logged."""
    found = lock_requests(model, uuid__in=uuids, customer=customer)
    unknown = set(uuids) - {one.uuid for one in found}
    if unknown:
        logger.warning(
            "unknown_requests_ignored",
            customer_id=customer.pk,
            request_uuids=sorted(map(str, unknown)),
        )
    return found


def move(
    requests: Sequence[R],
    state: RequestState,
    *,
    by: Attribution,
    source: DecisionSource | None = None,
    values: Mapping[str, Any] | None = None,
    of_each: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Give locked requests another state, in one statement, and announce it.

    `values` are columns by attribute name for all of them, `of_each` for each by primary key (the
    same names for all). The instances get them too. Without a `source` the one that led here stays.
    Raises `IllegalTransitionError` when one of them cannot get there.
    """
    stuck = [one for one in requests if state not in TRANSITIONS[RequestState(one.state)]]
    if stuck:
        raise IllegalTransitionError(stuck, state)
    if not requests:
        return
    changed: dict[int, dict[str, Any]] = {
        one.pk: {
            "state": state,
            "state_changed_at": by.at,
            "decision_source": source or one.decision_source,
            "error_code": "",
            **(values or {}),
            **((of_each or {}).get(one.pk, {})),
        }
        for one in requests
    }
    update_each_with_history(type(requests[0]), changed, by=by)
    for one in requests:
        for name, value in changed[one.pk].items():
            setattr(one, name, value)
        one.modified = by.at
    tell(ANNOUNCED[state], requests, by=by)


def tell(signal: Signal, requests: Sequence[R], *, by: Attribution) -> None:
    announce(signal, [fact_of(one) for one in requests], at=by.at, actor=by.actor, cause=by.cause)


def fact_of(request: LicenseRequest | CouponCodeRequest) -> RequestFact:
    kind = SubsidyType.LICENSE if isinstance(request, LicenseRequest) else SubsidyType.COUPON
    return RequestFact(
        request.pk, request.uuid, kind, request.user_id, request.customer_id, request.state
    )

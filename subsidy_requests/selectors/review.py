"""What a customer's administrators see of requests, and what those can be granted from."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from subsidy_requests.enums import GRANTABLE, OPEN, RequestState, SubsidyType
from subsidy_requests.models import (
    REQUESTS_OF,
    Coupon,
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from subsidy_requests.selectors.requests import DETAILS, AnyRequest

if TYPE_CHECKING:
    from licenses.models import Customer

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

REQUEST_COLUMNS = (
    *("uuid", "learner", "course_id", "course_title", "asked_at", "why", "state"),
    *("state_changed_at", "decided_by", "decline_reason", "error", "granted_from"),
)


@dataclass(frozen=True)
class CouponStanding:
    """A coupon of which codes can be given, and how many are free."""

    coupon: Coupon
    free: int


def configuration_of(customer: "Customer") -> SubsidyRequestCustomerConfiguration | None:
    return SubsidyRequestCustomerConfiguration.objects.filter(customer=customer).first()


def coupons_to_give(customer: "Customer", *, at: datetime) -> list[CouponStanding]:
    """The customer's coupons that hold now, the one that ends first before the others, in one
    statement."""
    begun, not_over = Q(starts_at=None) | Q(starts_at__lte=at), Q(ends_at=None) | Q(ends_at__gt=at)
    free = Count("codes", filter=Q(codes__source_request_uuid=None))
    coupons = Coupon.objects.filter(begun, not_over, customer=customer, is_active=True)
    ordered = coupons.order_by(F("ends_at").asc(nulls_last=True), "pk")
    return [CouponStanding(coupon, coupon.free) for coupon in ordered.annotate(free=free)]


def requests_of_customer(
    model: type[R], customer: "Customer", *, state: str = "", search: str = ""
) -> "QuerySet[R]":
    """Those that wait longest first; of any other state the newest."""
    found = model.objects.filter(customer=customer).select_related(*DETAILS[model])
    if state:
        found = found.filter(state=state)
    if term := search.strip():
        found = found.filter(user__email__icontains=term)
    order = ("created", "pk") if state == RequestState.REQUESTED else ("-created", "-pk")
    return found.order_by(*order)


def counts_by_state(model: type[R], customer: "Customer") -> dict[str, int]:
    """How many requests the customer has in each state, in one statement."""
    rows = model.objects.filter(customer=customer).order_by().values_list("state")
    return dict(rows.annotate(count=Count("pk")))


def chosen_requests(model: type[R], customer: "Customer", uuids: Collection[UUID]) -> list[R]:
    """Those of these requests that can be decided, the oldest first."""
    chosen = model.objects.filter(customer=customer, uuid__in=uuids, state__in=GRANTABLE)
    return list(chosen.select_related(*DETAILS[model]).order_by("created", "pk"))


def open_or_failed(customer: "Customer", subsidy_type: str) -> int:
    """How many requests a change of what the customer offers would decline."""
    requests: QuerySet[Any] = REQUESTS_OF[SubsidyType(subsidy_type)].objects.all()
    states = {*OPEN, RequestState.ERROR}
    return requests.filter(customer=customer, state__in=states).count()


def waiting_by_customer(customers: Collection["Customer"]) -> Mapping[int, int]:
    """How many requests of each of these customers wait for a decision, in one statement."""
    waiting = [
        model.objects.filter(customer__in=customers, state=RequestState.REQUESTED)
        .order_by()
        .values_list("customer_id")
        .annotate(count=Count("pk"))
        for model in (LicenseRequest, CouponCodeRequest)
    ]
    found: dict[int, int] = {}
    for customer_id, count in waiting[0].union(waiting[1], all=True) if customers else ():
        found[customer_id] = found.get(customer_id, 0) + count
    return found


def request_rows(requests: "QuerySet[Any]") -> Iterator[dict[str, Any]]:
    """These requests for a report (`REQUEST_COLUMNS`)."""
    for request in requests.iterator(chunk_size=2_000):
        yield {
            "uuid": request.uuid,
            "learner": request.user.email,
            "course_id": request.course_id,
            "course_title": request.course_title,
            "asked_at": request.created,
            "why": request.reason,
            "state": request.wire_state,
            "state_changed_at": request.state_changed_at,
            "decided_by": request.reviewer or "",
            "decline_reason": request.decline_reason,
            "error": request.error_code,
            "granted_from": granted_from(request),
        }


def granted_from(request: AnyRequest) -> str:
    """The title of the plan or coupon; codes themselves are the learner's."""
    if isinstance(request, LicenseRequest):
        return str(request.subscription_plan or "")
    return str(request.coupon or "")

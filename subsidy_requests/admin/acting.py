"""What staff's decisions on requests call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from credentials_portal.core.admin_pages import decided_by
from licenses.selectors.standing import PlanStanding, plans_to_assign
from subsidy_requests.enums import DecisionSource, UnlinkResult
from subsidy_requests.models import LicenseRequest
from subsidy_requests.selectors.requests import AnyRequest
from subsidy_requests.selectors.review import CouponStanding, coupons_to_give
from subsidy_requests.services.approving import approve_code_requests, approve_license_requests
from subsidy_requests.services.declining import decline_requests

Act = Callable[[HttpRequest, Sequence[AnyRequest], Mapping[str, Any]], Sequence[AnyRequest]]
"""Does what the form says to requests of one customer, and returns those that were changed."""


def pools_for(
    chosen: Sequence[AnyRequest], *, at: datetime
) -> list[PlanStanding] | list[CouponStanding]:
    """What the requests of this customer can be granted from."""
    customer = chosen[0].customer
    if isinstance(chosen[0], LicenseRequest):
        return plans_to_assign(customer, at=at)
    return coupons_to_give(customer, at=at)


def approve(
    request: HttpRequest, chosen: Sequence[AnyRequest], given: Mapping[str, Any]
) -> Sequence[AnyRequest]:
    return _grant(request, chosen, given, given["pool"])


def retry(
    request: HttpRequest, chosen: Sequence[AnyRequest], given: Mapping[str, Any]
) -> Sequence[AnyRequest]:
    """From where they were to come: the same plan, or coupon, for all of them."""
    return _grant(request, chosen, given, _pool_of(chosen[0]))


def by_pool(chosen: Sequence[AnyRequest]) -> dict[str, list[AnyRequest]]:
    """These failed requests by the plan, or coupon, from which they were to be granted."""
    found: dict[str, list[AnyRequest]] = {}
    for one in chosen:
        found.setdefault(_pool_of(one), []).append(one)
    return found


def decline(
    request: HttpRequest, chosen: Sequence[AnyRequest], given: Mapping[str, Any]
) -> Sequence[AnyRequest]:
    model: type[Any] = type(chosen[0])
    declined: Sequence[AnyRequest] = decline_requests(
        model,
        customer=chosen[0].customer,
        uuids=[one.uuid for one in chosen],
        reason=given["decline_reason"],
        source=DecisionSource.DJANGO_ADMIN,
        notify=given["notify"],
        unlink=given["unlink"],
        by=decided_by(request, at=timezone.now()),
    )
    return declined


def still_linked(requests: Sequence[AnyRequest]) -> int:
    """How many learners were to be unlinked, and were not."""
    return sum(one.unlink_requested and one.unlink_result != UnlinkResult.DONE for one in requests)


def _grant(
    request: HttpRequest, chosen: Sequence[AnyRequest], given: Mapping[str, Any], pool: str
) -> Sequence[AnyRequest]:
    decision: dict[str, Any] = {
        "customer": chosen[0].customer,
        "uuids": [one.uuid for one in chosen],
        "source": DecisionSource.DJANGO_ADMIN,
        "notify": given["notify"],
        "by": decided_by(request, at=timezone.now(), reason=given["reason"]),
    }
    if isinstance(chosen[0], LicenseRequest):
        return approve_license_requests(plan_uuid=UUID(pool), **decision)
    return approve_code_requests(coupon_id=int(pool), **decision)


def _pool_of(request: AnyRequest) -> str:
    if isinstance(request, LicenseRequest):
        return str(request.subscription_plan.uuid if request.subscription_plan else "")
    return str(request.coupon_id)

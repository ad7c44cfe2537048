"""How requests stand at a glance: what waits, what failed, and what customers cannot give."""

from dataclasses import dataclass
from datetime import datetime

from credentials_portal.core.counting import Count
from subsidy_requests.enums import RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.selectors.reports import Demand, demands


@dataclass(frozen=True)
class RequestsStanding:
    """Requests that wait, and since when; those that were approved in vain; and the customers that
    have too little left, the one that lacks most before the others."""

    waiting: Count
    waiting_since: datetime | None
    failed_licenses: Count
    failed_codes: Count
    unmet: tuple[Demand, ...]


def requests_standing(at: datetime, *, at_most: int) -> RequestsStanding:
    """Six statements; of customers `at_most`."""
    found = demands(at=at)
    lacking = sorted((one for one in found if one.unmet), key=lambda one: -one.unmet)
    since = [one.oldest_at for one in found if one.oldest_at]
    failed = {"state": RequestState.ERROR}
    return RequestsStanding(
        waiting=Count(sum(one.waiting for one in found)),
        waiting_since=min(since, default=None),
        failed_licenses=Count.of(LicenseRequest.objects.filter(**failed)),
        failed_codes=Count.of(CouponCodeRequest.objects.filter(**failed)),
        unmet=tuple(lacking[:at_most]),
    )

"""Failed requests that it is too late to try again."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from subsidy_requests.enums import RequestState
from subsidy_requests.models import CouponCodeRequest

WITHOUT_ANSWER = (RequestState.DECLINED, RequestState.CANCELLED, RequestState.EXPIRED)


def superseded(requests: "QuerySet[Any]") -> "QuerySet[Any]":
    """Those of these failed requests whose learners asked for the same again later, and wait for
    it, got it, or failed to get it."""
    is_per_course = requests.model is CouponCodeRequest
    same = ("user", "customer", "course_id") if is_per_course else ("user", "customer")
    later = requests.model._default_manager.filter(
        **{name: OuterRef(name) for name in same}, pk__gt=OuterRef("pk")
    )
    return requests.filter(
        Exists(later.exclude(state__in=WITHOUT_ANSWER)), state=RequestState.ERROR
    )

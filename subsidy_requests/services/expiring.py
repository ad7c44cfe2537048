"""Ending requests that nobody answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from subsidy_requests.enums import DecisionSource, Notice, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.notices import queue_request_mails
from subsidy_requests.services.transitions import lock_requests, move

R = TypeVar("R", LicenseRequest, CouponCodeRequest)


@dataclass(frozen=True)
class StalePage(Generic[R]):
    """The requests of a page that ended, and the last one that was looked at."""

    last_id: int
    expired: Sequence[R]


def preview_stale(
    model: type[R], *, size: int, made_before: datetime, after: int = 0
) -> StalePage[R] | None:
    """What the next page of `expire_page` would end; None: nothing more is due."""
    due = list(_stale(model, made_before).filter(pk__gt=after).order_by("pk")[:size])
    return StalePage(due[-1].pk, due) if due else None


@retry_conflicts
@transaction.atomic
def expire_page(
    model: type[R], *, size: int, made_before: datetime, by: Attribution, after: int = 0
) -> StalePage[R] | None:
    """End the next requests that wait since before this instant; None: nothing more is due.

    Each learner is told once. What was decided meanwhile stays decided.
    """
    page = preview_stale(model, size=size, made_before=made_before, after=after)
    if page is None:
        return None
    expired = lock_requests(
        model, pk__in=[request.pk for request in page.expired], state=RequestState.REQUESTED
    )
    move(expired, RequestState.EXPIRED, source=DecisionSource.EXPIRY, by=by)
    queue_request_mails(Notice.EXPIRED, expired, at=by.at)
    return StalePage(page.last_id, expired)


def _stale(model: type[R], made_before: datetime) -> "QuerySet[R]":
    return model.objects.filter(state=RequestState.REQUESTED, created__lte=made_before)

"""Learners take their requests back."""

from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from django.db import transaction

from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from subsidy_requests.enums import DecisionSource, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from subsidy_requests.services.transitions import lock_requests, move

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

R = TypeVar("R", LicenseRequest, CouponCodeRequest)


class RequestNotFoundError(NotFoundError):
    code = "request_not_found"


@retry_conflicts
@transaction.atomic
def cancel_request(model: type[R], *, uuid: UUID, user: "User", by: Attribution) -> R:
    """Take back a request of this learner's own; one that was taken back stays so.

    Raises `RequestNotFoundError`, and `IllegalTransitionError` where it is decided.
    """
    requests = lock_requests(model, uuid=uuid, user=user)
    if not requests:
        raise RequestNotFoundError("There is no such request of yours.")
    if requests[0].state != RequestState.CANCELLED:
        move(requests, RequestState.CANCELLED, source=DecisionSource.LEARNER, by=by)
    return requests[0]

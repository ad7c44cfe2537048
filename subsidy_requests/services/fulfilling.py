"""Requests get the licenses that were assigned for them."""

from collections.abc import Collection

from credentials_portal.core.history import Attribution
from licenses.signals import LicenseFact
from subsidy_requests.enums import RequestState
from subsidy_requests.models import LicenseRequest
from subsidy_requests.services.transitions import lock_requests, move


def fulfil_license_requests(assigned: Collection[LicenseFact], *, by: Attribution) -> None:
    """Fulfil the approved requests that took these seats, whose transaction this joins."""
    seats = {fact.source_request_uuid: fact for fact in assigned if fact.source_request_uuid}
    if not seats:
        return
    requests = lock_requests(LicenseRequest, uuid__in=list(seats), state=RequestState.APPROVED)
    of_each = {one.pk: {"license_id": seats[one.uuid].license_id} for one in requests}
    move(requests, RequestState.FULFILLED, of_each=of_each, by=by)

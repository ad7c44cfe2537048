"""What `subsidy_requests` announces: inside the transaction, once per set, ids only."""

from dataclasses import dataclass
from uuid import UUID

from django.dispatch import Signal


@dataclass(frozen=True)
class RequestFact:
    """A request and its state now; `subsidy_type` tells whether it is for a license or a code."""

    request_id: int
    request_uuid: UUID
    subsidy_type: str
    user_id: int
    customer_id: int
    state: str


subsidy_requested = Signal()
"""Learners asked. Items: `RequestFact`."""

subsidy_request_approved = Signal()
"""Somebody decided to grant requests; `subsidy_request_fulfilled` or `..._failed` follows in the
same transaction. Items: `RequestFact`."""

subsidy_request_fulfilled = Signal()
"""Requests got their license or code. Items: `RequestFact`."""

subsidy_request_declined = Signal()
"""Requests were declined, by a person or since the customer offers something else. Items:
`RequestFact`."""

subsidy_request_cancelled = Signal()
"""Learners took their requests back. Items: `RequestFact`."""

subsidy_request_expired = Signal()
"""Requests were not answered in time. Items: `RequestFact`."""

subsidy_request_failed = Signal()
"""Approved requests could not be granted; they can be tried again. Items: `RequestFact`."""

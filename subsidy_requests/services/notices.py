"""Mails about requests: queued with the change that they tell of, written when they leave."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from credentials_portal.core import outbox
from credentials_portal.core.history import newest_history_ids
from subsidy_requests.enums import Notice
from subsidy_requests.models import REQUESTS_OF, CouponCodeRequest, LicenseRequest

R = TypeVar("R", LicenseRequest, CouponCodeRequest)

REQUEST_MAIL = "subsidy_requests.mail"


def queue_request_mails(notice: Notice, requests: Sequence[R], *, at: datetime) -> None:
    """Queue one mail for each request's learner about what was just done to it.

    All are of one kind. A change is told once, however often this is called.
    """
    if not requests:
        return
    model = type(requests[0])
    kind = next(kind for kind, known in REQUESTS_OF.items() if known is model)
    changes = newest_history_ids(model, [request.pk for request in requests])
    outbox.enqueue(
        REQUEST_MAIL,
        [
            outbox.Item(
                cause=f"{kind}.{changes[request.pk]}",
                payload={"notice": notice, "type": kind, "request": request.pk},
                key=f"{kind}-request:{request.pk}",
            )
            for request in requests
        ],
        at=at,
    )


def queue_digests(admins: Mapping[int, Collection[int]], *, at: datetime) -> int:
    """Queue for these customers' administrators (links) what a digest of this instant holds."""
    items = [
        outbox.Item(
            cause=f"{Notice.DIGEST}.{admin_id}.{at.isoformat()}",
            payload={
                "notice": Notice.DIGEST,
                "customer": customer_id,
                "admin": admin_id,
                "digest_sent_at": at,
            },
        )
        for customer_id, admin_ids in admins.items()
        for admin_id in admin_ids
    ]
    return len(outbox.enqueue(REQUEST_MAIL, items, at=at))

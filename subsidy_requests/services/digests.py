"""Telling customers' administrators of new requests, each once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.retries import retry_conflicts
from licenses.selectors.people import administrators
from subsidy_requests.enums import RequestState
from subsidy_requests.models import REQUESTS_OF
from subsidy_requests.services.notices import queue_digests


@dataclass(frozen=True)
class DigestPage:
    """What digests of a page of customers tell of, and the last of these customers.

    The requests of customers `without_administrators` wait until there is one.
    """

    last_id: int
    requests: int
    mails: int
    without_administrators: Collection[int]


def preview_digests(*, size: int, after: int = 0) -> DigestPage | None:
    """What the next page of `send_digests` would queue; None: no customer has new requests."""
    customers = _customers(size, after)
    if not customers:
        return None
    admins = _administrators(customers)
    return DigestPage(
        customers[-1],
        requests=sum(_new(model, admins).count() for model in REQUESTS_OF.values()),
        mails=sum(len(links) for links in admins.values()),
        without_administrators=[pk for pk in customers if pk not in admins],
    )


@retry_conflicts
@transaction.atomic
def send_digests(*, size: int, by: Attribution, after: int = 0) -> DigestPage | None:
    """Queue digests for the next customers with new requests; None: no further one has any.

    Each request remembers that it was told of, so that none is told twice or left out.
    """
    customers = _customers(size, after)
    if not customers:
        return None
    admins = _administrators(customers)
    told = [
        customer_id
        for model in REQUESTS_OF.values()
        for (customer_id,) in update_with_history(
            _new(model, admins), {"digest_sent_at": by.at}, by=by, returning=("customer_id",)
        )
    ]
    mails = queue_digests({pk: admins[pk] for pk in sorted(set(told))}, at=by.at)
    missing = [pk for pk in customers if pk not in admins]
    return DigestPage(customers[-1], len(told), mails, missing)


def _customers(size: int, after: int) -> list[int]:
    """The next customers with requests that no digest told of."""
    licenses, codes = (
        _undigested(model).filter(customer_id__gt=after).order_by().values("customer_id")
        for model in REQUESTS_OF.values()
    )
    found = licenses.union(codes).order_by("customer_id").values_list("customer_id", flat=True)
    return list(found[:size])


def _administrators(customers: Collection[int]) -> Mapping[int, list[int]]:
    """Their links, by customer; of those who have nobody nothing."""
    admins: dict[int, list[int]] = {}
    links = administrators().filter(customer_id__in=customers)
    for customer_id, pk in links.values_list("customer_id", "pk"):
        admins.setdefault(customer_id, []).append(pk)
    return admins


def _new(model: type[Any], customers: Collection[int]) -> QuerySet[Any]:
    return _undigested(model).filter(customer_id__in=list(customers))


def _undigested(model: type[Any]) -> QuerySet[Any]:
    requests: QuerySet[Any] = model.objects.all()
    return requests.filter(state=RequestState.REQUESTED, digest_sent_at=None)

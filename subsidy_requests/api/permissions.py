"""For which customer the caller asks or decides: what is said before anything else is looked at."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from rest_framework.exceptions import ParseError, PermissionDenied

from licenses.selectors.access import (
    customer_by_uuid,
    customers_administered_by,
    customers_visible_to,
    may_act_for,
    may_act_for_every,
)
from subsidy_requests.api import texts
from subsidy_requests.selectors.requests import REVIEW

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from licenses.models import Customer

ADMIN, LEARNER_OR_ADMIN = "requests.has_admin_access", "requests.has_learner_or_admin_access"
CUSTOMER = "enterprise_customer_uuid"


def named_customer(sent: Any) -> UUID | None:
    """The uuid of the customer in a body or a query. Raises `ParseError`."""
    written = sent.get(CUSTOMER) if hasattr(sent, "get") else None
    if not written:
        return None
    try:
        return UUID(str(written))
    except ValueError as error:
        raise ParseError(texts.NOT_UUID.format(texts.readable(written))) from error


def customer_to_decide_for(user: Any, customer_uuid: UUID | None) -> "Customer | None":
    """The customer on whose requests this user decides.

    None: there is no such customer, and the caller is one who decides for every customer; or none
    is named, and the caller is a superuser. Raises `PermissionDenied`.
    """
    customer = customer_by_uuid(customer_uuid)
    if customer is None:
        _require_every(user, customer_uuid, ADMIN)
    elif not may_act_for(user, customer, REVIEW):
        raise _missing(ADMIN)
    return customer


def customer_to_look_at(user: Any, customer_uuid: UUID | None) -> "Customer | None":
    """The same for who sees the requests of all of a customer's learners."""
    customer = _one_of(customers_administered_by(user), customer_uuid)
    if customer is None:
        _require_every(user, customer_uuid, ADMIN)
    return customer


def customer_to_ask(user: Any, customer_uuid: UUID | None) -> "Customer | None":
    """The same for who belongs to the customer, in whatever role, or sees every customer."""
    customer = _one_of(customers_visible_to(user), customer_uuid)
    if customer is None:
        _require_every(user, customer_uuid, LEARNER_OR_ADMIN)
    return customer


def no_member() -> PermissionDenied:
    return _missing(LEARNER_OR_ADMIN)


def _one_of(customers: "QuerySet[Customer]", customer_uuid: UUID | None) -> "Customer | None":
    return customers.filter(uuid=customer_uuid).first() if customer_uuid else None


def _require_every(user: Any, customer_uuid: UUID | None, role: str) -> None:
    may = may_act_for_every(user, REVIEW) if customer_uuid else user.is_superuser
    if not may:
        raise _missing(role)


def _missing(role: str) -> PermissionDenied:
    return PermissionDenied(texts.MISSING_ROLE.format(role))

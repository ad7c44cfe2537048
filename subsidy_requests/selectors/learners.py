"""A learner's own requests: how each stands, and whom they can ask for what."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from licenses.selectors.access import customers_linked_to
from licenses.selectors.people import administrators
from subsidy_requests.enums import GRANTABLE, RequestState
from subsidy_requests.models import (
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from subsidy_requests.selectors.requests import DETAILS, AnyRequest
from subsidy_requests.selectors.superseded import WITHOUT_ANSWER

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User

AT_MOST = 200
ANSWERS = (RequestState.FULFILLED, RequestState.DECLINED, RequestState.EXPIRED)


@dataclass(frozen=True)
class HeldRequest:
    """A request as its learner should understand it `at` an instant.

    `is_superseded`: the learner asked for the same once more.
    """

    request: AnyRequest
    at: datetime
    is_superseded: bool = False

    @property
    def is_for_license(self) -> bool:
        return isinstance(self.request, LicenseRequest)

    @property
    def gave_code(self) -> bool:
        return not self.is_for_license and self.request.state == RequestState.FULFILLED

    @property
    def code(self) -> str:
        """What was granted, as long as its coupon says that it is good for something."""
        if isinstance(self.request, LicenseRequest) or self.request.coupon_code is None:
            return ""
        return "" if self._coupon_is_over else self.request.coupon_code.code

    @property
    def code_ends_at(self) -> datetime | None:
        coupon = None if isinstance(self.request, LicenseRequest) else self.request.coupon
        return coupon.ends_at if coupon else None

    @property
    def can_be_cancelled(self) -> bool:
        return self.request.state in GRANTABLE

    @property
    def waits(self) -> bool:
        """Nobody has answered, or what was approved could not be given yet."""
        return self.request.is_open or (
            self.request.state == RequestState.ERROR and not self.is_superseded
        )

    @property
    def needs_learner(self) -> bool:
        """Never: what a granted license needs is told by the license."""
        return False

    @property
    def is_usable(self) -> bool:
        return bool(self.code)

    @property
    def is_over(self) -> bool:
        return not (self.waits or self.is_usable)

    @property
    def ends_at(self) -> datetime:
        """The end of its code; where there is none, when it got its state."""
        return self.code_ends_at or self.request.state_changed_at

    def is_news(self, period: timedelta) -> bool:
        """It was answered within this period. A license that was granted tells that itself."""
        if self.is_superseded or self.request.state not in ANSWERS:
            return False
        is_told = self.is_for_license and self.request.state == RequestState.FULFILLED
        return not is_told and self.request.state_changed_at > self.at - period

    @property
    def _coupon_is_over(self) -> bool:
        return self.code_ends_at is not None and self.code_ends_at <= self.at


def requests_of_learner(user: "User", *, at: datetime) -> list[HeldRequest]:
    """What this person asked for, the newest first, in two statements; of each kind `AT_MOST`."""
    found: list[AnyRequest] = []
    for model in (LicenseRequest, CouponCodeRequest):
        own = model.objects.filter(user=user).select_related(*DETAILS[model])
        found += own.order_by("-created", "-pk")[:AT_MOST]
    return list(_held(sorted(found, key=lambda one: one.created, reverse=True), at))


def offers_to(user: "User") -> "QuerySet[SubsidyRequestCustomerConfiguration]":
    """Who lets this person ask, and for what: the customers to which they are linked."""
    configurations = SubsidyRequestCustomerConfiguration.objects.filter(
        customer__in=customers_linked_to(user),
        subsidy_requests_enabled=True,
        subsidy_type__isnull=False,
    )
    return configurations.select_related("customer").order_by("customer__name", "pk")


def contacts_for(user: "User", customers: Collection[int]) -> dict[int, list[str]]:
    """The addresses of those who look after these customers (keys), in one statement.

    Of those only to which this person belongs, and that let their learners know them.
    """
    showing = SubsidyRequestCustomerConfiguration.objects.filter(
        customer__in=customers_linked_to(user).filter(pk__in=customers), shows_contacts=True
    )
    found: dict[int, list[str]] = {}
    for link in administrators().filter(customer__in=showing.values("customer")):
        is_gone = link.user is not None and not link.user.is_active
        address = link.user.email if link.user else link.user_email
        if address and not is_gone:
            found.setdefault(link.customer_id, []).append(address)
    return found


def _held(requests: Iterable[AnyRequest], at: datetime) -> Iterable[HeldRequest]:
    """The newest come first."""
    later: dict[tuple[type, int, str], set[str]] = defaultdict(set)
    for request in requests:
        course = "" if isinstance(request, LicenseRequest) else request.course_id
        states = later[type(request), request.customer_id, course]
        counted = (
            states.difference(WITHOUT_ANSWER) if request.state == RequestState.ERROR else states
        )
        yield HeldRequest(request, at, is_superseded=bool(counted))
        states.add(request.state)

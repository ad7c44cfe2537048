"""What a customer's administrators see of requests. Somebody else's customer is not found."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from credentials_portal.core.admin import CappedPaginator
from credentials_portal.core.downloads import csv_download
from licenses.selectors.access import customers_administered_by, may_act_for
from licenses.selectors.standing import PlanStanding, plans_to_assign
from subsidy_requests.enums import RequestState, SubsidyType
from subsidy_requests.models import (
    REQUESTS_OF,
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from subsidy_requests.selectors.requests import REVIEW, AnyRequest, story_of
from subsidy_requests.selectors.review import (
    REQUEST_COLUMNS,
    CouponStanding,
    configuration_of,
    counts_by_state,
    coupons_to_give,
    request_rows,
    requests_of_customer,
)

if TYPE_CHECKING:
    from datetime import datetime

    from credentials_portal.accounts.models import User
    from licenses.models import Customer

ON_A_PAGE = 50
SHOWN = (
    RequestState.REQUESTED,
    RequestState.ERROR,
    RequestState.FULFILLED,
    RequestState.DECLINED,
    RequestState.CANCELLED,
    RequestState.EXPIRED,
)


@dataclass(frozen=True)
class Desk:
    """Whose requests of which kind are looked at, and what the reader may do with them."""

    customer: "Customer"
    configuration: SubsidyRequestCustomerConfiguration | None
    kind: SubsidyType
    may_decide: bool

    @property
    def model(self) -> type[Any]:
        """Of the requests."""
        return REQUESTS_OF[self.kind]

    @property
    def gives_licenses(self) -> bool:
        return self.kind == SubsidyType.LICENSE

    @property
    def gives_this(self) -> bool:
        """The customer offers what these requests ask for."""
        return self.configuration is not None and self.configuration.subsidy_type == self.kind

    def pools(self, at: "datetime") -> list[PlanStanding] | list[CouponStanding]:
        """What requests can be granted from."""
        if self.gives_licenses:
            return plans_to_assign(self.customer, at=at)
        return coupons_to_give(self.customer, at=at)


def desk_or_404(request: HttpRequest, slug: str) -> Desk:
    """The requests of the kind that the customer offers, unless the address names another."""
    user = cast("User", request.user)
    customer = get_object_or_404(customers_administered_by(user), slug=slug)
    configuration = configuration_of(customer)
    named = (request.POST if request.method == "POST" else request.GET).get("kind", "")
    offered = configuration.subsidy_type if configuration else None
    kind = named if named in SubsidyType.values else offered or SubsidyType.LICENSE
    return Desk(customer, configuration, SubsidyType(kind), may_act_for(user, customer, REVIEW))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def review(request: HttpRequest, slug: str) -> HttpResponse:
    """The requests, to be searched and chosen from: an address is posted, and in no URL."""
    desk = desk_or_404(request, slug)
    given = request.POST if request.method == "POST" else request.GET
    state = given.get("state", RequestState.REQUESTED)
    state = state if state in SHOWN else ""
    # The database knows no NUL, so no address has one.
    search = request.POST.get("search", "").replace("\0", "").strip()
    found: Any = requests_of_customer(desk.model, desk.customer, state=state, search=search)
    page: Page[AnyRequest] = CappedPaginator(found, ON_A_PAGE).get_page(given.get("page"))
    counts = counts_by_state(desk.model, desk.customer)
    return render(
        request,
        "subsidy_requests/review.html",
        {
            "desk": desk,
            "customer": desk.customer,
            "pools": desk.pools(timezone.now()),
            "page": page,
            "state": state,
            "states": [(one, counts.get(one, 0)) for one in SHOWN],
            "waiting": counts.get(RequestState.REQUESTED, 0),
            "search": search,
        },
    )


@login_required
@require_safe
@never_cache
def reviewed(request: HttpRequest, slug: str, request_uuid: UUID) -> HttpResponse:
    """One request, of whichever kind: who asks, why, and what happened."""
    desk = desk_or_404(request, slug)
    asked = _request_or_404(desk, request_uuid)
    context = {
        "desk": desk,
        "customer": desk.customer,
        "asked": asked,
        "kind": SubsidyType.LICENSE if isinstance(asked, LicenseRequest) else SubsidyType.COUPON,
        "story": story_of(asked),
    }
    return render(request, "subsidy_requests/reviewed.html", context)


@login_required
@require_safe
@never_cache
def requests_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    desk = desk_or_404(request, slug)
    state = request.GET.get("state", "")
    found: Any = requests_of_customer(
        desk.model, desk.customer, state=state if state in SHOWN else ""
    )
    return csv_download(f"requests-{desk.customer.slug}.csv", REQUEST_COLUMNS, request_rows(found))


def _request_or_404(desk: Desk, request_uuid: UUID) -> AnyRequest:
    licenses = requests_of_customer(LicenseRequest, desk.customer).filter(uuid=request_uuid)
    codes = requests_of_customer(CouponCodeRequest, desk.customer).filter(uuid=request_uuid)
    return licenses.first() or get_object_or_404(codes)

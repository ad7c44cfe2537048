"""The frozen shapes of lists."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.api.pagination import (
    CountedPagination,
    CountedPaginator,
    PositionPagination,
    WirePagination,
)
from licenses.enums import LIVE, LicenseStatus
from licenses.models import SubscriptionPlan

MANY_SEATS = 10_000
USABLE = {*LIVE, LicenseStatus.UNASSIGNED}
NARROWING = ("search", "ignore_null_emails", "active_only")


class PlanPagination(CountedPagination):
    """100 to a page."""


class LicensePagination(WirePagination):
    """A page's size is the caller's, up to 500. With the number of pages."""

    page_size_query_param = "page_size"
    max_page_size = 500
    keys = (*WirePagination.keys, "num_pages")

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        response = super().get_paginated_response(data)
        response.data["num_pages"] = self.page.paginator.num_pages
        return response


class PlanLicensePagination(LicensePagination):
    """Of a large plan all usable licenses are as many as were bought: nobody counts them."""

    def paginate_plan(
        self, licenses: QuerySet[Any], request: Request, plan: SubscriptionPlan
    ) -> list[Any]:
        bought = plan.desired_num_licenses or 0
        asked = set(request.query_params.get("status", "").strip().split(","))
        is_narrowed = any(request.query_params.get(name) for name in NARROWING)
        if asked == USABLE and not is_narrowed and bought > MANY_SEATS:
            self.known_count = bought
        return self.paginate_queryset(licenses, request) or []

    known_count: int | None = None

    def django_paginator_class(self, rows: Any, per_page: int) -> "Paginator[Any]":  # type: ignore[override]  # it is only called
        if self.known_count is None:
            return Paginator(rows, per_page)
        return CountedPaginator(rows, per_page, known_count=self.known_count)


class LearnerLicensePagination(PositionPagination):
    """10 to a page, or up to 100 as the caller wishes."""

    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 100

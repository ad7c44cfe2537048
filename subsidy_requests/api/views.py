"""Requests as the old service's clients read them."""

from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from credentials_portal.api.pagination import PositionPagination
from credentials_portal.api.wire import WireError, is_storable
from subsidy_requests.api import documentation, texts
from subsidy_requests.api.filters import RequestQuery, filter_requests, in_order
from subsidy_requests.api.kinds import COUPON, LICENSE, Kind
from subsidy_requests.api.permissions import (
    customer_to_ask,
    customer_to_look_at,
    named_customer,
)
from subsidy_requests.api.refusals import RefusingView, no_configuration, told_as_text
from subsidy_requests.selectors.requests import counts_by_wire_state, visible_to
from subsidy_requests.services.asking import ask_for_code, ask_for_license

LONGEST_KEY = 255


class RequestPagination(PositionPagination):
    """100 to a page, or up to 500 as the caller wishes."""

    page_size_query_param = "page_size"
    max_page_size = 500


class AskThrottle(UserRateThrottle):
    """Who asks, each by themselves."""

    scope = "ask_for_subsidy"
    rate = "30/min"


class RequestView(RefusingView):
    """Requests of one kind, as far as the caller sees them."""

    kind: ClassVar[Kind]

    def requests(self) -> QuerySet[Any]:
        return visible_to(self.kind.model, self.user)


class RequestList(RequestView):
    """Lists requests, and takes new ones by `ask`."""

    pagination_class = RequestPagination
    ask: ClassVar[Any]

    def get_throttles(self) -> list[BaseThrottle]:
        throttles = super().get_throttles()
        return [*throttles, AskThrottle()] if self.request.method == "POST" else throttles

    def get(self, request: Request) -> Response:
        query = RequestQuery.of(request.query_params)
        found = in_order(filter_requests(self.requests(), query), query, self.kind.columns)
        page = self.paginate_queryset(found)
        return self.get_paginated_response(self.kind.answer(page, many=True).data)

    def post(self, request: Request) -> Response:
        customer = customer_to_ask(self.user, named_customer(request.data))
        wanted = self.wanted()
        if customer is None:
            raise no_configuration(wanted)
        with told_as_text(self.kind, wanted):
            asked = type(self).ask(
                user=self.user,
                customer=customer,
                course_id=wanted["course_id"],
                reason=wanted["reason"],
                idempotency_key=_idempotency_key(request),
                by=self.attribution("ask"),
            )
        return Response(self.kind.answer(asked).data, status=HTTPStatus.CREATED)


class RequestDetail(RequestView):
    def get(self, request: Request, request_uuid: UUID) -> Response:
        found = self.requests().filter(uuid=request_uuid).first()
        if found is None:
            raise NotFound
        return Response(self.kind.answer(found).data)


class RequestOverview(RequestView):
    def get(self, request: Request) -> Response:
        customer_uuid = named_customer(request.query_params)
        customer = customer_to_look_at(self.user, customer_uuid)
        if customer_uuid is None:
            raise WireError(texts.NO_CUSTOMER_IN_QUERY, HTTPStatus.BAD_REQUEST)
        query = RequestQuery.of(request.query_params)
        asked = self.requests().filter(customer=customer)
        counts = counts_by_wire_state(filter_requests(asked, query))
        return Response([{"state": state, "count": count} for state, count in counts.items()])


@documentation.requests(LICENSE)
class LicenseRequestList(RequestList):
    kind = LICENSE
    serializer_class = LICENSE.ask
    ask = staticmethod(ask_for_license)


@documentation.requests(COUPON)
class CouponCodeRequestList(RequestList):
    kind = COUPON
    serializer_class = COUPON.ask
    ask = staticmethod(ask_for_code)


@documentation.request(LICENSE)
class LicenseRequestDetail(RequestDetail):
    kind = LICENSE


@documentation.request(COUPON)
class CouponCodeRequestDetail(RequestDetail):
    kind = COUPON


@documentation.overview(LICENSE)
class LicenseRequestOverview(RequestOverview):
    kind = LICENSE


@documentation.overview(COUPON)
class CouponCodeRequestOverview(RequestOverview):
    kind = COUPON


@documentation.LEARNER_CREDIT
class LearnerCreditRequestList(RefusingView):
    """Requests for credit, of which the portal has none: learners' pages ask nevertheless."""

    pagination_class = RequestPagination
    serializer_class = LICENSE.answer

    def get(self, request: Request) -> Response:
        nothing = LICENSE.model.objects.none()
        return self.get_paginated_response(self.paginate_queryset(nothing))


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key and len(key) > LONGEST_KEY:
        raise ParseError(texts.LONG_IDEMPOTENCY_KEY.format(LONGEST_KEY))
    if key and not is_storable(key):
        raise ParseError(texts.UNREADABLE_IDEMPOTENCY_KEY)
    return key

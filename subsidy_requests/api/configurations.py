"""Whether a customer's learners may ask, and for what, as the old service's clients set it."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.selectors.access import customers_visible_to
from subsidy_requests.api import documentation, texts
from subsidy_requests.api.filters import (
    CONFIGURATION_COLUMNS,
    ConfigurationQuery,
    filter_configurations,
    in_order,
)
from subsidy_requests.api.permissions import CUSTOMER, customer_to_decide_for, named_customer
from subsidy_requests.api.refusals import RefusingView
from subsidy_requests.api.serializers import (
    ChangeConfigurationSerializer,
    ConfigurationSerializer,
    CreateConfigurationSerializer,
)
from subsidy_requests.api.views import RequestPagination
from subsidy_requests.models import SubsidyRequestCustomerConfiguration
from subsidy_requests.services.configuring import (
    ConfigurationExistsError,
    change_configuration,
    open_configuration,
)
from subsidy_requests.services.gate import RequestsNotConfiguredError


class Configurations(RefusingView):
    """Those of the customers to which the caller belongs, or that the caller sees."""

    def configurations(self) -> QuerySet[SubsidyRequestCustomerConfiguration]:
        visible = SubsidyRequestCustomerConfiguration.objects.filter(
            customer__in=customers_visible_to(self.user)
        )
        return visible.select_related("customer", "changed_by")


@documentation.CONFIGURATIONS
class ConfigurationList(Configurations):
    pagination_class = RequestPagination
    serializer_class = CreateConfigurationSerializer

    def get(self, request: Request) -> Response:
        query = ConfigurationQuery.of(request.query_params)
        found = filter_configurations(self.configurations(), query)
        page = self.paginate_queryset(in_order(found, query, CONFIGURATION_COLUMNS))
        return self.get_paginated_response(ConfigurationSerializer(page, many=True).data)

    def post(self, request: Request) -> Response:
        customer = customer_to_decide_for(self.user, named_customer(request.data))
        wanted = self.wanted()
        wanted.pop(CUSTOMER)
        if customer is None:
            raise ValidationError({CUSTOMER: [texts.NO_CUSTOMER]})
        by = self.attribution("open_configuration")
        try:
            opened = open_configuration(customer=customer, by=by, **wanted)
        except ConfigurationExistsError as error:
            raise ValidationError({CUSTOMER: [texts.CONFIGURATION_EXISTS]}) from error
        return Response(ConfigurationSerializer(opened).data, status=HTTPStatus.CREATED)


@documentation.CONFIGURATION
class ConfigurationDetail(Configurations):
    serializer_class = ChangeConfigurationSerializer

    def get(self, request: Request, customer_uuid: UUID) -> Response:
        found = self.configurations().filter(customer__uuid=customer_uuid).first()
        if found is None:
            raise NotFound
        return Response(ConfigurationSerializer(found).data)

    def patch(self, request: Request, customer_uuid: UUID) -> Response:
        customer = customer_to_decide_for(self.user, UUID(str(customer_uuid)))
        wanted: dict[str, Any] = self.wanted()
        if customer is None:
            raise NotFound
        notify = wanted.pop("send_notification")
        by = self.attribution("change_configuration")
        try:
            changed = change_configuration(customer=customer, notify=notify, by=by, **wanted)
        except RequestsNotConfiguredError as error:
            raise NotFound from error
        return Response(ConfigurationSerializer(changed).data)

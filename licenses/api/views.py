"""What the old service's clients read: learners their licenses, administrators their plans."""

import csv
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.api.pagination import WirePagination
from credentials_portal.core.report import csv_cell
from licenses.api import documentation
from licenses.api.filters import (
    AgreementQuery,
    CustomerQuery,
    LearnerLicenseQuery,
    LicenseQuery,
    PlanLicenseQuery,
    PlanQuery,
    filter_licenses,
    order_licenses,
)
from licenses.api.pagination import (
    LearnerLicensePagination,
    PlanLicensePagination,
    PlanPagination,
)
from licenses.api.serializers import (
    AgreementSerializer,
    LearnerLicenseSerializer,
    LicenseSerializer,
    MinimalAgreementSerializer,
    PlanSerializer,
)
from licenses.api.wire import WireError, WireView
from licenses.enums import LicenseStatus
from licenses.models import (
    Customer,
    CustomerAgreement,
    License,
    LicenseQuerySet,
    SubscriptionPlan,
    SubscriptionPlanQuerySet,
)
from licenses.selectors.access import administers_something, belongs_somewhere
from licenses.selectors.seats import activation_link
from licenses.selectors.standing import AgreementStanding, agreement_standings, plan_standings

MISSING_CUSTOMER = "missing enterprise_customer_uuid query param"
CSV_COLUMNS = ("status", "user_email", "activation_date", "last_remind_date", "activation_link")
LATEST = ("status", "-subscription_plan__expiration_date")


class LearnerLicenses(WireView):
    """The caller's own licenses of one customer, and the customer's agreement."""

    serializer_class = LearnerLicenseSerializer
    pagination_class = LearnerLicensePagination

    @documentation.LEARNER_LICENSES
    def get(self, request: Request) -> Response:
        if not request.query_params.get("enterprise_customer_uuid"):
            raise WireError(MISSING_CUSTOMER, HTTPStatus.BAD_REQUEST)
        query = LearnerLicenseQuery.of(request.query_params)
        standing, is_visible = self._standing(query["enterprise_customer_uuid"])
        licenses = self._licenses(standing, query) if standing else []
        if not (is_visible or licenses) and not belongs_somewhere(self.user):
            raise PermissionDenied
        context = {**self.get_serializer_context(), "standing": standing}
        page = self.paginate_queryset(licenses)
        told = LearnerLicenseSerializer(page, many=True, context=context).data
        response = self.get_paginated_response(told)
        is_told = standing and (is_visible or licenses)
        agreement = MinimalAgreementSerializer(standing).data if is_told else None
        response.data["customer_agreement"] = agreement
        return response

    def _standing(self, customer_uuid: UUID) -> tuple[AgreementStanding | None, bool]:
        """The customer's agreement, if there is one, and whether the caller is the customer's."""
        visible = Customer.objects.visible_to(self.user).filter(pk=OuterRef("pk"))
        customers = Customer.objects.filter(uuid=customer_uuid).select_related("agreement")
        customer = customers.annotate(is_visible=Exists(visible)).first()
        if customer is None:
            return None, False
        agreement = getattr(customer, "agreement", None)
        is_visible = bool(customer.is_visible)  # type: ignore[attr-defined]  # annotated
        if agreement is None:
            return None, is_visible
        [standing] = agreement_standings([agreement], at=timezone.now(), with_seats=False)
        return standing, is_visible

    def _licenses(self, standing: AgreementStanding, query: dict[str, Any]) -> list[License]:
        plans = {
            one.plan.pk: one.plan
            for one in standing.plans
            if (one.plan.is_active or not query["active_plans_only"])
            and (one.is_current or not query["current_plans_only"])
        }
        own = License.objects.held_by_user(self.user).filter(subscription_plan__in=plans)
        if not query["include_revoked"]:
            own = own.exclude(status=LicenseStatus.REVOKED)
        licenses = list(order_licenses(filter_licenses(own, query), query, *LATEST))
        for license in licenses:
            license.subscription_plan = plans[license.subscription_plan_id]
        return licenses


class Agreements(WireView):
    serializer_class = AgreementSerializer
    pagination_class = PlanPagination

    def get_serializer_context(self) -> dict[str, Any]:
        query = AgreementQuery.of(self.request.query_params)
        return {**super().get_serializer_context(), **query}

    def told(self, agreements: list[CustomerAgreement]) -> Any:
        standings = agreement_standings(agreements, at=timezone.now())
        return self.get_serializer(standings, many=True).data

    def get_queryset(self) -> Any:
        query = AgreementQuery.of(self.request.query_params)
        agreements = CustomerAgreement.objects.visible_to(self.user).select_related("customer")
        if "enterprise_customer_uuid" in query:
            agreements = agreements.filter(customer__uuid=query["enterprise_customer_uuid"])
        return agreements.order_by("uuid")


class AgreementList(Agreements):
    @documentation.AGREEMENTS
    def get(self, request: Request) -> Response:
        agreements = self.paginate_queryset(self.get_queryset()) or []
        if not agreements and not belongs_somewhere(self.user):
            raise PermissionDenied
        return self.get_paginated_response(self.told(list(agreements)))


class AgreementDetail(Agreements):
    @documentation.AGREEMENT_OPERATION
    def get(self, request: Request, customer_agreement_uuid: UUID) -> Response:
        agreement = self.get_queryset().filter(uuid=customer_agreement_uuid).first()
        if agreement is None:
            raise NotFound
        [told] = self.told([agreement])
        return Response(told)


class Plans(WireView):
    """Plans as their customers' administrators see them."""

    serializer_class = PlanSerializer
    pagination_class = PlanPagination

    def get_queryset(self) -> SubscriptionPlanQuerySet:
        plans = SubscriptionPlan.objects.administered_by(self.user)
        return plans.select_related("customer_agreement__customer", "product__plan_type")

    def listed(self, plans: Any) -> Response:
        page = self.paginate_queryset(plans.order_by("-start_date", "pk")) or []
        standings = plan_standings(page, at=timezone.now()) if page else []
        if not page:
            self.require_role()
        return self.get_paginated_response(PlanSerializer(standings, many=True).data)

    def told(self, plan_uuid: UUID) -> Response:
        plan = self.get_queryset().filter(uuid=plan_uuid).first()
        if plan is None:
            raise PermissionDenied
        [standing] = plan_standings([plan], at=timezone.now())
        return Response(PlanSerializer(standing).data)

    def require_role(self) -> None:
        """Only who sees no plan at all is asked for the role: the others have it."""
        if not administers_something(self.user):
            raise PermissionDenied


class PlanList(Plans):
    @documentation.PLANS
    def get(self, request: Request) -> Response:
        query = PlanQuery.of(request.query_params)
        plans = self.get_queryset()
        if "enterprise_customer_uuid" in query:
            customer_uuid = query["enterprise_customer_uuid"]
            plans = plans.filter(customer_agreement__customer__uuid=customer_uuid, is_active=True)
        elif query["current"]:
            raise WireError(MISSING_CUSTOMER, HTTPStatus.BAD_REQUEST)
        return self.listed(plans.current(timezone.now()) if query["current"] else plans)


class PlanDetail(Plans):
    @documentation.PLAN_OPERATION
    def get(self, request: Request, subscription_uuid: UUID) -> Response:
        return self.told(subscription_uuid)


class LearnerPlans(Plans):
    """Active plans as everybody of their customers sees them."""

    def get_queryset(self) -> SubscriptionPlanQuerySet:
        plans = SubscriptionPlan.objects.visible_to(self.user).filter(is_active=True)
        return plans.select_related("customer_agreement__customer", "product__plan_type")

    def require_role(self) -> None:
        if not belongs_somewhere(self.user):
            raise PermissionDenied


class LearnerPlanList(LearnerPlans):
    @documentation.LEARNER_PLANS
    def get(self, request: Request) -> Response:
        query = CustomerQuery.of(request.query_params)
        if "enterprise_customer_uuid" not in query:
            return self.listed(SubscriptionPlan.objects.none())
        customer_uuid = query["enterprise_customer_uuid"]
        plans = self.get_queryset().filter(customer_agreement__customer__uuid=customer_uuid)
        return self.listed(plans)


class LearnerPlanDetail(LearnerPlans):
    @documentation.LEARNER_PLAN
    def get(self, request: Request, subscription_uuid: UUID) -> Response:
        return self.told(subscription_uuid)


class PlanScoped(WireView):
    """What is asked about one plan; an unknown one is forbidden just as a foreign one."""

    def plans(self) -> SubscriptionPlanQuerySet:
        return SubscriptionPlan.objects.administered_by(self.user)

    def plan(self) -> SubscriptionPlan:
        plans = self.plans().select_related("customer_agreement__customer")
        plan = plans.filter(uuid=self.kwargs["subscription_uuid"]).first()
        if plan is None:
            raise PermissionDenied
        return plan

    def licenses(self) -> LicenseQuerySet:
        """The licenses of the plan. Raises `PermissionDenied`."""
        return _licenses_of(self.plan())


class OwnLicenses(PlanScoped):
    serializer_class = LicenseSerializer
    pagination_class = WirePagination

    def plans(self) -> SubscriptionPlanQuerySet:
        return SubscriptionPlan.objects.visible_to(self.user)

    @documentation.OWN_LICENSES
    def get(self, request: Request, subscription_uuid: UUID) -> Response:
        query = LicenseQuery.of(request.query_params)
        own = self.licenses() & License.objects.held_by_user(self.user)
        own = filter_licenses(own.exclude(status=LicenseStatus.REVOKED), query)
        page = self.paginate_queryset(order_licenses(own, query, "status"))
        return self.get_paginated_response(LicenseSerializer(page, many=True).data)


class PlanLicenses(PlanScoped):
    serializer_class = LicenseSerializer
    pagination_class = PlanLicensePagination
    paginator: PlanLicensePagination

    @documentation.LICENSES
    def get(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.plan()
        query = PlanLicenseQuery.of(request.query_params)
        licenses = order_licenses(
            filter_licenses(_licenses_of(plan), query), query, "status", "user_email"
        )
        page = self.paginator.paginate_plan(licenses, request, plan)
        return self.get_paginated_response(LicenseSerializer(page, many=True).data)


class PlanLicense(PlanScoped):
    serializer_class = LicenseSerializer

    @documentation.LICENSE_OPERATION
    def get(self, request: Request, subscription_uuid: UUID, license_uuid: UUID) -> Response:
        license = self.licenses().filter(uuid=license_uuid).first()
        if license is None:
            raise NotFound
        return Response(LicenseSerializer(license).data)


class LicenseOverview(PlanScoped):
    @documentation.OVERVIEW
    def get(self, request: Request, subscription_uuid: UUID) -> Response:
        plan = self.plan()
        query = PlanLicenseQuery.of(request.query_params)
        licenses = filter_licenses(_licenses_of(plan), query)
        counts = licenses.order_by().values("status").annotate(count=Count("pk"))
        return Response(list(counts.order_by("-count", "status")))


class LicenseCsv(PlanScoped):
    @documentation.CSV
    def get(self, request: Request, subscription_uuid: UUID) -> StreamingHttpResponse:
        licenses = self.licenses().exclude(status=LicenseStatus.UNASSIGNED).order_by("pk")
        return StreamingHttpResponse(_csv_lines(licenses), content_type="text/csv")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Errors are JSON, also for who accepts nothing but CSV."""
        return super().perform_content_negotiation(request, force=True)


def _licenses_of(plan: SubscriptionPlan) -> LicenseQuerySet:
    licenses = License.objects.filter(subscription_plan=plan)
    return licenses.select_related("subscription_plan")


class _Lines:
    """A file whose lines are taken as they are written."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(licenses: LicenseQuerySet) -> Iterator[str]:
    writer = csv.writer(_Lines())
    yield writer.writerow(CSV_COLUMNS)
    columns = licenses.values_list(*CSV_COLUMNS[:-1], "activation_key")
    for *facts, activation_key in columns.iterator(chunk_size=2000):
        yield writer.writerow(map(csv_cell, (*facts, activation_link(activation_key))))

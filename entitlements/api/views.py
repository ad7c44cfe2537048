"""Entitlements as the old service's clients read, create, change and revoke them."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.api.wire import WireError, WireView
from entitlements.api import documentation
from entitlements.api.filters import EntitlementQuery, filter_entitlements
from entitlements.api.pagination import EntitlementPagination
from entitlements.api.permissions import MayReadOrSupport
from entitlements.api.serializers import (
    ChangeSerializer,
    CreateSerializer,
    EntitlementSerializer,
)
from entitlements.deliveries.acting import deliver_redemption
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.selectors.access import visible_to
from entitlements.selectors.judging import judge
from entitlements.selectors.policies import site_of
from entitlements.services.granting import OrderTakenError, grant_entitlement
from entitlements.services.locking import EntitlementNotFoundError
from entitlements.services.notes import RunUnknownError
from entitlements.services.remedies import RunNotUsedError
from entitlements.services.supporting import amend_entitlement, revoke_entitlement

NOT_UNIQUE = "The fields course_uuid, order_number must make a unique set."


def with_all_told(entitlements: "QuerySet[CourseEntitlement]") -> "QuerySet[CourseEntitlement]":
    """With all that `told` needs, in two statements."""
    details = CourseEntitlementSupportDetail.objects.select_related(
        "support_user", "unenrolled_run"
    )
    rows = entitlements.select_related("user", "policy")
    return rows.prefetch_related(Prefetch("support_details", details))


def told(entitlements: Any, *, at: datetime) -> list[Any]:
    return list(EntitlementSerializer(judge(entitlements, at=at), many=True).data)


def told_again(entitlement: CourseEntitlement) -> Any:
    """The entitlement as it stands now."""
    rows = with_all_told(CourseEntitlement.objects.filter(pk=entitlement.pk))
    return told(rows, at=timezone.now())[0]


class EntitlementList(WireView):
    permission_classes = [MayReadOrSupport]
    serializer_class = CreateSerializer
    pagination_class = EntitlementPagination

    @documentation.LIST
    def get(self, request: Request) -> Response:
        query, at = EntitlementQuery.of(request.query_params), timezone.now()
        entitlements = with_all_told(CourseEntitlement.objects.all())
        found = filter_entitlements(entitlements, query, caller=self.user, at=at)
        page = self.paginate_queryset(found) or []
        return self.get_paginated_response(told(page, at=at))

    @documentation.CREATE
    def post(self, request: Request) -> Response:
        wanted = self.wanted()
        wanted.pop("email_opt_in")
        notes = wanted.pop("support_details")
        try:
            granted = grant_entitlement(
                **wanted,
                notes=notes,
                site_id=site_of(request.get_host()),
                by=self.attribution("create"),
            )
        except OrderTakenError:
            raise WireError({"non_field_errors": [NOT_UNIQUE]}, HTTPStatus.BAD_REQUEST) from None
        if granted.redemption:
            deliver_redemption(granted.redemption)
        status = HTTPStatus.CREATED if granted.is_new else HTTPStatus.OK
        return Response(told_again(granted.entitlement), status=status)


class EntitlementDetail(WireView):
    permission_classes = [MayReadOrSupport]
    serializer_class = EntitlementSerializer

    @documentation.RETRIEVE
    def get(self, request: Request, entitlement_uuid: UUID) -> Response:
        rows = with_all_told(visible_to(self.user).filter(uuid=entitlement_uuid))
        found = told(rows, at=timezone.now())
        if not found:
            raise NotFound
        return Response(found[0])

    @documentation.CHANGE
    def patch(self, request: Request, entitlement_uuid: UUID) -> HttpResponse:
        entitlements = CourseEntitlement.objects.select_related("user")
        entitlement = entitlements.filter(uuid=entitlement_uuid).first()
        if entitlement is None:
            return _refused(f"Could not find entitlement {entitlement_uuid} to update")
        serializer = ChangeSerializer(data=request.data, context={"entitlement": entitlement})
        serializer.is_valid(raise_exception=True)
        wanted = dict(serializer.validated_data)
        notes = wanted.pop("support_details")
        try:
            amend_entitlement(
                entitlement_uuid=entitlement_uuid,
                notes=notes,
                by=self.attribution("change"),
                **wanted,
            )
        except (RunNotUsedError, RunUnknownError) as error:
            run = next(note.unenrolled_run for note in notes if note.unenrolled_run)
            return _refused(
                f"Error raised while trying to unenroll user {entitlement.user} from course run"
                f" {run}: {error.message}"
            )
        return Response(told_again(entitlement))

    @documentation.REVOKE
    def delete(self, request: Request, entitlement_uuid: UUID) -> Response:
        try:
            revoke_entitlement(entitlement_uuid=entitlement_uuid, by=self.attribution("revoke"))
        except EntitlementNotFoundError:
            raise NotFound from None
        return Response(status=HTTPStatus.NO_CONTENT)


def _refused(text: str) -> HttpResponse:
    """400 with a bare text, which is no JSON."""
    return HttpResponse(text, status=HTTPStatus.BAD_REQUEST, content_type="text/plain")

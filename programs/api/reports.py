"""The report of credit requests, for services and staff."""

import re
from typing import Any

from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials_portal.api.pagination import PagePagination
from credentials_portal.api.schema import INVALID, NOT_AUTHENTICATED, NOT_PERMITTED, told
from credentials_portal.api.strict import PageQuery, TextField
from programs.selectors.reports import ALL_GROUPS, GroupBy, ReportScope, credit_report

VIEW_REPORT = "programs.view_credit_report"


class MayReport(IsAuthenticated):
    message = f"This needs the permission {VIEW_REPORT}."

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.has_perm(VIEW_REPORT)


class WrittenDay(serializers.DateField):
    """A day as 2026-05-01 and not otherwise."""

    def to_internal_value(self, value: Any) -> Any:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class SummaryQuery(PageQuery):
    since = WrittenDay(required=False, help_text="Asked for on this day, in UTC, or later.")
    until = WrittenDay(required=False, help_text="Asked for before this day, in UTC.")
    program = serializers.UUIDField(required=False, help_text="About this program.")
    pathway = serializers.UUIDField(required=False, help_text="To this pathway.")
    institution = TextField(
        required=False, max_length=255, help_text="To pathways of the institution of this name."
    )
    group_by = serializers.ChoiceField(
        [group.value for group in GroupBy],
        required=False,
        help_text="What a line is of; a program, a pathway and a month by default.",
    )

    @classmethod
    def scope(cls, query: dict[str, Any]) -> ReportScope:
        return ReportScope(
            since=query.get("since"),
            until=query.get("until"),
            program_uuid=query.get("program"),
            pathway_uuid=query.get("pathway"),
            institution=query.get("institution", ""),
        )


class NumbersSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    learners = serializers.IntegerField(help_text="Each counted once.")
    first = serializers.IntegerField(
        help_text="Asked by learners who had not asked this pathway about this program before."
    )
    repeated = serializers.IntegerField(help_text="The others.")
    completed_percent = serializers.FloatField(
        allow_null=True,
        help_text="Of those of which it is known: the program was completed when it was asked.",
    )
    failed = serializers.IntegerField(help_text="Could not be sent.")
    withdrawn = serializers.IntegerField(help_text="Taken back by the learner, or by staff.")
    received = serializers.IntegerField(help_text="The institution has said no more yet.")
    granted = serializers.IntegerField()
    refused = serializers.IntegerField()
    median_days = serializers.FloatField(
        allow_null=True,
        help_text="From the request to the program's certificate, of those that were not completed"
        " when they were asked, and are by now.",
    )


class LineSerializer(NumbersSerializer):
    """Requests; null or empty is what the report is not grouped by."""

    program_uuid = serializers.UUIDField(
        allow_null=True, help_text="Null for the older service's requests that name no program."
    )
    program = serializers.CharField(allow_blank=True)
    pathway_uuid = serializers.UUIDField(allow_null=True)
    pathway = serializers.CharField(allow_blank=True)
    institution = serializers.CharField(allow_blank=True)
    month = serializers.CharField(allow_blank=True, help_text="Of UTC, such as 2026-05.")


class SummarySerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="How many lines there are.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    since = serializers.DateField(allow_null=True)
    until = serializers.DateField(allow_null=True)
    group_by = serializers.ListField(child=serializers.ChoiceField([g.value for g in GroupBy]))
    total = NumbersSerializer(help_text="Of all lines together, not of this page.")
    results = LineSerializer(many=True)


NUMBERS_EXAMPLE: dict[str, Any] = {
    "requests": 12,
    "learners": 10,
    "first": 10,
    "repeated": 2,
    "completed_percent": 75.0,
    "failed": 1,
    "withdrawn": 0,
    "received": 2,
    "granted": 5,
    "refused": 1,
    "median_days": 31.5,
}
EXAMPLE: dict[str, Any] = {
    "count": 1,
    "next": None,
    "previous": None,
    "since": "2026-05-01",
    "until": "2026-06-01",
    "group_by": ["program", "pathway", "month"],
    "total": NUMBERS_EXAMPLE,
    "results": [
        {
            **NUMBERS_EXAMPLE,
            "program_uuid": "b9dd1d4c-4d5e-5a3b-8f1c-2a4f0a1d6c55",
            "program": "Digital Product Design",
            "pathway_uuid": "5d3c3f0e-8a0c-5b9e-9d6b-3f6a1c1f8f7e",
            "pathway": "MSc Design",
            "institution": "Harbour University",
            "month": "2026-05",
        }
    ],
}


@method_decorator(never_cache, name="dispatch")
class CreditRequestSummary(APIView):
    permission_classes = [MayReport]

    @extend_schema(
        operation_id="credit_requests_summary",
        tags=["programs"],
        summary="Report of credit requests",
        description="How many there were by program, pathway and month, how complete, and what the"
        " institutions answered. Names no learner.",
        parameters=[SummaryQuery],
        responses={
            200: OpenApiResponse(
                SummarySerializer, "A page of lines.", [OpenApiExample("May", EXAMPLE)]
            ),
            400: INVALID,
            401: NOT_AUTHENTICATED,
            403: NOT_PERMITTED,
            404: told("not_found", "Invalid page.", "There is no such page."),
        },
    )
    def get(self, request: Request) -> Response:
        query = SummaryQuery.of(request.query_params)
        named = query.get("group_by")
        groups = (GroupBy(named),) if named else ALL_GROUPS
        report = credit_report(SummaryQuery.scope(query), group_by=groups)
        pages = PagePagination()
        lines: Any = [line.cells for line in report.lines]
        page: Any = pages.paginate_queryset(lines, request, view=self)
        answer = {
            "count": len(lines),
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "since": query.get("since"),
            "until": query.get("until"),
            "group_by": list(groups),
            "total": report.total.cells,
            "results": page,
        }
        return Response(SummarySerializer(answer).data)

"""What programs report, under `/api/programs/v1/`."""

from django.urls import path

from programs.api import reports

urlpatterns = [
    path(
        "credit-requests/summary/",
        reports.CreditRequestSummary.as_view(),
        name="api-credit-request-summary",
    ),
]

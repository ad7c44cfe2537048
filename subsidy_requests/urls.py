from django.urls import include, path

from subsidy_requests.views import deciding, learning, reviewing

of_request = [
    path("", learning.request, name="subsidy_request"),
    path("cancel/", learning.cancel, name="cancel_subsidy_request"),
]

of_customer = [
    path("", reviewing.review, name="review_requests"),
    path("requests.csv", reviewing.requests_csv, name="requests_csv"),
    path("approve/", deciding.approve, name="approve_requests"),
    path("decline/", deciding.decline, name="decline_requests"),
    path("<uuid:request_uuid>/", reviewing.reviewed, name="reviewed_request"),
]

urlpatterns = [
    path("access/requests/", learning.requests, name="subsidy_requests"),
    path("access/requests/<uuid:request_uuid>/", include(of_request)),
    path("customers/<slug:slug>/requests/", include(of_customer)),
]

"""The old entitlements' paths, and two of our own: an LMS' questions and news."""

from django.urls import path, re_path

from credentials_portal.api.views import UnknownWireResource
from entitlements.api import sessions, views

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
ENTITLEMENT = rf"^entitlements/(?P<entitlement_uuid>{UUID})/"

urlpatterns = [
    path("entitlements/", views.EntitlementList.as_view()),
    re_path(rf"{ENTITLEMENT}$", views.EntitlementDetail.as_view()),
    re_path(rf"{ENTITLEMENT}enrollments$", sessions.Enrollments.as_view()),
    # With a malformed uuid: no redirect to the address with a slash.
    re_path(r"^entitlements/[^/]*/(?:enrollments)?$", UnknownWireResource.as_view()),
    path("redemptions/", sessions.Redemptions.as_view()),
    path("unenrollments/", sessions.Unenrollments.as_view()),
]

"""The old enterprise-access' paths. Its clients ask with the slash at the end."""

from django.urls import re_path

from subsidy_requests.api import actions, configurations, views

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
LICENSES, CODES = "^license-requests", "^coupon-code-requests"
REQUEST = rf"(?P<request_uuid>{UUID})"
CONFIGURATIONS = "^customer-configurations"

urlpatterns = [
    re_path(rf"{LICENSES}/?$", views.LicenseRequestList.as_view()),
    re_path(rf"{LICENSES}/{REQUEST}/?$", views.LicenseRequestDetail.as_view()),
    re_path(rf"{LICENSES}/overview/?$", views.LicenseRequestOverview.as_view()),
    re_path(rf"{LICENSES}/approve/?$", actions.ApproveLicenseRequests.as_view()),
    re_path(rf"{LICENSES}/decline/?$", actions.DeclineLicenseRequests.as_view()),
    re_path(rf"{CODES}/?$", views.CouponCodeRequestList.as_view()),
    re_path(rf"{CODES}/{REQUEST}/?$", views.CouponCodeRequestDetail.as_view()),
    re_path(rf"{CODES}/overview/?$", views.CouponCodeRequestOverview.as_view()),
    re_path(rf"{CODES}/approve/?$", actions.ApproveCouponCodeRequests.as_view()),
    re_path(rf"{CODES}/decline/?$", actions.DeclineCouponCodeRequests.as_view()),
    re_path("^learner-credit-requests/?$", views.LearnerCreditRequestList.as_view()),
    re_path(rf"{CONFIGURATIONS}/?$", configurations.ConfigurationList.as_view()),
    re_path(
        rf"{CONFIGURATIONS}/(?P<customer_uuid>{UUID})/?$",
        configurations.ConfigurationDetail.as_view(),
    ),
]

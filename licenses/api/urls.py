"""The old license-manager's paths. Its clients ask with and without the slash at the end."""

from django.urls import re_path

from licenses.api import actions, views

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
AGREEMENT = rf"^customer-agreement/(?P<customer_agreement_uuid>{UUID})"
PLAN = rf"^subscriptions/(?P<subscription_uuid>{UUID})"
LICENSES = rf"{PLAN}/licenses"

urlpatterns = [
    re_path(r"^learner-licenses/?$", views.LearnerLicenses.as_view()),
    re_path(r"^license-activation/?$", actions.ActivateLicense.as_view()),
    re_path(r"^customer-agreement/?$", views.AgreementList.as_view()),
    re_path(rf"{AGREEMENT}/?$", views.AgreementDetail.as_view()),
    re_path(rf"{AGREEMENT}/auto-apply/?$", actions.AutoApplyLicense.as_view()),
    re_path(r"^subscriptions/?$", views.PlanList.as_view()),
    re_path(rf"{PLAN}/?$", views.PlanDetail.as_view()),
    re_path(rf"{PLAN}/license/?$", views.OwnLicenses.as_view()),
    re_path(rf"{LICENSES}/?$", views.PlanLicenses.as_view()),
    re_path(rf"{LICENSES}/(?P<license_uuid>{UUID})/?$", views.PlanLicense.as_view()),
    re_path(rf"{LICENSES}/overview/?$", views.LicenseOverview.as_view()),
    re_path(rf"{LICENSES}/csv/?$", views.LicenseCsv.as_view()),
    re_path(rf"{LICENSES}/assign/?$", actions.AssignLicenses.as_view()),
    re_path(rf"{LICENSES}/remind/?$", actions.RemindLearners.as_view()),
    re_path(rf"{LICENSES}/remind-all/?$", actions.RemindAllLearners.as_view()),
    re_path(rf"{LICENSES}/bulk-revoke/?$", actions.RevokeLicenses.as_view()),
    re_path(rf"{LICENSES}/revoke-all/?$", actions.RevokeAllLicenses.as_view()),
    re_path(r"^learner-subscriptions/?$", views.LearnerPlanList.as_view()),
    re_path(
        rf"^learner-subscriptions/(?P<subscription_uuid>{UUID})/?$",
        views.LearnerPlanDetail.as_view(),
    ),
    re_path(r"^staff_lookup_licenses/?$", actions.LookUpLicenses.as_view()),
    re_path(r"^retire_user/?$", actions.RetireUser.as_view()),
]

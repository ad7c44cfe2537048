from django.urls import include, path

from licenses.views import customers, learning, seats

of_customer = [
    path("", customers.customer, name="customer"),
    path("forecast/", customers.forecast, name="customer_forecast"),
    path("forecast.csv", customers.forecast_csv, name="customer_forecast_csv"),
    path("plans/<uuid:plan_uuid>/", customers.plan, name="customer_plan"),
    path("plans/<uuid:plan_uuid>/licenses.csv", customers.learners_csv, name="customer_plan_csv"),
    path("plans/<uuid:plan_uuid>/assign/", seats.assign, name="assign_licenses"),
    path("plans/<uuid:plan_uuid>/remind/", seats.remind, name="remind_learners"),
    path("plans/<uuid:plan_uuid>/revoke/", seats.revoke, name="revoke_licenses"),
]

urlpatterns = [
    path("licenses/<uuid:activation_key>/activate/", learning.activate, name="activate_license"),
    path("customers/<slug:slug>/", include(of_customer)),
]

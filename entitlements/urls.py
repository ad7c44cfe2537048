from django.urls import include, path

from entitlements.views import learning, refunding

of_entitlement = [
    path("", learning.entitlement, name="entitlement"),
    path("session/", learning.choose_session, name="choose_session"),
    path("session/take/", learning.take_session, name="take_session"),
    path("leave/", learning.leave_session, name="leave_session"),
    path("refund/", refunding.refund, name="refund_entitlement"),
]

urlpatterns = [
    path("access/entitlements/<uuid:entitlement_uuid>/", include(of_entitlement)),
]

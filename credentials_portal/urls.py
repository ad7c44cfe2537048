from django.contrib import admin
from django.urls import include, path, re_path

from credentials_portal.api.views import UnknownResource

urlpatterns = [
    path("", include("credentials_portal.web.urls")),
    path("", include("credentials_portal.api.urls")),
    path("", include("entitlements.urls")),
    path("", include("letters.urls")),
    path("", include("programs.urls")),
    path("", include("programs.api.urls")),
    path("api/programs/v1/", include("programs.api.report_urls")),
    path("api/entitlements/v1/", include("entitlements.api.urls")),
    path("api/v2/", include("programs.api.v2.urls")),
    path("api/v1/", include("licenses.api.urls")),
    path("api/v1/", include("subsidy_requests.api.urls")),
    path("", include("licenses.urls")),
    path("", include("subsidy_requests.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^api/(?:[\s\S]*/)?$", UnknownResource.as_view()),
]

handler400 = "credentials_portal.web.errors.bad_request"
handler403 = "credentials_portal.web.errors.permission_denied"
handler404 = "credentials_portal.web.errors.page_not_found"
handler500 = "credentials_portal.web.errors.server_error"

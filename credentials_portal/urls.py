from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("credentials_portal.web.urls")),
    path("", include("credentials_portal.api.urls")),
    path("", include("letters.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "credentials_portal.web.errors.bad_request"
handler403 = "credentials_portal.web.errors.permission_denied"
handler404 = "credentials_portal.web.errors.page_not_found"
handler500 = "credentials_portal.web.errors.server_error"

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from credentials_portal.api.csrf import CsrfToken
from credentials_portal.api.oauth import ServiceTokenView
from credentials_portal.api.schema import ApiDocs

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", ApiDocs.as_view(), name="api-docs"),
    path("csrf/api/v1/token", CsrfToken.as_view(), name="csrf-token"),
    # Clients of the older services ask with and without the slash.
    path("oauth2/access_token", ServiceTokenView.as_view(), name="access_token"),
    path("oauth2/access_token/", ServiceTokenView.as_view()),
]

"""The OpenAPI schema, and its Swagger page from local files under the strict policy."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularSwaggerSplitView


class PortalAuthenticationScheme(OpenApiAuthenticationExtension):
    target_class = "credentials_portal.api.authentication.PortalAuthentication"
    name = ["session", "service"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {
                        "tokenUrl": "/oauth2/access_token",
                        "scopes": {"read": "safe methods", "write": "all other methods"},
                    }
                },
            },
        ]


class ApiDocs(SpectacularSwaggerSplitView):
    template_name = "api/docs.html"
    url_name = "schema"

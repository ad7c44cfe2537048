"""The OpenAPI schema, and its Swagger page from local files under the strict policy."""

from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from credentials_portal.api.strict import TEXT


class PortalAuthenticationScheme(OpenApiAuthenticationExtension):
    target_class = "credentials_portal.api.authentication.PortalAuthentication"
    name = ["session", "service"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """One of them suffices."""
        scope = "read" if auto_schema.method in SAFE_METHODS else "write"
        return [{"session": []}, {"service": [scope]}]

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


class StrictSerializerSchema(OpenApiSerializerExtension):
    target_class = "credentials_portal.api.strict.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped = auto_schema._map_serializer(  # noqa: SLF001 - as its docs tell extensions to
            self.target, direction, bypass_extensions=True
        )
        return {**mapped, "additionalProperties": False}


class TextFieldSchema(OpenApiSerializerFieldExtension):
    target_class = "credentials_portal.api.strict.TextField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        mapped = auto_schema._map_serializer_field(  # noqa: SLF001 - as its docs tell extensions to
            self.target, direction, bypass_extensions=True
        )
        return {**mapped, "pattern": TEXT}


class ErrorFactsSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable: act on it.")
    message = serializers.CharField(help_text="For people: its words may change.")
    fields = serializers.DictField(  # type: ignore[assignment]  # a key, no attribute
        help_text="Which values are wrong, and why.", required=False
    )


class ErrorSerializer(serializers.Serializer[Any]):
    """What every error looks like; some codes add keys of their own."""

    error = ErrorFactsSerializer()


def told(code: str, message: str, description: str = "", **details: Any) -> OpenApiResponse:
    """How the schema tells of an error: what it means, with an example."""
    example = OpenApiExample(code, {"error": {"code": code, "message": message, **details}})
    return OpenApiResponse(ErrorSerializer, description or message, [example])


INVALID = told(
    "invalid",
    "Some values are not valid.",
    "Something in the request is not valid; `fields` names it.",
    fields={"page_size": ["Ensure this value is less than or equal to 100."]},
)
NOT_AUTHENTICATED = told(
    "not_authenticated",
    "Authentication credentials were not provided.",
    "No token and no session, or a token that is not valid, or no longer (`invalid_token`).",
)
NOT_PERMITTED = told(
    "permission_denied",
    "You do not have permission to perform this action.",
    "The permission lacks, or the token's scope (`insufficient_scope`).",
)
NOT_FOUND = told("not_found", "Not found.", "There is none, or none that the caller may see.")
NOT_JSON = told(
    "unsupported_media_type",
    'Unsupported media type "text/plain" in request.',
    "The body is not JSON.",
)
THROTTLED = told(
    "throttled",
    "Request was throttled. Expected available in 42 seconds.",
    "Too many requests from this address; `Retry-After` says when to ask again.",
)
BUSY = told(
    "busy",
    "Nothing was changed, because another request holds what this one needs. Try again.",
    "Try again after the seconds of `Retry-After`.",
)


class ApiDocs(SpectacularSwaggerSplitView):
    template_name = "api/docs.html"
    url_name = "schema"

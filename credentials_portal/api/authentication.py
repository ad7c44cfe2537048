"""Who calls the API: the one place that decides."""

from typing import Any

import structlog
from oauthlib.common import Request as OAuthRequest
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from credentials_portal.accounts.models import User
from credentials_portal.api.oauth import ServiceValidator, stored_token_of

TOKEN_SCHEMES = frozenset({"bearer", "jwt"})


class PortalAuthentication(SessionAuthentication):
    """People by their session (with CSRF), services by `Authorization: Bearer|JWT <token>`.

    `request.auth` is the service's access token, or None for a person. A token needs the scope
    `read` for safe methods and `write` for the others, whatever else a view asks for. A token
    that is not valid is refused, also where the view would serve anybody.
    """

    def authenticate(self, request: Request) -> tuple[User, Any] | None:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() in TOKEN_SCHEMES:
            user, token = _service(request, credentials.strip())
        elif person := super().authenticate(request):
            user, token = person
        else:
            return None
        structlog.contextvars.bind_contextvars(user_id=user.pk)
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _service(request: Request, credentials: str) -> tuple[User, Any]:
    asked = OAuthRequest(request.build_absolute_uri(request.path), http_method=request.method)
    valid = ServiceValidator().validate_bearer_token(stored_token_of(credentials), [], asked)
    if not (valid and asked.user and asked.user.is_active):
        raise AuthenticationFailed("The access token is not valid, or no longer.", "invalid_token")
    scope = "read" if request.method in SAFE_METHODS else "write"
    if not asked.access_token.allow_scopes([scope]):
        raise PermissionDenied(f"The access token lacks the scope {scope}.", "insufficient_scope")
    return asked.user, asked.access_token

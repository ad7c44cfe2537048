"""Access tokens of services: OAuth2 client credentials, as clients of the older services ask."""

import hashlib
import json
import math
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from jwcrypto.common import JWException, base64url_encode, json_decode
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import TokenView
from oauthlib.common import Request as OAuthRequest

from credentials_portal.api.throttling import TokenThrottle

ALGORITHM = "HS256"


class ServiceValidator(OAuth2Validator):
    """A token of the client-credentials grant acts as the client's own user, who must be active."""

    def authenticate_client(self, request: OAuthRequest, *args: Any, **kwargs: Any) -> bool:
        if not super().authenticate_client(request, *args, **kwargs):
            return False
        user = request.client.user
        return user is not None and user.is_active

    def validate_bearer_token(self, token: str, scopes: list[str], request: OAuthRequest) -> bool:
        if not super().validate_bearer_token(token, scopes, request):
            return False
        request.user = request.user or request.client.user
        return True


class ServiceTokenView(TokenView):
    """`POST /oauth2/access_token`; `token_type=jwt` gets the token in a signed envelope.

    The envelope is put on after the token was stored, so that both forms are one token:
    revoking it ends both. An address that asks too often gets 429, in OAuth2's shape of errors.
    """

    # Like TokenView's own: a service has no cookies that somebody could abuse.
    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        throttle = TokenThrottle()
        if not throttle.allow_request(request, self):  # type: ignore[arg-type]  # reads META only
            return _too_many_requests(throttle.wait() or 1)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def authorization_flow_token_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response: HttpResponse = super().authorization_flow_token_response(request, *args, **kwargs)
        if response.status_code != 200 or request.POST.get("token_type", "").lower() != "jwt":
            return response
        granted = json.loads(response.content)
        granted |= {"access_token": _enveloped(granted), "token_type": "JWT"}
        return JsonResponse(granted, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _too_many_requests(wait_seconds: float) -> HttpResponse:
    seconds = math.ceil(wait_seconds)
    return JsonResponse(
        {
            "error": "too_many_requests",
            "error_description": "This address asked for too many tokens. A token can be used for"
            f" an hour: keep it. Ask again in {seconds} seconds.",
        },
        status=HTTPStatus.TOO_MANY_REQUESTS,
        headers={"Retry-After": str(seconds), "Cache-Control": "no-store"},
    )


def stored_token_of(credentials: str) -> str:
    """The stored token in `credentials`: itself, or what our signed envelope carries, else ""."""
    if credentials.count(".") != 2:
        return credentials
    try:
        return str(json_decode(JWT(jwt=credentials, key=_key(), algs=[ALGORITHM]).claims)["jti"])
    except (JWException, ValueError, KeyError):
        return ""


def _enveloped(granted: dict[str, Any]) -> str:
    issued_at = int(timezone.now().timestamp())
    claims = {
        "iss": f"{settings.PORTAL_BASE_URL}/oauth2",
        "iat": issued_at,
        "exp": issued_at + granted["expires_in"],
        "jti": granted["access_token"],
        "scopes": granted["scope"].split(),
    }
    envelope = JWT(header={"alg": ALGORITHM, "typ": "JWT"}, claims=claims)
    envelope.make_signed_token(_key())
    return str(envelope.serialize())


def _key() -> JWK:
    secret = hashlib.sha256(f"oauth2 envelope:{settings.SECRET_KEY}".encode()).digest()
    return JWK(kty="oct", k=base64url_encode(secret))

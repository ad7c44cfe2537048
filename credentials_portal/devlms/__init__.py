"""A stand-in for the LMS, for tests and trials: a real HTTP server that keeps what it is told.

It answers as the LMS does, as far as this portal asks it, and can be told to fail:

    with StandInLms() as lms:
        lms.fail(500, path="unlink_users", every=10)
        ... settings.LMS_BASE_URL = lms.url ...
        assert lms.unlinked[customer_uuid] == {"anna@example.com"}

`python -m credentials_portal.devlms [--port 8100]` serves one until it is interrupted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from credentials_portal.devlms.enrollments import EnrollmentApi
from credentials_portal.devlms.enterprise import EnterpriseApi
from credentials_portal.devremote import Reply

TOKEN_PATH = "/oauth2/access_token"  # noqa: S105 - a path
TOKEN_SECONDS = 3600


@dataclass
class StandInLms(EnrollmentApi, EnterpriseApi):
    """Its one client may do everything."""

    client_id: str = "portal"
    client_secret: str = "portal-secret"  # noqa: S105 - of a stand-in
    token_seconds: float = TOKEN_SECONDS
    tokens: set[str] = field(default_factory=set)
    issued_tokens: int = 0

    routes = {**EnterpriseApi.routes, **EnrollmentApi.routes}

    def work(self, method: str, path: str, body: Any, authorization: str) -> Reply:
        if path.startswith(TOKEN_PATH):
            return self._token(body)
        return super().work(method, path, body, authorization)

    def is_authorized(self, token: str) -> bool:
        return token in self.tokens

    def _token(self, form: Mapping[str, str]) -> Reply:
        given = (form.get("client_id"), form.get("client_secret"), form.get("grant_type"))
        if given != (self.client_id, self.client_secret, "client_credentials"):
            return 401, {"error": "invalid_client"}
        self.issued_tokens += 1
        token = f"token-{self.issued_tokens}"
        self.tokens.add(token)
        return 200, {
            "access_token": token,
            "token_type": "JWT",
            "expires_in": self.token_seconds,
            "scope": "read write",
        }

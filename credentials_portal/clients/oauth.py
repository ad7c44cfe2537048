"""Calls under a token that the LMS gives for our client credentials."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any

from credentials_portal.clients.http import Answer, HttpClient, Refused, Result, Unavailable

# A token is renewed so many seconds before it ends, for the clocks may differ.
TOKEN_MARGIN_SECONDS = 60


class TokenSource:
    """The present token of one client of the LMS at `base_url`; threads may share it."""

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, *, timeout_seconds: float
    ) -> None:
        self._http = HttpClient("lms", base_url, timeout_seconds=timeout_seconds)
        self._credentials = {"client_id": client_id, "client_secret": client_secret}
        self._token = ""
        self._token_ends = 0.0
        self._lock = Lock()

    def bearer(self, *, renewed: bool) -> Mapping[str, str] | Unavailable:
        """The header that carries the token; `renewed` asks for another one than before."""
        with self._lock:
            if renewed or time.monotonic() >= self._token_ends:
                failure = self._fetch()
                if failure:
                    return failure
            return {"Authorization": f"JWT {self._token}"}

    def close(self) -> None:
        self._http.close()

    def _fetch(self) -> Unavailable | None:
        """Whatever is wrong with our credentials is no fault of what we wanted to send."""
        result = self._http.call(
            "POST",
            "/oauth2/access_token",
            form={**self._credentials, "grant_type": "client_credentials", "token_type": "jwt"},
        )
        if isinstance(result, Answer) and _is_token(result.body):
            self._token = result.body["access_token"]
            self._token_ends = time.monotonic() + result.body["expires_in"] - TOKEN_MARGIN_SECONDS
            return None
        self._token_ends = 0.0
        match result:
            case Unavailable() | Refused():
                status = result.status
                return Unavailable(f"token.{result.reason}", status)
            case _:
                return Unavailable("token.malformed", result.status)


class AuthorizedClient:
    """Calls to the remote system `name` at `base_url`, with the tokens of `tokens`."""

    def __init__(
        self, name: str, base_url: str, tokens: TokenSource, *, timeout_seconds: float
    ) -> None:
        self._http = HttpClient(name, base_url, timeout_seconds=timeout_seconds)
        self._tokens = tokens

    def call(self, method: str, path: str, **content: Any) -> Result:
        """One call; a token that is not known any more is renewed, once.

        A failure to get a token has a reason that begins with "token.": nothing was asked.
        """
        result: Result = Unavailable("no_token")
        for is_first in (True, False):
            token = self._tokens.bearer(renewed=not is_first)
            if isinstance(token, Unavailable):
                return token
            result = self._http.call(method, path, headers=token, **content)
            if not _is_unauthorized(result):
                break
        return result

    def close(self) -> None:
        self._http.close()
        self._tokens.close()


def _is_unauthorized(result: Result) -> bool:
    return isinstance(result, Unavailable) and result.status == HTTPStatus.UNAUTHORIZED


def _is_token(body: Any) -> bool:
    return (
        isinstance(body, dict)
        and isinstance(body.get("access_token"), str)
        and isinstance(body.get("expires_in"), int | float)
    )

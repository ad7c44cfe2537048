"""One HTTP call, and what may have come of it."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx

logger = logging.getLogger(__name__)

# Not the item's fault: our credentials, our permissions, our haste.
CALLERS_FAULTS = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


@dataclass(frozen=True)
class Answer:
    """The remote system did it; `body` is its JSON, or None."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Refused:
    """The remote system will not do this, however often it is asked."""

    status: int

    @property
    def reason(self) -> str:
        return f"http_{self.status}"


@dataclass(frozen=True)
class Unavailable:
    """Nobody can say that it was done; ask again, not before `retry_after`.

    `status` is 0 where there was no answer: then it may have been done all the same.
    """

    reason: str
    status: int = 0
    retry_after: timedelta = timedelta(0)


Result = Answer | Refused | Unavailable


class HttpClient:
    """Calls to one remote system at `base_url`; it may be shared by threads, not by processes."""

    def __init__(self, name: str, base_url: str, *, timeout_seconds: float) -> None:
        self.name = name
        self._client = httpx.Client(base_url=base_url.rstrip("/"), timeout=timeout_seconds)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Result:
        """Do one call. Neither what is sent nor what comes back is logged, nor the address."""
        began = time.monotonic()
        try:
            response = self._client.request(
                method, path, json=json, data=form, params=query, headers=headers
            )
            result = _judged(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            result = Unavailable(f"lost.{type(error).__name__}")
        told = {
            "remote": self.name,
            "result": type(result).__name__,
            "reason": getattr(result, "reason", ""),
            "milliseconds": round((time.monotonic() - began) * 1000),
        }
        level = logging.DEBUG if isinstance(result, Answer) else logging.WARNING
        logger.log(level, "remote_call", extra=told)
        return result

    def close(self) -> None:
        self._client.close()


def _judged(response: httpx.Response) -> Result:
    status = response.status_code
    if response.is_success:
        return _answer(response)
    # An API sends nobody elsewhere: that is a page to sign in on, or one that tells of maintenance.
    if response.is_server_error or response.is_redirect or status in CALLERS_FAULTS:
        return Unavailable(f"http_{status}", status, _retry_after(response))
    return Refused(status)


def _answer(response: httpx.Response) -> Result:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        # Such a page without a redirection.
        return Unavailable("no_json", response.status_code)
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return Answer(response.status_code)
    try:
        return Answer(response.status_code, response.json())
    except ValueError:
        return Unavailable("no_json", response.status_code)


def _retry_after(response: httpx.Response) -> timedelta:
    """Its `Retry-After` in seconds, a day at most; a date is ignored."""
    seconds = response.headers.get("Retry-After", "")
    if not (seconds.isascii() and seconds.isdigit()):
        return timedelta(0)
    return timedelta(seconds=min(int(seconds[:9]), 86_400))

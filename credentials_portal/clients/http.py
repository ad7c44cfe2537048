"""One HTTP call, and what may have come of it."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from math import inf
from typing import Any

import httpx

logger = logging.getLogger(__name__)

# An answer that is longer is none: nobody asks for so much at once.
MOST_BYTES = 32 * 1024 * 1024
# How many times its patience a call may take whose answer arrives drop by drop.
PATIENCE_FOR_DROPS = 10

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
        self._longest_seconds = timeout_seconds * PATIENCE_FOR_DROPS

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
            with self._client.stream(
                method, path, json=json, data=form, params=query, headers=headers
            ) as response:
                result = _judged(response, ends_at=began + self._longest_seconds)
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


def _judged(response: httpx.Response, *, ends_at: float = inf) -> Result:
    """What came of a call, whose body is read here, until `ends_at` by the monotonic clock."""
    status = response.status_code
    content = _content(response, ends_at)
    if response.is_success:
        return _answer(response, content) if content is not None else Unavailable("endless", status)
    # An API sends nobody elsewhere: that is a page to sign in on, or one that tells of maintenance.
    if response.is_server_error or response.is_redirect or status in CALLERS_FAULTS:
        return Unavailable(f"http_{status}", status, _retry_after(response))
    return Refused(status)


def _content(response: httpx.Response, ends_at: float) -> bytes | None:
    """The whole body; None where it has no end, or not in time."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MOST_BYTES or time.monotonic() > ends_at:
            return None
    return bytes(content)


def _answer(response: httpx.Response, content: bytes) -> Result:
    if response.headers.get("Content-Type", "").startswith("text/html"):
        # Such a page without a redirection.
        return Unavailable("no_json", response.status_code)
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return Answer(response.status_code)
    try:
        return Answer(response.status_code, json.loads(content))
    except (ValueError, RecursionError):
        return Unavailable("no_json", response.status_code)


def _retry_after(response: httpx.Response) -> timedelta:
    """Its `Retry-After` in seconds, a day at most; a date is ignored."""
    seconds = response.headers.get("Retry-After", "")
    if not (seconds.isascii() and seconds.isdigit()):
        return timedelta(0)
    return timedelta(seconds=min(int(seconds[:9]), 86_400))

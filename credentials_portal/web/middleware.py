"""What surrounds every request: its log line, the reader's clock, policies and error pages."""

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.views import APIView

from credentials_portal.api.errors import is_busy
from credentials_portal.core.errors import DomainError
from credentials_portal.web import errors

GetResponse = Callable[[HttpRequest], HttpResponse]

log = structlog.get_logger("credentials_portal.requests")


class RequestLog:
    """One line per request, and an id that all of its log lines share and the answer carries.

    The line names the route, never the path: paths and queries may name a person.
    """

    ACCEPTED_ID = re.compile(r"[\w-]{8,64}")

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        request_id = self._proxys_id(request) or uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        log.info(
            "request",
            method=request.method,
            route=request.resolver_match.view_name if request.resolver_match else None,
            status=response.status_code,
            ms=round((time.monotonic() - began) * 1000),
        )
        return response

    def _proxys_id(self, request: HttpRequest) -> str:
        """The id that a trusted proxy gave the request, if any."""
        given = request.headers.get("X-Request-ID", "")
        trusted = settings.TRUSTED_PROXY_COUNT and self.ACCEPTED_ID.fullmatch(given)
        return given if trusted else ""


class ReadersTimeZone:
    """Pages show times in the reader's zone; the API always speaks UTC.

    An API view finds out for itself who calls, so here it costs no look-up either.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        timezone.deactivate()
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any) -> None:
        if issubclass(getattr(view, "cls", object), APIView) or not request.user.is_authenticated:
            return
        structlog.contextvars.bind_contextvars(user_id=request.user.pk)
        if zone := request.user.zone:
            timezone.activate(zone)


class AdminContentSecurityPolicy:
    """The admin's theme computes styles and expressions in the page; nothing else may."""

    RELAXED = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.get_admin_response = csp_update(self.RELAXED)(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(reverse("admin:index")):
            return self.get_admin_response(request)  # type: ignore[return-value]  # as get_response
        return self.get_response(request)


class ErrorPages:
    """Pages may raise domain errors and `Throttled`, and lose against a lock, like the API.

    A NUL in the filters of an admin's list is refused: they would ask PostgreSQL for it, which
    keeps none.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> None:
        route = (request.resolver_match and request.resolver_match.view_name) or ""
        is_list = route.startswith("admin:") and route.endswith("_changelist")
        if is_list and "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("The query holds a NUL.")

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, DomainError):
            return errors.refused(request, error)
        if isinstance(error, Throttled):
            return errors.too_many_requests(request, error)
        if is_busy(error):
            return errors.busy(request, error)
        return None

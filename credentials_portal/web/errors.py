"""The error pages: what happened, that nothing was lost, and what to do.

A program that asked gets JSON where nobody else has answered it: when something is broken.
"""

import math
import sys
from http import HTTPStatus
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from rest_framework.exceptions import Throttled

from credentials_portal.api.errors import BUSY_RETRY_SECONDS, status_of
from credentials_portal.core.errors import DomainError, GoneError
from credentials_portal.core.outages import is_outage

OUTAGE_RETRY_SECONDS = 30

log = structlog.get_logger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, HTTPStatus.BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, HTTPStatus.FORBIDDEN, csrf=True)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """For a defect 500, for a database that is gone 503; neither answer needs a database.

    Django calls this while it handles the exception, and from anywhere: a middleware, a view, a
    template, another error page.
    """
    if is_outage(sys.exception()):
        return _unavailable(request)
    message = "Something went wrong, and it was recorded. What was asked for was not done."
    return _without_database(request, HTTPStatus.INTERNAL_SERVER_ERROR, "error", message)


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, GoneError):
        return _page(request, HTTPStatus.GONE)
    return _page(request, status_of(error), message=error.message)


def too_many_requests(request: HttpRequest, error: Throttled) -> HttpResponse:
    seconds = max(1, math.ceil(error.wait or 0))  # type: ignore[attr-defined]  # missing in stubs
    response = _page(request, HTTPStatus.TOO_MANY_REQUESTS, seconds=seconds)
    response["Retry-After"] = str(seconds)
    return response


def busy(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("busy", exc_info=error)
    response = _page(request, HTTPStatus.SERVICE_UNAVAILABLE, is_busy=True)
    response["Retry-After"] = str(BUSY_RETRY_SECONDS)
    return response


def _page(request: HttpRequest, status: HTTPStatus, **context: Any) -> HttpResponse:
    response = render(request, f"errors/{status.value}.html", context, status=status)
    # What is not to be seen now may be shown in a moment: caches keep a 404 unless told not to.
    add_never_cache_headers(response)
    return response


def _unavailable(request: HttpRequest) -> HttpResponse:
    message = "The portal cannot reach its records. What was saved is not lost. Try again."
    response = _without_database(request, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", message)
    response["Retry-After"] = str(OUTAGE_RETRY_SECONDS)
    return response


def _without_database(
    request: HttpRequest, status: HTTPStatus, code: str, message: str
) -> HttpResponse:
    """No context processor runs: the reader is in the database."""
    if request.path_info.startswith("/oauth2/"):
        # OAuth2's shape of errors.
        return JsonResponse({"error": code, "error_description": message}, status=status)
    if _asked_by_program(request):
        return JsonResponse({"error": {"code": code, "message": message}}, status=status)
    context = {
        "platform_name": settings.PLATFORM_NAME,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    return HttpResponse(render_to_string(f"errors/{status.value}.html", context), status=status)


def _asked_by_program(request: HttpRequest) -> bool:
    is_json_wanted = (
        request.get_preferred_type(["text/html", "application/json"]) == "application/json"
    )
    return is_json_wanted or request.path_info.startswith("/api/")

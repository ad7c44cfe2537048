"""The error pages: what happened, that nothing was lost, and what to do."""

import math
from http import HTTPStatus
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from rest_framework.exceptions import Throttled

from credentials_portal.api.errors import BUSY_RETRY_SECONDS, status_of
from credentials_portal.core.errors import DomainError, GoneError

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
    """Rendered without a context: whatever a context processor needs may be what failed."""
    return HttpResponse(
        render_to_string("errors/500.html"), status=HTTPStatus.INTERNAL_SERVER_ERROR
    )


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
    response = _page(request, HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = str(BUSY_RETRY_SECONDS)
    return response


def _page(request: HttpRequest, status: HTTPStatus, **context: Any) -> HttpResponse:
    return render(request, f"errors/{status.value}.html", context, status=status)

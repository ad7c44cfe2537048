"""What goes wrong in the API, as answers.

The one shape of our own resources is `{"error": {"code", "message", "fields"?}}`: a stable code,
a sentence for people, and for each field that was not valid its messages; a domain error adds its
details. A view whose body an older service has frozen overrides `APIView.get_exception_handler`.
"""

from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.retries import LOST_CONFLICTS

# PostgreSQL's lock_not_available and query_canceled (a timeout of ours).
TIMEOUTS = frozenset({"55P03", "57014"})
BUSY_RETRY_SECONDS = 2

log = structlog.get_logger(__name__)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None lets it become a 500."""
    if isinstance(error, DomainError):
        return _answer(status_of(error), error.code, error.message, details=error.details)
    if is_busy(error):
        log.warning("busy", exc_info=error)
        return _answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "busy",
            "Nothing was changed, because another request holds what this one needs. Try again.",
            headers={"Retry-After": str(BUSY_RETRY_SECONDS)},
        )
    if isinstance(error, SuspiciousOperation):
        error = exceptions.ParseError("The request cannot be read.")
    response = drf_exception_handler(error, context)
    if response is not None:
        response.data = {"error": _worded(response)}
    return response


def status_of(error: DomainError) -> HTTPStatus:
    match error:
        case NotFoundError():
            return HTTPStatus.NOT_FOUND
        case ConflictError():
            return HTTPStatus.CONFLICT
    return HTTPStatus.BAD_REQUEST


def is_busy(error: BaseException) -> bool:
    """Whether the database gave up waiting, or undid this in favour of another transaction."""
    code = getattr(error.__cause__, "pgcode", None)
    return isinstance(error, OperationalError) and code in LOST_CONFLICTS | TIMEOUTS


def _answer(
    status: HTTPStatus,
    code: str,
    message: str,
    *,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    error = {"code": code, "message": message, **(details or {})}
    return Response({"error": error}, status=status, headers=headers)


def _worded(response: Response) -> dict[str, Any]:
    detail = response.data.get("detail") if isinstance(response.data, dict) else None
    if isinstance(detail, exceptions.ErrorDetail):
        return {"code": detail.code, "message": str(detail)}
    return {"code": "invalid", "message": "Some values are not valid.", "fields": response.data}

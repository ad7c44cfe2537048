"""Pages that fail in each way in which a page may."""

from datetime import UTC, datetime

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path
from rest_framework.exceptions import Throttled

from credentials_portal.core.errors import ConflictError, DomainError, GoneError, NotFoundError
from credentials_portal.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

FAILURES: dict[str, Exception] = {
    "refused": DomainError("The letter was <never> issued."),
    "suspicious": SuspiciousOperation("a fabricated cookie"),
    "forbidden": PermissionDenied(),
    "not_found": NotFoundError("There is no such letter."),
    "conflict": ConflictError("The letter is revoked already."),
    "gone": GoneError("The letter was withdrawn."),
    "throttled": Throttled(41.2),
    "bug": ZeroDivisionError(),
}


class LockTimeout(Exception):  # noqa: N818 - what psycopg2 raises, reduced to its code
    pgcode = "55P03"


def failing(request: HttpRequest, failure: str) -> HttpResponse:
    if failure == "busy":
        raise OperationalError from LockTimeout()
    raise FAILURES[failure]


def clock(request: HttpRequest, learner: str) -> HttpResponse:
    template = engines["django"].from_string(
        "{% load tz %}{{ moment|date:'H:i' }} {% get_current_timezone as zone %}{{ zone }}"
    )
    return HttpResponse(template.render({"moment": datetime(2024, 5, 2, 10, 0, tzinfo=UTC)}))


urlpatterns = [
    path("test/failing/<str:failure>/", failing),
    path("test/clock/<str:learner>/", clock, name="clock"),
    path("", include("credentials_portal.urls")),
]

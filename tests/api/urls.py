"""Views as small as what they show: what the plumbing does for every view of the API."""

from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.urls import include, path
from rest_framework import generics, serializers
from rest_framework.decorators import api_view, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, DomainError, GoneError, NotFoundError


class SeatsTakenError(ConflictError):
    @property
    def details(self) -> dict[str, Any]:
        return {"seats": [3, 5]}


FAILURES: dict[str, Exception] = {
    "refused": DomainError("The letter was never issued."),
    "not_found": NotFoundError("There is no such letter."),
    "gone": GoneError("The letter was withdrawn."),
    "conflict": ConflictError("The letter is revoked already."),
    "detailed": SeatsTakenError("Seats are taken."),
    "http404": Http404(),
    "forbidden": PermissionDenied(),
    "suspicious": SuspiciousOperation("a fabricated cookie"),
    "bug": ZeroDivisionError(),
}


class DatabaseError(Exception):
    """What psycopg2 raises, reduced to its code."""

    def __init__(self, pgcode: str) -> None:
        self.pgcode = pgcode


@api_view(["GET", "POST"])
def whoami(request: Request) -> Response:
    return Response({"user": request.user.username, "service": request.auth is not None})


@api_view(["GET"])
@permission_classes([AllowAny])
def anybody(request: Request) -> Response:
    return Response({"user": request.user.username})


@api_view(["GET"])
@permission_classes([AllowAny])
def failing(request: Request, failure: str) -> Response:
    if failure.startswith("pg"):
        raise OperationalError from DatabaseError(failure.removeprefix("pg"))
    raise FAILURES[failure]


class Grade(serializers.Serializer[Any]):
    learner = serializers.CharField()
    percent = serializers.DecimalField(max_digits=5, decimal_places=4)


@api_view(["POST"])
@permission_classes([AllowAny])
def grades(request: Request) -> Response:
    many = isinstance(request.data, list)
    serializer = Grade(data=request.data, many=many)
    serializer.is_valid(raise_exception=True)
    return Response(serializer.data)


class Name(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["username", "date_joined"]


class Names(generics.ListAPIView[User]):
    queryset = User.objects.order_by("username")
    serializer_class = Name


urlpatterns = [
    path("test/whoami/", whoami),
    path("test/anybody/", anybody),
    path("test/failing/<str:failure>/", failing),
    path("test/grades/", grades),
    path("test/names/", Names.as_view()),
    path("", include("credentials_portal.urls")),
]

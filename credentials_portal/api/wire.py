"""What resources have in common whose paths, payloads, status codes and texts an older service froze.

Their clients can be pointed here. Unlike the portal's own resources they answer errors as it did:
`{"detail": text}`, a text alone, or the messages of each field; and they ignore names that they do
not know.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Self, cast

import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import exception_handler as drf_exception_handler

from credentials_portal.accounts.models import User
from credentials_portal.api.errors import BUSY_RETRY_SECONDS, is_busy, status_of
from credentials_portal.api.strict import JSONBody
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import Attribution

log = structlog.get_logger(__name__)

NO_NUL = r"^[^\u0000]*$"
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class WireError(Exception):
    """An answer in a shape of its own: a text alone, or an object; None: nothing at all."""

    def __init__(
        self,
        answer: str | Mapping[str, Any] | None,
        status: HTTPStatus,
        *,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(answer)
        self.answer = answer
        self.status = status
        self.headers = headers


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to `error`; None lets it become a 500."""
    match error:
        case WireError():
            return Response(error.answer, status=error.status, headers=error.headers)
        case DomainError():
            return Response({"detail": error.message}, status=status_of(error))
        case SuspiciousOperation():
            error = ParseError("The request cannot be read.")
    if is_busy(error):
        log.warning("busy", exc_info=error)
        return busy("Nothing was changed, because another request holds what this one needs.")
    return drf_exception_handler(error, context)


def busy(text: str) -> Response:
    return Response(
        {"detail": text},
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(BUSY_RETRY_SECONDS)},
    )


@method_decorator(never_cache, name="dispatch")
class WireView(GenericAPIView[Any]):
    parser_classes = [JSONBody]
    filter_backends = []
    pagination_class: type[BasePagination] | None = None
    serializer_class: type[Serializer[Any]] = Serializer

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return exception_handler

    @property
    def user(self) -> User:
        return cast("User", self.request.user)

    def attribution(self, act: str) -> Attribution:
        return Attribution(at=timezone.now(), actor=self.user, cause=f"api:{act}")

    def wanted(self) -> dict[str, Any]:
        """The valid values of the body. Raises `ValidationError`."""
        serializer = self.get_serializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


@extend_schema_field({"type": "string", "pattern": NO_NUL})
class AnyText(serializers.Field[str, str, str, Any]):
    """Text as it was given, also none at all."""

    default_error_messages = {
        "invalid": "Not a valid string.",
        "unstorable": "Null characters are not allowed.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if not is_storable(data):
            self.fail("unstorable")
        return data


class Nullable(serializers.CharField):
    """Text that is null where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return str(value) or None


class DetailSerializer(serializers.Serializer[Any]):
    """Most errors."""

    detail = serializers.CharField()


class Truth(serializers.BooleanField):
    """`true` or `false`, in whichever case a client's language writes them."""

    values = {"true": True, "false": False}

    def to_internal_value(self, data: Any) -> bool:
        value = self.values.get(str(data).lower())
        if value is None:
            self.fail("invalid", input=data)
        return value


class WireQuery(serializers.Serializer[Any]):
    """The query of a frozen resource: names that it does not know are ignored, as they were."""

    @classmethod
    def of(cls: type[Self], query: QueryDict) -> dict[str, Any]:
        """The valid values of a query; of a name that stands there twice the last.

        Raises `ValidationError`, `ParseError`.
        """
        serializer = cls(data={name: query[name] for name in query})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep it."""
    return not UNSTORABLE.search(text)

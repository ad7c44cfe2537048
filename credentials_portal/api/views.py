from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials_portal.api import wire


@extend_schema(exclude=True)
class UnknownResource(APIView):
    """What no resource of the API answers, whatever the method: a program expects no page."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such resource, or its id is malformed.")


class UnknownWireResource(UnknownResource):
    """The same in the words of an older service."""

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return wire.exception_handler

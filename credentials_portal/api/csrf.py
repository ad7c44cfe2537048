"""The token that pages of another address send back when their reader changes something."""

from typing import Any

from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credentials_portal.api.schema import THROTTLED, told


class CsrfTokenSerializer(serializers.Serializer[Any]):
    csrfToken = serializers.CharField(help_text="Send it as `X-CSRFToken`.")  # noqa: N815 - frozen


@method_decorator(never_cache, name="dispatch")
class CsrfToken(APIView):
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="csrf_token",
        tags=["people"],
        summary="A token to write with",
        description="For pages that know their readers by the session. With the token comes the"
        " cookie that belongs to it.",
        responses={
            200: OpenApiResponse(
                CsrfTokenSerializer,
                "The token.",
                [OpenApiExample("answer", {"csrfToken": "qN2rV0bTq8u4mYkXc7ZsWf1dEoJhLaPg"})],
            ),
            401: told(
                "invalid_token",
                "The access token is not valid, or no longer.",
                "A token was given that is not valid; none is needed.",
            ),
            403: told("insufficient_scope", "The access token lacks the scope read."),
            429: THROTTLED,
        },
    )
    def get(self, request: Request) -> Response:
        return Response({"csrfToken": get_token(request)})

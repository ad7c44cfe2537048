"""What the OpenAPI schema tells about the old service's paths of records."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from credentials_portal.api.wire import DetailSerializer
from programs.api.record_serializers import (
    LinkSerializer,
    RecordAnswerSerializer,
    RecordListSerializer,
    SendSerializer,
    ShareSerializer,
)

T = TypeVar("T")

TAGS = ["program records"]
PROGRAM_HEX = "b9dd1d4c4d5e5a3b8f1c2a4f0a1d6c55"
SHARED_HEX = "5e2f0c1d3b6a4d8e9f701a2b3c4d5e6f"
LIST_ANSWER = {
    "enrolled_programs": [
        {
            "name": "Supply Chain Practice",
            "uuid": PROGRAM_HEX,
            "partner": "Northbridge University",
            "completed": False,
            "empty": False,
        }
    ]
}
ROW: dict[str, Any] = {
    "name": "Supply Chain Analytics",
    "school": "Northbridge University",
    "attempts": 2,
    "course_id": "course-v1:NBx+SC1+1T2026",
    "issue_date": "2026-05-15T00:00:00+00:00",
    "percent_grade": 0.91,
    "letter_grade": "A",
}
MISSING_ROW = {
    "name": "Supply Chain Design",
    "school": "Northbridge University",
    "attempts": "",
    "course_id": "",
    "issue_date": "",
    "percent_grade": "",
    "letter_grade": "",
    "reason": "not_available_until",
    "reason_until": "2026-12-01T00:00:00+00:00",
}
RECORD_ANSWER = {
    "record": {
        "learner": {
            "full_name": "Ada Lovelace",
            "username": "ada",
            "email": "ada@example.org",
        },
        "program": {
            "name": "Supply Chain Practice",
            "type": "micromasters",
            "type_name": "MicroMasters",
            "completed": False,
            "empty": False,
            "last_updated": "2026-05-16T08:00:00+00:00",
            "school": "Northbridge University",
        },
        "platform_name": "Credentials Portal",
        "grades": [ROW, MISSING_ROW],
        "pathways": [
            {
                "name": "Master of Logistics",
                "id": 3,
                "status": "sent",
                "is_active": True,
                "pathway_type": "credit",
            }
        ],
        "shared_program_record_uuid": SHARED_HEX,
    },
    "is_public": False,
    "uuid": PROGRAM_HEX,
    "records_help_url": "",
}


class ErrorTextSerializer(serializers.Serializer[Any]):
    error = serializers.CharField()


class RefusalSerializer(ErrorTextSerializer):
    code = serializers.CharField(required=False, help_text="`cooldown` or `quota`.")
    next_allowed_at = serializers.DateTimeField(required=False)


def _answer(serializer: Any, description: str, example: Any) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, [OpenApiExample("answer", example)])


def _detail(description: str, text: str) -> OpenApiResponse:
    return _answer(DetailSerializer, description, {"detail": text})


def _error(description: str, text: str) -> OpenApiResponse:
    return _answer(ErrorTextSerializer, description, {"error": text})


NOT_AUTHENTICATED = _detail(
    "No token and no session, or one that ended.", "Authentication credentials were not provided."
)
NOT_PERMITTED = _detail(
    "`username` is for staff, even with one's own name; or the token lacks the scope.",
    "You do not have permission to perform this action.",
)
USERNAME = OpenApiParameter(
    "username",
    OpenApiTypes.STR,
    description="For staff who may see grades and certificates: the records of this learner.",
)
IS_PUBLIC = OpenApiParameter(
    "is_public",
    OpenApiTypes.STR,
    description="`true`: the uuid is that of a link to a record. Else it is a program's.",
)
WRITTEN_UUID = OpenApiParameter(
    "written_uuid",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    description="With its dashes, or without.",
)
IN_PATH = OpenApiParameter(
    "program_hex",
    {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    OpenApiParameter.PATH,
    description="The program's uuid as 32 hexadecimal digits in lower case.",
)


def _operation(
    name: str, summary: str, description: str, answers: dict[Any, Any], **more: Any
) -> Callable[[Any], Any]:
    return extend_schema(
        operation_id=f"records_{name}",
        tags=TAGS,
        summary=summary,
        description=description,
        responses=answers,
        **more,
    )


LIST = _operation(
    "list",
    "Programs in which a learner has earned something",
    "Active and retired programs with a course certificate that is awarded and visible, by title."
    " The caller's own, or, for staff, a learner's.",
    {
        200: _answer(RecordListSerializer, "All of them.", LIST_ANSWER),
        401: NOT_AUTHENTICATED,
        403: NOT_PERMITTED,
        404: OpenApiResponse(description="There is no such learner. The answer is empty."),
    },
    parameters=[USERNAME],
)
RETRIEVE = _operation(
    "retrieve",
    "A learner's record in a program",
    "As it is at this moment. Public, it is for whoever has the link, 60 times a minute from one"
    " address, with the e-mail address and the username only where the learner chose to show them,"
    " and without pathways.",
    {
        200: _answer(RecordAnswerSerializer, "The record.", RECORD_ANSWER),
        401: NOT_AUTHENTICATED,
        403: NOT_PERMITTED,
        404: OpenApiResponse(
            description="There is no such program: `detail` says so in JSON. The answer is empty"
            " where there is no such learner, or the link never was, is revoked or has expired."
        ),
        429: _detail(
            "Too many requests from this address; `Retry-After` says when to ask again.",
            "Request was throttled. Expected available in 42 seconds.",
        ),
    },
    parameters=[WRITTEN_UUID, IS_PUBLIC, USERNAME],
)


def _act(
    name: str,
    summary: str,
    description: str,
    answers: dict[Any, Any],
    body: type[serializers.Serializer[Any]],
    example: Any,
) -> Callable[[type[T]], type[T]]:
    return extend_schema_view(
        post=_operation(
            name,
            summary,
            description,
            {
                302: OpenApiResponse(description="Not signed in: to the page for that."),
                400: _error(
                    "The body is not understood; `fields` names what is not valid.",
                    "Some values are not valid.",
                ),
                401: _error("The access token is not valid.", "The access token is not valid."),
                403: _error("It is somebody else's, and the caller no staff.", "Permission denied"),
                404: _error("There is no such learner, or program.", "User does not exist"),
                429: _answer(
                    RefusalSerializer,
                    "More than 15 in a minute, or, with `code`, more than the pathway or the portal"
                    " takes of a learner; `Retry-After` says when to ask again.",
                    {"error": "Too Many Requests"},
                ),
                503: _error("Somebody else holds what this needs.", "Nothing was changed."),
                **answers,
            },
            parameters=[IN_PATH],
            request=body,
            examples=[OpenApiExample("request", example, request_only=True)],
        )
    )


LINK = {"url": f"https://portal.example.org/records/programs/shared/{SHARED_HEX}/"}
SHARE = _act(
    "share",
    "Make a link to a record",
    "Whoever has it sees the record, without the e-mail address. As long as it lives, the same link"
    " is answered again.",
    {
        201: _answer(LinkSerializer, "It is made.", LINK),
        200: _answer(LinkSerializer, "There is one.", LINK),
    },
    ShareSerializer,
    {"username": "ada"},
)
SEND = _act(
    "send",
    "Send a record to an institution",
    "By mail, to a pathway of the program that takes requests. The same within two minutes is"
    " answered alike and not sent again. Staff send for a learner, who is told.",
    {
        200: OpenApiResponse(description="It will be sent. The answer is empty."),
        404: _error(
            "There is no such learner or program, or the pathway takes no requests about it.",
            "User does not exist",
        ),
        409: _error(
            "The institution takes completed programs only, and this one is not.",
            "The institution takes completed programs only.",
        ),
    },
    SendSerializer,
    {"username": "ada", "pathway_id": 3},
)

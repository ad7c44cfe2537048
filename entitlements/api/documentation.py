"""What the OpenAPI schema tells about `/api/entitlements/v1/`."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import serializers

from entitlements.api.filters import EntitlementQuery
from entitlements.api.serializers import (
    ChangeSerializer,
    CreateSerializer,
    EnrollSerializer,
    EntitlementSerializer,
    RunOfLearnerSerializer,
    UnenrollmentSerializer,
)

F = TypeVar("F", bound=Callable[..., Any])

UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
COURSE_UUID = "2b7a3f0c-5a55-4d5c-9a77-8a1f6f6f5b01"
RUN = "course-v1:NBx+SC1+3T2026"
SUPPORT_DETAIL: dict[str, Any] = {
    "support_user": "ines",
    "action": "REISSUE",
    "comments": "The session was cancelled.",
    "unenrolled_run": "course-v1:NBx+SC1+1T2026",
    "created": "2026-11-02T09:00:00Z",
}
ENTITLEMENT: dict[str, Any] = {
    "user": "learner1025",
    "uuid": UUID,
    "course_uuid": COURSE_UUID,
    "enrollment_course_run": RUN,
    "expired_at": None,
    "created": "2026-10-01T10:00:00Z",
    "modified": "2026-11-10T10:00:00Z",
    "mode": "verified",
    "refund_locked": False,
    "order_number": "EDX-100042",
    "support_details": [SUPPORT_DETAIL],
    "expires_at": "2026-11-25T10:00:00Z",
    "status": "redeemed",
    "regain_until": "2026-11-25T10:00:00Z",
    "refundable_until": "2026-11-25T10:00:00Z",
    "expired_reason": None,
}
ORDER = {
    "user": "learner1025",
    "course_uuid": COURSE_UUID,
    "mode": "verified",
    "order_number": "EDX-100042",
    "email_opt_in": False,
}
REISSUE = {
    "expired_at": None,
    "support_details": [
        {"action": "REISSUE", "comments": "The session was cancelled.", "unenrolled_run": RUN}
    ],
}
RUN_OF_LEARNER = {"user": "learner1025", "course_run_id": RUN}


class ErrorDetailSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()


class ErrorMessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()


def _answer(serializer: Any, description: str, example: Any) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, [OpenApiExample("answer", example)])


def _detail(description: str, text: str) -> OpenApiResponse:
    return _answer(ErrorDetailSerializer, description, {"detail": text})


def _message(description: str, text: str) -> OpenApiResponse:
    return _answer(ErrorMessageSerializer, description, {"message": text})


def _refused(description: str, example: Any) -> OpenApiResponse:
    """An error that is a text, or an object, whatever was wrong."""
    return _answer(OpenApiTypes.ANY, description, example)


NO_CONTENT = OpenApiResponse(description="It is done.")
NOT_AUTHENTICATED = _detail(
    "No token and no session, or one that ended.",
    "Authentication credentials were not provided.",
)
NOT_PERMITTED = _detail(
    "The caller lacks the permission, or the token the scope.",
    "This needs the permission entitlements.support_entitlements.",
)
NOT_FOUND = _detail("There is none, or none that the caller may see.", "Not found.")
NOT_JSON = _detail("The body is not JSON.", 'Unsupported media type "text/plain".')
FROZEN = _detail(
    "A use or a refund of it is under way, or its state does not allow for this.",
    "A refund of this entitlement is under way.",
)
BUSY = _refused(
    "It is not done, or not known to be done; try again after the seconds of `Retry-After`.",
    {"message": "The LMS has not answered yet. It will be asked again: look later."},
)
INVALID = _refused(
    "Something is not valid: the messages of each field.", {"user": ["This field is required."]}
)
NO_ENTITLEMENT = "The Entitlement for this UUID does not exist or is Expired."

ENTITLEMENT_UUID = OpenApiParameter("entitlement_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)
PAGE = OpenApiParameter("page", OpenApiTypes.INT, description="The first page is 1.")


def _operation(
    name: str, summary: str, description: str, answers: dict[Any, Any], **more: Any
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=f"entitlements_{name}",
        tags=["entitlements"],
        summary=summary,
        description=description,
        responses={401: NOT_AUTHENTICATED, 403: NOT_PERMITTED, **answers},
        **more,
    )


def _send(
    name: str, summary: str, description: str, answers: dict[Any, Any], body: Any, example: Any
) -> Callable[[F], F]:
    return _operation(
        name,
        summary,
        description,
        {400: INVALID, 415: NOT_JSON, 503: BUSY, **answers},
        request=body,
        examples=[OpenApiExample("request", example, request_only=True)],
    )


LIST = _operation(
    "list",
    "Entitlements",
    "The caller's own. Staff and services that may see all name the learner by `user`, or all"
    " learners by an empty one.",
    {200: _answer(EntitlementSerializer(many=True), "A page.", ENTITLEMENT), 400: INVALID}
    | {404: _detail("There is no such page.", "Invalid page.")},
    parameters=[EntitlementQuery, PAGE],
)
CREATE = _send(
    "create",
    "Create an entitlement",
    "For an order, or for staff, who say why in `support_details`. With one active enrollment that"
    " nobody paid for in a run that can be taken with it, it is used for that run; not where staff"
    " give it.",
    {
        201: _answer(EntitlementSerializer, "It is created.", ENTITLEMENT),
        200: _answer(
            EntitlementSerializer,
            "The same order, course, learner and mode: it was created before.",
            ENTITLEMENT,
        ),
        400: _refused(
            "Something is not valid, or the order paid for this course already, for another"
            " learner or in another mode.",
            {"non_field_errors": ["The fields course_uuid, order_number must make a unique set."]},
        ),
        404: _detail("There is no such run.", f"There is no course run {RUN}."),
    },
    CreateSerializer,
    ORDER,
)
RETRIEVE = _operation(
    "retrieve",
    "An entitlement",
    "The caller's own, or any for who may see all. Nothing is written: one that a rule has ended"
    " is told as expired, marked or not.",
    {200: _answer(EntitlementSerializer, "The entitlement.", ENTITLEMENT), 404: NOT_FOUND},
)
CHANGE = _operation(
    "change",
    "Reissue or expire an entitlement",
    "What staff did and why, with `REISSUE` or `EXPIRE` in `support_details`; the learner leaves"
    " `unenrolled_run` without a refund. Without either only comments and `refund_locked` change."
    " All or nothing.",
    {
        200: _answer(EntitlementSerializer, "It is changed.", ENTITLEMENT),
        (400, "application/json"): _refused(
            "Something is not valid: the messages of each field, or what contradicts itself.",
            {"support_details": {"0": {"reason": ["There is no such field."]}}},
        ),
        (400, "text/plain"): _answer(
            OpenApiTypes.STR,
            "There is no such entitlement, or it is used for another run.",
            f"Could not find entitlement {UUID} to update",
        ),
        404: NOT_FOUND,
        409: FROZEN,
        415: NOT_JSON,
        503: BUSY,
    },
    request=ChangeSerializer,
    examples=[OpenApiExample("request", REISSUE, request_only=True)],
)
REVOKE = _operation(
    "revoke",
    "Revoke an entitlement",
    "With its order: it ends, its learner is unenrolled, nothing is refunded. The row stays, and"
    " again is the same.",
    {204: NO_CONTENT, 404: NOT_FOUND, 503: BUSY},
)
ENROLL = _send(
    "enroll",
    "Choose or switch the session",
    "Of the caller's own entitlement. The same run again changes nothing.",
    {
        201: _answer(EnrollSerializer, "The learner is enrolled.", {"course_run_id": RUN}),
        400: _refused(
            "A text, where the run is missing or there is no such entitlement; an object for"
            " whatever else forbids it.",
            {"message": "The Course Run ID is not a match for this Course Entitlement."},
        ),
        404: NOT_FOUND,
    },
    EnrollSerializer,
    {"course_run_id": RUN},
)
LEAVE = _operation(
    "leave",
    "Leave the session, or be refunded",
    "Of the caller's own entitlement. Without a session nothing happens. A refund ends it.",
    {
        204: NO_CONTENT,
        400: _refused("There is no such entitlement, or it is not refundable.", NO_ENTITLEMENT),
        404: NOT_FOUND,
        500: _message(
            "The refund was refused, and nothing changed; or nobody knows yet, and the entitlement"
            " cannot be used meanwhile. Asking again never refunds twice.",
            "Entitlement revoke and refund failed due to refund internal process failure",
        ),
        503: BUSY,
    },
    parameters=[
        OpenApiParameter("is_refund", OpenApiTypes.STR, description="Only `true` asks for it.")
    ],
)
REDEEM = _send(
    "redeem",
    "Use what a learner has for a run",
    "For an LMS in which somebody enrolls. The usable entitlement that ends first is used.",
    {
        201: _answer(EntitlementSerializer, "It is used for the run.", ENTITLEMENT),
        204: OpenApiResponse(description="There is none, or the run cannot be taken with it."),
    },
    RunOfLearnerSerializer,
    RUN_OF_LEARNER,
)
UNENROLL = _send(
    "unenroll",
    "Tell that a learner was unenrolled",
    "For an LMS. The entitlement that paid can be used again if the session could still be changed,"
    " and has ended otherwise. What the portal does not know is ignored.",
    {204: NO_CONTENT},
    UnenrollmentSerializer,
    {**RUN_OF_LEARNER, "skip_refund": True},
)

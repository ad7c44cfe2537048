"""What the OpenAPI schema tells about the letters' resources."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from credentials_portal.api.schema import (
    BUSY,
    INVALID,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    NOT_JSON,
    NOT_PERMITTED,
    THROTTLED,
    told,
)
from letters.api.filters import LetterQuery
from letters.api.serializers import (
    DecidedSerializer,
    DecisionSerializer,
    LetterDetailSerializer,
    LetterSerializer,
    NotVerifiedSerializer,
    RevocationSerializer,
    VerificationSerializer,
)

TAGS = ["letters"]
UUID = "5d3c3f0e-8a0c-5b9e-9d6b-3f6a1c1f8f7e"
HOST = "https://portal.example.org"

LETTER: dict[str, Any] = {
    "uuid": UUID,
    "version": 2,
    "program": {"uuid": "b9dd1d4c-4d5e-5a3b-8f1c-2a4f0a1d6c55", "title": "Digital Product Design"},
    "username": "learner1025",
    "recipient_name": "Ada Lovelace",
    "state": "suspended",
    "state_reason": "core_course:NBx+PD1",
    "state_reason_in_words": "the core course NBx+PD1 is not passed",
    "state_note": "Letters of 2019-12-19: no courses then.",
    "state_changed_at": "2026-11-21T10:12:53Z",
    "issued_at": "2019-12-19T00:00:00Z",
    "issued_via": "import",
    "revoked_at": None,
    "revocation_reason": "",
    "reinstated_at": None,
    "changed_at": "2026-11-21T10:12:53Z",
    "verification_url": f"{HOST}/letter/program/{UUID}/verify/",
}
REVOKED = {
    **LETTER,
    "version": 3,
    "state": "revoked",
    "state_reason": "revoked",
    "state_reason_in_words": "a person withdrew it",
    "state_note": "The capstone was somebody else's work.",
    "state_changed_at": "2026-11-22T09:00:00Z",
    "revoked_at": "2026-11-22T09:00:00Z",
    "revocation_reason": "The capstone was somebody else's work.",
    "changed_at": "2026-11-22T09:00:00Z",
}
REINSTATED = {
    **REVOKED,
    "version": 4,
    "state": "active",
    "state_reason": "",
    "state_reason_in_words": "",
    "state_note": "The board decided otherwise.",
    "state_changed_at": "2026-11-23T09:00:00Z",
    "reinstated_at": "2026-11-23T09:00:00Z",
    "changed_at": "2026-11-23T09:00:00Z",
    "program_letter_url": f"{HOST}/letter/program/{UUID}/",
}
DETAIL = {
    **LETTER,
    "judgement": {
        "verdict": "invalid",
        "checks": [
            {
                "code": "requirements_defined",
                "status": "pass",
                "failure_in_words": "",
                "evidence": [],
            },
            {
                "code": "core_course:NBx+PD1",
                "status": "fail",
                "failure_in_words": "the core course NBx+PD1 is not passed",
                "evidence": [],
            },
            {
                "code": "core_course:NBx+PD2",
                "status": "pass",
                "failure_in_words": "",
                "evidence": [
                    {
                        "course": "NBx+PD2",
                        "run": "course-v1:NBx+PD2+2021_T1",
                        "source": "grade",
                        "earned_at": "2021-06-01T00:00:00Z",
                    }
                ],
            },
        ],
    },
    "events": [
        {
            "letter_version": 1,
            "at": "2026-11-21T10:00:00Z",
            "action": "imported",
            "from_state": "",
            "to_state": "active",
            "reason": "",
            "failed_checks": [],
            "automatic": False,
            "actor": None,
            "cause": "import_letters",
            "run": None,
            "note": "",
        },
        {
            "letter_version": 2,
            "at": "2026-11-21T10:12:53Z",
            "action": "suspended",
            "from_state": "active",
            "to_state": "suspended",
            "reason": "core_course:NBx+PD1",
            "failed_checks": ["program_started", "core_course:NBx+PD1"],
            "automatic": False,
            "actor": "admin",
            "cause": "apply_letter_plan",
            "run": "ae46614a-2ab0-44c3-99f0-92eede59c5ba",
            "note": "Letters of 2019-12-19: no courses then.",
        },
    ],
}
CHANGED = told(
    "letter_changed",
    "The letter changed while you were deciding. Nothing was done: look at it again.",
    "It is not any more the version that you saw. Nothing was done.",
)
NOT_REINSTATABLE = told(
    "letter_not_reinstatable",
    "The letter cannot be reinstated while these checks fail: core_course:NBx+PD1",
    "Nothing was done: checks fail that nobody waived, and `failed_checks` names them; or it is"
    " not any more the version that you saw (`letter_changed`); or nobody revoked it (`conflict`).",
    failed_checks=["core_course:NBx+PD1"],
)
LETTER_UUID = OpenApiParameter("letter_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)


def _answer(serializer: Any, description: str, **examples: Any) -> OpenApiResponse:
    named = [OpenApiExample(name.replace("_", " "), value) for name, value in examples.items()]
    return OpenApiResponse(serializer, description, named)


LIST = extend_schema_view(
    get=extend_schema(
        operation_id="letters_list",
        tags=TAGS,
        summary="Letters",
        description="Staff and services with the permission get all letters, learners their own"
        " but for those that wait for release.",
        parameters=[LetterQuery],
        responses={
            200: _answer(LetterSerializer(many=True), "A page of letters.", suspended=LETTER),
            400: INVALID,
            401: NOT_AUTHENTICATED,
            403: NOT_PERMITTED,
            404: told("not_found", "Invalid page.", "There is no such page."),
        },
    )
)
RETRIEVE = extend_schema(
    operation_id="letters_retrieve",
    tags=TAGS,
    summary="One letter",
    description="With what its checks say now and all that happened to it, for those who see all"
    " letters.",
    responses={
        200: _answer(LetterDetailSerializer, "The letter.", suspended=DETAIL),
        401: NOT_AUTHENTICATED,
        403: NOT_PERMITTED,
        404: NOT_FOUND,
    },
)
VERIFY = extend_schema(
    operation_id="letters_verify",
    tags=TAGS,
    summary="Is this letter true?",
    description="For anybody who was shown a letter: 60 times a minute from one address, the"
    " verification page included. One that is not valid tells nothing but that.",
    parameters=[LETTER_UUID],
    responses={
        200: _answer(
            VerificationSerializer,
            "What a stranger may know.",
            valid={
                "status": "valid",
                "letter": UUID,
                "name": "Ada Lovelace",
                "program": "Digital Product Design",
                "issued_at": "2022-06-24T00:00:00Z",
            },
            temporarily_not_valid={"status": "temporarily_not_valid", "letter": UUID},
            withdrawn={
                "status": "withdrawn",
                "letter": UUID,
                "withdrawn_at": "2026-11-22T09:00:00Z",
            },
        ),
        401: told(
            "invalid_token",
            "The access token is not valid, or no longer.",
            "A token was given that is not valid; none is needed.",
        ),
        403: NOT_PERMITTED,
        404: _answer(
            NotVerifiedSerializer, "There is no such letter.", not_found={"status": "not_found"}
        ),
        429: THROTTLED,
    },
)


def _decision(name: str, request: Any, **answers: Any) -> dict[str, Any]:
    """What revoking and reinstating have in common."""
    return {
        "operation_id": f"letters_{name}",
        "tags": TAGS,
        "request": request,
        "responses": {
            400: INVALID,
            401: NOT_AUTHENTICATED,
            403: NOT_PERMITTED,
            404: NOT_FOUND,
            415: NOT_JSON,
            503: BUSY,
            **answers["responses"],
        },
        "examples": [OpenApiExample("request", answers["example"], request_only=True)],
    }


REVOKE = extend_schema(
    summary="Revoke a letter",
    description="Withdraws it, from any state. Whoever opens or verifies it is told so, and not"
    " why. Only a person can reinstate it. One that is revoked already stays as it is.",
    **_decision(
        "revoke",
        RevocationSerializer,
        example={"reason": REVOKED["revocation_reason"], "version": 2, "notify": True},
        responses={
            200: _answer(
                DecidedSerializer, "It is revoked.", revoked={"changed": True, "letter": REVOKED}
            ),
            409: CHANGED,
        },
    ),
)
REINSTATE = extend_schema(
    summary="Reinstate a letter",
    description="Takes a revocation back, if the letter stands up to its checks or to what was"
    " waived. A date that would be untrue becomes today's. One that is active stays as it is. A"
    " holder who was told by mail of the revocation is told of this, too.",
    **_decision(
        "reinstate",
        DecisionSerializer,
        example={"reason": REINSTATED["state_note"], "version": 3},
        responses={
            200: _answer(
                DecidedSerializer,
                "It is active.",
                reinstated={"changed": True, "letter": REINSTATED},
            ),
            409: NOT_REINSTATABLE,
        },
    ),
)

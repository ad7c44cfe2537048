"""What the OpenAPI schema tells about the frozen resources under `/api/v1/`."""

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

from credentials_portal.api.wire import DetailSerializer
from subsidy_requests.api import texts
from subsidy_requests.api.filters import ConfigurationQuery, RequestQuery
from subsidy_requests.api.kinds import LICENSE, Kind
from subsidy_requests.api.permissions import ADMIN, LEARNER_OR_ADMIN
from subsidy_requests.api.serializers import (
    ChangeConfigurationSerializer,
    ConfigurationSerializer,
    CreateConfigurationSerializer,
    DeclineSerializer,
    StateCountSerializer,
)

C = TypeVar("C", bound=type)
Operation = Callable[[Any], Any]

TAGS = ["subsidy requests"]
CUSTOMER_UUID = "2b7a3f0c-5a55-4d5c-9a77-8a1f6f6f5b01"
PLAN_UUID = "0f6b1a52-94a7-4c6e-8a55-2f3f1b1c9d02"
LICENSE_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
REQUEST_UUID = "5e2f0c1d-3b6a-4d8e-9f70-1a2b3c4d5e6f"

REQUESTED: dict[str, Any] = {
    "uuid": REQUEST_UUID,
    "lms_user_id": 77,
    "email": "ada@example.org",
    "course_id": "edX+DemoX",
    "course_title": "A Demonstration",
    "course_partners": [{"uuid": "b3c1d2e4-7a0b-4f4e-9c51-0d9e8f7a6b05", "name": "edX"}],
    "enterprise_customer_uuid": CUSTOMER_UUID,
    "state": "requested",
    "reviewed_at": None,
    "reviewer_lms_user_id": None,
    "decline_reason": None,
    "created": "2026-11-21T10:00:00Z",
    "modified": "2026-11-21T10:00:00Z",
}
REVIEWED = {**REQUESTED, "reviewed_at": "2026-11-22T09:00:00Z", "reviewer_lms_user_id": 5}
UNGRANTED: dict[str, dict[str, Any]] = {
    "license": {"subscription_plan_uuid": None, "license_uuid": None},
    "coupon": {"coupon_id": None, "coupon_code": None},
}
GRANTED: dict[str, dict[str, Any]] = {
    "license": {"subscription_plan_uuid": PLAN_UUID, "license_uuid": LICENSE_UUID},
    "coupon": {"coupon_id": 12, "coupon_code": "A2B4-C6D8"},
}
POOLS: dict[str, dict[str, Any]] = {
    "license": {"subscription_plan_uuid": PLAN_UUID},
    "coupon": {"coupon_id": 12},
}
NOT_ENOUGH = {
    "license": texts.NOT_ENOUGH_LICENSES.format(pool=PLAN_UUID),
    "coupon": texts.NOT_ENOUGH_CODES.format(pool=12),
}
CHOSEN = {
    "subsidy_request_uuids": [REQUEST_UUID],
    "enterprise_customer_uuid": CUSTOMER_UUID,
    "send_notification": True,
}
CONFIGURATION_ANSWER = {
    "enterprise_customer_uuid": CUSTOMER_UUID,
    "subsidy_requests_enabled": True,
    "subsidy_type": "license",
    "changed_by_lms_user_id": 5,
}


def _answer(serializer: Any, description: str, example: Any) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, [OpenApiExample("answer", example)])


def _detail(text: str, description: str = "") -> OpenApiResponse:
    return _answer(DetailSerializer, description or text, {"detail": text})


def _text(text: str, description: str) -> OpenApiResponse:
    return _answer(OpenApiTypes.STR, description, text)


def _refused(description: str, example: Any) -> OpenApiResponse:
    """An error that is a text, or an object, whatever was wrong."""
    return _answer(OpenApiTypes.ANY, description, example)


NOT_AUTHENTICATED = _detail(
    "Authentication credentials were not provided.", "No token and no session, or one that ended."
)
NOT_FOUND = _refused("There is none, or none that the caller may see.", {"detail": "Not found."})
NO_PAGE = _detail("Invalid page.")
NOT_JSON = _detail('Unsupported media type "text/plain" in request.', "The body is not JSON.")
BAD_QUERY = _refused("A value in the URL is not valid.", {"uuid": ["Enter a valid UUID."]})
BAD_BODY = _refused(
    "Something in the body is not valid: the messages of each field, or a text alone.",
    {"course_id": ["This field is required."]},
)
THROTTLED = _detail("Request was throttled. Expected available in 42 seconds.")
BUSY = _detail(
    "Somebody else is changing the licenses of this plan. Try again in a moment.",
    "Nothing was done; try again after the seconds of `Retry-After`.",
)
LACKS_SCOPE = _detail(
    "The access token lacks the scope read.", "The token may not be used for this."
)
IN_PATH = OpenApiParameter("request_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)
CUSTOMER_IN_PATH = OpenApiParameter("customer_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)
CUSTOMER_REQUIRED = OpenApiParameter("enterprise_customer_uuid", OpenApiTypes.UUID, required=True)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 255, "pattern": "^[!-~]*$"},
    OpenApiParameter.HEADER,
    description="The same key again is answered with the request that it made.",
)


def _role(name: str, description: str) -> OpenApiResponse:
    return _detail(texts.MISSING_ROLE.format(name), description)


NO_ADMIN = _role(ADMIN, "The caller does not decide for this customer.")


def _operation(
    name: str, summary: str, description: str, answers: dict[Any, Any], **more: Any
) -> Operation:
    return extend_schema(
        operation_id=f"subsidy_requests_{name}",
        tags=TAGS,
        summary=summary,
        description=description,
        responses={401: NOT_AUTHENTICATED, 403: LACKS_SCOPE, **answers},
        **more,
    )


def _example(body: Any) -> list[OpenApiExample]:
    return [OpenApiExample("request", body, request_only=True)]


def requests(kind: Kind) -> Callable[[C], C]:
    one = {**REQUESTED, **UNGRANTED[kind.subsidy_type]}
    return extend_schema_view(
        get=_operation(
            f"{kind.subsidy_type}_list",
            f"Each {kind.name}",
            "The caller's own, and those of the customers that the caller administers.",
            {
                200: _answer(kind.answer(many=True), "A page.", one),
                400: BAD_QUERY,
                404: NO_PAGE,
            },
            parameters=[RequestQuery],
        ),
        post=_operation(
            f"{kind.subsidy_type}_ask",
            f"Make a {kind.name}",
            "For the caller, who belongs to the customer.",
            {
                201: _answer(kind.answer, "It waits for a decision.", one),
                400: BAD_BODY,
                403: _role(LEARNER_OR_ADMIN, "The caller does not belong to this customer."),
                415: NOT_JSON,
                422: _text(
                    texts.DISABLED.format(CUSTOMER_UUID),
                    "The customer takes no such requests, or the caller waits for an answer.",
                ),
                429: THROTTLED,
            },
            parameters=[IDEMPOTENCY_KEY],
            request=kind.ask,
            examples=_example(
                {"enterprise_customer_uuid": CUSTOMER_UUID, "course_id": "edX+DemoX"}
            ),
        ),
    )


def request(kind: Kind) -> Callable[[C], C]:
    one = {**REVIEWED, "state": "approved", **GRANTED[kind.subsidy_type]}
    return extend_schema_view(
        get=_operation(
            f"{kind.subsidy_type}_retrieve",
            f"One {kind.name}",
            "The caller's own, or of a customer that the caller administers.",
            {200: _answer(kind.answer, "The request.", one), 404: NOT_FOUND},
            parameters=[IN_PATH],
        )
    )


def overview(kind: Kind) -> Callable[[C], C]:
    return extend_schema_view(
        get=_operation(
            f"{kind.subsidy_type}_overview",
            f"How many there are in each state ({kind.name})",
            "The most first; states in which none is are left out.",
            {
                200: _answer(
                    StateCountSerializer(many=True),
                    "The counts.",
                    [{"state": "requested", "count": 3}],
                ),
                400: _refused("A value in the URL is not valid.", texts.NO_CUSTOMER_IN_QUERY),
                403: NO_ADMIN,
            },
            parameters=[RequestQuery, CUSTOMER_REQUIRED],
        )
    )


def approve(kind: Kind) -> Callable[[C], C]:
    one = {**REVIEWED, "state": "pending", **UNGRANTED[kind.subsidy_type]}
    return _decide(
        f"{kind.subsidy_type}_approve",
        f"Approve several ({kind.name})",
        "All of them or none. What was approved before is left out, and so is what is not the"
        " customer's. They are granted when the answer comes, and told as they were before that.",
        _answer(kind.approved(many=True), "They are approved.", [one]),
        _text(NOT_ENOUGH[kind.subsidy_type], "They cannot be approved, or not by this. None was."),
        kind.approve,
        {**CHOSEN, **POOLS[kind.subsidy_type]},
    )


def decline(kind: Kind) -> Callable[[C], C]:
    one = {**REVIEWED, "state": "declined", "decline_reason": "No budget."}
    wrong = texts.WRONG_STATE.format(
        kind=kind.subsidy_type.value,
        uuids=REQUEST_UUID,
        states="approved/pending",
        decided="declined",
    )
    return _decide(
        f"{kind.subsidy_type}_decline",
        f"Decline several ({kind.name})",
        "All of them or none. What was declined before is left out, and so is what is not the"
        " customer's.",
        _answer(
            kind.answer(many=True),
            "They are declined.",
            [{**one, **UNGRANTED[kind.subsidy_type]}],
        ),
        _text(wrong, "One of them is not in a state in which it can be declined. None was."),
        DeclineSerializer,
        {**CHOSEN, "unlink_users_from_enterprise": False, "decline_reason": "No budget."},
    )


def _decide(
    name: str, summary: str, description: str, done: Any, refused: Any, body: Any, example: Any
) -> Callable[[C], C]:
    answers = {
        200: done,
        400: BAD_BODY,
        403: NO_ADMIN,
        415: NOT_JSON,
        422: refused,
        503: BUSY,
    }
    return extend_schema_view(
        post=_operation(
            name, summary, description, answers, request=body, examples=_example(example)
        )
    )


LEARNER_CREDIT: Callable[[Any], Any] = extend_schema_view(
    get=_operation(
        "credit_list",
        "Requests for credit",
        "There are none: this portal gives licenses and codes.",
        {
            200: _answer(LICENSE.answer(many=True), "An empty page.", []),
            404: NO_PAGE,
        },
    )
)
CONFIGURATIONS: Callable[[Any], Any] = extend_schema_view(
    get=_operation(
        "configuration_list",
        "What customers' learners can ask for",
        "Of the customers to which the caller belongs, or of all.",
        {
            200: _answer(ConfigurationSerializer(many=True), "A page.", CONFIGURATION_ANSWER),
            400: BAD_QUERY,
            404: NO_PAGE,
        },
        parameters=[ConfigurationQuery],
    ),
    post=_operation(
        "configuration_create",
        "Configure a customer's requests",
        "For the customer's administrators, once.",
        {
            201: _answer(ConfigurationSerializer, "It is configured.", CONFIGURATION_ANSWER),
            400: _refused(
                "Something is not valid, or it is configured already.",
                {"enterprise_customer_uuid": [texts.CONFIGURATION_EXISTS]},
            ),
            403: NO_ADMIN,
            415: NOT_JSON,
        },
        request=CreateConfigurationSerializer,
        examples=_example(
            {"enterprise_customer_uuid": CUSTOMER_UUID, "subsidy_requests_enabled": False}
        ),
    ),
)
CONFIGURATION: Callable[[Any], Any] = extend_schema_view(
    get=_operation(
        "configuration_retrieve",
        "What a customer's learners can ask for",
        "For who belongs to the customer.",
        {
            200: _answer(ConfigurationSerializer, "The configuration.", CONFIGURATION_ANSWER),
            404: NOT_FOUND,
        },
        parameters=[CUSTOMER_IN_PATH],
    ),
    patch=_operation(
        "configuration_update",
        "Change what a customer's learners can ask for",
        "For the customer's administrators. Another `subsidy_type` declines all requests for the"
        " former that are not granted.",
        {
            200: _answer(ConfigurationSerializer, "It is changed.", CONFIGURATION_ANSWER),
            400: _refused(
                "Something in the body is not valid.",
                {"subsidy_type": ['"credit" is not a valid choice.']},
            ),
            403: NO_ADMIN,
            404: NOT_FOUND,
            415: NOT_JSON,
        },
        parameters=[CUSTOMER_IN_PATH],
        request=ChangeConfigurationSerializer,
        examples=_example({"subsidy_requests_enabled": True}),
    ),
)

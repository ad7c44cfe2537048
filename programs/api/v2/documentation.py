"""What the OpenAPI schema tells about `/api/v2/`."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)

from credentials_portal.api.wire import DetailSerializer
from programs.api.v2.serializers import (
    CertificateQuery,
    CertificateSerializer,
    CourseConfigurationSerializer,
    GradeSerializer,
    ReplacementsSerializer,
    StatusSerializer,
    ToldCertificateSerializer,
    ToldCourseConfigurationSerializer,
    ToldGradeSerializer,
    UsernamesSerializer,
)

F = TypeVar("F", bound=Callable[..., Any])

UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
PROGRAM = "f771d005-6793-523d-94ec-be7477334430"
RUN = "course-v1:NBx+SC1+3T2026"
NOON = "2026-11-21T12:00:00Z"
CERTIFICATE: dict[str, Any] = {
    "username": "ada",
    "credential": {"type": "program", "credential_id": 3, "program_uuid": PROGRAM},
    "status": "awarded",
    "uuid": UUID,
    "attributes": [],
    "date_override": None,
    "created": NOON,
    "modified": NOON,
    "certificate_url": f"https://portal.example.org/credentials/{UUID.replace('-', '')}/",
}
TOLD_CERTIFICATE = {
    "username": "ada",
    "lms_user_id": 17,
    "credential": {"program_uuid": PROGRAM},
}
TOLD_OF_RUN = {
    "username": "ada",
    "credential": {"course_run_key": RUN, "mode": "verified"},
    "status": "awarded",
    "date_override": {"date": NOON},
    "attributes": [{"name": "whitelist_reason", "value": "ill on the day"}],
}
GRADE = {
    "id": 7,
    "username": "ada",
    "course_run": RUN,
    "letter_grade": "A",
    "percent_grade": "0.9000",
    "verified": True,
    "lms_last_updated_at": NOON,
    "created": NOON,
    "modified": NOON,
}
TOLD_GRADE = {
    "username": "ada",
    "course_run": RUN,
    "letter_grade": "A",
    "percent_grade": "0.9",
    "verified": True,
    "lms_last_updated_at": NOON,
}
CONFIGURATION = {
    "id": 5,
    "site": 1,
    "course_id": RUN,
    "course_run": RUN,
    "certificate_type": "verified",
    "certificate_available_date": None,
    "is_active": True,
}
TOLD_CONFIGURATION = {
    "course_id": RUN,
    "certificate_type": "verified",
    "certificate_available_date": None,
    "is_active": True,
}


def _answer(serializer: Any, description: str, example: Any) -> OpenApiResponse:
    return OpenApiResponse(serializer, description, [OpenApiExample("answer", example)])


def _detail(description: str, text: str) -> OpenApiResponse:
    return _answer(DetailSerializer, description, {"detail": text})


def _refused(description: str, example: Any) -> OpenApiResponse:
    """An error whose shape depends on what was wrong."""
    return _answer(OpenApiTypes.ANY, description, example)


COMMON = {
    401: _detail(
        "No token and no session, or one that ended.",
        "Authentication credentials were not provided.",
    ),
    403: _detail(
        "The caller lacks the permission, or the token the scope.",
        "You do not have permission to perform this action.",
    ),
}
NOT_FOUND = {404: _detail("There is none, or none that the caller may see.", "Not found.")}
INVALID = {
    400: _refused(
        "Something is not valid: the messages of each field.",
        {"username": ["This field is required."]},
    )
}
SENT = {
    415: _detail("The body is of another type.", 'Unsupported media type "text/plain".'),
    503: _detail(
        "Somebody else holds what this needs; try again after the seconds of `Retry-After`.",
        "Nothing was changed, because another request holds what this one needs.",
    ),
}
OFTEN = {
    429: _detail(
        "The caller, who is neither staff nor a service, asked too often; `Retry-After` says when"
        " to ask again.",
        "Request was throttled. Expected available in 42 seconds.",
    )
}
CERTIFICATE_UUID = OpenApiParameter(
    "certificate_uuid",
    OpenApiTypes.UUID,
    OpenApiParameter.PATH,
    description="With its dashes, or without.",
)
GRADE_ID = OpenApiParameter(
    "grade_id",
    {"type": "integer", "minimum": 1, "maximum": 999_999_999_999_999_999},
    OpenApiParameter.PATH,
)
COURSE_ID = OpenApiParameter(
    "course_id",
    {"type": "string", "minLength": 1},
    OpenApiParameter.PATH,
    description="The key of the run.",
)
PAGE = OpenApiParameter("page", OpenApiTypes.INT, description="The first page is 1.")


def _operation(
    name: str, summary: str, description: str, *answers: dict[Any, Any], **more: Any
) -> Callable[[F], F]:
    told: dict[Any, Any] = dict(COMMON)
    for some in answers:
        told |= some
    return extend_schema(
        operation_id=f"credentials_{name}",
        tags=["credentials"],
        summary=summary,
        description=description,
        responses=told,
        **more,
    )


def _example(*examples: Any) -> list[OpenApiExample]:
    return [
        OpenApiExample(f"request {number}", example, request_only=True)
        for number, example in enumerate(examples, start=1)
    ]


LIST = _operation(
    "list",
    "Certificates",
    "Of programs and of runs in one list, in the order in which they were made: everybody's for who"
    " may see certificates, else one's own by one's own `username`.",
    {200: _answer(CertificateSerializer(many=True), "A page.", CERTIFICATE)},
    {400: _refused("A condition is not valid.", {"status": ['"x" is not a valid choice.']})},
    {404: _detail("There is no such page.", "Invalid page.")},
    OFTEN,
    parameters=[CertificateQuery, PAGE],
)
CREATE = _operation(
    "create",
    "Award or revoke a certificate",
    "Of a learner, of a program or of a run. Sent again it changes what there is, and is answered"
    " with 201 as well. A learner whom nobody knows gets an account without a password.",
    {201: _answer(CertificateSerializer, "That is how it stands now.", CERTIFICATE)},
    {
        400: _refused(
            "Something is not valid, no active certificate is configured for the program or the"
            " run, or the run is not in the catalog.",
            {
                "credential": {
                    "program_uuid": f"No active ProgramCertificate exists for program [{PROGRAM}]"
                }
            },
        )
    },
    SENT,
    OFTEN,
    request=ToldCertificateSerializer,
    examples=_example(TOLD_CERTIFICATE, TOLD_OF_RUN),
)
RETRIEVE = _operation(
    "retrieve",
    "A certificate",
    "One's own, or anybody's for who may see certificates.",
    {200: _answer(CertificateSerializer, "The certificate.", CERTIFICATE)},
    NOT_FOUND,
    OFTEN,
    parameters=[CERTIFICATE_UUID],
)


def _change(name: str, summary: str) -> Callable[[F], F]:
    return _operation(
        name,
        summary,
        "Award it again, or revoke it; nothing else of it can be changed. Without a `status`"
        " nothing is.",
        {200: _answer(CertificateSerializer, "That is how it stands now.", CERTIFICATE)},
        {400: _refused("It is no status.", {"status": ['"x" is not a valid choice.']})},
        NOT_FOUND,
        SENT,
        OFTEN,
        parameters=[CERTIFICATE_UUID],
        request=StatusSerializer,
        examples=_example({"status": "revoked"}),
    )


REPLACE = _change("replace", "Change the status of a certificate, as by PATCH")
CHANGE = _change("change", "Change the status of a certificate")
REVOKE = _operation(
    "revoke",
    "Revoke a certificate",
    "The row stays, and again is the same.",
    {200: _answer(CertificateSerializer, "It is revoked.", {**CERTIFICATE, "status": "revoked"})},
    NOT_FOUND,
    {503: SENT[503]},
    OFTEN,
    parameters=[CERTIFICATE_UUID],
)

NO_RUN = {
    400: _refused(
        "Something is not valid, or the run is not in the catalog.",
        {"course_run": [f"No CourseRun exists for key [{RUN}]"]},
    )
}
GRADE_BODY = {
    "application/json": ToldGradeSerializer,
    "application/x-www-form-urlencoded": ToldGradeSerializer,
}


def _grade(
    name: str, summary: str, description: str, *answers: Any, **more: Any
) -> Callable[[F], F]:
    return _operation(
        f"{name}_grade",
        summary,
        description,
        *answers,
        NO_RUN,
        SENT,
        OFTEN,
        examples=_example(TOLD_GRADE),
        **more,
    )


TELL_GRADE = _grade(
    "tell",
    "Tell a grade",
    "Of a learner in a run, as JSON or by a form. Sent again it changes what there is, and is"
    " answered with 201 as well. One that is older than what is stored changes nothing: the answer"
    " tells the stored one.",
    {201: _answer(GradeSerializer, "That is how it stands now.", GRADE)},
    request=GRADE_BODY,
)


def _change_grade(name: str, summary: str) -> Callable[[F], F]:
    return _grade(
        name,
        summary,
        "Its learner and its run stay. One that is older than what is stored changes nothing.",
        {200: _answer(GradeSerializer, "That is how it stands now.", GRADE)},
        NOT_FOUND,
        parameters=[GRADE_ID],
        request=GRADE_BODY,
    )


REPLACE_GRADE = _change_grade("replace", "Tell a grade again")
CHANGE_GRADE = _change_grade("change", "Tell a part of a grade again")

NO_RUN_TO_CONFIGURE = {
    400: _refused(
        "Something is not valid, or the run is not in the catalog.",
        {"course_id": [f"No CourseRun exists for key [{RUN}]"]},
    )
}
CONFIGURE = _operation(
    "configure",
    "Say from when certificates of a run are seen",
    "What is left out stays. Sent again it changes what there is, and is answered with 201 as"
    " well.",
    {201: _answer(CourseConfigurationSerializer, "That is how it stands now.", CONFIGURATION)},
    NO_RUN_TO_CONFIGURE,
    SENT,
    request=ToldCourseConfigurationSerializer,
    examples=_example(TOLD_CONFIGURATION),
)
CONFIGURATION_OPERATION = _operation(
    "configuration",
    "From when certificates of a run are seen",
    "Of a run with several types of certificates an active one is told.",
    {200: _answer(CourseConfigurationSerializer, "How it stands.", CONFIGURATION)},
    NOT_FOUND,
    parameters=[COURSE_ID],
)


def _change_configuration(name: str, summary: str) -> Callable[[F], F]:
    return _operation(
        f"{name}_configuration",
        summary,
        "Its run stays, and what is left out does.",
        {200: _answer(CourseConfigurationSerializer, "That is how it stands now.", CONFIGURATION)},
        {
            400: _refused(
                "Something is not valid, or the run has another certificate of this type.",
                {"course_id": ["This field cannot be changed."]},
            )
        },
        NOT_FOUND,
        SENT,
        parameters=[COURSE_ID],
        request=ToldCourseConfigurationSerializer,
        examples=_example(TOLD_CONFIGURATION),
    )


REPLACE_CONFIGURATION = _change_configuration(
    "replace", "Say again from when certificates of a run are seen"
)
CHANGE_CONFIGURATION = _change_configuration(
    "change", "Change from when certificates of a run are seen"
)

PAIRS = [{"ada": "ada.lovelace"}]
REPLACE_USERNAMES = _operation(
    "replace_usernames",
    "Replace usernames",
    "For the job of an LMS that does so everywhere, by the account that the portal's operators set."
    " Names and addresses of people stay.",
    {
        200: _answer(
            ReplacementsSerializer,
            "What was done, and what was not.",
            {"successful_replacements": PAIRS, "failed_replacements": []},
        ),
        400: OpenApiResponse(
            description="The body is no list of pairs. The answer is empty, unless the body is no"
            " JSON."
        ),
    },
    SENT,
    request=UsernamesSerializer,
    examples=_example({"username_mappings": PAIRS}),
)

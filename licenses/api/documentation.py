"""What the OpenAPI schema tells about the frozen resources under `/api/v1/`."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from credentials_portal.api.wire import DetailSerializer
from licenses.api.filters import (
    AgreementQuery,
    CustomerQuery,
    LearnerLicenseQuery,
    LicenseQuery,
    PlanLicenseQuery,
    PlanQuery,
)
from licenses.api.serializers import (
    AgreementSerializer,
    AssignmentSerializer,
    AssignSerializer,
    ChoiceOfLicensesSerializer,
    LearnerLicenseSerializer,
    LicenseSerializer,
    LookUpSerializer,
    MinimalAgreementSerializer,
    PlanSerializer,
    RemindSerializer,
    RetireSerializer,
    RevocationResultsSerializer,
    StaffLicenseSerializer,
    StatusCountSerializer,
    WordsSerializer,
)

F = TypeVar("F", bound=Callable[..., Any])

TAGS = ["licenses"]
CUSTOMER_UUID = "2b7a3f0c-5a55-4d5c-9a77-8a1f6f6f5b01"
PLAN_UUID = "0f6b1a52-94a7-4c6e-8a55-2f3f1b1c9d02"
LICENSE_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
KEY = "1d8b2a3e-6f7c-4f0e-b1f6-3c2d1e0f9a08"
CATALOG_UUID = "b3c1d2e4-7a0b-4f4e-9c51-0d9e8f7a6b05"

LICENSE: dict[str, Any] = {
    "uuid": LICENSE_UUID,
    "status": "assigned",
    "user_email": "ada@example.org",
    "activation_date": None,
    "last_remind_date": "2026-11-21T10:00:00Z",
    "subscription_plan_uuid": PLAN_UUID,
    "revoked_date": None,
    "activation_key": KEY,
}
MINIMAL_PLAN: dict[str, Any] = {
    "title": "Engineering 2026",
    "uuid": PLAN_UUID,
    "start_date": "2026-01-01T00:00:00Z",
    "expiration_date": "2027-01-01T00:00:00Z",
    "enterprise_customer_uuid": CUSTOMER_UUID,
    "enterprise_catalog_uuid": CATALOG_UUID,
    "is_active": True,
    "is_current": True,
    "is_revocation_cap_enabled": True,
    "days_until_expiration": 40,
    "days_until_expiration_including_renewals": 405,
    "is_locked_for_renewal_processing": False,
    "should_auto_apply_licenses": None,
    "created": "2025-12-01T09:00:00Z",
    "plan_type": "Standard Paid",
    "salesforce_opportunity_line_item": None,
}
PLAN: dict[str, Any] = {
    **MINIMAL_PLAN,
    "licenses": {
        "activated": 20,
        "assigned": 10,
        "unassigned": 70,
        "revoked": 2,
        "total": 100,
        "allocated": 30,
    },
    "revocations": {"applied": 2, "remaining": 3},
    "prior_renewals": [
        {
            "prior_subscription_plan_id": "4f0d6f7a-30cb-4cf3-8c8d-6b1c0e6d2b04",
            "prior_subscription_plan_start_date": "2025-01-01T00:00:00Z",
            "renewed_subscription_plan_id": PLAN_UUID,
            "renewed_subscription_plan_start_date": "2026-01-01T00:00:00Z",
        }
    ],
}
MINIMAL_AGREEMENT: dict[str, Any] = {
    "uuid": "9a1de2c7-1f40-4b53-9f20-5a2f6f0c7e03",
    "enterprise_customer_uuid": CUSTOMER_UUID,
    "enterprise_customer_slug": "northern-works",
    "default_enterprise_catalog_uuid": CATALOG_UUID,
    "disable_expiration_notifications": False,
    "net_days_until_expiration": 405,
    "subscription_for_auto_applied_licenses": None,
    "available_subscription_catalogs": [CATALOG_UUID],
    "enable_auto_applied_subscriptions_with_universal_link": False,
    "has_custom_license_expiration_messaging_v2": False,
    "modal_header_text_v2": None,
    "expired_subscription_modal_messaging_v2": None,
    "button_label_in_modal_v2": None,
    "url_for_button_in_modal_v2": None,
}
AGREEMENT = {**MINIMAL_AGREEMENT, "subscriptions": [PLAN]}
LEARNER_LICENSE = {
    **LICENSE,
    "customer_agreement": MINIMAL_AGREEMENT,
    "subscription_plan": MINIMAL_PLAN,
}
STAFF_LICENSE = {
    "status": "assigned",
    "assigned_date": "2026-11-21T10:00:00Z",
    "activation_date": None,
    "revoked_date": None,
    "last_remind_date": "2026-11-21T10:00:00Z",
    "subscription_plan_title": "Engineering 2026",
    "subscription_plan_expiration_date": "2027-01-01T00:00:00Z",
    "activation_link": f"https://portal.example.org/licenses/{KEY}/activate/",
}
EMAILS = {"user_emails": ["Ada@Example.org"]}
RESULTS = {
    "successful_revocations": [
        {
            "license_uuid": LICENSE_UUID,
            "original_status": "activated",
            "user_email": "Ada@Example.org",
        }
    ],
    "unsuccessful_revocations": [],
}
NOT_HELD = {
    "error": f"No license for email bob@example.org exists in plan {PLAN_UUID} with a status in"
    " ['activated', 'assigned']",
    "error_response_status": 404,
    "user_email": "bob@example.org",
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


NO_CONTENT = OpenApiResponse(description="It is done.")
NOT_UUID = _refused("A value in the URL is not valid.", {"detail": "northern is not a valid uuid."})
NOT_AUTHENTICATED = _detail(
    "Authentication credentials were not provided.", "No token and no session, or one that ended."
)
NOT_PERMITTED = _detail(
    "You do not have permission to perform this action.",
    "The caller lacks the role, or there is no such plan.",
)
NOT_FOUND = _refused("There is none, or none that the caller may see.", {"detail": "Not found."})
NOT_JSON = _detail('Unsupported media type "text/plain" in request.', "The body is not JSON.")
INVALID = _refused(
    "Something in the body is not valid: the messages of each field.",
    {"user_emails": ["This field is required."]},
)
BUSY = _detail(
    "Somebody else is changing the licenses of this plan. Try again in a moment.",
    "Nothing was done; try again after the seconds of `Retry-After`.",
)
NO_PLAN = _refused(
    "There is no such plan, for who may act for every customer.",
    f"No SubscriptionPlan identified by {PLAN_UUID} exists",
)

AGREEMENT_UUID = OpenApiParameter(
    "customer_agreement_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH
)
SUBSCRIPTION_UUID = OpenApiParameter("subscription_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)
LICENSE_IN_PATH = OpenApiParameter("license_uuid", OpenApiTypes.UUID, OpenApiParameter.PATH)
CUSTOMER_REQUIRED = OpenApiParameter("enterprise_customer_uuid", OpenApiTypes.UUID, required=True)
PAGE = OpenApiParameter("page", OpenApiTypes.INT)
ACTIVATION_KEY = OpenApiParameter("activation_key", OpenApiTypes.UUID, required=True)


def _operation(
    name: str, summary: str, description: str, answers: dict[Any, Any], **more: Any
) -> Callable[[F], F]:
    return extend_schema(
        operation_id=f"licenses_{name}",
        tags=TAGS,
        summary=summary,
        description=description,
        responses={401: NOT_AUTHENTICATED, 403: NOT_PERMITTED, **answers},
        **more,
    )


def _list(
    name: str, summary: str, description: str, one: Any, example: Any, **more: Any
) -> Callable[[F], F]:
    page = _answer(one(many=True), "A page.", example)
    return _operation(
        name, summary, description, {200: page, 400: NOT_UUID, 404: NOT_FOUND}, **more
    )


def _act(
    name: str, summary: str, description: str, answers: dict[Any, Any], body: Any, example: Any
) -> Callable[[F], F]:
    return _operation(
        name,
        summary,
        description,
        {400: INVALID, 404: NOT_FOUND, 415: NOT_JSON, 503: BUSY, **answers},
        parameters=[SUBSCRIPTION_UUID],
        request=body,
        examples=[OpenApiExample("request", example, request_only=True)] if body else [],
    )


_number = serializers.IntegerField
LEARNER_LICENSES = _operation(
    "own",
    "My licenses of a customer",
    "The caller's licenses, found by their e-mail address or their id in the LMS, and the"
    " customer's agreement for those who belong to the customer. Nothing is written.",
    {
        200: _answer(
            inline_serializer(
                "LearnerLicensePage",
                {
                    "next": serializers.CharField(allow_null=True),
                    "previous": serializers.CharField(allow_null=True),
                    "count": _number(),
                    "num_pages": _number(),
                    "current_page": _number(),
                    "start": _number(),
                    "results": LearnerLicenseSerializer(many=True),
                    "customer_agreement": MinimalAgreementSerializer(allow_null=True),
                },
            ),
            "A page of licenses.",
            {
                "next": None,
                "previous": None,
                "count": 1,
                "num_pages": 1,
                "current_page": 1,
                "start": 0,
                "results": [LEARNER_LICENSE],
                "customer_agreement": MINIMAL_AGREEMENT,
            },
        ),
        400: _refused(
            "The customer is missing, or a value is not valid.",
            "missing enterprise_customer_uuid query param",
        ),
        404: _detail("Invalid page."),
    },
    parameters=[LearnerLicenseQuery, CUSTOMER_REQUIRED, PAGE],
)
AGREEMENTS = _list(
    "agreements",
    "Agreements with their plans",
    "Of the customers to which the caller belongs, or of all.",
    AgreementSerializer,
    AGREEMENT,
    parameters=[AgreementQuery],
)
AGREEMENT_OPERATION = _operation(
    "agreement",
    "An agreement with its plans",
    "Of a customer to which the caller belongs.",
    {
        200: _answer(AgreementSerializer, "The agreement.", AGREEMENT),
        400: NOT_UUID,
        404: NOT_FOUND,
    },
    parameters=[AGREEMENT_UUID, AgreementQuery],
)
PLANS = _list(
    "plans",
    "Plans",
    "Of the customers that the caller administers; with a customer only its active ones. The one"
    " that starts last comes first.",
    PlanSerializer,
    PLAN,
    parameters=[PlanQuery],
)
PLAN_OPERATION = _operation(
    "plan",
    "A plan",
    "Of a customer that the caller administers.",
    {200: _answer(PlanSerializer, "The plan.", PLAN), 404: NOT_FOUND},
    parameters=[SUBSCRIPTION_UUID],
)
LEARNER_PLANS = _list(
    "learner_plans",
    "A customer's active plans",
    "For everybody who belongs to the customer. Without a customer the list is empty.",
    PlanSerializer,
    PLAN,
    parameters=[CustomerQuery],
)
LEARNER_PLAN = _operation(
    "learner_plan",
    "An active plan",
    "For everybody who belongs to its customer.",
    {200: _answer(PlanSerializer, "The plan.", PLAN), 404: NOT_FOUND},
    parameters=[SUBSCRIPTION_UUID],
)
OWN_LICENSES = _list(
    "own_of_plan",
    "My licenses of a plan",
    "The caller's licenses that were not revoked.",
    LicenseSerializer,
    LICENSE,
    parameters=[SUBSCRIPTION_UUID, LicenseQuery],
)
LICENSES = _list(
    "list",
    "Licenses of a plan",
    "For the customer's administrators. `count` is the number that was bought where all usable"
    " licenses of a plan of more than 10,000 are asked for.",
    LicenseSerializer,
    LICENSE,
    parameters=[SUBSCRIPTION_UUID, PlanLicenseQuery],
)
LICENSE_OPERATION = _operation(
    "retrieve",
    "A license",
    "For the customer's administrators.",
    {200: _answer(LicenseSerializer, "The license.", LICENSE), 404: NOT_FOUND},
    parameters=[SUBSCRIPTION_UUID, LICENSE_IN_PATH],
)
OVERVIEW = _operation(
    "overview",
    "How many licenses are in each status",
    "The most first; statuses that no license has are left out.",
    {
        200: _answer(
            StatusCountSerializer(many=True), "The counts.", [{"status": "unassigned", "count": 70}]
        ),
        400: NOT_UUID,
        404: NOT_FOUND,
    },
    parameters=[SUBSCRIPTION_UUID, PlanLicenseQuery],
)
CSV = _operation(
    "csv",
    "Licenses of a plan as CSV",
    "All that are or were somebody's. Cells that a spreadsheet would take for a formula begin with"
    " an apostrophe.",
    {
        (200, "text/csv"): _answer(
            OpenApiTypes.STR,
            "The table.",
            "status,user_email,activation_date,last_remind_date,activation_link",
        ),
        404: NOT_FOUND,
    },
    parameters=[SUBSCRIPTION_UUID],
)
ASSIGN = _act(
    "assign",
    "Assign licenses",
    "Each address gets a free license, or nobody does. Who holds one already is counted and left"
    " out. The answer names learners as the caller wrote them.",
    {
        200: _answer(
            AssignmentSerializer,
            "The licenses are assigned.",
            {
                "num_successful_assignments": 1,
                "num_already_associated": 0,
                "license_assignments": [{"user_email": "Ada@Example.org", "license": LICENSE_UUID}],
            },
        ),
        400: _refused(
            "Something is not valid, or there are not enough licenses, which is told as a text.",
            "There are not enough licenses that can be assigned to complete your request."
            "You attempted to assign 3 licenses, but there are only 2 potentially available.",
        ),
        422: _text(
            "Database error occurred while assigning licenses, no assignments were completed",
            "The database refused; nothing was done.",
        ),
        423: _text(
            "Assignment currently locked for this subscription plan.",
            "Somebody else changes the plan's licenses; nothing was done.",
        ),
    },
    AssignSerializer,
    {**EMAILS, "notify_users": True, "greeting": "Welcome!"},
)
NONE_PENDING = _refused(
    "Somebody has no license that waits to be activated, and nobody was reminded.",
    "Could not find any licenses pending activation that are associated with the email:"
    " bob@example.org",
)
REMIND = _act(
    "remind",
    "Remind learners",
    "By mail, of licenses that they have not activated.",
    {204: NO_CONTENT, 404: NONE_PENDING},
    RemindSerializer,
    EMAILS,
)
REMIND_ALL = _act(
    "remind_all",
    "Remind all learners of a plan",
    "By mail, all who have not activated their licenses.",
    {204: NO_CONTENT, 404: NONE_PENDING},
    WordsSerializer,
    {"greeting": "Do not forget."},
)
REVOKE = _act(
    "bulk_revoke",
    "Revoke licenses",
    "Each learner's, where they hold one. A new free license takes the place of each.",
    {
        200: _answer(RevocationResultsSerializer, "All are revoked.", RESULTS),
        207: _answer(
            RevocationResultsSerializer,
            "Some are revoked.",
            {**RESULTS, "unsuccessful_revocations": [NOT_HELD]},
        ),
        400: _refused(
            "Something is not valid, or the plan's cap does not allow for all, which is told as a"
            " text.",
            "Plan does not have enough revocations remaining.",
        ),
        404: NO_PLAN,
    },
    ChoiceOfLicensesSerializer,
    EMAILS,
)
REVOKE_ALL = _act(
    "revoke_all",
    "Revoke all licenses of a plan",
    "Those that are assigned or activated, at once.",
    {
        204: NO_CONTENT,
        404: NO_PLAN,
        422: _text(
            "Cannot revoke all licenses when revocation cap is enabled for the subscription plan",
            "The plan has a cap; nothing was done.",
        ),
    },
    None,
    None,
)
ACTIVATE = _operation(
    "activate",
    "Activate a license",
    "The caller's own, by the key of the mail that told of it. An activated one stays so.",
    {
        200: _answer(LearnerLicenseSerializer, "It is activated.", LEARNER_LICENSE),
        400: _detail("activation_key is a required parameter", "The key is missing, or is none."),
        404: _detail(
            "No License matches the given query.",
            "The caller has no license with this key in a plan that is active and current.",
        ),
        422: _text(
            f"Action: activation failed for license: {LICENSE_UUID} because: Cannot activate a"
            " revoked license.",
            "It was revoked.",
        ),
        503: BUSY,
    },
    parameters=[ACTIVATION_KEY],
    request=None,
)
AUTO_APPLY = _operation(
    "auto_apply",
    "Take a license by oneself",
    "From the plan that gives them without being asked. One that the caller holds stays.",
    {
        200: _answer(LearnerLicenseSerializer, "It is the caller's.", LEARNER_LICENSE),
        404: NOT_FOUND,
        422: _text(
            "There are no licenses remaining in your organization. Please contact your"
            " administrator for further assistance.",
            "No plan gives licenses, none is left, or the caller's was revoked.",
        ),
    },
    parameters=[AGREEMENT_UUID],
    request=None,
)
LOOK_UP = _operation(
    "staff_lookup",
    "All licenses of an address",
    "For staff. The answer 404 has no body.",
    {
        200: _answer(StaffLicenseSerializer(many=True), "The licenses.", [STAFF_LICENSE]),
        400: _refused(
            "There is no address in the body.", "A ``user_email`` is required in the request data"
        ),
        404: OpenApiResponse(description="There is none."),
        415: NOT_JSON,
    },
    request=LookUpSerializer,
)
RETIRE = _operation(
    "retire_user",
    "Erase a person",
    "For the service that retires people: the account, licenses and all that is personal, for"
    " good. The answer 404 has no body; licenses of the id in the LMS were erased nevertheless.",
    {
        204: NO_CONTENT,
        400: _refused(
            "A value is missing, or the two are those of different people.",
            {
                "detail": 'Required field "lms_user_id" missing or missing value in retirement'
                ' request"'
            },
        ),
        404: OpenApiResponse(description="There is no such account."),
        415: NOT_JSON,
        503: BUSY,
    },
    request=RetireSerializer,
)

"""Administrators approve and decline by the old service's clients."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.enums import LicenseStatus, LinkStatus
from licenses.models import Customer, CustomerLearner, License, SubscriptionPlan
from subsidy_requests.enums import DecisionSource, RequestState, UnlinkResult
from subsidy_requests.models import (
    Coupon,
    CouponCode,
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.letters.conftest import Statements
from tests.letters.factories import rows
from tests.licenses.pages.now import plan_now
from tests.subsidy_requests.api.conftest import (
    CODE_REQUESTS,
    CONFIGURATIONS,
    LICENSE_REQUESTS,
    UNKNOWN,
    decide,
    linked,
    post,
)
from tests.subsidy_requests.api.test_permissions import TABLES
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
)

APPROVE, DECLINE = f"{LICENSE_REQUESTS}approve/", f"{LICENSE_REQUESTS}decline/"


@pytest.fixture
def asking(
    customer: Customer, configuration: SubsidyRequestCustomerConfiguration
) -> list[LicenseRequest]:
    """Three learners of a customer whose plan has two free seats."""
    return [
        LicenseRequestFactory.create(customer=customer, user=linked(customer)) for _ in range(3)
    ]


def approve(client: APIClient, plan: Any, *requests: Any, **body: Any) -> Any:
    customer = requests[0].customer
    body = {"subscription_plan_uuid": str(getattr(plan, "uuid", plan)), **body}
    return decide(client, APPROVE, customer, *requests, **body)


def states(*requests: SubsidyRequest) -> list[str]:
    for request in requests:
        request.refresh_from_db()
    return [request.state for request in requests]


def told(response: Any) -> dict[str, str]:
    assert response.status_code == 200, response.content
    return {one["uuid"]: one["state"] for one in response.json()}


def test_approves_and_grants(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest]
) -> None:
    two = asking[:2]

    response = approve(admin, plan, *two, send_notification=True)

    assert told(response) == {str(one.uuid): "pending" for one in two}
    assert [one["license_uuid"] for one in response.json()] == [None, None]
    assert states(*asking) == ["fulfilled", "fulfilled", "requested"]
    assert {one.decision_source for one in two} == {DecisionSource.ADMIN_API}
    seats = License.objects.filter(status=LicenseStatus.ASSIGNED)
    assert {one.user_email for one in seats} == {one.user.email for one in two}
    listed = admin.get(LICENSE_REQUESTS, {"state": "approved"}).json()["results"]
    assert {UUID(one["license_uuid"]) for one in listed} == {one.uuid for one in seats}


def test_more_requests_than_seats_are_refused_together(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest]
) -> None:
    before = rows(*TABLES)

    response = approve(admin, plan, *asking, send_notification=True)

    assert response.status_code == 422
    assert response.json() == (
        f"Not enough licenses available for subscription {plan.uuid} to approve the requests"
    )
    assert rows(*TABLES) == before


@pytest.mark.parametrize(
    "plan_fields", [{"is_active": False}, {"days_left": -1}, {}], ids=["off", "ended", "foreign"]
)
def test_a_plan_that_gives_nothing_is_refused(
    admin: APIClient, asking: list[LicenseRequest], plan_fields: dict[str, Any]
) -> None:
    agreement = asking[0].customer.agreement
    own: dict[str, Any] = {"customer_agreement": agreement} if plan_fields else {}
    plan = plan_now(5, **plan_fields, **own)
    before = rows(*TABLES)

    response = approve(admin, plan, asking[0])

    assert response.status_code == 422, response.content
    assert isinstance(response.json(), str)
    assert rows(*TABLES) == before


def test_what_was_declined_refuses_all(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest]
) -> None:
    declined = LicenseRequestFactory.create(declined=True, customer=asking[0].customer)

    response = approve(admin, plan, asking[0], declined)

    assert response.status_code == 422
    assert response.json() == (
        f"license Request(s) with UUID(s) {declined.uuid} are already declined."
        " Requests could not be approved."
    )
    assert states(asking[0]) == ["requested"]


def test_deciding_again_changes_nothing(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest]
) -> None:
    first, second, _third = asking
    approve(admin, plan, first, send_notification=True)
    decide(admin, DECLINE, second.customer, second, send_notification=True)
    before = rows(*TABLES)

    assert told(approve(admin, plan, first, send_notification=True)) == {}
    assert told(decide(admin, DECLINE, second.customer, second, send_notification=True)) == {}
    assert rows(*TABLES) == before


@pytest.mark.parametrize("act", ["approve/", "decline/"])
def test_unknown_and_foreign_requests_are_left_alone(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest], act: str
) -> None:
    foreign = LicenseRequestFactory.create()
    before = rows(*TABLES)

    response = post(
        admin,
        f"{LICENSE_REQUESTS}{act}",
        asking[0].customer,
        subsidy_request_uuids=[str(foreign.uuid), str(uuid4())],
        subscription_plan_uuid=str(plan.uuid),
    )

    assert told(response) == {}
    assert rows(*TABLES) == before


def test_declines_with_a_reason_and_unlinks(
    admin: APIClient, ada: User, asked: LicenseRequest
) -> None:
    response = decide(
        admin,
        DECLINE,
        asked.customer,
        asked,
        send_notification=True,
        unlink_users_from_enterprise=True,
        decline_reason="No budget.",
    )

    assert told(response) == {str(asked.uuid): "declined"}
    [one] = response.json()
    assert (one["decline_reason"], one["reviewer_lms_user_id"]) == ("No budget.", 5)
    assert states(asked) == [RequestState.DECLINED]
    assert asked.unlink_result == UnlinkResult.DONE
    link = CustomerLearner.objects.get(user=ada)
    assert (link.status, link.is_relinkable) == (LinkStatus.UNLINKED, False)


def test_what_is_granted_cannot_be_declined(
    admin: APIClient, plan: SubscriptionPlan, asking: list[LicenseRequest]
) -> None:
    first, second, _third = asking
    approve(admin, plan, first)

    response = decide(admin, DECLINE, first.customer, first, second)

    assert response.status_code == 422
    assert response.json() == (
        f"license Request(s) with UUID(s) {first.uuid} are already approved/pending."
        " Requests could not be declined."
    )
    assert states(first, second) == ["fulfilled", "requested"]


@pytest.mark.parametrize("as_written", [int, str])
def test_a_coupon_is_named_by_number_or_text(
    admin: APIClient, coupon: Coupon, as_written: type
) -> None:
    request: CouponCodeRequest = CouponCodeRequestFactory.create(customer=coupon.customer)

    response = decide(
        admin,
        f"{CODE_REQUESTS}approve/",
        coupon.customer,
        request,
        coupon_id=as_written(coupon.pk),
    )

    assert told(response) == {str(request.uuid): "pending"}
    assert states(request) == ["fulfilled"]
    assert response.json()[0]["coupon_code"] is None


def test_more_requests_than_codes_are_refused_together(admin: APIClient, coupon: Coupon) -> None:
    requests = CouponCodeRequestFactory.create_batch(3, customer=coupon.customer)

    response = decide(
        admin, f"{CODE_REQUESTS}approve/", coupon.customer, *requests, coupon_id=coupon.pk
    )

    assert response.status_code == 422
    assert response.json() == (
        f"Not enough codes available for coupon {coupon.pk} to approve the requests"
    )
    assert not CouponCode.objects.exclude(source_request_uuid=None).exists()


@pytest.mark.parametrize("coupon_id", [None, "", "gold", 0, True])
def test_a_coupon_is_a_number(admin: APIClient, coupon: Coupon, coupon_id: Any) -> None:
    request = CouponCodeRequestFactory.create(customer=coupon.customer)

    response = decide(
        admin, f"{CODE_REQUESTS}approve/", coupon.customer, request, coupon_id=coupon_id
    )

    assert response.status_code == 400
    assert list(response.json()) == ["coupon_id"]


def test_an_unknown_coupon_is_refused(admin: APIClient, coupon: Coupon) -> None:
    request = CouponCodeRequestFactory.create(customer=coupon.customer)

    response = decide(admin, f"{CODE_REQUESTS}approve/", coupon.customer, request, coupon_id=2**40)

    assert response.status_code == 422
    assert states(request) == ["requested"]


@pytest.mark.parametrize(
    ("uuids", "text"),
    [
        (None, "You must provide subsidy request UUID(s) to be approved."),
        ([], "You must provide subsidy request UUID(s) to be approved."),
        (["gold"], "Subsidy Request UUID provided (gold) is not a valid UUID"),
        ([{}], "Subsidy Request UUID provided ({}) is not a valid UUID"),
        ("gold", "Subsidy Request UUID provided (gold) is not a valid UUID"),
        ([str(UNKNOWN)] * 501, "You can provide 500 subsidy request UUID(s) at most."),
    ],
)
@pytest.mark.parametrize("act", ["approve/", "decline/"])
def test_what_names_no_requests_is_a_text(
    admin: APIClient, customer: Customer, act: str, uuids: Any, text: str
) -> None:
    response = post(admin, f"{LICENSE_REQUESTS}{act}", customer, subsidy_request_uuids=uuids)

    assert (response.status_code, response.json()) == (400, text)


@pytest.mark.parametrize(
    ("plan_uuid", "text"),
    [
        (
            None,
            (
                "You must provide a License Subscription UUID so subsidy requests can be completed"
                " (so a License can be assigned to the user)."
            ),
        ),
        ("gold", "Subscription Plan UUID provided (gold) is not a valid UUID"),
    ],
)
def test_what_names_no_plan_is_a_text(
    admin: APIClient, asked: LicenseRequest, plan_uuid: Any, text: str
) -> None:
    response = decide(admin, APPROVE, asked.customer, asked, subscription_plan_uuid=plan_uuid)

    assert (response.status_code, response.json()) == (400, text)


def test_disabled_requests_can_still_be_approved(
    admin: APIClient,
    plan: SubscriptionPlan,
    asking: list[LicenseRequest],
    configuration: SubsidyRequestCustomerConfiguration,
) -> None:
    configuration.subsidy_requests_enabled = False
    configuration.save()

    assert told(approve(admin, plan, asking[0])) == {str(asking[0].uuid): "pending"}


def test_licenses_are_not_approved_where_codes_are_offered(
    admin: APIClient, plan: SubscriptionPlan, coupon: Coupon, asked: LicenseRequest
) -> None:
    response = approve(admin, plan, asked)

    assert (response.status_code, response.json()) == (
        422,
        "Subsidy request type must be coupon",
    )
    assert states(asked) == ["requested"]


def test_who_decides_for_every_customer_is_told_that_there_is_none(as_caller: Any) -> None:
    desk = as_caller("desk")

    for act in ("approve/", "decline/"):
        response = post(
            desk,
            f"{LICENSE_REQUESTS}{act}",
            UNKNOWN,
            subsidy_request_uuids=[str(UNKNOWN)],
            subscription_plan_uuid=str(UNKNOWN),
        )

        assert (response.status_code, response.json()) == (
            422,
            f"Customer configuration for enterprise: {UNKNOWN} does not exist.",
        )


@pytest.mark.parametrize("act", ["approve/", "decline/"])
def test_one_and_fifty_decisions_cost_as_many_statements(
    as_caller: Any,
    customer: Customer,
    configuration: SubsidyRequestCustomerConfiguration,
    statements: Statements,
    act: str,
) -> None:
    plan = plan_now(60, customer_agreement=customer.agreement)
    client = as_caller("admin")
    costs = []
    for count in (1, 50):
        requests = [
            LicenseRequestFactory.create(customer=customer, user=linked(customer))
            for _ in range(count)
        ]
        body = {"subscription_plan_uuid": str(plan.uuid), "send_notification": True}
        with statements.counted() as texts:
            response = decide(client, f"{LICENSE_REQUESTS}{act}", customer, *requests, **body)
        assert len(told(response)) == count
        costs.append(len([text for text in texts if "SAVEPOINT" not in text]))

    assert costs[0] == costs[1] <= 30


def test_half_a_character_is_refused(admin: APIClient, asked: LicenseRequest) -> None:
    ConfigurationFactory.create(customer=asked.customer)
    named = {"enterprise_customer_uuid": str(asked.customer.uuid)}
    half = "\ud800"
    bodies: list[tuple[str, str, Any]] = [
        ("POST", LICENSE_REQUESTS, {"enterprise_customer_uuid": half}),
        ("POST", DECLINE, {**named, "subsidy_request_uuids": [half]}),
        ("POST", DECLINE, {**named, "subsidy_request_uuids": [UNKNOWN], "decline_reason": half}),
        ("PATCH", f"{CONFIGURATIONS}{asked.customer.uuid}/", {"subsidy_type": half}),
    ]

    for method, path, body in bodies:
        sent = json.dumps(body, default=str)
        response = admin.generic(method, path, sent, content_type="application/json")
        assert response.status_code == 400, response.content

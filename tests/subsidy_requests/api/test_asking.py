"""Learners ask by the old service's clients."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import Customer
from subsidy_requests.enums import SubsidyType
from subsidy_requests.models import (
    Coupon,
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.licenses.api.conftest import Caller
from tests.licenses.factories import CustomerLearnerFactory
from tests.subsidy_requests.api.conftest import (
    CODE_REQUESTS,
    LICENSE_REQUESTS,
    UNKNOWN,
    post,
)
from tests.subsidy_requests.factories import ConfigurationFactory, LicenseRequestFactory


def refused(response: Any, text: str) -> None:
    assert response.status_code == 422, response.content
    assert response.json() == text


@pytest.mark.usefixtures("configuration")
def test_asks_for_a_license(as_ada: APIClient, ada: User, customer: Customer) -> None:
    response = post(as_ada, LICENSE_REQUESTS, customer, course_id="edX+DemoX", reason="My job.")

    assert response.status_code == 201, response.content
    told = response.json()
    request = LicenseRequest.objects.get()
    assert told["uuid"] == str(request.uuid)
    assert (told["state"], told["course_id"]) == ("requested", "edX+DemoX")
    assert (told["email"], told["license_uuid"]) == ("ada@example.com", None)
    assert (request.user, request.customer, request.reason) == (ada, customer, "My job.")


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize("body", [{}, {"course_id": None}, {"course_id": ""}])
def test_asks_for_a_license_without_a_course(
    as_ada: APIClient, customer: Customer, body: dict[str, Any]
) -> None:
    response = post(as_ada, LICENSE_REQUESTS, customer, **body)

    assert response.status_code == 201, response.content
    assert response.json()["course_id"] is None


def test_asks_for_a_code(as_ada: APIClient, coupon: Coupon) -> None:
    response = post(as_ada, CODE_REQUESTS, coupon.customer, course_id="edX+DemoX")

    assert response.status_code == 201, response.content
    assert response.json()["coupon_code"] is None
    assert CouponCodeRequest.objects.get().course_id == "edX+DemoX"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "This field is required."),
        ({"course_id": ""}, "This field may not be blank."),
        ({"course_id": None}, "This field may not be null."),
    ],
)
def test_a_code_is_for_a_course(
    as_ada: APIClient, coupon: Coupon, body: dict[str, Any], message: str
) -> None:
    response = post(as_ada, CODE_REQUESTS, coupon.customer, **body)

    assert response.status_code == 400
    assert response.json() == {"course_id": [message]}
    assert not CouponCodeRequest.objects.exists()


def test_the_gate_says_why_in_its_order(as_ada: APIClient, customer: Customer) -> None:
    refused(
        post(as_ada, LICENSE_REQUESTS, customer),
        f"Customer configuration for enterprise: {customer.uuid} does not exist.",
    )
    configuration: SubsidyRequestCustomerConfiguration = ConfigurationFactory.create(
        customer=customer, disabled=True, subsidy_type=None
    )
    refused(
        post(as_ada, LICENSE_REQUESTS, customer),
        f"Subsidy requests for enterprise: {customer.uuid} are disabled.",
    )
    configuration.subsidy_requests_enabled = True
    configuration.save()
    refused(
        post(as_ada, LICENSE_REQUESTS, customer),
        f"Subsidy request type for enterprise: {customer.uuid} has not been set up.",
    )
    configuration.subsidy_type = SubsidyType.COUPON
    configuration.save()
    refused(post(as_ada, LICENSE_REQUESTS, customer), "Subsidy request type must be coupon")
    assert not LicenseRequest.objects.exists()


def test_one_license_request_is_open_with_a_customer(
    as_ada: APIClient,
    ada: User,
    asked: LicenseRequest,
    configuration: SubsidyRequestCustomerConfiguration,
) -> None:
    other: SubsidyRequestCustomerConfiguration = ConfigurationFactory.create()
    CustomerLearnerFactory.create(customer=other.customer, user=ada)

    refused(
        post(as_ada, LICENSE_REQUESTS, asked.customer, course_id="edX+Other"),
        "User already has an outstanding license request for enterprise:"
        f" {configuration.customer.uuid}.",
    )
    assert post(as_ada, LICENSE_REQUESTS, other.customer).status_code == 201


def test_one_code_request_is_open_for_a_course(as_ada: APIClient, coupon: Coupon) -> None:
    uuid = coupon.customer.uuid
    statuses = [
        post(as_ada, CODE_REQUESTS, uuid, course_id=course).status_code
        for course in ("edX+A", "edX+B")
    ]

    assert statuses == [201, 201]
    refused(
        post(as_ada, CODE_REQUESTS, uuid, course_id="edX+A"),
        "User already has an outstanding coupon code request for course: edX+A"
        f" under enterprise: {uuid}.",
    )


@pytest.mark.usefixtures("configuration")
def test_what_the_learner_does_not_decide_is_ignored(
    as_ada: APIClient, ada: User, customer: Customer
) -> None:
    somebody = LicenseRequestFactory.create().user

    response = post(
        as_ada,
        LICENSE_REQUESTS,
        customer,
        decline_reason="None.",
        state="approved",
        user=somebody.pk,
    )

    assert response.status_code == 201
    request = LicenseRequest.objects.get(customer=customer)
    assert (request.user, request.state, request.decline_reason) == (ada, "requested", "")


@pytest.mark.usefixtures("configuration")
def test_the_same_key_again_is_the_same_request(as_ada: APIClient, customer: Customer) -> None:
    body = {"enterprise_customer_uuid": str(customer.uuid), "course_id": "edX+DemoX"}
    key = {"Idempotency-Key": "1f0c"}

    first, second = (
        as_ada.post(LICENSE_REQUESTS, body, format="json", headers=key) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert LicenseRequest.objects.count() == 1
    other = {**body, "course_id": "edX+Other"}
    refused(
        as_ada.post(LICENSE_REQUESTS, other, format="json", headers=key),
        "This idempotency key stands for another request.",
    )
    for wrong in (256 * "x", "1f0c\0"):
        headers = {"Idempotency-Key": wrong}
        response = as_ada.post(LICENSE_REQUESTS, body, format="json", headers=headers)
        assert response.status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"enterprise_customer_uuid": "northern"}, 400),
        ({"enterprise_customer_uuid": ["northern"]}, 400),
        ({}, 403),
        ([], 403),
        ("text", 403),
        ({"enterprise_customer_uuid": str(UNKNOWN)}, 403),
    ],
)
def test_a_body_names_a_customer(as_ada: APIClient, body: Any, status: int) -> None:
    for path in (LICENSE_REQUESTS, f"{LICENSE_REQUESTS}approve/", f"{CODE_REQUESTS}decline/"):
        assert as_ada.post(path, body, format="json").status_code == status


def test_who_acts_for_every_customer_is_told_that_there_is_none(as_caller: Caller) -> None:
    refused(
        post(as_caller("desk"), LICENSE_REQUESTS, UNKNOWN),
        f"Customer configuration for enterprise: {UNKNOWN} does not exist.",
    )


@pytest.mark.usefixtures("configuration")
def test_who_asks_too_often_must_wait(as_ada: APIClient, customer: Customer) -> None:
    statuses = [post(as_ada, LICENSE_REQUESTS, customer).status_code for _ in range(31)]

    assert statuses == [201, *[422] * 29, 429]
    assert as_ada.get(LICENSE_REQUESTS).status_code == 200

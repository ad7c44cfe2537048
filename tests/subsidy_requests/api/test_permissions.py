"""Each resource, for everybody who might ask."""

from collections.abc import Mapping
from typing import Any

import pytest
from rest_framework.test import APIClient

from licenses.models import Customer, SubscriptionPlan
from subsidy_requests.models import (
    Coupon,
    LicenseRequest,
    SubsidyRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.letters.factories import rows
from tests.licenses.api.conftest import Caller
from tests.subsidy_requests.api.conftest import (
    ASKS,
    CODE_REQUESTS,
    CONFIGURATIONS,
    DECIDES,
    LICENSE_REQUESTS,
    decide,
    post,
)
from tests.subsidy_requests.factories import CouponCodeRequestFactory, LicenseRequestFactory

CALLERS = (
    *("anonymous", "nobody", "learner", "colleague", "foreign learner", "foreign admin"),
    *("former admin", "admin", "viewer", "manager", "desk", "superuser"),
    *("service", "reading service", "idle service"),
)
SEEING = "admin, viewer, manager, desk, superuser, service, reading service"
ACTING = "admin, desk, superuser, service"
TABLES = (
    *("subsidy_requests_licenserequest", "subsidy_requests_historicallicenserequest"),
    *("subsidy_requests_couponcoderequest", "subsidy_requests_couponcode"),
    "subsidy_requests_subsidyrequestcustomerconfiguration",
    *("licenses_license", "licenses_customerlearner", "core_outboxmessage"),
)


def matrix(others: int, **expected: str) -> list[tuple[str, int]]:
    """Status by caller: `s200="admin, viewer"` and so on, `others` for the rest."""
    named = {
        name: int(status.removeprefix("s"))
        for status, names in expected.items()
        for name in names.split(", ")
    }
    return [(caller, named.get(caller, others)) for caller in CALLERS]


@pytest.mark.parametrize("caller", CALLERS)
def test_who_finds_a_request(as_caller: Caller, asked: LicenseRequest, caller: str) -> None:
    sees = caller in [*SEEING.split(", "), "learner"]
    client = as_caller(caller)

    listed, told = client.get(LICENSE_REQUESTS), client.get(f"{LICENSE_REQUESTS}{asked.uuid}/")

    if caller == "anonymous":
        assert (listed.status_code, told.status_code) == (401, 401)
        return
    assert listed.status_code == 200
    assert [one["uuid"] for one in listed.json()["results"]] == [str(asked.uuid)] * sees
    assert told.status_code == (200 if sees else 404)


@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s200=SEEING))
def test_who_counts_requests(
    as_caller: Caller, customer: Customer, caller: str, status: int
) -> None:
    client = as_caller(caller)
    query = {"enterprise_customer_uuid": str(customer.uuid)}

    for path in (LICENSE_REQUESTS, CODE_REQUESTS):
        response = client.get(f"{path}overview/", query)

        assert response.status_code == status
        if status == 403:
            assert response.json() == {"detail": DECIDES}


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize(
    ("caller", "status"), matrix(403, s401="anonymous", s201="learner, colleague, admin")
)
def test_who_asks(as_caller: Caller, customer: Customer, caller: str, status: int) -> None:
    client = as_caller(caller)
    before = rows(*TABLES)

    response = post(client, LICENSE_REQUESTS, customer)

    assert response.status_code == status, response.content
    assert (rows(*TABLES) == before) == (status != 201)
    if status == 403 and caller != "reading service":
        assert response.json() == {"detail": ASKS}


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s200=ACTING))
def test_who_decides_on_license_requests(
    as_caller: Caller, plan: SubscriptionPlan, asked: LicenseRequest, caller: str, status: int
) -> None:
    other: LicenseRequest = LicenseRequestFactory.create(customer=asked.customer)
    bodies: dict[str, dict[str, Any]] = {
        "approve": {"subscription_plan_uuid": str(plan.uuid)},
        "decline": {},
    }
    client = as_caller(caller)

    for (act, body), request in zip(bodies.items(), (asked, other), strict=True):
        path = f"{LICENSE_REQUESTS}{act}/"
        assert_decides(client, caller, path, request, status, body)


@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s200=ACTING))
def test_who_decides_on_code_requests(
    as_caller: Caller, coupon: Coupon, caller: str, status: int
) -> None:
    requests = CouponCodeRequestFactory.create_batch(2, customer=coupon.customer)
    bodies: dict[str, dict[str, Any]] = {
        "approve": {"coupon_id": coupon.pk},
        "decline": {"unlink_users_from_enterprise": True},
    }
    client = as_caller(caller)

    for (act, body), request in zip(bodies.items(), requests, strict=True):
        path = f"{CODE_REQUESTS}{act}/"
        assert_decides(client, caller, path, request, status, body)


def assert_decides(
    client: APIClient,
    caller: str,
    path: str,
    request: SubsidyRequest,
    status: int,
    body: Mapping[str, Any],
) -> None:
    before = rows(*TABLES)

    response = decide(client, path, request.customer, request, **body)

    assert response.status_code == status, response.content
    assert (rows(*TABLES) == before) == (status != 200)
    if status == 403 and caller != "reading service":
        assert response.json() == {"detail": DECIDES}


@pytest.mark.parametrize(
    ("caller", "status"), matrix(404, s401="anonymous", s200=f"learner, colleague, {SEEING}")
)
def test_who_sees_what_can_be_asked(
    as_caller: Caller,
    configuration: SubsidyRequestCustomerConfiguration,
    caller: str,
    status: int,
) -> None:
    client = as_caller(caller)

    told = client.get(f"{CONFIGURATIONS}{configuration.customer.uuid}/")
    listed = client.get(CONFIGURATIONS)

    assert told.status_code == status
    if caller != "anonymous":
        assert listed.json()["count"] == (1 if status == 200 else 0)


@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s201=ACTING))
def test_who_configures(as_caller: Caller, customer: Customer, caller: str, status: int) -> None:
    client = as_caller(caller)
    before = rows(*TABLES)

    response = post(client, CONFIGURATIONS, customer, subsidy_type="license")

    assert response.status_code == status, response.content
    assert (rows(*TABLES) == before) == (status != 201)


@pytest.mark.parametrize(("caller", "status"), matrix(403, s401="anonymous", s200=ACTING))
def test_who_changes_what_can_be_asked(
    as_caller: Caller,
    configuration: SubsidyRequestCustomerConfiguration,
    caller: str,
    status: int,
) -> None:
    client = as_caller(caller)
    before = rows(*TABLES)

    response = client.patch(
        f"{CONFIGURATIONS}{configuration.customer.uuid}/",
        {"subsidy_requests_enabled": False},
        format="json",
    )

    assert response.status_code == status, response.content
    assert (rows(*TABLES) == before) == (status != 200)

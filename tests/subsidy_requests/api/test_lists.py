"""Requests as they are listed, told and counted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import Customer, License
from subsidy_requests.enums import WIRE_STATES, DecisionSource, RequestState
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from tests.letters.conftest import Statements
from tests.licenses.factories import AT, LicenseFactory
from tests.licenses.pages.now import learner
from tests.subsidy_requests.api.conftest import (
    CODE_REQUESTS,
    CONFIGURATIONS,
    LICENSE_REQUESTS,
    UNKNOWN,
)
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
)

KEYS = [
    *("uuid", "lms_user_id", "email", "course_id", "course_title", "course_partners"),
    *("enterprise_customer_uuid", "state", "reviewed_at", "reviewer_lms_user_id"),
    *("decline_reason", "created", "modified"),
]
GRANTED: dict[str, Any] = {
    "decision_source": DecisionSource.ADMIN_API,
    "reviewed_at": AT,
}


def in_state(state: RequestState, customer: Customer, **fields: Any) -> LicenseRequest:
    """A request as it stands in this state."""
    decided = state != RequestState.REQUESTED
    columns: dict[str, Any] = {
        "decision_source": DecisionSource.COMMAND if decided else "",
        "reviewed_at": AT if decided else None,
        "error_code": "internal" if state == RequestState.ERROR else "",
    }
    if state == RequestState.FULFILLED:
        columns["license"] = LicenseFactory.create(assigned=True)
    request: LicenseRequest = LicenseRequestFactory.create(
        state=state, customer=customer, **{**columns, **fields}
    )
    return request


@pytest.fixture
def of_each_state(customer: Customer) -> dict[str, LicenseRequest]:
    """One request in each state, by its name on the wire."""
    return {WIRE_STATES[state]: in_state(state, customer) for state in RequestState}


def page_of(client: APIClient, path: str = LICENSE_REQUESTS, **query: Any) -> Any:
    response = client.get(path, query)
    assert response.status_code == 200, response.content
    return response.json()


def uuids(client: APIClient, path: str = LICENSE_REQUESTS, **query: Any) -> list[UUID]:
    return [UUID(each["uuid"]) for each in page_of(client, path, **query)["results"]]


def states(client: APIClient, **query: Any) -> list[str]:
    return sorted(each["state"] for each in page_of(client, **query)["results"])


def test_a_page_says_where_it_stands(admin: APIClient, customer: Customer) -> None:
    for hour in range(3):
        LicenseRequestFactory.create(
            customer=customer, state_changed_at=AT + timedelta(hours=hour), course_id=f"C{hour}"
        )

    page = page_of(admin, page_size=2)

    assert list(page) == [
        *("next", "previous", "count", "num_pages", "current_page", "start", "results")
    ]
    assert (page["count"], page["num_pages"], page["current_page"], page["start"]) == (3, 2, 1, 0)
    assert "page=2" in page["next"]
    assert [one["course_id"] for one in page["results"]] == ["C2", "C1"]
    assert page_of(admin, page=2, page_size=2)["start"] == 2


def test_a_new_license_request_is_told_with_nulls(as_ada: APIClient, asked: LicenseRequest) -> None:
    told = as_ada.get(f"{LICENSE_REQUESTS}{asked.uuid}/").json()

    assert list(told) == [*KEYS, "subscription_plan_uuid", "license_uuid"]
    assert {name for name, value in told.items() if value is None} == {
        *("course_title", "course_partners", "reviewed_at", "reviewer_lms_user_id"),
        *("decline_reason", "subscription_plan_uuid", "license_uuid"),
    }
    assert told["email"] == "ada@example.com"
    assert told["lms_user_id"] == 77
    assert told["enterprise_customer_uuid"] == str(asked.customer.uuid)
    assert told["state"] == "requested"


def test_a_fulfilled_license_request_names_plan_license_and_reviewer(
    as_ada: APIClient, ada: User, customer: Customer
) -> None:
    license: License = LicenseFactory.create(assigned=True)
    plan = license.subscription_plan
    boss = learner(lms_user_id=5)
    granted = {"license": license, "subscription_plan": plan, "reviewer": boss, "user": ada}
    request = in_state(RequestState.FULFILLED, customer, **granted)

    told = as_ada.get(f"{LICENSE_REQUESTS}{request.uuid}/").json()

    assert told["state"] == "approved"
    assert told["license_uuid"] == str(license.uuid)
    assert told["subscription_plan_uuid"] == str(plan.uuid)
    assert told["reviewer_lms_user_id"] == 5


def test_a_fulfilled_code_request_tells_its_code(
    as_ada: APIClient, ada: User, customer: Customer
) -> None:
    code = CouponCodeFactory.create(
        coupon__customer=customer, source_request_uuid=UNKNOWN, assigned_at=AT
    )
    request: CouponCodeRequest = CouponCodeRequestFactory.create(
        **GRANTED,
        customer=customer,
        user=ada,
        state=RequestState.FULFILLED,
        reviewer=ada,
        coupon=code.coupon,
        coupon_code=code,
    )

    told = as_ada.get(f"{CODE_REQUESTS}{request.uuid}/").json()

    assert list(told) == [*KEYS, "coupon_id", "coupon_code"]
    assert (told["coupon_id"], told["coupon_code"]) == (code.coupon_id, code.code)


def test_a_learner_sees_own_requests_of_all_customers_and_no_other(
    as_ada: APIClient, ada: User, customer: Customer
) -> None:
    own = [LicenseRequestFactory.create(user=ada) for _ in range(2)]
    foreign = LicenseRequestFactory.create(customer=customer)

    assert set(uuids(as_ada)) == {one.uuid for one in own}
    assert as_ada.get(f"{LICENSE_REQUESTS}{foreign.uuid}/").status_code == 404


@pytest.mark.parametrize("state", WIRE_STATES.values())
@pytest.mark.usefixtures("of_each_state")
def test_filters_by_each_state_as_clients_call_it(admin: APIClient, state: str) -> None:
    assert states(admin, state=state) == [state]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (",declined,", ["declined"]),
        ("pending,approved", ["approved", "pending"]),
        ("fulfilled", []),
        ("nonsense", []),
        ("nonsense,error", ["error"]),
        ("", sorted(WIRE_STATES.values())),
    ],
)
@pytest.mark.usefixtures("of_each_state")
def test_filters_by_several_states(admin: APIClient, asked: str, expected: list[str]) -> None:
    assert states(admin, state=asked) == expected


def test_filters_and_searches(admin: APIClient, customer: Customer) -> None:
    bob, cleo = learner(email="bob@example.com"), learner(email="cleo@example.org")
    bobs = LicenseRequestFactory.create(customer=customer, user=bob, course_id="edX+A")
    cleos = LicenseRequestFactory.create(customer=customer, user=cleo, course_id="edX+B")
    both = {bobs.uuid, cleos.uuid}

    assert uuids(admin, user__email="Bob@Example.com") == [bobs.uuid]
    assert uuids(admin, user__email="bob") == []
    assert uuids(admin, course_id="edX+B") == [cleos.uuid]
    assert uuids(admin, uuid=str(bobs.uuid)) == [bobs.uuid]
    assert set(uuids(admin, enterprise_customer_uuid=str(customer.uuid))) == both
    assert uuids(admin, enterprise_customer_uuid=str(UNKNOWN)) == []
    assert uuids(admin, search="EXAMPLE.org") == [cleos.uuid]
    assert set(uuids(admin, search="example", uuid="", page_size=500)) == both


def test_orders_by_what_it_tells(admin: APIClient, customer: Customer) -> None:
    older = in_state(RequestState.APPROVED, customer, course_id="B")
    newer = in_state(
        RequestState.DECLINED, customer, course_id="A", state_changed_at=AT + timedelta(days=1)
    )

    assert uuids(admin) == uuids(admin, ordering="nonsense") == [newer.uuid, older.uuid]
    assert uuids(admin, ordering="created") == [older.uuid, newer.uuid]
    assert uuids(admin, ordering="course_id") == [newer.uuid, older.uuid]
    assert uuids(admin, ordering="-user__email,uuid") == uuids(admin, ordering="-email")
    # By `declined` and `pending`, not by what the portal calls them.
    assert uuids(admin, ordering="state") == [newer.uuid, older.uuid]


@pytest.mark.parametrize("name", ["uuid", "enterprise_customer_uuid"])
def test_a_filter_that_is_no_uuid_is_refused(admin: APIClient, name: str) -> None:
    response = admin.get(LICENSE_REQUESTS, {name: "northern"})

    assert response.status_code == 400
    assert response.json() == {name: ["Enter a valid UUID."]}


@pytest.mark.parametrize("method", ["put", "delete", "head", "options", "patch"])
def test_other_methods_are_not_known(admin: APIClient, method: str) -> None:
    assert getattr(admin, method)(LICENSE_REQUESTS).status_code == 405


def test_counts_are_those_of_the_list(
    admin: APIClient, customer: Customer, of_each_state: dict[str, LicenseRequest]
) -> None:
    in_state(RequestState.DECLINED, customer)
    in_state(RequestState.REQUESTED, LicenseRequestFactory.create().customer)
    query = {"enterprise_customer_uuid": str(customer.uuid)}

    counts = page_of(admin, f"{LICENSE_REQUESTS}overview/", **query)

    assert counts[0] == {"state": "declined", "count": 2}
    assert {one["state"]: one["count"] for one in counts} == {
        state: len(uuids(admin, state=state, **query)) for state in of_each_state
    }
    narrowed = page_of(admin, f"{LICENSE_REQUESTS}overview/", state="error,pending", **query)
    assert {one["state"] for one in narrowed} == {"error", "pending"}
    assert page_of(admin, f"{LICENSE_REQUESTS}overview/", search="nobody", **query) == []


@pytest.mark.parametrize(
    ("caller", "status", "answer"),
    [
        ("superuser", 400, "enterprise_customer_uuid query param is required"),
        ("desk", 403, {"detail": "Missing: requests.has_admin_access"}),
        ("admin", 403, {"detail": "Missing: requests.has_admin_access"}),
    ],
)
def test_counts_are_of_one_customer(as_caller: Any, caller: str, status: int, answer: Any) -> None:
    response = as_caller(caller).get(f"{LICENSE_REQUESTS}overview/")

    assert (response.status_code, response.json()) == (status, answer)


def test_a_customer_that_is_no_uuid_cannot_be_counted(admin: APIClient) -> None:
    response = admin.get(f"{LICENSE_REQUESTS}overview/", {"enterprise_customer_uuid": "northern"})

    assert response.status_code == 400
    assert response.json() == {"detail": "northern is not a valid uuid."}


def test_requests_for_credit_are_an_empty_page(as_ada: APIClient) -> None:
    page = page_of(as_ada, "/api/v1/learner-credit-requests/")

    assert page["results"] == []
    assert (page["count"], page["num_pages"], page["next"]) == (0, 1, None)


@pytest.mark.parametrize("caller", ["admin", "desk"])
@pytest.mark.parametrize("path", ["", "overview/"])
def test_one_and_fifty_cost_as_many_statements(
    as_caller: Any, customer: Customer, statements: Statements, path: str, caller: str
) -> None:
    client = as_caller(caller)
    query = {"enterprise_customer_uuid": str(customer.uuid)}
    costs = []
    for count in (1, 49):
        for _ in range(count):
            in_state(RequestState.DECLINED, customer, reviewer=learner())
        with statements.counted() as texts:
            page_of(client, f"{LICENSE_REQUESTS}{path}", **query)
        costs.append(len(texts))

    assert costs[0] == costs[1] <= 6, statements.texts


def test_fifty_code_requests_and_configurations_cost_six_statements_at_most(
    as_caller: Any, statements: Statements
) -> None:
    client = as_caller("desk")
    for request in CouponCodeRequestFactory.create_batch(50):
        ConfigurationFactory.create(customer=request.customer, changed_by=request.user)

    for path in (CODE_REQUESTS, CONFIGURATIONS):
        with statements.counted() as texts:
            assert page_of(client, path)["count"] == 50
        assert len(texts) <= 6, texts


def test_staff_without_the_permission_sees_nothing(as_caller: Any, asked: LicenseRequest) -> None:
    client = as_caller("manager")
    User.objects.filter(is_staff=True).get().user_permissions.set(Permission.objects.none())

    assert uuids(client) == []
    assert client.get(f"{LICENSE_REQUESTS}{asked.uuid}/").status_code == 404

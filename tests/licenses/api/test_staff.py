"""What staff and the services around the LMS ask: whose licenses, and to erase a person."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import License, SubscriptionPlan
from tests.licenses.api.conftest import EVERYTHING, allow, client_of
from tests.licenses.factories import statuses
from tests.licenses.pages.now import give, learner, plan_now


def look_up(client: APIClient, body: Any) -> Any:
    return client.post("/api/v1/staff_lookup_licenses", body, format="json")


def test_staff_find_all_licenses_of_an_address(
    manager: APIClient, plan: SubscriptionPlan, assigned: License, ada: User
) -> None:
    give(plan_now(1, title="Silver"), ada)

    response = look_up(manager, {"user_email": "ADA@example.com"})

    told = response.json()
    assert [each["subscription_plan_title"] for each in told] == ["Gold", "Silver"]
    assert list(told[0]) == [
        "status",
        "assigned_date",
        "activation_date",
        "revoked_date",
        "last_remind_date",
        "subscription_plan_title",
        "subscription_plan_expiration_date",
        "activation_link",
    ]
    assert str(assigned.activation_key) in told[0]["activation_link"]


@pytest.mark.parametrize("body", [{}, {"user_email": ""}, {"user_email": None}, [], "text"])
def test_a_look_up_needs_an_address(manager: APIClient, body: Any) -> None:
    response = look_up(manager, body)

    assert response.status_code == 400
    assert response.json() == "A ``user_email`` is required in the request data"


def test_an_address_without_licenses_is_not_found(manager: APIClient) -> None:
    response = look_up(manager, {"user_email": "nobody@example.com"})

    assert (response.status_code, response.content) == (404, b"")


@pytest.fixture
def retiring() -> APIClient:
    person = learner()
    allow(person, "retire_user", *EVERYTHING)
    return client_of(person)


def retire(client: APIClient, **body: Any) -> Any:
    return client.post("/api/v1/retire_user/", body, format="json")


def test_a_person_who_leaves_is_erased(retiring: APIClient, ada: User, assigned: License) -> None:
    response = retire(retiring, lms_user_id=77, original_username="ada")

    ada.refresh_from_db()
    assert (response.status_code, response.content) == (204, b"")
    assert ada.is_retired
    assert not License.objects.exclude(user_email="").exists()
    assert not License.history.exclude(user_email="").exists()


def test_licenses_of_an_unknown_account_are_erased_nevertheless(
    retiring: APIClient, plan: SubscriptionPlan, activated: License, ada: User
) -> None:
    User.objects.filter(pk=ada.pk).update(lms_user_id=None)

    response = retire(retiring, lms_user_id=77, original_username="somebody")

    assert (response.status_code, response.content) == (404, b"")
    assert statuses(plan) == {"unassigned": 5}


def test_an_account_is_found_by_its_id_in_the_lms(retiring: APIClient, ada: User) -> None:
    response = retire(retiring, lms_user_id=77, original_username="her-name-there")

    ada.refresh_from_db()
    assert response.status_code == 204
    assert ada.is_retired


def test_the_name_of_one_and_the_id_of_another_erase_nobody(
    retiring: APIClient, ada: User, assigned: License
) -> None:
    response = retire(retiring, lms_user_id=78, original_username="ada")

    ada.refresh_from_db()
    assert response.status_code == 400
    assert not ada.is_retired
    assert License.objects.get(pk=assigned.pk).user_email == "ada@example.com"


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "lms_user_id"),
        ({"lms_user_id": 0, "original_username": "ada"}, "lms_user_id"),
        ({"lms_user_id": 77}, "original_username"),
    ],
)
def test_retiring_needs_both_the_id_and_the_name(
    retiring: APIClient, ada: User, body: dict[str, Any], missing: str
) -> None:
    response = retire(retiring, **body)

    assert response.status_code == 400
    assert response.json() == {
        "detail": f'Required field "{missing}" missing or missing value in retirement request"'
    }
    assert not User.objects.get(pk=ada.pk).is_retired

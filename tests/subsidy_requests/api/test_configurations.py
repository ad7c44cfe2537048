"""What customers' learners can ask for, by the old service's clients."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from licenses.models import Customer
from subsidy_requests.enums import DecisionSource
from subsidy_requests.models import LicenseRequest, SubsidyRequestCustomerConfiguration
from tests.licenses.api.conftest import Caller
from tests.subsidy_requests.api.conftest import CONFIGURATIONS, UNKNOWN, post
from tests.subsidy_requests.factories import ConfigurationFactory


def change(client: APIClient, customer: Customer, **body: Any) -> Any:
    return client.patch(f"{CONFIGURATIONS}{customer.uuid}/", body, format="json")


def test_is_off_and_without_a_type_unless_said(admin: APIClient, customer: Customer) -> None:
    response = post(admin, CONFIGURATIONS, customer)

    assert response.status_code == 201, response.content
    assert response.json() == {
        "enterprise_customer_uuid": str(customer.uuid),
        "subsidy_requests_enabled": False,
        "subsidy_type": None,
        "changed_by_lms_user_id": 5,
    }


def test_there_is_one_for_each_customer(
    admin: APIClient, configuration: SubsidyRequestCustomerConfiguration
) -> None:
    response = post(admin, CONFIGURATIONS, configuration.customer, subsidy_type="coupon")

    assert response.status_code == 400
    told = "subsidy request customer configuration with this enterprise customer uuid"
    assert response.json() == {"enterprise_customer_uuid": [f"{told} already exists."]}
    configuration.refresh_from_db()
    assert configuration.subsidy_type == "license"


def test_a_customer_must_exist(as_caller: Caller) -> None:
    response = post(as_caller("desk"), CONFIGURATIONS, UNKNOWN)

    assert response.status_code == 400
    assert response.json() == {"enterprise_customer_uuid": ["There is no such customer."]}


def test_history_names_who_changed_it(
    admin: APIClient, configuration: SubsidyRequestCustomerConfiguration
) -> None:
    response = change(admin, configuration.customer, subsidy_requests_enabled=False)

    assert response.status_code == 200, response.content
    assert response.json()["subsidy_requests_enabled"] is False
    newest = configuration.history.latest()
    assert newest.history_user.lms_user_id == 5
    assert newest.cause == "api:change_configuration"


def test_another_type_declines_what_waits(
    admin: APIClient, asked: LicenseRequest, configuration: SubsidyRequestCustomerConfiguration
) -> None:
    response = change(admin, asked.customer, subsidy_type=None, send_notification=True)

    assert response.status_code == 200, response.content
    assert response.json()["subsidy_type"] is None
    asked.refresh_from_db()
    assert (asked.state, asked.decision_source) == ("declined", DecisionSource.TYPE_CHANGE)


def test_a_customer_is_not_changed(
    admin: APIClient, configuration: SubsidyRequestCustomerConfiguration
) -> None:
    response = change(admin, configuration.customer, enterprise_customer_uuid=str(UNKNOWN))

    assert response.status_code == 200
    assert response.json()["enterprise_customer_uuid"] == str(configuration.customer.uuid)


def test_a_missing_one_cannot_be_changed(
    admin: APIClient, as_caller: Caller, customer: Customer
) -> None:
    response = change(admin, customer, subsidy_requests_enabled=True)

    assert (response.status_code, response.json()) == (404, {"detail": "Not found."})
    assert not SubsidyRequestCustomerConfiguration.objects.exists()
    unknown = Customer(uuid=UNKNOWN)
    assert change(as_caller("desk"), unknown).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"subsidy_type": "learner_credit"},
        {"subsidy_type": ["license"]},
        {"subsidy_requests_enabled": "perhaps"},
    ],
)
def test_refuses_what_it_does_not_know(
    admin: APIClient,
    configuration: SubsidyRequestCustomerConfiguration,
    body: dict[str, Any],
) -> None:
    response = change(admin, configuration.customer, **body)

    assert response.status_code == 400
    assert list(response.json()) == list(body)


def test_filters_and_orders(as_caller: Caller) -> None:
    licenses = ConfigurationFactory.create().customer.uuid
    codes = ConfigurationFactory.create(coupons=True, disabled=True).customer.uuid
    client = as_caller("viewer")

    def found(**query: Any) -> list[str]:
        results = client.get(CONFIGURATIONS, query).json()["results"]
        return [one["enterprise_customer_uuid"] for one in results]

    assert found(subsidy_type="coupon") == [str(codes)]
    assert found(subsidy_requests_enabled="true") == [str(licenses)]
    assert found(subsidy_requests_enabled="False") == [str(codes)]
    assert found(enterprise_customer_uuid=str(licenses)) == [str(licenses)]
    assert found(ordering="subsidy_type") == [str(codes), str(licenses)]
    assert found(ordering="-subsidy_type") == [str(licenses), str(codes)]
    refused = client.get(CONFIGURATIONS, {"subsidy_type": "credit"})
    assert refused.status_code == 400
    assert refused.json() == {
        "subsidy_type": ["Select a valid choice. credit is not one of the available choices."]
    }

"""What learners ask for: their licenses, activation, a license without asking, their plans."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from licenses.models import Customer, License, SubscriptionPlan
from licenses.services import revoke_licenses
from tests.letters.conftest import Statements
from tests.licenses.api.conftest import V1, client_of
from tests.licenses.factories import CustomerLearnerFactory, by_at, statuses
from tests.licenses.pages.now import NOW, give, learner, plan_now, take

OWN = f"{V1}learner-licenses/"
PORTAL = {"include_revoked": "true", "current_plans_only": "false"}


def own(person: User, customer: Customer, **query: Any) -> Any:
    query = {"enterprise_customer_uuid": str(customer.uuid), **query}
    response = client_of(person).get(OWN, query)
    assert response.status_code == 200, response.content
    return response.json()


def uuids(page: Any) -> list[str]:
    return [each["uuid"] for each in page["results"]]


def more_of(customer: Customer, seats: int = 1, **fields: Any) -> SubscriptionPlan:
    """One more plan of the customer."""
    return plan_now(seats, customer_agreement=customer.agreement, **fields)


def test_a_learner_gets_their_license_with_plan_and_agreement(
    ada: User, customer: Customer, activated: License
) -> None:
    page = own(ada, customer)

    [license] = page["results"]
    assert license["uuid"] == str(activated.uuid)
    assert license["status"] == "activated"
    assert license["user_email"] == "ada@example.com"
    assert license["subscription_plan"]["days_until_expiration"] == 12
    assert license["customer_agreement"] == page["customer_agreement"]
    assert page["customer_agreement"]["net_days_until_expiration"] == 12


def test_the_customer_must_be_named(ada: User) -> None:
    response = client_of(ada).get(OWN)

    assert response.status_code == 400
    assert response.json() == "missing enterprise_customer_uuid query param"


def test_a_customer_is_named_by_uuid(ada: User) -> None:
    response = client_of(ada).get(OWN, {"enterprise_customer_uuid": "acme"})

    assert response.status_code == 400
    assert response.json() == {"detail": "acme is not a valid uuid."}


def test_licenses_are_found_by_address_and_by_id_whatever_the_case(
    customer: Customer, plan: SubscriptionPlan
) -> None:
    grace = learner(email="Grace@Example.com", lms_user_id=5)
    CustomerLearnerFactory.create(customer=customer, user=grace)
    [by_address] = give(plan, grace)
    second = more_of(customer)
    [by_id] = take(second, grace)
    License.objects.filter(pk=by_id.pk).update(user_email="grace@old.example.com")

    assert uuids(own(grace, customer)) == [str(by_id.uuid), str(by_address.uuid)]


def test_nobody_without_address_and_id_is_anybody(customer: Customer, activated: License) -> None:
    stranger = learner(email="", lms_user_id=None)
    CustomerLearnerFactory.create(customer=customer, user=stranger)
    License.objects.filter(pk=activated.pk).update(user_email="")

    assert uuids(own(stranger, customer)) == []


def test_only_active_and_current_plans_count_unless_others_are_asked_for(
    ada: User, customer: Customer, activated: License
) -> None:
    [ended] = give(more_of(customer, days_left=-3), ada)
    inactive_plan = more_of(customer)
    [inactive] = give(inactive_plan, ada)
    SubscriptionPlan.objects.filter(pk=inactive_plan.pk).update(is_active=False)

    assert uuids(own(ada, customer)) == [str(activated.uuid)]
    assert uuids(own(ada, customer, current_plans_only="False")) == [
        str(activated.uuid),
        str(ended.uuid),
    ]
    assert uuids(own(ada, customer, active_plans_only="false")) == [
        str(activated.uuid),
        str(inactive.uuid),
    ]


def test_revoked_licenses_are_told_when_asked_for(
    ada: User, customer: Customer, plan: SubscriptionPlan, activated: License
) -> None:
    revoke_licenses(plan_uuid=plan.uuid, emails=[ada.email], by=by_at(NOW))

    assert uuids(own(ada, customer)) == []
    [told] = own(ada, customer, include_revoked="true")["results"]
    assert told["status"] == "revoked"


def test_licenses_are_filtered_searched_and_ordered(
    ada: User, customer: Customer, activated: License
) -> None:
    [given] = give(more_of(customer), ada)

    assert uuids(own(ada, customer, status="assigned")) == [str(given.uuid)]
    assert uuids(own(ada, customer, search="ADA")) == [str(activated.uuid), str(given.uuid)]
    assert uuids(own(ada, customer, search="bob")) == []
    assert uuids(own(ada, customer, ordering="-status")) == [str(given.uuid), str(activated.uuid)]
    assert uuids(own(ada, customer, ordering="nonsense")) == [str(activated.uuid), str(given.uuid)]


def test_a_page_says_where_it_stands(ada: User, customer: Customer, activated: License) -> None:
    for _ in range(2):
        give(more_of(customer), ada)

    page = own(ada, customer, page="2", page_size="2")

    facts = {name: page[name] for name in ("count", "num_pages", "current_page", "start", "next")}
    assert facts == {"count": 3, "num_pages": 2, "current_page": 2, "start": 2, "next": None}
    assert "page_size=2" in page["previous"]
    assert len(page["results"]) == 1


def test_another_customers_agreement_is_not_told(ada: User, assigned: License) -> None:
    foreign = plan_now(1)

    page = own(ada, foreign.customer_agreement.customer)

    assert (page["results"], page["customer_agreement"]) == ([], None)


def test_a_customer_without_agreement_has_nothing_to_tell(ada: User) -> None:
    link = CustomerLearnerFactory.create(user=ada)

    page = own(ada, link.customer)

    assert (page["count"], page["customer_agreement"]) == (0, None)


def test_an_unlinked_learner_still_sees_their_license(
    ada: User, customer: Customer, activated: License
) -> None:
    customer.learners.update(status="unlinked", unlinked_at=NOW)

    assert uuids(own(ada, customer)) == [str(activated.uuid)]


def test_reading_writes_nothing(ada: User, customer: Customer, activated: License) -> None:
    License.objects.filter(pk=activated.pk).update(user_email="former@example.com")
    client = client_of(ada)

    with connection.execute_wrapper(_refuse_writes):
        response = client.get(OWN, {"enterprise_customer_uuid": str(customer.uuid), **PORTAL})

    assert response.status_code == 200
    assert response.json()["results"][0]["user_email"] == "former@example.com"


def _refuse_writes(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    assert sql.lstrip().upper().startswith("SELECT"), sql
    return execute(sql, params, many, context)


def test_one_license_costs_six_statements_and_ten_cost_as_many(
    ada: User, customer: Customer, activated: License, statements: Statements
) -> None:
    client = client_of(ada)
    query = {"enterprise_customer_uuid": str(customer.uuid), "page_size": "100", **PORTAL}

    with statements.counted() as for_one:
        client.get(OWN, query)
    for _ in range(9):
        give(more_of(customer), ada)
    with statements.counted() as for_ten:
        told = client.get(OWN, query).json()

    # The session and its person among them.
    assert (len(for_one), len(for_ten)) == (6, 6)
    assert told["count"] == 10


def activate(person: User, key: Any) -> Any:
    return client_of(person).post(f"{V1}license-activation/?activation_key={key}")


def test_a_learner_activates_their_license(ada: User, assigned: License) -> None:
    response = activate(ada, assigned.activation_key)

    assigned.refresh_from_db()
    assert response.status_code == 200
    assert response.json()["status"] == "activated"
    assert response.json()["subscription_plan"]["title"] == "Gold"
    assert (assigned.status, assigned.lms_user_id) == ("activated", 77)


def test_activating_again_changes_nothing(ada: User, activated: License) -> None:
    response = activate(ada, activated.activation_key)

    assert response.status_code == 200
    assert License.history.filter(id=activated.pk).count() == 3


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "activation_key is a required parameter"),
        ("?activation_key=", "activation_key is a required parameter"),
        ("?activation_key=nonsense", "nonsense is not a valid activation key."),
    ],
)
def test_an_activation_key_is_a_uuid(ada: User, query: str, detail: str) -> None:
    response = client_of(ada).post(f"{V1}license-activation/{query}")

    assert response.status_code == 400
    assert response.json() == {"detail": detail}


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
def test_only_ones_own_key_activates(assigned: License, whose: str) -> None:
    key = uuid4() if whose == "nobody's" else assigned.activation_key

    response = activate(learner(), key)

    assigned.refresh_from_db()
    assert response.status_code == 404
    assert response.json() == {"detail": "No License matches the given query."}
    assert assigned.status == "assigned"


def test_a_revoked_license_is_not_activated(
    ada: User, plan: SubscriptionPlan, assigned: License
) -> None:
    revoke_licenses(plan_uuid=plan.uuid, emails=[ada.email], by=by_at(NOW))

    response = activate(ada, assigned.activation_key)

    assert response.status_code == 422
    assert response.json() == (
        f"Action: activation failed for license: {assigned.uuid} because:"
        " Cannot activate a revoked license."
    )


def auto_apply(client: APIClient, plan: SubscriptionPlan) -> Any:
    return client.post(f"{V1}customer-agreement/{plan.customer_agreement.uuid}/auto-apply/")


@pytest.fixture
def giving(plan: SubscriptionPlan) -> SubscriptionPlan:
    """The plan, which gives licenses without being asked."""
    SubscriptionPlan.objects.filter(pk=plan.pk).update(should_auto_apply_licenses=True)
    plan.refresh_from_db()
    return plan


def test_a_learner_takes_a_license(ada: User, giving: SubscriptionPlan) -> None:
    response = auto_apply(client_of(ada), giving)

    told = response.json()
    license = License.objects.get(uuid=told["uuid"])
    assert response.status_code == 200
    assert (license.status, license.user_email) == ("activated", "ada@example.com")
    agreement = told["customer_agreement"]
    assert agreement["subscription_for_auto_applied_licenses"] == str(giving.uuid)


def test_a_learner_keeps_the_license_they_hold(
    ada: User, giving: SubscriptionPlan, assigned: License
) -> None:
    response = auto_apply(client_of(ada), giving)

    assert response.status_code == 200
    assert response.json()["uuid"] == str(assigned.uuid)
    assert statuses(giving) == {"assigned": 1, "unassigned": 4}


def test_no_plan_gives_licenses(ada: User, plan: SubscriptionPlan) -> None:
    response = auto_apply(client_of(ada), plan)

    assert response.status_code == 422
    assert response.json() == (
        "License was unable to be automatically applied. "
        "Please contact your administrator for further assistance."
    )


def test_a_revoked_learner_takes_no_license(
    ada: User, giving: SubscriptionPlan, assigned: License
) -> None:
    revoke_licenses(plan_uuid=giving.uuid, emails=[ada.email], by=by_at(NOW))

    response = auto_apply(client_of(ada), giving)

    assert response.status_code == 422
    assert response.json() == (
        "You are not eligible for an auto-applied license. "
        "Please contact your administrator for further assistance."
    )


def test_no_seat_is_left_to_take(ada: User, giving: SubscriptionPlan) -> None:
    give(giving, *(learner() for _ in range(5)))

    response = auto_apply(client_of(ada), giving)

    assert response.status_code == 422
    assert response.json() == (
        "There are no licenses remaining in your organization. "
        "Please contact your administrator for further assistance."
    )


def test_only_the_customers_people_take_licenses(giving: SubscriptionPlan) -> None:
    response = auto_apply(client_of(learner()), giving)

    assert response.status_code == 404
    assert not License.objects.live().exists()


def test_learners_see_active_plans_of_the_customer_they_name(
    ada: User, customer: Customer, plan: SubscriptionPlan
) -> None:
    SubscriptionPlan.objects.filter(pk=more_of(customer).pk).update(is_active=False)
    client = client_of(ada)

    named = client.get(
        f"{V1}learner-subscriptions/", {"enterprise_customer_uuid": str(customer.uuid)}
    ).json()
    unnamed = client.get(f"{V1}learner-subscriptions/").json()

    assert uuids(named) == [str(plan.uuid)]
    assert unnamed == {"count": 0, "next": None, "previous": None, "results": []}


def test_learners_see_their_own_license_of_a_plan(
    ada: User, plan: SubscriptionPlan, assigned: License
) -> None:
    give(plan, learner())

    page = client_of(ada).get(f"{V1}subscriptions/{plan.uuid}/license/").json()

    assert uuids(page) == [str(assigned.uuid)]
    assert list(page) == ["count", "next", "previous", "results"]

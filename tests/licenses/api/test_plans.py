"""Agreements and plans: what they tell, which ones, at what cost."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from licenses.models import Customer, PlanType, Product, SubscriptionPlan
from tests.letters.conftest import Statements
from tests.licenses.api.conftest import V1
from tests.licenses.factories import DAY, HOUR, RenewalFactory
from tests.licenses.pages.now import NOW, give, learner, plan_now, take

PLANS = f"{V1}subscriptions/"
AGREEMENTS = f"{V1}customer-agreement/"


def told(client: APIClient, plan: SubscriptionPlan) -> Any:
    return client.get(f"{PLANS}{plan.uuid}/").json()


def agreement(client: APIClient, customer: Customer, **query: Any) -> Any:
    [one] = client.get(
        AGREEMENTS, {"enterprise_customer_uuid": str(customer.uuid), **query}
    ).json()["results"]
    return one


def change(plan: SubscriptionPlan, **fields: Any) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(**fields)


def following(plan: SubscriptionPlan, **fields: Any) -> SubscriptionPlan:
    """A plan of the same agreement that begins when this one ends, for a year."""
    begins = plan.expiration_date
    fields = {"start_date": begins, "expiration_date": begins + 365 * DAY, **fields}
    return plan_now(customer_agreement=plan.customer_agreement, **fields)


def test_a_plan_counts_its_seats(admin: APIClient, plan: SubscriptionPlan) -> None:
    take(plan, learner())
    give(plan, learner(), learner())

    assert told(admin, plan)["licenses"] == {
        "activated": 1,
        "assigned": 2,
        "unassigned": 2,
        "revoked": 0,
        "total": 5,
        "allocated": 3,
    }


def test_days_are_whole_and_rounded_down(admin: APIClient, plan: SubscriptionPlan) -> None:
    change(plan, expiration_date=NOW + DAY + HOUR)
    tomorrow = told(admin, plan)
    change(plan, expiration_date=NOW - HOUR)
    ended = told(admin, plan)

    assert (tomorrow["days_until_expiration"], tomorrow["is_current"]) == (1, True)
    assert (ended["days_until_expiration"], ended["is_current"]) == (-1, False)


def test_renewals_prolong_a_plan_and_lead_to_the_next(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    second = following(plan)
    third = following(second)
    RenewalFactory.create(prior_subscription_plan=plan, renewed_subscription_plan=second)
    RenewalFactory.create(prior_subscription_plan=second, renewed_subscription_plan=third)
    RenewalFactory.create(prior_subscription_plan=third)

    first, last = told(admin, plan), told(admin, third)

    assert first["days_until_expiration_including_renewals"] == 12 + 3 * 365
    assert first["prior_renewals"] == []
    assert [
        (each["prior_subscription_plan_id"], each["renewed_subscription_plan_id"])
        for each in last["prior_renewals"]
    ] == [(str(plan.uuid), str(second.uuid)), (str(second.uuid), str(third.uuid))]


def test_a_capped_plan_tells_its_revocations(admin: APIClient, plan: SubscriptionPlan) -> None:
    uncapped = told(admin, plan)
    change(
        plan, is_revocation_cap_enabled=True, revoke_max_percentage=50, num_revocations_applied=1
    )

    assert uncapped["revocations"] is None
    assert told(admin, plan)["revocations"] == {"applied": 1, "remaining": 2}


def test_a_plan_tells_the_kind_of_its_product(admin: APIClient, plan: SubscriptionPlan) -> None:
    none = told(admin, plan)
    kind, _ = PlanType.objects.get_or_create(label="Trial")
    change(
        plan,
        product=Product.objects.create(name="A trial", plan_type=kind),
        salesforce_opportunity_line_item="00k000000000000000",
    )
    trial = told(admin, plan)

    assert (none["plan_type"], none["salesforce_opportunity_line_item"]) == (None, None)
    assert trial["plan_type"] == "Trial"
    assert trial["salesforce_opportunity_line_item"] == "00k000000000000000"


def test_with_a_customer_only_active_plans_are_listed(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    inactive = following(plan, is_active=False)

    named = admin.get(PLANS, {"enterprise_customer_uuid": str(customer.uuid)}).json()["results"]
    unnamed = admin.get(PLANS).json()["results"]

    assert [each["uuid"] for each in named] == [str(plan.uuid)]
    assert [each["uuid"] for each in unnamed] == [str(inactive.uuid), str(plan.uuid)]


def test_current_plans_are_asked_for_with_a_customer(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    following(plan)

    response = admin.get(PLANS, {"current": "true", "enterprise_customer_uuid": str(customer.uuid)})
    refused = admin.get(PLANS, {"current": "true"})

    assert [each["uuid"] for each in response.json()["results"]] == [str(plan.uuid)]
    assert refused.status_code == 400
    assert refused.json() == "missing enterprise_customer_uuid query param"


def test_a_page_of_plans_is_of_a_hundred(admin: APIClient, plan: SubscriptionPlan) -> None:
    for number in range(100):
        following(plan, title=f"More {number}")

    first, second = admin.get(PLANS).json(), admin.get(PLANS, {"page": 2}).json()
    beyond = admin.get(PLANS, {"page": 3})

    assert (first["count"], len(first["results"]), first["previous"]) == (101, 100, None)
    assert "page=2" in first["next"]
    assert (second["count"], len(second["results"]), second["next"]) == (101, 1, None)
    assert (beyond.status_code, beyond.json()) == (404, {"detail": "Invalid page."})


@pytest.mark.parametrize("page", ["0", "-1", "x", "²", "9" * 20])
def test_what_is_no_page_is_not_found(admin: APIClient, page: str) -> None:
    assert admin.get(PLANS, {"page": page}).status_code == 404


def test_an_agreement_tells_its_plans(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    inactive = following(plan, is_active=False)

    active = agreement(admin, customer)
    all_plans = agreement(admin, customer, active_plans_only="false")

    assert [each["uuid"] for each in active["subscriptions"]] == [str(plan.uuid)]
    assert [each["uuid"] for each in all_plans["subscriptions"]] == [
        str(inactive.uuid),
        str(plan.uuid),
    ]
    assert active["net_days_until_expiration"] == 12 + 365


def test_available_catalogs_are_those_of_plans_that_last(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    same = following(plan, enterprise_catalog_uuid=plan.enterprise_catalog_uuid)
    ended = plan_now(customer_agreement=plan.customer_agreement, days_left=-3)
    without = following(same, enterprise_catalog_uuid=None)
    before = agreement(admin, customer)["available_subscription_catalogs"]
    default = ended.enterprise_catalog_uuid
    type(without.customer_agreement).objects.update(default_enterprise_catalog_uuid=default)

    after = agreement(admin, customer)["available_subscription_catalogs"]

    assert before == [str(plan.enterprise_catalog_uuid)]
    assert sorted(after) == sorted([str(plan.enterprise_catalog_uuid), str(default)])


def test_an_agreement_that_ended_has_no_days_left(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    change(plan, expiration_date=NOW - 5 * DAY)

    assert agreement(admin, customer)["net_days_until_expiration"] == 0


def test_the_newest_plan_that_gives_licenses_is_named(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    newer = plan_now(customer_agreement=plan.customer_agreement)
    change(plan, should_auto_apply_licenses=True)
    older_only = agreement(admin, customer)
    change(newer, should_auto_apply_licenses=True, start_date=NOW - DAY)

    both = agreement(admin, customer)

    assert older_only["subscription_for_auto_applied_licenses"] == str(plan.uuid)
    assert both["subscription_for_auto_applied_licenses"] == str(newer.uuid)


def test_words_about_the_end_carry_no_script(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan
) -> None:
    type(plan.customer_agreement).objects.update(
        has_custom_license_expiration_messaging=True,
        modal_header_text="Goodbye",
        expired_subscription_modal_messaging="<p>It <b>ended</b>.<script>alert(1)</script></p>",
        button_label_in_modal="Learn more",
        url_for_button_in_modal="https://example.org/",
    )

    one = agreement(admin, customer)

    assert one["has_custom_license_expiration_messaging_v2"] is True
    assert one["modal_header_text_v2"] == "Goodbye"
    assert one["expired_subscription_modal_messaging_v2"] == "<p>It <b>ended</b>.</p>"


def test_one_plan_costs_five_statements_and_fifty_cost_as_many(
    admin: APIClient, customer: Customer, plan: SubscriptionPlan, statements: Statements
) -> None:
    query = {"enterprise_customer_uuid": str(customer.uuid)}
    with statements.counted() as for_one:
        admin.get(PLANS, query)
    renewed = plan
    for _ in range(49):
        prior, renewed = renewed, following(renewed)
        RenewalFactory.create(prior_subscription_plan=prior, renewed_subscription_plan=renewed)

    with statements.counted() as for_fifty:
        count = admin.get(PLANS, query).json()["count"]

    # The session and its person among them.
    assert (len(for_one), len(for_fifty)) == (5, 5)
    assert count == 50


def test_one_agreement_costs_six_statements_and_twenty_cost_as_many(
    manager: APIClient, plan: SubscriptionPlan, statements: Statements
) -> None:
    with statements.counted() as for_one:
        manager.get(AGREEMENTS)
    for _ in range(19):
        plan_now(1)

    with statements.counted() as for_twenty:
        count = manager.get(AGREEMENTS).json()["count"]

    assert (len(for_one), len(for_twenty)) == (6, 6)
    assert count == 20

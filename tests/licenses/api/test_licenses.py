"""The licenses of a plan, as its customer's administrators list, count and export them."""

import csv
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from licenses.models import License, SubscriptionPlan
from licenses.services import revoke_licenses
from tests.letters.conftest import Statements
from tests.licenses.api.conftest import V1, licenses_of
from tests.licenses.factories import by_at, plan_with_seats
from tests.licenses.pages.now import NOW, give, learner, take


@pytest.fixture
def people(plan: SubscriptionPlan) -> dict[str, License]:
    """By name: bob's license is activated, cleo's assigned, dan's revoked; three seats are free."""
    [bobs] = take(plan, learner(email="bob@example.com"))
    [cleos] = give(plan, learner(email="cleo@example.org"))
    [dans] = give(plan, learner(email="dan@example.com"))
    revoke_licenses(plan_uuid=plan.uuid, emails=["dan@example.com"], by=by_at(NOW))
    return {"bob": bobs, "cleo": cleos, "dan": dans}


def page_of(client: APIClient, plan: SubscriptionPlan, **query: Any) -> Any:
    response = client.get(licenses_of(plan), query)
    assert response.status_code == 200, response.content
    return response.json()


def emails(client: APIClient, plan: SubscriptionPlan, **query: Any) -> list[str | None]:
    return [each["user_email"] for each in page_of(client, plan, **query)["results"]]


def test_licenses_come_by_status_and_address(
    admin: APIClient, plan: SubscriptionPlan, people: dict[str, License]
) -> None:
    page = page_of(admin, plan)

    assert list(page) == ["count", "next", "previous", "results", "num_pages"]
    assert (page["count"], page["num_pages"]) == (6, 1)
    assert [(each["status"], each["user_email"]) for each in page["results"]] == [
        ("activated", "bob@example.com"),
        ("assigned", "cleo@example.org"),
        ("revoked", "dan@example.com"),
        *[("unassigned", None)] * 3,
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "assigned,revoked"}, ["cleo@example.org", "dan@example.com"]),
        ({"status": "nonsense"}, []),
        ({"search": "EXAMPLE.com"}, ["bob@example.com", "dan@example.com"]),
        ({"search": "example dan"}, ["dan@example.com"]),
        ({"active_only": "1"}, ["bob@example.com", "cleo@example.org"]),
        (
            {"ignore_null_emails": "1", "ordering": "-user_email"},
            ["dan@example.com", "cleo@example.org", "bob@example.com"],
        ),
        ({"status": "assigned", "search": "", "ordering": "", "later": "x"}, ["cleo@example.org"]),
        ({"status": "assigned", "active_only": "0"}, ["cleo@example.org"]),
    ],
)
def test_which_licenses_are_listed(
    admin: APIClient,
    plan: SubscriptionPlan,
    people: dict[str, License],
    query: dict[str, str],
    expected: list[str],
) -> None:
    assert emails(admin, plan, **query) == expected


def test_a_page_is_as_large_as_asked_for_up_to_five_hundred(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    many = plan_with_seats(501, customer_agreement=plan.customer_agreement)

    by_default, two, most = (
        page_of(admin, many, **query) for query in ({}, {"page_size": 2}, {"page_size": 10_000})
    )

    assert [len(page["results"]) for page in (by_default, two, most)] == [100, 2, 500]
    assert (two["num_pages"], most["num_pages"]) == (251, 2)


@pytest.mark.parametrize(
    "query", [{"page_size": "x"}, {"page_size": "0"}, {"active_only": "maybe"}, {"search": "\0"}]
)
def test_what_is_not_valid_is_refused(
    admin: APIClient, plan: SubscriptionPlan, query: dict[str, str]
) -> None:
    response = admin.get(licenses_of(plan), query)

    assert response.status_code == 400
    assert list(response.json()) == list(query)


def test_all_usable_licenses_of_a_large_plan_are_as_many_as_were_bought(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(desired_num_licenses=10_001)

    usable = page_of(admin, plan, status="unassigned,assigned,activated")
    free = page_of(admin, plan, status="unassigned")
    found = page_of(admin, plan, status="unassigned,assigned,activated", search="nobody")

    assert (usable["count"], usable["num_pages"], len(usable["results"])) == (10_001, 101, 5)
    assert (free["count"], found["count"]) == (5, 0)


def test_a_license_is_told_by_its_uuid(
    admin: APIClient, plan: SubscriptionPlan, people: dict[str, License]
) -> None:
    found = admin.get(licenses_of(plan, f"{people['cleo'].uuid}/"))
    unknown = admin.get(licenses_of(plan, f"{uuid4()}/"))

    assert found.json() == {
        "uuid": str(people["cleo"].uuid),
        "status": "assigned",
        "user_email": "cleo@example.org",
        "activation_date": None,
        "last_remind_date": found.json()["last_remind_date"],
        "subscription_plan_uuid": str(plan.uuid),
        "revoked_date": None,
        "activation_key": str(people["cleo"].activation_key),
    }
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "Not found.")


def test_a_license_of_another_plan_is_not_found(admin: APIClient, plan: SubscriptionPlan) -> None:
    other = plan_with_seats(1, customer_agreement=plan.customer_agreement)

    assert admin.get(licenses_of(plan, f"{other.licenses.get().uuid}/")).status_code == 404


def test_the_overview_counts_statuses_the_most_first(
    admin: APIClient, plan: SubscriptionPlan, people: dict[str, License]
) -> None:
    # EA asks without the slash.
    overview = admin.get(licenses_of(plan, "overview")).json()
    of_some = admin.get(licenses_of(plan, "overview/"), {"search": "bob"}).json()

    assert overview == [
        {"status": "unassigned", "count": 3},
        {"status": "activated", "count": 1},
        {"status": "assigned", "count": 1},
        {"status": "revoked", "count": 1},
    ]
    assert of_some == [{"status": "activated", "count": 1}]


def test_the_export_holds_whoever_has_or_had_a_license(
    admin: APIClient, plan: SubscriptionPlan, people: dict[str, License]
) -> None:
    response = admin.get(licenses_of(plan, "csv/"), headers={"accept": "text/csv"})

    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # it streams
    rows = list(csv.DictReader(StringIO(text)))
    assert response["Content-Type"] == "text/csv"
    assert text.splitlines()[0] == (
        "status,user_email,activation_date,last_remind_date,activation_link"
    )
    assert [(row["status"], row["user_email"]) for row in rows] == [
        ("activated", "bob@example.com"),
        ("assigned", "cleo@example.org"),
        ("revoked", "dan@example.com"),
    ]
    assert rows[1]["activation_link"] == (
        f"{settings.PORTAL_BASE_URL}/licenses/{people['cleo'].activation_key}/activate/"
    )


def test_no_cell_of_the_export_is_a_formula(
    admin: APIClient, plan: SubscriptionPlan, people: dict[str, License]
) -> None:
    License.objects.filter(pk=people["bob"].pk).update(user_email="=cmd|x@example.com")

    response = admin.get(licenses_of(plan, "csv/"))

    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # it streams
    assert "'=cmd|x@example.com" in text


def test_a_refused_export_is_json_whatever_is_accepted(
    as_caller: Any, plan: SubscriptionPlan
) -> None:
    response = as_caller("nobody").get(licenses_of(plan, "csv/"), headers={"accept": "text/csv"})

    assert response.status_code == 403
    assert response.json() == {"detail": "You do not have permission to perform this action."}


def test_many_licenses_cost_as_many_statements_as_one(
    admin: APIClient, plan: SubscriptionPlan, statements: Statements
) -> None:
    many = plan_with_seats(200, customer_agreement=plan.customer_agreement)

    with statements.counted() as for_few:
        page_of(admin, plan)
    with statements.counted() as for_many:
        page_of(admin, many, page_size=200)

    # The session, its person, the plan, the number, the rows.
    assert (len(for_few), len(for_many)) == (5, 5)


@pytest.mark.parametrize("path", ["subscriptions", "customer-agreement", "retire_user/"])
def test_the_slash_at_the_end_is_optional(admin: APIClient, path: str) -> None:
    with_it, without = (admin.get(f"{V1}{path.rstrip('/')}{end}") for end in ("/", ""))

    assert (with_it.status_code, with_it.json()) == (without.status_code, without.json())

"""What administrators do with licenses: assign, remind, revoke; and what nobody else sees of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from licenses.models import License, MailWording, SubscriptionPlan
from tests.letters.conftest import Statements
from tests.licenses.api.conftest import client_of, licenses_of
from tests.licenses.factories import PlanFactory, statuses
from tests.licenses.pages.now import administrator_of, give, learner, take

PENDING = "Could not find any licenses pending activation"


def act(client: APIClient, plan: SubscriptionPlan, name: str, **body: Any) -> Any:
    return client.post(licenses_of(plan, f"{name}/"), body, format="json")


def mails() -> list[str]:
    queued = OutboxMessage.objects.filter(kind="licenses.mail").order_by("pk")
    return [message.payload["notice"] for message in queued]


def test_assigning_echoes_what_the_caller_wrote(admin: APIClient, plan: SubscriptionPlan) -> None:
    response = act(admin, plan, "assign", user_emails=["Bob@Example.com", "cleo@example.com"])

    licenses = {each.user_email: str(each.uuid) for each in License.objects.live()}
    assert response.status_code == 200
    assert response.json() == {
        "num_successful_assignments": 2,
        "num_already_associated": 0,
        "license_assignments": [
            {"user_email": "Bob@Example.com", "license": licenses["bob@example.com"]},
            {"user_email": "cleo@example.com", "license": licenses["cleo@example.com"]},
        ],
    }
    assert mails() == ["assigned", "assigned"]


def test_who_holds_a_license_is_counted(
    admin: APIClient, plan: SubscriptionPlan, assigned: License
) -> None:
    response = act(
        admin, plan, "assign", user_emails=["ADA@example.com", "bob@example.com", "BOB@example.com"]
    )

    told = response.json()
    assert (told["num_successful_assignments"], told["num_already_associated"]) == (1, 1)
    assert [each["user_email"] for each in told["license_assignments"]] == ["bob@example.com"]


def test_too_few_seats_assign_nothing(admin: APIClient, plan: SubscriptionPlan) -> None:
    give(plan, learner(), learner(), learner())

    response = act(admin, plan, "assign", user_emails=[f"new{n}@example.com" for n in range(3)])

    assert response.status_code == 400
    assert response.json() == (
        "There are not enough licenses that can be assigned to complete your request."
        "You attempted to assign 3 licenses, but there are only 2 potentially available."
    )
    assert statuses(plan) == {"assigned": 3, "unassigned": 2}
    assert mails() == []


def test_learners_are_not_told_when_the_caller_says_so(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    act(admin, plan, "assign", user_emails=["bob@example.com"], notify_users=False)

    assert (statuses(plan)["assigned"], mails()) == (1, [])


def test_the_administrators_words_are_kept_for_the_mails(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    words = {"greeting": "Dear all,\n", "closing": "Yours"}
    act(admin, plan, "assign", user_emails=["bob@example.com"], **words)

    wording = MailWording.objects.get()
    assert (wording.greeting, wording.closing) == ("Dear all,\n", "Yours")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"user_emails": ["This field is required."]}),
        ({"user_emails": []}, {"user_emails": ["This list may not be empty."]}),
        ({"user_emails": ["bob"]}, {"user_emails": {"0": ["Enter a valid email address."]}}),
        ({"user_emails": [None]}, {"user_emails": {"0": ["This field may not be null."]}}),
        ({"user_emails": [7]}, {"user_emails": {"0": ["Enter a valid email address."]}}),
        (
            {"user_emails": ["bob@example.com"], "user_sfids": []},
            {"user_sfids": ["No Salesforce Ids provided."]},
        ),
        (
            {"user_emails": ["bob@example.com"], "user_sfids": ["001OE000001f26OXZP"] * 2},
            {
                "non_field_errors": [
                    "Number of Salesforce IDs did not match number of provided user emails."
                ]
            },
        ),
        (
            {"user_emails": ["bob@example.com"], "notify_users": "no"},
            {"notify_users": ["Must be a valid boolean."]},
        ),
        (
            {"user_emails": ["bob@example.com"], "greeting": "\0"},
            {"greeting": ["Null characters are not allowed."]},
        ),
    ],
)
def test_what_is_not_valid_assigns_nothing(
    admin: APIClient, plan: SubscriptionPlan, body: dict[str, Any], errors: dict[str, Any]
) -> None:
    response = act(admin, plan, "assign", **body)

    assert response.status_code == 400
    assert response.json() == errors
    assert not License.objects.live().exists()


def test_an_address_that_is_too_long_in_lower_case_is_refused(
    admin: APIClient, plan: SubscriptionPlan
) -> None:
    labels = ".".join(["İ" * 20] * 12)

    response = act(admin, plan, "assign", user_emails=[f"a@{labels}"])

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/json", b'"text"', 400),
        ("text/plain", b"x", 415),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    admin: APIClient, plan: SubscriptionPlan, content_type: str, body: bytes, status: int
) -> None:
    path = licenses_of(plan, "assign/")

    assert admin.post(path, body, content_type=content_type).status_code == status


def test_salesforce_ids_are_accepted(admin: APIClient, plan: SubscriptionPlan) -> None:
    response = act(
        admin,
        plan,
        "assign",
        user_emails=["bob@example.com", "cleo@example.com"],
        user_sfids=["001OE000001f26OXZP", None],
    )

    assert response.json()["num_successful_assignments"] == 2


def test_five_learners_cost_as_many_statements_as_one(
    admin: APIClient, plan: SubscriptionPlan, statements: Statements
) -> None:
    with statements.counted() as for_one:
        act(admin, plan, "assign", user_emails=["bob@example.com"])
    with statements.counted() as for_four:
        act(admin, plan, "assign", user_emails=[f"new{n}@example.com" for n in range(4)])

    assert len(for_one) == len(for_four)


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_somebody_holds_is_locked(
    plan: SubscriptionPlan, holding_plan: Callable[[SubscriptionPlan], AbstractContextManager[None]]
) -> None:
    client = client_of(administrator_of(plan.customer_agreement.customer))
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")

    with holding_plan(plan):
        assigning = act(client, plan, "assign", user_emails=["bob@example.com"])
        revoking = act(client, plan, "revoke-all")

    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    assert assigning.status_code == 423
    assert assigning.json() == "Assignment currently locked for this subscription plan."
    assert (revoking.status_code, revoking["Retry-After"]) == (503, "2")
    assert not License.objects.live().exists()


@pytest.fixture
def database_refuses(db: None) -> None:
    """The database refuses whatever is to be written about licenses, and quotes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION refuse_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'a bad row: %', NEW.user_email USING ERRCODE = 'check_violation';
            END $$;
            CREATE TRIGGER refuse_for_test BEFORE UPDATE ON licenses_license
                FOR EACH ROW EXECUTE FUNCTION refuse_for_test();
            """
        )


def test_what_the_database_refuses_is_told_and_no_address_is_logged(
    plan: SubscriptionPlan,
    ada: User,
    admin: APIClient,
    database_refuses: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(should_auto_apply_licenses=True)
    agreement = plan.customer_agreement

    assigning = act(admin, plan, "assign", user_emails=["bob@example.com"])
    taking = client_of(ada).post(f"/api/v1/customer-agreement/{agreement.uuid}/auto-apply/")

    assert (assigning.status_code, assigning.json()) == (
        422,
        "Database error occurred while assigning licenses, no assignments were completed",
    )
    assert taking.status_code == 422
    assert taking.json() == (
        "Database error occurred while auto-applying license,"
        " no auto-applied license was completed."
    )
    assert "assignment_failed" in caplog.text
    assert "23514" in caplog.text
    assert "@example.com" not in caplog.text


def test_learners_are_reminded(admin: APIClient, plan: SubscriptionPlan, assigned: License) -> None:
    give(plan, learner(email="bob@example.com"))

    response = act(admin, plan, "remind", user_emails=["Ada@example.com"], greeting="Hi")

    assert (response.status_code, response.content) == (204, b"")
    assert mails() == ["reminder"]


def test_nobody_is_reminded_where_somebody_has_nothing_to_activate(
    admin: APIClient, plan: SubscriptionPlan, assigned: License
) -> None:
    response = act(admin, plan, "remind", user_emails=["ada@example.com", "Bob@example.com"])

    assert response.status_code == 404
    assert response.json() == f"{PENDING} that are associated with the email: Bob@example.com"
    assert mails() == []


def test_learners_are_reminded_by_filters(admin: APIClient, plan: SubscriptionPlan) -> None:
    give(plan, *(learner(email=f"{name}@example.com") for name in ("ann", "bob", "anna")))
    take(plan, learner(email="anton@example.com"))

    by_name = act(admin, plan, "remind", filters=[{"name": "user_email", "filter_value": "AN"}])
    of_none = act(
        admin, plan, "remind", filters=[{"name": "status_in", "filter_value": ["revoked"]}]
    )

    assert (by_name.status_code, of_none.status_code) == (204, 204)
    assert mails() == ["activated", "reminder", "reminder"]


def test_all_learners_are_reminded(admin: APIClient, plan: SubscriptionPlan) -> None:
    nobody = act(admin, plan, "remind-all")
    give(plan, learner(), learner())
    without_body = admin.post(licenses_of(plan, "remind-all/"))

    assert (nobody.status_code, nobody.json()) == (404, PENDING)
    assert (without_body.status_code, mails()) == (204, ["reminder", "reminder"])


@pytest.mark.parametrize("name", ["remind", "bulk-revoke"])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Either user_emails or filters must be provided."),
        (
            {
                "user_emails": ["bob@example.com"],
                "filters": [{"name": "user_email", "filter_value": "b"}],
            },
            "Either user_emails or filters must be provided, but not both.",
        ),
        (
            {"filters": [{"name": "title", "filter_value": "b"}]},
            "Malformed filters, supported filters are ['user_email', 'status_in'].",
        ),
        (
            {"filters": [{"name": "user_email", "filter_value": ["b"]}]},
            "Malformed filters, user_email must be a string.",
        ),
        (
            {"filters": [{"name": "status_in", "filter_value": "assigned"}]},
            "Malformed filters, status_in must be a list of strings.",
        ),
    ],
)
def test_learners_are_named_by_addresses_or_by_filters(
    admin: APIClient, plan: SubscriptionPlan, name: str, body: dict[str, Any], text: str
) -> None:
    response = act(admin, plan, name, **body)

    assert response.status_code == 400
    assert response.json() == {"non_field_errors": [text]}


def test_revoking_tells_what_became_of_each(
    admin: APIClient, plan: SubscriptionPlan, activated: License
) -> None:
    response = act(admin, plan, "bulk-revoke", user_emails=["ADA@example.com", "Bob@example.com"])

    assert response.status_code == 207
    assert response.json() == {
        "successful_revocations": [
            {
                "license_uuid": str(activated.uuid),
                "original_status": "activated",
                "user_email": "ADA@example.com",
            }
        ],
        "unsuccessful_revocations": [
            {
                "error": f"No license for email Bob@example.com exists in plan {plan.uuid}"
                " with a status in ['activated', 'assigned']",
                "error_response_status": 404,
                "user_email": "Bob@example.com",
            }
        ],
    }
    assert statuses(plan) == {"revoked": 1, "unassigned": 5}
    assert OutboxMessage.objects.filter(kind="licenses.revoke_enrollments").count() == 1


def test_revoking_by_filters_takes_who_holds_a_license(
    admin: APIClient, plan: SubscriptionPlan, assigned: License
) -> None:
    take(plan, learner(email="bob@example.com"))

    response = act(
        admin,
        plan,
        "bulk-revoke",
        filters=[{"name": "status_in", "filter_value": ["assigned", "unassigned"]}],
    )

    told = response.json()["successful_revocations"]
    assert (response.status_code, [each["user_email"] for each in told]) == (
        200,
        ["ada@example.com"],
    )
    assert statuses(plan) == {"activated": 1, "revoked": 1, "unassigned": 4}


def test_the_cap_counts_assigned_licenses_too(admin: APIClient, plan: SubscriptionPlan) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(
        is_revocation_cap_enabled=True, revoke_max_percentage=20
    )
    people = [learner(), learner()]
    give(plan, *people)
    addresses = [person.email for person in people]

    too_many = act(admin, plan, "bulk-revoke", user_emails=addresses)
    twice = act(admin, plan, "bulk-revoke", user_emails=[addresses[0], addresses[0].upper()])

    assert too_many.status_code == 400
    assert too_many.json() == "Plan does not have enough revocations remaining."
    assert twice.status_code == 200
    assert statuses(plan) == {"assigned": 1, "revoked": 1, "unassigned": 4}


def test_all_licenses_of_a_plan_are_revoked(
    admin: APIClient, plan: SubscriptionPlan, assigned: License
) -> None:
    take(plan, learner())

    response = admin.post(licenses_of(plan, "revoke-all/"))

    assert (response.status_code, response.content) == (204, b"")
    assert statuses(plan) == {"revoked": 2, "unassigned": 5}


def test_a_plan_with_a_cap_is_not_revoked_as_a_whole(
    admin: APIClient, plan: SubscriptionPlan, assigned: License
) -> None:
    SubscriptionPlan.objects.filter(pk=plan.pk).update(is_revocation_cap_enabled=True)

    response = act(admin, plan, "revoke-all")

    assert response.status_code == 422
    assert response.json() == (
        "Cannot revoke all licenses when revocation cap is enabled for the subscription plan"
    )
    assert statuses(plan) == {"assigned": 1, "unassigned": 4}


def test_who_did_it_and_through_what_is_in_the_history(plan: SubscriptionPlan) -> None:
    person = administrator_of(plan.customer_agreement.customer)

    act(client_of(person), plan, "assign", user_emails=["bob@example.com"])

    newest = License.history.filter(user_email="bob@example.com").get()
    assert (newest.history_user_id, newest.cause) == (person.pk, "api:assign_licenses")


def test_an_administrator_by_address_acts_once_there_is_an_account(
    plan: SubscriptionPlan,
) -> None:
    plan.customer_agreement.customer.learners.create(
        user_email="boss@example.com", role="admin", linked_at=plan.start_date
    )
    boss = learner(email="Boss@example.com")

    response = act(client_of(boss), plan, "assign", user_emails=["bob@example.com"])

    assert response.status_code == 200


def test_a_plan_of_another_customer_gives_no_seat(admin: APIClient) -> None:
    foreign = PlanFactory.create()

    response = act(admin, foreign, "assign", user_emails=["bob@example.com"])

    assert response.status_code == 403
    assert not License.objects.live().exists()

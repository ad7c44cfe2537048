"""Giving, reminding and revoking on a customer's pages: told first, then done."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from credentials_portal.accounts.models import User
from credentials_portal.core.models import OutboxMessage
from licenses.enums import LicenseStatus
from licenses.models import License, SubscriptionPlan
from tests.licenses.factories import assign, emails, statuses
from tests.licenses.pages.now import (
    NOW,
    administrator_of,
    give,
    learner,
    plan_now,
    signed_in,
    take,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> SubscriptionPlan:
    return plan_now(3, title="Gold", customer_agreement__customer__slug="acme")


@pytest.fixture
def admin(plan: SubscriptionPlan) -> User:
    return administrator_of(plan.customer_agreement.customer)


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def path(plan: SubscriptionPlan, page: str = "") -> str:
    return f"/customers/acme/plans/{plan.uuid}/{page}"


def post(desk: Client, plan: SubscriptionPlan, page: str, **fields: Any) -> str:
    response = desk.post(path(plan, page), fields, follow=True)
    assert response.status_code == 200
    return words(response)


def mails() -> list[str]:
    queued = OutboxMessage.objects.filter(kind="licenses.mail").order_by("pk")
    return [message.payload["notice"] for message in queued]


def test_gives_licenses_to_everybody_named(
    desk: Client, plan: SubscriptionPlan, admin: User
) -> None:
    text = " Ada@example.com\n\nbob@example.com\r\nada@EXAMPLE.com\n"

    page = post(desk, plan, "assign/", emails=text, notify="on", greeting="Welcome!")

    assert "2 licenses were given." in page
    held = License.objects.live().order_by("user_email")
    assert [license.user_email for license in held] == ["ada@example.com", "bob@example.com"]
    newest = held[0].history.latest("history_id")
    assert (newest.history_user, newest.cause) == (admin, "customer's page")
    assert mails() == ["assigned", "assigned"]


def test_gives_without_a_mail_where_none_is_wanted(desk: Client, plan: SubscriptionPlan) -> None:
    post(desk, plan, "assign/", emails="ada@example.com")

    assert statuses(plan) == {"assigned": 1, "unassigned": 2}
    assert mails() == []


def test_says_who_had_one_already(desk: Client, plan: SubscriptionPlan) -> None:
    assign(plan, "ada@example.com", at=NOW)

    page = post(desk, plan, "assign/", emails="ada@example.com\nbob@example.com")

    assert "1 license was given. 1 person had one already, and keeps it." in page


def test_gives_nobody_one_when_seats_are_too_few(desk: Client, plan: SubscriptionPlan) -> None:
    named = "\n".join(emails(5))

    page = post(desk, plan, "assign/", emails=named, greeting="Welcome!")

    assert "5 people need a license, and 3 are free. Nobody was given one" in page
    assert "learner4@example.com" in page
    assert "Welcome!" in page
    assert statuses(plan) == {"unassigned": 3}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Write at least one e-mail address."),
        ("ada@example.com\nbob\n", "Line 2 is no e-mail address."),
        ("a b\n@\n", "These lines are no e-mail addresses: 1, 2."),
        (f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 63}.com.example\n" * 1 + "x", "addresses: 1, 2"),
        ("\n".join(emails(1_001)), "These are 1001 addresses."),
    ],
)
def test_says_what_is_wrong_with_the_addresses(
    desk: Client, plan: SubscriptionPlan, text: str, told: str
) -> None:
    page = post(desk, plan, "assign/", emails=text)

    assert "Please look at this again" in page
    assert told in page
    assert statuses(plan) == {"unassigned": 3}


def test_gives_none_of_an_ended_plan(desk: Client, plan: SubscriptionPlan) -> None:
    ended = plan_now(1, customer_agreement=plan.customer_agreement, days_left=-2)

    page = post(desk, ended, "assign/", emails="ada@example.com")

    assert "This plan has ended" in page
    assert statuses(ended) == {"unassigned": 1}


def test_tells_first_who_is_reminded(desk: Client, plan: SubscriptionPlan) -> None:
    [license] = give(plan, learner(email="ada@example.com"))
    give(plan, learner())

    one = words(desk.get(path(plan, "remind/"), {"license": str(license.uuid)}))
    everybody = words(desk.get(path(plan, "remind/")))

    assert "1 learner who has not activated" in one
    assert "ada@example.com , last mail" in one
    assert "Send 1 reminder" in one
    assert "2 learners who have not activated" in everybody
    assert mails() == []


def test_reminds_the_chosen_or_all(desk: Client, plan: SubscriptionPlan) -> None:
    [license] = give(plan, learner())
    give(plan, learner())

    one = post(desk, plan, "remind/", license=license.uuid)
    everybody = post(desk, plan, "remind/")

    assert "1 reminder is on its way." in one
    assert "2 reminders are on their way." in everybody
    assert mails() == ["reminder"] * 3


def test_reminds_nobody_who_has_activated(desk: Client, plan: SubscriptionPlan) -> None:
    [license] = take(plan, learner())
    queued = mails()

    page = post(desk, plan, "remind/", license=license.uuid)

    assert "None of these licenses waits to be activated." in page
    assert mails() == queued


def test_tells_first_what_revoking_does(desk: Client, plan: SubscriptionPlan) -> None:
    [active] = take(plan, learner(email="ada@example.com"))
    [waiting] = give(plan, learner(email="bob@example.com"))

    page = words(
        desk.get(path(plan, "revoke/"), {"license": [str(active.uuid), str(waiting.uuid)]})
    )

    assert "ada@example.com in use Loses the license and the courses taken through it." in page
    assert "bob@example.com not activated The link in the mail stops working." in page
    assert "Revoke 2 licenses" in page
    assert statuses(plan) == {"activated": 1, "assigned": 1, "unassigned": 1}


def test_revokes_the_chosen_alone(desk: Client, plan: SubscriptionPlan) -> None:
    [active] = take(plan, learner())
    [waiting] = give(plan, learner())

    page = post(desk, plan, "revoke/", license=active.uuid)

    assert "1 license was revoked." in page
    assert License.objects.get(pk=active.pk).status == LicenseStatus.REVOKED
    assert License.objects.get(pk=waiting.pk).status == LicenseStatus.ASSIGNED


def test_the_cap_is_told_and_kept(desk: Client, plan: SubscriptionPlan) -> None:
    plan.is_revocation_cap_enabled, plan.revoke_max_percentage = True, 34
    plan.num_revocations_applied = 1
    plan.save()
    chosen = take(plan, learner(email="ada@example.com"), learner(email="bob@example.com"))
    uuids = [str(license.uuid) for license in chosen]

    asked = words(desk.get(path(plan, "revoke/"), {"license": uuids}))
    done = post(desk, plan, "revoke/", license=uuids)

    assert "1 activated license can still be revoked." in asked
    assert "bob@example.com in use Nothing: the plan's limit of revocations is reached." in asked
    assert "1 license was revoked." in done
    assert "1 license was not: the plan's limit of revocations is reached." in done
    assert statuses(plan) == {"activated": 1, "revoked": 1, "unassigned": 2}


def test_asks_to_choose_first(desk: Client, plan: SubscriptionPlan) -> None:
    foreign = give(plan_now(1), learner())

    for chosen in ([], ["x"], [foreign[0].uuid]):
        assert "Choose licenses that somebody holds first." in post(
            desk, plan, "revoke/", license=chosen
        )
    assert License.objects.get(pk=foreign[0].pk).status == LicenseStatus.ASSIGNED


@pytest.mark.django_db(transaction=True)
def test_whoever_finds_the_plan_held_is_told_and_changes_nothing(
    desk: Client,
    plan: SubscriptionPlan,
    holding_plan: Callable[[SubscriptionPlan], AbstractContextManager[None]],
) -> None:
    ada = learner()
    [license] = give(plan, ada)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")

    with holding_plan(plan):
        assigning = post(desk, plan, "assign/", emails="bob@example.com", greeting="Welcome!")
        reminding = post(desk, plan, "remind/", license=str(license.uuid))
        revoking = post(desk, plan, "revoke/", license=str(license.uuid))
        activating = signed_in(ada).post(f"/licenses/{license.activation_key}/activate/")

    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    assert "Nothing was done, and what you wrote is still here" in assigning
    assert "bob@example.com" in assigning
    assert "Welcome!" in assigning
    assert "Nothing was done, and what you wrote is still here" in reminding
    assert "Nothing was revoked: try again in a minute." in revoking
    assert activating.status_code == 409
    assert "yours was not activated" in words(activating)
    assert statuses(plan) == {"assigned": 1, "unassigned": 2}
    assert mails() == []

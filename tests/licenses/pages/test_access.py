"""A learner's licenses: how each stands, and what becomes of it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from licenses.selectors.learners import licenses_of_learner
from licenses.services import process_renewal, revoke_licenses
from tests.licenses.factories import (
    AT,
    DAY,
    AgreementFactory,
    RenewalFactory,
    by_at,
)
from tests.licenses.pages.now import NOW, day, give, learner, plan_now, signed_in, take, words

pytestmark = pytest.mark.django_db


def test_asks_strangers_to_sign_in(client: Client) -> None:
    response = client.get("/access/")

    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/access/")


def test_says_how_a_first_license_comes_about() -> None:
    page = words(signed_in(learner()).get("/access/"))

    assert "You have no license yet, and no course that was bought for you" in page
    assert "When your organization gives you a license, you get a mail" in page


def test_shows_a_new_license_with_the_link_that_activates_it() -> None:
    ada, plan = learner(), plan_now(1, title="Gold", days_left=12)
    [license] = give(plan, ada)

    response = signed_in(ada).get("/access/")

    assert f"Gold waits for you ends {day(plan.expiration_date)} (in 12 days)" in words(response)
    assert f'href="/licenses/{license.activation_key}/activate/"' in response.content.decode()


def test_tells_of_the_end_and_what_follows() -> None:
    agreement = AgreementFactory.create(unlinking=True, customer__name="Acme")
    ada = learner()
    take(plan_now(1, customer_agreement=agreement, days_left=3), ada)

    page = words(signed_in(ada).get("/access/"))

    assert "ends soon ends" in page
    assert "(in 3 days)" in page
    assert "courses that you take through it move to their free version" in page
    assert "90 days later you are no longer listed as a learner of Acme" in page


def test_does_not_speak_of_unlinking_where_nobody_is_unlinked() -> None:
    ada = learner()
    take(plan_now(1), ada)

    assert "no longer listed" not in words(signed_in(ada).get("/access/"))


def test_an_operator_may_have_named_the_customer(settings: Settings) -> None:
    plan = plan_now(1)
    named = [str(plan.customer_agreement.customer.uuid)]
    settings.CUSTOMERS_WITH_EXPIRED_LICENSES_UNLINKING_ENABLED = named
    ada = learner()
    take(plan, ada)

    assert "90 days later you are no longer listed" in words(signed_in(ada).get("/access/"))


def test_a_renewed_license_is_told_once_with_the_new_end() -> None:
    plan = plan_now(1, days_left=0, title="Gold")
    ada = learner()
    take(plan, ada)
    renewal = RenewalFactory.create(prior_subscription_plan=plan, renewed_plan_title="Platinum")
    process_renewal(renewal_id=renewal.pk, by=by_at(NOW))

    [held] = licenses_of_learner(ada, at=NOW)
    [later] = licenses_of_learner(ada, at=plan.expiration_date)
    page = words(signed_in(ada).get("/access/"))

    assert (held.plan.title, later.plan.title) == ("Gold", "Platinum")
    assert held.ends_at == later.ends_at == renewal.renewed_expiration_date
    assert "It was renewed, and goes on with “ Platinum ”." in page
    assert "ends soon" not in page


@pytest.mark.parametrize(("copied", "is_soon"), [("activated", False), ("nothing", True)])
def test_an_arranged_renewal_lets_nobody_worry(copied: str, is_soon: bool) -> None:
    plan = plan_now(1, days_left=10)
    ada = learner()
    take(plan, ada)
    RenewalFactory.create(prior_subscription_plan=plan, license_types_to_copy=copied)

    [held] = licenses_of_learner(ada, at=NOW)

    assert held.ends_soon is is_soon


def test_an_ended_plan_leaves_what_was_completed() -> None:
    ada = learner()
    take(plan_now(1, days_left=-2), ada, ago=50 * DAY)

    page = words(signed_in(ada).get("/access/"))

    assert "ended on" in page
    assert "What you completed stays yours." in page


def test_an_ended_plan_speaks_in_the_customers_words_and_as_text() -> None:
    agreement = AgreementFactory.create(
        has_custom_license_expiration_messaging=True,
        modal_header_text="Thank you",
        expired_subscription_modal_messaging="<b>Ask</b> <script>Mary</script> &amp; Co.",
        button_label_in_modal="Write to Mary",
        url_for_button_in_modal="https://acme.example/mary",
    )
    plan = plan_now(1, customer_agreement=agreement, days_left=-2)
    ada = learner()
    take(plan, ada, ago=50 * DAY)

    html = signed_in(ada).get("/access/").content.decode()

    assert "Thank you" in html
    assert "Ask Mary &amp; Co." in html
    assert '<a href="https://acme.example/mary" rel="noreferrer">Write to Mary</a>' in html


def test_a_revoked_license_says_whom_to_ask() -> None:
    ada, plan = learner(), plan_now(1, customer_agreement__customer__name="Acme")
    give(plan, ada)
    revoke_licenses(plan_uuid=plan.uuid, emails=[ada.email], by=by_at(NOW))

    page = words(signed_in(ada).get("/access/"))

    assert f"withdrawn on {day(NOW)}" in page
    assert "Acme has taken this license back." in page


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"is_active": False}, "not usable at the moment"),
        ({"start_date": NOW + DAY}, "You can activate it from that day on."),
    ],
)
def test_what_cannot_be_activated_yet_says_so(fields: dict[str, object], told: str) -> None:
    ada, plan = learner(), plan_now(1)
    give(plan, ada)
    for name, value in fields.items():
        setattr(plan, name, value)
    plan.save()

    response = signed_in(ada).get("/access/")

    assert told in words(response)
    assert "/activate/" not in response.content.decode()


def test_shows_nobody_elses() -> None:
    give(plan_now(1, title="Gold"), learner())

    assert "Gold" not in words(signed_in(learner()).get("/access/"))


def test_an_account_without_address_and_lms_id_holds_nothing() -> None:
    nobody = learner(email="", lms_user_id=None)
    plan_now(3)

    assert licenses_of_learner(nobody, at=AT) == []


@pytest.mark.parametrize("plans", [1, 7])
def test_takes_one_statement_for_any_number(plans: int) -> None:
    ada = learner()
    for _ in range(plans):
        give(plan_now(1), ada)

    with CaptureQueriesContext(connection) as captured:
        held = licenses_of_learner(ada, at=NOW)
        told = [(one.ends_soon, one.days_left, one.customer.name) for one in held]

    assert len(captured) == 1
    assert len(told) == plans


def test_what_needs_the_learner_comes_first() -> None:
    ada = learner()
    give(plan_now(1, title="Long", days_left=90), ada)
    give(plan_now(1, title="Soon", days_left=9), ada)
    take(plan_now(1, title="Active", days_left=5), ada)

    titles = [held.plan.title for held in licenses_of_learner(ada, at=NOW)]

    assert titles == ["Soon", "Long", "Active"]

"""What a customer's administrators see, and who does not see it."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credentials_portal.accounts.models import User
from licenses.models import CustomerAgreement, SubscriptionPlan
from licenses.services import revoke_licenses
from tests.licenses.factories import (
    DAY,
    AgreementFactory,
    CustomerLearnerFactory,
    RenewalFactory,
    assign,
    by_at,
    emails,
)
from tests.licenses.pages.now import (
    NOW,
    administrator_of,
    day,
    give,
    learner,
    plan_now,
    signed_in,
    staff,
    take,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> SubscriptionPlan:
    return plan_now(5, title="Gold", customer_agreement__customer__slug="acme", days_left=12)


@pytest.fixture
def admin(plan: SubscriptionPlan) -> User:
    return administrator_of(plan.customer_agreement.customer)


def path(plan: SubscriptionPlan, page: str = "") -> str:
    return f"/customers/{plan.customer_agreement.customer.slug}/plans/{plan.uuid}/{page}"


def all_pages(plan: SubscriptionPlan) -> list[str]:
    of_plan = ("", "licenses.csv", "assign/", "remind/", "revoke/")
    of_customer = ("", "forecast/", "forecast.csv")
    root = f"/customers/{plan.customer_agreement.customer.slug}/"
    return [path(plan, page) for page in of_plan] + [root + page for page in of_customer]


def csv_rows(response: Any) -> list[dict[str, str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(StringIO(text)))


def test_asks_strangers_to_sign_in(client: Client, plan: SubscriptionPlan) -> None:
    for address in all_pages(plan):
        assert client.get(address)["Location"] == f"/accounts/login/?next={address}"


def test_is_not_found_by_anybody_else(plan: SubscriptionPlan) -> None:
    customer = plan.customer_agreement.customer
    linked_learner, former = learner(), learner()
    CustomerLearnerFactory.create(customer=customer, user=linked_learner)
    CustomerLearnerFactory.create(customer=customer, user=former, admin=True, unlinked=True)
    elsewhere = administrator_of(plan_now().customer_agreement.customer)
    plain_staff = staff("view_subscriptionplan")

    for person in (learner(), linked_learner, former, elsewhere, plain_staff):
        browser = signed_in(person)
        assert {browser.get(address).status_code for address in all_pages(plan)} == {404}
        assert {browser.post(address).status_code for address in all_pages(plan)} <= {404, 405}


def test_a_foreign_plan_under_an_own_customer_is_not_found(plan: SubscriptionPlan) -> None:
    own = plan_now().customer_agreement.customer
    browser = signed_in(administrator_of(own))

    for page in ("", "licenses.csv", "assign/", "remind/", "revoke/"):
        assert browser.get(f"/customers/{own.slug}/plans/{plan.uuid}/{page}").status_code == 404


def test_staff_who_act_for_every_customer_see_it(plan: SubscriptionPlan) -> None:
    browser = signed_in(staff("manage_any_customer"))

    assert browser.get("/customers/acme/").status_code == 200
    assert "Give licenses to learners" not in words(browser.get(path(plan)))
    assert browser.get(path(plan, "assign/")).status_code == 403
    assert browser.post(path(plan, "revoke/")).status_code == 403


def test_staff_with_the_permissions_may_act(plan: SubscriptionPlan) -> None:
    browser = signed_in(staff("manage_any_customer", "assign_license", "revoke_license"))

    assert "Give licenses to learners" in words(browser.get(path(plan)))
    assert browser.get(path(plan, "assign/")).status_code == 200


def test_an_administrator_known_by_address_sees_it(plan: SubscriptionPlan) -> None:
    ada = learner()
    customer = plan.customer_agreement.customer
    CustomerLearnerFactory.create(customer=customer, admin=True, user=None, user_email=ada.email)

    assert signed_in(ada).get("/customers/acme/").status_code == 200


def test_shows_plans_with_their_seats(plan: SubscriptionPlan, admin: User) -> None:
    take(plan, learner())
    give(plan, learner(), learner())
    plan_now(customer_agreement=plan.customer_agreement, title="Old", days_left=-9)

    page = words(signed_in(admin).get("/customers/acme/"))

    assert f"Gold ends soon ends {day(plan.expiration_date)} (in 12 days)" in page
    assert "3 of 5 seats used" in page
    assert "2 free, 2 not activated, 1 in use" in page
    assert "Plans that have ended Old" in page


@pytest.mark.parametrize(
    ("days", "unlinks", "is_processed", "told"),
    [
        (9, False, False, "In the coming night, courses that its learners take through it move"),
        (9, True, False, "Who has no other license leaves your list on"),
        (99, True, False, "Who has no other license leaves your list then. See who is concerned"),
        (9, False, True, "have moved to their free version. Its learners stay on your list."),
        (9, True, True, "Who has no other license leaves your list on"),
        (99, True, True, "Who has no other license is no longer on your list."),
    ],
)
def test_tells_what_follows_a_plan_that_ended(
    plan: SubscriptionPlan, admin: User, days: int, unlinks: bool, is_processed: bool, told: str
) -> None:
    CustomerAgreement.objects.update(unlink_expired_enabled=unlinks)
    old = plan_now(
        customer_agreement=plan.customer_agreement,
        title="Old",
        days_left=-days,
        expiration_processed=is_processed,
    )
    browser = signed_in(admin)

    assert told in words(browser.get("/customers/acme/"))
    assert told in words(browser.get(path(old)))


def test_a_renewed_plan_that_ended_goes_on(plan: SubscriptionPlan, admin: User) -> None:
    old = plan_now(customer_agreement=plan.customer_agreement, title="Old", days_left=-9)
    RenewalFactory.create(prior_subscription_plan=old)

    page = words(signed_in(admin).get("/customers/acme/"))

    assert "It was renewed: who was renewed with it goes on in the plan that followed." in page


def test_what_ends_next_comes_first(plan: SubscriptionPlan, admin: User) -> None:
    agreement = plan.customer_agreement
    plan_now(customer_agreement=agreement, title="Off", days_left=2, is_active=False)
    plan_now(customer_agreement=agreement, title="Later", days_left=5, start_date=NOW + DAY)
    plan_now(customer_agreement=agreement, title="Soon", days_left=3)

    page = words(signed_in(admin).get("/customers/acme/"))

    assert page.index("Soon") < page.index("Gold") < page.index("Later") < page.index("Off ")


def test_says_how_a_first_plan_comes_about() -> None:
    agreement = AgreementFactory.create()
    browser = signed_in(administrator_of(agreement.customer))

    page = words(browser.get(f"/customers/{agreement.customer.slug}/"))

    assert "No plan runs or is about to." in page
    forecast = words(browser.get(f"/customers/{agreement.customer.slug}/forecast/"))
    assert "No plan runs, so nothing ends." in forecast
    assert "Nobody loses anything by then." in forecast


def test_lists_who_holds_a_seat(plan: SubscriptionPlan, admin: User) -> None:
    give(plan, learner(email="bob@example.com"))
    take(plan, learner(email="ada@example.com"))

    page = words(signed_in(admin).get(path(plan)))

    assert f"ada@example.com in use {day(NOW)} activated {day(NOW)}" in page
    assert f"bob@example.com not activated {day(NOW)} last mail {day(NOW)}" in page


def test_searches_by_part_of_an_address_that_no_url_carries(
    plan: SubscriptionPlan, admin: User
) -> None:
    give(plan, learner(email="ada@example.com"), learner(email="bob@example.com"))

    response = signed_in(admin).post(path(plan), {"search": " ADA@"})

    page = words(response)
    assert "ada@example.com" in page
    assert "bob@example.com" not in page
    assert response.status_code == 200


def test_says_when_nobody_fits(plan: SubscriptionPlan, admin: User) -> None:
    browser = signed_in(admin)

    assert "Nobody has a license of this plan yet." in words(browser.get(path(plan)))
    for nobodys in ("100%", "a\0d%"):
        assert "No license fits." in words(browser.post(path(plan), {"search": nobodys}))


def test_filters_by_status_and_pages(admin: User, plan: SubscriptionPlan) -> None:
    many = plan_now(60, customer_agreement=plan.customer_agreement, title="Many")
    assign(many, *emails(60), at=NOW)
    revoke_licenses(plan_uuid=many.uuid, emails=["learner7@example.com"], by=by_at(NOW))
    browser = signed_in(admin)

    revoked = words(browser.get(path(many), {"status": "revoked"}))
    second = words(browser.get(path(many), {"status": "assigned", "page": "2"}))
    searched = words(browser.post(path(many), {"search": "learner", "page": 2}))

    assert "1 license " in revoked
    assert "learner7@example.com" in revoked
    assert "59 licenses" in second
    assert "Page 2 of 2" in second
    assert "Page 2 of 2" in searched
    assert "60 licenses" in searched


@pytest.mark.parametrize("query", [{"page": "x"}, {"status": "nonsense"}, {"page": "99"}])
def test_a_malformed_address_still_answers(
    plan: SubscriptionPlan, admin: User, query: dict[str, str]
) -> None:
    assert signed_in(admin).get(path(plan), query).status_code == 200


def test_the_list_as_csv_opens_safely_in_a_spreadsheet(plan: SubscriptionPlan, admin: User) -> None:
    [license] = give(plan, learner(email="=cmd@example.com"))
    take(plan, learner(email="ada@example.com"))

    rows = csv_rows(signed_in(admin).get(path(plan, "licenses.csv")))

    assert [(row["status"], row["user_email"]) for row in rows] == [
        ("activated", "ada@example.com"),
        ("assigned", "'=cmd@example.com"),
    ]
    links = {row["status"]: row["activation_link"] for row in rows}
    assert links["activated"] == ""
    assert links["assigned"].endswith(f"/licenses/{license.activation_key}/activate/")


def test_forecasts_who_loses_what_and_when(admin: User, plan: SubscriptionPlan) -> None:
    plan.customer_agreement.unlink_expired_enabled = True
    plan.customer_agreement.save()
    ada, bob = learner(email="ada@example.com"), learner(email="bob@example.com")
    take(plan, ada, bob)
    longer = plan_now(1, customer_agreement=plan.customer_agreement, title="Long", days_left=300)
    take(longer, bob)
    browser = signed_in(admin)

    first = words(browser.get("/customers/acme/forecast/"))
    unlink_day = timezone.localdate(plan.expiration_date + 91 * DAY).isoformat()
    later = words(browser.get("/customers/acme/forecast/", {"on": unlink_day}))

    assert f"Who loses what by {day(plan.expiration_date)}" in first
    assert "2 learners lose courses" in first
    assert "0 are no longer listed" in first
    ends = day(plan.expiration_date)
    assert f"ada@example.com Gold {ends} Loses the courses of the plan" in first
    assert "1 is no longer listed as your learner." in later
    assert f"ada@example.com Gold {ends} Is no longer listed as your learner" in later
    assert f"bob@example.com Gold {ends} Stays your learner: has another license" in later


def test_the_forecast_is_of_this_customer_alone(admin: User, plan: SubscriptionPlan) -> None:
    give(plan_now(1, days_left=1), learner(email="eve@example.com"))

    rows = csv_rows(
        signed_in(admin).get("/customers/acme/forecast.csv", {"on": f"{NOW.year + 2}-01-01"})
    )

    assert [row for row in rows if row["learner"] == "eve@example.com"] == []


def test_the_forecast_as_csv(admin: User, plan: SubscriptionPlan) -> None:
    take(plan, learner(email="ada@example.com"))

    rows = csv_rows(signed_in(admin).get("/customers/acme/forecast.csv"))

    first = [rows[0][name] for name in ("learner", "plan", "step", "happens")]
    assert first == ["ada@example.com", "Gold", "downgrade", "true"]
    assert rows[0]["why"] == "Loses the courses of the plan"


@pytest.mark.parametrize(
    ("on", "told"),
    [("2001-01-01", "This day is past"), ("soon", "Write a day"), ("9999-01-01", "too far away")],
)
def test_a_day_that_cannot_be_is_told(
    admin: User, plan: SubscriptionPlan, on: str, told: str
) -> None:
    assert told in words(signed_in(admin).get("/customers/acme/forecast/", {"on": on}))


@pytest.mark.parametrize("at", ["x", "2030-01-01", "9999-01-01T00:00:00Z", "2030-13-01T00:00:00Z"])
def test_a_malformed_instant_is_no_page(admin: User, plan: SubscriptionPlan, at: str) -> None:
    assert signed_in(admin).get("/customers/acme/forecast/", {"at": at}).status_code == 404


@pytest.mark.parametrize("page", ["/customers/acme/", "plan", "/customers/acme/forecast/"])
def test_takes_as_many_statements_for_many_as_for_one(
    admin: User, plan: SubscriptionPlan, page: str
) -> None:
    address = path(plan) if page == "plan" else page
    browser = signed_in(admin)
    take(plan, learner())

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(address).status_code == 200
        return len(captured)

    before = statements()
    for _ in range(3):
        another = plan_now(2, customer_agreement=plan.customer_agreement)
        take(another, learner(), learner())
    take(plan, learner(), learner())

    assert statements() == before

"""What a customer's administrators see of requests, and decide: told first, then done."""

import csv
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credentials_portal.core.models import OutboxMessage
from licenses.models import Customer, License, SubscriptionPlan
from subsidy_requests.enums import RequestState, UnlinkResult
from subsidy_requests.models import CouponCodeRequest, LicenseRequest
from tests.licenses.factories import DAY, CustomerFactory, statuses
from tests.licenses.pages.now import learner, plan_now, signed_in, staff, take, words
from tests.subsidy_requests.factories import LicenseRequestFactory
from tests.subsidy_requests.pages.now import (
    acme,
    asked,
    asked_for_code,
    coupon_of,
    declined,
    desk_of,
    learner_of,
)

pytestmark = pytest.mark.django_db

PAGE = "/customers/acme/requests/"


@pytest.fixture
def customer() -> Customer:
    return acme()


@pytest.fixture
def plan(customer: Customer) -> SubscriptionPlan:
    return plan_now(2, title="Gold", customer_agreement__customer=customer)


@pytest.fixture
def desk(customer: Customer) -> Client:
    return desk_of(customer)


def post(desk: Client, page: str, *requests: Any, **fields: Any) -> str:
    chosen = [str(one.uuid) for one in requests]
    response = desk.post(f"{PAGE}{page}", {"request": chosen, **fields}, follow=True)
    assert response.status_code == 200
    return words(response)


def states(*requests: Any) -> list[str]:
    for one in requests:
        one.refresh_from_db()
    return [one.state for one in requests]


@pytest.mark.parametrize("page", ["", "forecast/", "requests/"])
def test_each_section_of_a_customer_leads_to_the_others(desk: Client, page: str) -> None:
    shown = desk.get(f"/customers/acme/{page}").content.decode()

    for section in ("", "forecast/", "requests/"):
        assert f'<li><a href="/customers/acme/{section}"' in shown


def mails() -> list[str]:
    queued = OutboxMessage.objects.filter(kind="subsidy_requests.mail").order_by("pk")
    return [message.payload["notice"] for message in queued]


def test_shows_who_waits_longest_first_and_what_is_left(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    asked(customer, learner_of(customer, email="late@example.com"))
    early = learner_of(customer, email="early@example.com")
    asked(customer, early, ago=3 * DAY, course_id="NBx+NEG", reason="For my work.")

    page = words(desk.get(PAGE))

    assert "2 requests wait for your decision." in page
    assert "Gold : 2 seats free of 2" in page
    assert "early@example.com NBx+NEG For my work. waiting" in page
    assert page.index("early@example.com") < page.index("late@example.com")


def test_says_when_nothing_waits(desk: Client) -> None:
    page = words(desk.get(PAGE))

    assert "No request waits for your decision." in page
    assert "No plan runs, so nothing can be given." in page


def test_says_that_requests_are_switched_off() -> None:
    customer = acme(disabled=True)

    assert "requests are switched off" in words(desk_of(customer).get(PAGE))


def test_is_searched_by_address_which_is_in_no_url(desk: Client, customer: Customer) -> None:
    asked(customer, learner_of(customer, email="ada@example.com"))
    asked(customer, learner_of(customer, email="bob@example.com"))

    page = words(desk.post(PAGE, {"search": "ADA@", "state": "requested"}))

    assert "ada@example.com" in page
    assert "bob@example.com" not in page


def test_a_search_for_what_no_address_has_finds_nobody(desk: Client, customer: Customer) -> None:
    asked(customer, learner_of(customer, email="ada@example.com"))

    page = words(desk.post(PAGE, {"search": "a\0d%", "state": "requested"}))

    assert "No request fits." in page


def test_other_states_are_a_link_away(desk: Client, customer: Customer) -> None:
    declined(asked(customer, learner_of(customer, email="ada@example.com")))

    assert "ada@example.com" not in words(desk.get(PAGE))
    assert "declined" in words(desk.get(PAGE, {"state": "declined"}))
    assert "ada@example.com" in words(desk.get(PAGE, {"state": ""}))


def test_tells_first_what_approving_does(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer, learner_of(customer, email="ada@example.com"))

    page = words(desk.get(f"{PAGE}approve/", {"request": str(made.uuid)}))

    assert "Approve 1 request?" in page
    assert "ada@example.com" in page
    assert "Gold : 2 seats free of 2" in page
    assert states(made) == [RequestState.REQUESTED]


def test_approves_many_at_once(desk: Client, customer: Customer, plan: SubscriptionPlan) -> None:
    made = [asked(customer), asked(customer)]

    page = post(desk, "approve/", *made, pool=plan.uuid, notify="on")

    assert "2 requests were granted." in page
    assert states(*made) == [RequestState.FULFILLED] * 2
    assert statuses(plan) == {"assigned": 2}
    assert mails() == ["fulfilled"] * 2
    newest = made[0].history.latest("history_id")
    assert (newest.decision_source, newest.cause) == ("admin_page", "customer's page")


def test_approves_nobody_when_seats_are_too_few(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = [asked(customer) for _ in range(3)]

    page = post(desk, "approve/", *made, pool=plan.uuid)

    assert "More seats are needed than are free. Nobody was given one" in page
    assert states(*made) == [RequestState.REQUESTED] * 3
    assert statuses(plan) == {"unassigned": 2}
    assert mails() == []


def test_a_plan_of_somebody_else_cannot_be_chosen(desk: Client, customer: Customer) -> None:
    made = asked(customer)
    foreign = plan_now(2)
    plan_now(2, customer_agreement__customer=customer)

    page = post(desk, "approve/", made, pool=foreign.uuid)

    assert "Nothing can be taken from it any more." in page
    assert states(made) == [RequestState.REQUESTED]


def test_says_that_there_is_nothing_to_grant_from(desk: Client, customer: Customer) -> None:
    made = asked(customer)

    page = words(desk.get(f"{PAGE}approve/", {"request": str(made.uuid)}))

    assert "No plan runs of which a seat could be given." in page


def test_gives_codes_where_those_are_offered() -> None:
    customer = acme(coupons=True)
    coupon = coupon_of(customer, 1, title="Spring")
    ada = learner_of(customer)
    made = asked_for_code(customer, ada)

    page = post(desk_of(customer), "approve/", made, pool=coupon.pk)

    code = CouponCodeRequest.objects.get().coupon_code
    assert code
    assert "1 request was granted." in page
    assert code.code not in words(desk_of(customer).get(f"{PAGE}{made.uuid}/"))
    assert f"Your code: {code.code}" in words(signed_in(ada).get("/access/"))


def test_declines_with_a_reason_that_the_learner_reads(desk: Client, customer: Customer) -> None:
    ada = learner_of(customer)
    made = asked(customer, ada)

    page = post(desk, "decline/", made, reason="Ask in May.", notify="on")

    assert "1 request was declined." in page
    assert states(made) == [RequestState.DECLINED]
    assert mails() == ["declined"]
    told = words(signed_in(ada).get(f"/access/requests/{made.uuid}/"))
    assert "The people at Acme wrote: “ Ask in May. ”" in told
    assert "Full Name" not in told.partition("What happened")[2]


def test_unlinks_whom_it_declines_unless_they_hold_a_license(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    holder = learner_of(customer)
    take(plan, holder)
    made = [asked(customer), asked(customer, holder)]

    page = post(desk, "decline/", *made, unlink="on")

    assert "2 requests were declined." in page
    assert "1 learner holds a license, and was not unlinked." in page
    states(*made)
    assert [one.unlink_result for one in made] == [UnlinkResult.DONE, UnlinkResult.HOLDS_LICENSE]


def test_too_long_a_reason_is_not_lost(desk: Client, customer: Customer) -> None:
    made = asked(customer)

    page = post(desk, "decline/", made, reason="x" * 256)

    assert "Please look at this again" in page
    assert "x" * 256 in page
    assert states(made) == [RequestState.REQUESTED]


@pytest.mark.parametrize("page", ["approve/", "decline/"])
@pytest.mark.parametrize("given", ["", "no-uuid", "decided", "foreign"])
def test_nothing_is_decided_where_nothing_fitting_is_chosen(
    desk: Client, customer: Customer, page: str, given: str
) -> None:
    decided, foreign = asked(customer), LicenseRequestFactory.create()
    declined(decided)
    uuids = {"decided": str(decided.uuid), "foreign": str(foreign.uuid)}

    told = words(desk.post(f"{PAGE}{page}", {"request": uuids.get(given, given)}, follow=True))

    assert "Choose requests that wait for a decision first." in told
    assert states(decided, foreign) == [RequestState.DECLINED, RequestState.REQUESTED]


@pytest.mark.parametrize("page", ["", "approve/", "decline/", "requests.csv"])
def test_others_do_not_find_it(customer: Customer, page: str) -> None:
    made = asked(customer)

    for person in (learner(), learner_of(customer)):
        assert signed_in(person).get(f"{PAGE}{page}").status_code == 404
        assert signed_in(person).get(f"{PAGE}{made.uuid}/").status_code == 404
        assert signed_in(person).post(f"{PAGE}decline/").status_code == 404
    assert desk_of(CustomerFactory.create()).get(f"{PAGE}{page}").status_code == 404
    assert states(made) == [RequestState.REQUESTED]


def test_staff_who_may_only_look_decide_nothing(customer: Customer) -> None:
    made = asked(customer)
    browser = signed_in(staff("view_license"))

    page = words(browser.get(PAGE))

    assert "deciding is for the customer's administrators" in page
    assert "Approve the chosen" not in page
    assert browser.post(f"{PAGE}decline/", {"request": made.uuid}).status_code == 403
    assert states(made) == [RequestState.REQUESTED]


def test_staff_who_may_review_every_customer_decide(
    customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer)
    browser = signed_in(staff("manage_any_customer", "review_subsidy_requests"))

    page = post(browser, "approve/", made, pool=plan.uuid)

    assert "1 request was granted." in page


def test_one_request_tells_who_decided(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer, learner_of(customer, full_name="Ada Lovelace"), reason="For work.")
    post(desk, "approve/", made, pool=plan.uuid)

    page = words(desk.get(f"{PAGE}{made.uuid}/"))

    assert "Ada Lovelace" in page
    assert "For work." in page
    assert "Granted. By Full Name of" in page
    assert "Approved." not in page


def test_a_request_of_another_customer_is_not_found(desk: Client) -> None:
    foreign = LicenseRequestFactory.create()

    assert desk.get(f"{PAGE}{foreign.uuid}/").status_code == 404


def test_the_download_has_the_list_and_no_code(desk: Client, customer: Customer) -> None:
    ada = learner_of(customer, email="ada@example.com")
    asked(customer, ada, course_id="NBx+NEG", reason="=1+1")
    declined(asked(customer), reason="Ask in May.")

    text = b"".join(desk.get(f"{PAGE}requests.csv").streaming_content).decode()  # type: ignore[attr-defined]  # it streams

    newest, _older = sorted(csv.DictReader(text.splitlines()), key=lambda row: row["state"])[::-1]
    assert newest["learner"] == "ada@example.com"
    assert (newest["course_id"], newest["why"], newest["state"]) == (
        "NBx+NEG",
        "'=1+1",
        "requested",
    )
    assert _older["decline_reason"] == "Ask in May."


def test_the_home_says_how_many_wait(desk: Client, customer: Customer) -> None:
    asked(customer)
    asked(customer)

    response = desk.get("/")

    assert "2 requests wait for a decision" in words(response)
    assert f'href="{PAGE}"' in response.content.decode()


def test_takes_the_same_statements_for_any_number(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(PAGE).status_code == 200
        return len(captured)

    LicenseRequestFactory.create(customer=customer)
    for_one = statements()
    LicenseRequestFactory.create_batch(30, customer=customer)

    assert statements() == for_one


def test_nobody_is_given_anything_by_looking(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer)
    for page in ("", "approve/", "decline/", f"{made.uuid}/", "requests.csv"):
        assert desk.get(f"{PAGE}{page}", {"request": str(made.uuid)}).status_code == 200

    assert states(made) == [RequestState.REQUESTED]
    assert not License.objects.live().exists()
    assert not LicenseRequest.objects.exclude(state=RequestState.REQUESTED).exists()

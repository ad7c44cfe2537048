"""A learner's pages: asking, what became of it, and taking it back."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from licenses.models import CustomerLearner
from subsidy_requests.enums import RequestState
from subsidy_requests.models import (
    CouponCodeRequest,
    LicenseRequest,
    SubsidyRequestCustomerConfiguration,
)
from tests.licenses.factories import DAY
from tests.licenses.pages.now import (
    NOW,
    administrator_of,
    learner,
    plan_now,
    signed_in,
    take,
    words,
)
from tests.subsidy_requests.factories import LicenseRequestFactory
from tests.subsidy_requests.pages.now import acme, asked, asked_for_code, declined, learner_of

pytestmark = pytest.mark.django_db

PAGE = "/access/requests/"


def ask(browser: Client, customer: Any, **fields: Any) -> str:
    response = browser.post(PAGE, {"offer": customer.uuid, **fields}, follow=True)
    assert response.status_code == 200
    return words(response)


def test_a_request_is_sent_and_shown() -> None:
    customer = acme()
    ada = learner_of(customer)

    page = ask(signed_in(ada), customer, course_id="NBx+NEG", reason="To sell more.")

    made = LicenseRequest.objects.get()
    assert (made.user, made.customer, made.course_id) == (ada, customer, "NBx+NEG")
    assert "Your request was sent." in page
    assert "A license, asked of Acme NBx+NEG" in page
    assert "waits for an answer" in page
    assert "To sell more." in page
    newest = made.history.latest("history_id")
    assert (newest.history_user, newest.cause) == (ada, "pages of requests")


def test_the_course_is_filled_in_from_the_address() -> None:
    browser = signed_in(learner_of(acme()))

    html = browser.get(PAGE, {"course_id": "NBx+NEG"}).content.decode()

    assert 'value="NBx+NEG"' in html


def test_a_code_needs_a_course() -> None:
    customer = acme(coupons=True)
    browser = signed_in(learner_of(customer))

    refused = ask(browser, customer, reason="To sell more.")
    sent = ask(browser, customer, course_id="NBx+NEG")

    assert "A coupon code is asked for a course: write its key." in refused
    assert "To sell more." in refused
    assert "Your request was sent." in sent
    assert CouponCodeRequest.objects.count() == 1


def test_asked_twice_is_told_and_nothing_is_lost() -> None:
    customer = acme()
    ada = learner_of(customer)
    asked(customer, ada)

    page = ask(signed_in(ada), customer, reason="Please!")

    assert "You have asked for this already" in page
    assert "Please!" in page
    assert LicenseRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"course_id": "two words"}, "The key of a course is one word"),
        ({"offer": "somebody"}, "They do not take requests any more."),
        ({"reason": "x" * 1_001}, "at most 1000 characters"),
    ],
)
def test_says_what_is_wrong(fields: dict[str, str], told: str) -> None:
    customer = acme()

    page = ask(signed_in(learner_of(customer)), customer, **fields)

    assert told in page
    assert not LicenseRequest.objects.exists()


@pytest.mark.parametrize("disabled", [True, False])
def test_who_can_ask_nobody_is_told_so(disabled: bool) -> None:
    customer = acme(disabled=disabled)
    person = learner_of(customer) if disabled else learner()

    page = words(signed_in(person).get(PAGE))

    assert "No organization of yours takes requests at the moment." in page
    assert "Send the request" not in page


def test_who_has_a_license_already_is_told_so() -> None:
    customer = acme()
    ada = learner_of(customer)
    take(plan_now(1, customer_agreement__customer=customer), ada)

    assert "Acme has given you a license already" in words(signed_in(ada).get(PAGE))


def test_tells_whom_to_write_to_where_the_customer_allows_it() -> None:
    customer = acme()
    ada = learner_of(customer)
    administrator_of(customer, user__email="carl+nb@example.com")
    administrator_of(customer, user__email="gone@example.com", user__is_active=False)
    administrator_of(customer, user__email="former@example.com", unlinked=True)
    made, browser = asked(customer, ada), signed_in(ada)
    pages = (PAGE, f"{PAGE}{made.uuid}/")

    shown = [browser.get(page).content.decode() for page in pages]
    SubsidyRequestCustomerConfiguration.objects.update(shows_contacts=False)
    hidden = [browser.get(page).content.decode() for page in pages]

    for html in shown:
        assert 'href="mailto:carl+nb@example.com"' in html
        assert html.count("mailto:") == 1
    assert not [html for html in hidden if "carl" in html]


def test_who_does_not_belong_to_them_any_more_is_told_no_address() -> None:
    customer = acme()
    ada = learner_of(customer)
    administrator_of(customer, user__email="carl@example.com")
    made = asked(customer, ada)
    CustomerLearner.objects.filter(user=ada).update(status="unlinked", unlinked_at=NOW)

    assert "carl@" not in signed_in(ada).get(f"{PAGE}{made.uuid}/").content.decode()


def test_a_request_is_taken_back_after_a_page_that_tells_what_follows() -> None:
    customer = acme()
    ada = learner_of(customer)
    made, browser = asked(customer, ada), signed_in(ada)
    address = f"{PAGE}{made.uuid}/cancel/"

    told = words(browser.get(address))
    made.refresh_from_db()
    before = made.state
    page = words(browser.post(address, follow=True))

    made.refresh_from_db()
    assert "Nobody at Acme decides on it any more." in told
    assert (before, made.state) == (RequestState.REQUESTED, RequestState.CANCELLED)
    assert "You have taken your request back." in page
    assert "Taken back by the learner." in page


def test_what_was_decided_cannot_be_taken_back() -> None:
    customer = acme()
    ada = learner_of(customer)
    made, browser = asked(customer, ada), signed_in(ada)
    declined(made, reason="Ask in May.")
    address = f"{PAGE}{made.uuid}/cancel/"

    page = words(browser.get(address, follow=True))
    posted = words(browser.post(address, follow=True))

    assert "It was decided already." in page
    assert "Somebody decided on it meanwhile" in posted
    assert "“ Ask in May. ”" in page
    assert LicenseRequest.objects.get().state == RequestState.DECLINED


def test_somebody_elses_request_is_not_found() -> None:
    customer = acme()
    made = asked(customer)
    browser = signed_in(learner_of(customer))

    assert browser.get(f"{PAGE}{made.uuid}/").status_code == 404
    assert browser.get(f"{PAGE}{made.uuid}/cancel/").status_code == 404
    assert browser.post(f"{PAGE}{made.uuid}/cancel/").status_code == 404
    assert LicenseRequest.objects.get().state == RequestState.REQUESTED


def test_a_stranger_signs_in_first() -> None:
    response = Client(headers={"host": "localhost"}).get(PAGE, {"course_id": "NBx+NEG"})

    assert response.status_code == 302
    assert (
        response["Location"] == "/accounts/login/?next=/access/requests/%3Fcourse_id%3DNBx%252BNEG"
    )


def test_a_failed_request_says_that_nothing_need_be_done() -> None:
    customer = acme()
    ada = learner_of(customer)
    made = LicenseRequestFactory.create(customer=customer, user=ada, failed=True)

    page = words(signed_in(ada).get(f"{PAGE}{made.uuid}/"))

    assert "Acme said yes, and then something went wrong at the portal." in page
    assert "Take it back" in page
    assert "unexpected error" not in page


def test_no_page_promises_a_course(settings: Settings) -> None:
    settings.COURSE_PAGE_URL = "https://courses.example/{course}"
    customer = acme()
    ada = learner_of(customer)
    made = asked(customer, ada, course_id="NBx+NEG")
    browser = signed_in(ada)

    page = browser.get(PAGE).content.decode() + browser.get(f"{PAGE}{made.uuid}/").content.decode()

    assert "enroll" not in page.lower()


def test_requests_stand_among_what_one_may_use() -> None:
    customer = acme()
    ada = learner_of(customer)
    asked(customer, ada, course_id="NBx+NEG")

    page = words(signed_in(ada).get("/access/"))

    assert "A license, asked of Acme NBx+NEG waits for an answer" in page
    assert "Ask for access" in page


def test_nobody_who_can_ask_nobody_is_led_to_ask() -> None:
    assert "Ask for access" not in words(signed_in(learner()).get("/access/"))


@pytest.mark.parametrize(("ago", "is_told"), [(DAY, True), (31 * DAY, False)])
def test_an_answer_is_news_for_a_month(ago: Any, is_told: bool) -> None:
    customer = acme()
    ada = learner_of(customer)
    made = asked(customer, ada, ago=40 * DAY, course_id="NBx+NEG")
    declined(made, ago=ago)

    page = words(signed_in(ada).get("/"))

    assert ("Your request to Acme was declined. See the answer" in page) is is_told
    assert ("Nothing needs you now." in page) is not is_told


def test_the_answer_is_old_news_once_the_learner_asked_again() -> None:
    customer = acme()
    ada = learner_of(customer)
    declined(asked(customer, ada, ago=2 * DAY), ago=DAY)
    asked(customer, ada)

    assert "was declined" not in words(signed_in(ada).get("/"))


@pytest.mark.parametrize("page", [PAGE, "/", "/access/"])
def test_takes_the_same_statements_for_any_number(page: str) -> None:
    customer = acme(coupons=True)
    ada = learner_of(customer)
    browser = signed_in(ada)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(page).status_code == 200
        return len(captured)

    for number in range(2):
        LicenseRequestFactory.create(
            customer=customer, user=ada, declined=True, state_changed_at=NOW
        )
        asked_for_code(customer, ada, course_id=f"NBx+{number}")
    for_few = statements()
    for number in range(2, 8):
        LicenseRequestFactory.create(
            customer=customer, user=ada, declined=True, state_changed_at=NOW
        )
        asked_for_code(customer, ada, course_id=f"NBx+{number}")

    assert statements() == for_few

"""Requests in the admin: what staff see, and what their decisions do."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from licenses.models import Customer, SubscriptionPlan
from subsidy_requests.enums import DecisionSource, RequestState, SubsidyType, UnlinkResult
from subsidy_requests.models import Coupon, LicenseRequest, SubsidyRequestCustomerConfiguration
from tests.licenses.factories import DAY, CustomerFactory, statuses
from tests.licenses.pages.now import NOW, learner, plan_now, signed_in, take, words
from tests.subsidy_requests.factories import CouponFactory, LicenseRequestFactory
from tests.subsidy_requests.pages.now import (
    acme,
    asked,
    asked_for_code,
    coupon_of,
    declined,
    learner_of,
)

pytestmark = pytest.mark.django_db

MODELS = [m for m in admin.site._registry if m._meta.app_label == "subsidy_requests"]


def member_of(role: str) -> Client:
    person = learner(is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    return signed_in(person)


@pytest.fixture
def desk() -> Client:
    """Somebody who looks after customers."""
    return member_of("Subscriptions")


@pytest.fixture
def customer() -> Customer:
    return acme()


@pytest.fixture
def plan(customer: Customer) -> SubscriptionPlan:
    return plan_now(2, title="Gold", customer_agreement__customer=customer)


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:subsidy_requests_{name}", args=args)


def page(browser: Client, address: str, **query: Any) -> str:
    response = browser.get(address, query)
    assert response.status_code == 200
    return text(response)


def text(response: Any) -> str:
    html = response.content.decode()
    return words(response) if "<main" in html else html


def post(browser: Client, address: str, **fields: Any) -> str:
    response = browser.post(address, fields, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def act(browser: Client, action: str, *rows: Any, **fields: Any) -> str:
    chosen = [row.pk for row in rows]
    given = {"action": action, "_selected_action": chosen, **fields}
    return post(browser, url(f"{rows[0]._meta.model_name}_changelist"), **given)


def decide(browser: Client, action: str, *rows: Any, **fields: Any) -> str:
    return act(browser, action, *rows, confirmed="yes", **fields)


def states(*requests: Any) -> list[str]:
    for one in requests:
        one.refresh_from_db()
    return [one.state for one in requests]


@pytest.mark.parametrize("role", ["Subscriptions", "Support", "Operators", "Auditors"])
def test_whoever_may_look_opens_every_list_and_row(role: str) -> None:
    customer = acme(coupons=True)
    asked_for_code(customer)
    coupon_of(customer, 1)
    LicenseRequestFactory.create()
    browser = member_of(role)

    for model in MODELS:
        name = model._meta.model_name
        assert browser.get(url(f"{name}_changelist")).status_code == 200, model
        for row in model._default_manager.all():
            assert browser.get(url(f"{name}_change", row.pk)).status_code == 200, model


def test_registrars_see_none_of_it() -> None:
    browser = member_of("Registrars")

    names = [model._meta.model_name for model in MODELS]
    assert {browser.get(url(f"{name}_changelist")).status_code for name in names} == {403}


@pytest.mark.parametrize("role", ["Support", "Operators", "Auditors"])
def test_who_may_look_only_changes_nothing(
    role: str, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer)
    coupon = CouponFactory.create(customer=customer)
    browser = member_of(role)

    decide(browser, "approve_chosen", made, pool=plan.uuid, reason="x")
    decide(browser, "decline_chosen", made)
    assert browser.post(url("coupon_codes", coupon.pk)).status_code == 403
    assert browser.get(url("coupon_add")).status_code == 403
    assert browser.get(url("subsidyrequestcustomerconfiguration_add")).status_code == 403
    assert states(made) == [RequestState.REQUESTED]


def test_nobody_edits_a_request_by_hand(customer: Customer) -> None:
    made = asked(customer)
    boss = signed_in(learner(is_staff=True, is_superuser=True))
    address = url("licenserequest_change", made.pk)

    assert boss.post(address, {"state": "fulfilled"}).status_code == 403
    assert boss.post(url("licenserequest_delete", made.pk)).status_code == 403
    assert boss.get(url("licenserequest_add")).status_code == 403
    assert states(made) == [RequestState.REQUESTED]


def test_a_request_tells_its_state_what_comes_next_and_its_story(
    desk: Client, customer: Customer
) -> None:
    made = asked(customer, learner_of(customer, username="ada"), reason="For work.")
    declined(made, reason="Ask in May.")

    html = desk.get(url("licenserequest_change", made.pk)).content.decode()

    assert "ada asks Acme" in html
    assert "Nothing: its learner can ask again." in html
    assert "For work." in html
    assert "Ask in May." in html
    assert "Waiting for a decision" in html
    assert f'href="/customers/acme/requests/{made.uuid}/"' in html


def test_is_found_by_uuid_address_and_course(desk: Client, customer: Customer) -> None:
    made = asked(customer, learner_of(customer, email="ada@example.com"), course_id="NBx+NEG")
    asked(customer)

    for term in (str(made.uuid), "ada@example.com", "NBx+NEG"):
        html = desk.get(url("licenserequest_changelist"), {"q": term}).content.decode()
        assert html.count('name="_selected_action"') == 1, term


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"older_than": "7"}, 1),
        ({"older_than": "30"}, 0),
        ({"older_than": "x"}, 2),
        ({"state__exact": "requested"}, 2),
        ({"state__exact": "error"}, 0),
    ],
)
def test_is_filtered_by_age_and_state(
    desk: Client, customer: Customer, query: dict[str, str], count: int
) -> None:
    asked(customer)
    asked(customer, ago=8 * DAY)

    html = desk.get(url("licenserequest_changelist"), query).content.decode()

    assert html.count('name="_selected_action"') == count


def test_tells_first_what_approving_does(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = asked(customer, learner_of(customer, username="ada"), reason="For work.")

    html = act(desk, "approve_chosen", made)

    assert "Nobody is enrolled in anything." in html
    assert "Gold: 2 seats free" in html
    assert "For work." in html
    assert states(made) == [RequestState.REQUESTED]


def test_approves_and_says_who_and_why(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = [asked(customer), asked(customer)]

    html = decide(desk, "approve_chosen", *made, pool=plan.uuid, reason="They called.")

    assert "Granted: 2" in html
    assert states(*made) == [RequestState.FULFILLED] * 2
    assert made[0].reviewer
    assert made[0].decision_source == DecisionSource.DJANGO_ADMIN
    decision = made[0].history.get(state=RequestState.APPROVED)
    told = (decision.history_user, decision.history_change_reason)
    assert told == (made[0].reviewer, "They called.")
    page = desk.get(url("licenserequest_change", made[0].pk)).content.decode()
    assert "“They called.”" in page


def test_grants_nobody_when_seats_are_too_few(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = [asked(customer) for _ in range(3)]

    html = decide(desk, "approve_chosen", *made, pool=plan.uuid, reason="They called.")

    assert "3 licenses are needed, and 2 are free." in html
    assert states(*made) == [RequestState.REQUESTED] * 3
    assert statuses(plan) == {"unassigned": 2}


def test_grants_codes(desk: Client) -> None:
    customer = acme(coupons=True)
    coupon = coupon_of(customer, 1, title="Spring")
    made = asked_for_code(customer)

    told = act(desk, "approve_chosen", made)
    html = decide(desk, "approve_chosen", made, pool=coupon.pk, reason="They called.")

    assert "Spring: 1 code free" in told
    assert "Granted: 1" in html
    assert states(made) == [RequestState.FULFILLED]


@pytest.mark.parametrize("action", ["approve_chosen", "decline_chosen"])
def test_two_customers_are_refused(desk: Client, customer: Customer, action: str) -> None:
    made = [asked(customer), LicenseRequestFactory.create()]

    html = act(desk, action, *made)

    assert "These requests are of several customers" in html
    assert states(*made) == [RequestState.REQUESTED] * 2


@pytest.mark.parametrize("action", ["approve_chosen", "retry_chosen", "decline_chosen"])
def test_what_is_decided_is_left_alone(desk: Client, customer: Customer, action: str) -> None:
    made = asked(customer)
    declined(made)

    assert "None of the chosen requests is in a state for this." in act(desk, action, made)


def test_says_that_there_is_nothing_to_grant_from(desk: Client, customer: Customer) -> None:
    assert "no running plan, or coupon" in act(desk, "approve_chosen", asked(customer))


def test_tries_again_from_the_same_plan(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    made = LicenseRequestFactory.create(
        customer=customer, user=learner_of(customer), failed=True, subscription_plan=plan
    )

    told = act(desk, "retry_chosen", made)
    html = decide(desk, "retry_chosen", made, reason="The disk was full.")

    assert "from which it failed" in told
    assert "Granted: 1" in html
    assert states(made) == [RequestState.FULFILLED]
    assert statuses(plan) == {"assigned": 1, "unassigned": 1}


def test_tries_again_from_each_plan_and_tells_what_came_of_each(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    full = plan_now(0, title="100%d", customer_agreement=plan.customer_agreement)
    made = [
        LicenseRequestFactory.create(
            customer=customer, user=learner_of(customer), failed=True, subscription_plan=pool
        )
        for pool in (full, plan)
    ]

    html = decide(desk, "retry_chosen", *made, reason="The disk was full.")

    assert "100%d: 1 licenses are needed, and 0 are free." in html
    assert "Gold: Granted: 1" in html
    assert states(*made) == [RequestState.ERROR, RequestState.FULFILLED]


def test_declines_with_reason_and_says_who_stays_linked(
    desk: Client, customer: Customer, plan: SubscriptionPlan
) -> None:
    holder = learner_of(customer)
    take(plan, holder)
    made = asked(customer, holder)

    html = decide(desk, "decline_chosen", made, decline_reason="Ask in May.", unlink="on")

    assert "Declined: 1" in html
    assert "Not unlinked, see their requests: 1" in html
    assert states(made) == [RequestState.DECLINED]
    assert (made.decline_reason, made.unlink_result) == ("Ask in May.", UnlinkResult.HOLDS_LICENSE)


def test_the_list_takes_the_same_statements_for_any_number(
    desk: Client, customer: Customer
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(desk, url("licenserequest_changelist"))
        return len(captured)

    LicenseRequestFactory.create(customer=customer)
    for_one = statements()
    LicenseRequestFactory.create_batch(20)

    assert statements() == for_one


CONFIGURATION = "subsidyrequestcustomerconfiguration"


def change(desk: Client, customer: Customer, **fields: Any) -> str:
    configuration = SubsidyRequestCustomerConfiguration.objects.get(customer=customer)
    given = {
        "subsidy_requests_enabled": "on",
        "subsidy_type": "license",
        "shows_contacts": "on",
        **fields,
    }
    return post(desk, url(f"{CONFIGURATION}_change", configuration.pk), **given)


def test_a_customer_is_set_up(desk: Client) -> None:
    customer = CustomerFactory.create()

    post(
        desk,
        url(f"{CONFIGURATION}_add"),
        customer=customer.pk,
        subsidy_requests_enabled="on",
        subsidy_type="coupon",
        reason="They bought codes.",
    )

    configuration = SubsidyRequestCustomerConfiguration.objects.get()
    assert (configuration.customer, configuration.subsidy_type) == (customer, SubsidyType.COUPON)
    assert configuration.subsidy_requests_enabled
    newest = configuration.history.latest("history_id")
    assert newest.history_change_reason == "They bought codes."
    assert newest.history_user == configuration.changed_by


def test_its_page_says_how_many_requests_a_change_declines(
    desk: Client, customer: Customer
) -> None:
    asked(customer)
    LicenseRequestFactory.create(customer=customer, failed=True)
    configuration = SubsidyRequestCustomerConfiguration.objects.get()

    html = desk.get(url(f"{CONFIGURATION}_change", configuration.pk)).content.decode()

    assert "2 requests are not granted yet. They would be declined" in html


@pytest.mark.parametrize("subsidy_type", ["coupon", ""])
def test_another_type_declines_only_when_that_is_meant(
    desk: Client, customer: Customer, subsidy_type: str
) -> None:
    made = asked(customer)

    refused = change(desk, customer, subsidy_type=subsidy_type)
    before = states(made)
    change(desk, customer, subsidy_type=subsidy_type, is_decline_meant="on")

    assert "1 request would be declined by this change. Say that it is meant." in refused
    assert before == [RequestState.REQUESTED]
    assert states(made) == [RequestState.DECLINED]
    configuration = SubsidyRequestCustomerConfiguration.objects.get()
    assert configuration.subsidy_type == (subsidy_type or None)


def test_switching_off_declines_nothing(desk: Client, customer: Customer) -> None:
    made = asked(customer)

    change(desk, customer, subsidy_requests_enabled="")

    assert not SubsidyRequestCustomerConfiguration.objects.get().subsidy_requests_enabled
    assert states(made) == [RequestState.REQUESTED]


def test_a_coupon_is_made_and_filled(desk: Client, customer: Customer) -> None:
    post(
        desk,
        url("coupon_add"),
        customer=customer.pk,
        title="Spring",
        is_active="on",
        starts_at_0=f"{NOW:%Y-%m-%d}",
        starts_at_1="00:00:00",
    )
    coupon = Coupon.objects.get()
    file = SimpleUploadedFile("codes.txt", b"\xef\xbb\xbfONE\r\nTWO\r\n\r\nONE\r\n")

    html = post(desk, url("coupon_codes", coupon.pk), codes=" THREE \n", file=file)
    again = post(desk, url("coupon_codes", coupon.pk), codes="THREE\nFOUR")

    assert "Codes added: 3. Known before: 0." in html
    assert "Codes added: 1. Known before: 1." in again
    assert sorted(coupon.codes.values_list("code", flat=True)) == ["FOUR", "ONE", "THREE", "TWO"]
    assert "4 of 4 codes are free." in again
    assert "FOUR" not in again


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"codes": " \n"}, "Write at least one code, or choose a file."),
        ({"codes": "x" * 129}, "1 codes have more than 128 characters."),
        ({"file": b"\xff\xfe\x00"}, "The file is no text in UTF-8."),
        ({"file": b"ONE\x00\nTWO"}, "The file is no text in UTF-8."),
    ],
)
def test_says_what_is_wrong_with_codes(desk: Client, fields: dict[str, Any], told: str) -> None:
    coupon = CouponFactory.create()
    if "file" in fields:
        fields = {"file": SimpleUploadedFile("codes.txt", fields["file"])}

    html = post(desk, url("coupon_codes", coupon.pk), **fields)

    assert "Nothing was changed. Please look at this again:" in html
    assert told in html
    assert not coupon.codes.exists()


def test_no_page_of_staff_shows_a_code(desk: Client) -> None:
    customer = acme(coupons=True)
    coupon = coupon_of(customer, 1)
    made = asked_for_code(customer)
    decide(desk, "approve_chosen", made, pool=coupon.pk, reason="They called.")
    made.refresh_from_db()

    shown = [
        desk.get(url(name, *args)).content.decode()
        for name, args in (
            ("coupon_change", [coupon.pk]),
            ("coupon_changelist", []),
            ("couponcoderequest_change", [made.pk]),
            ("couponcoderequest_changelist", []),
        )
    ]

    assert made.coupon_code
    assert "Nothing: its learner has the code." in shown[2]
    assert not [html for html in shown if made.coupon_code.code in html]
    assert LicenseRequest.objects.count() == 0

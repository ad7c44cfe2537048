"""Licenses in the admin: what staff see, and what their decisions do."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credentials_portal.core.models import OutboxMessage
from licenses.enums import CustomerRole, LicenseStatus, LinkStatus
from licenses.models import (
    Customer,
    CustomerLearner,
    License,
    SubscriptionPlan,
    SubscriptionPlanRenewal,
)
from tests.licenses.factories import (
    DAY,
    AgreementFactory,
    CustomerFactory,
    CustomerLearnerFactory,
    RenewalFactory,
    statuses,
)
from tests.licenses.pages.now import NOW, give, learner, plan_now, signed_in, take, words

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label == "licenses"]


def member_of(role: str) -> Client:
    person = learner(is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    return signed_in(person)


@pytest.fixture
def desk() -> Client:
    """Somebody who looks after customers."""
    return member_of("Subscriptions")


@pytest.fixture
def plan() -> SubscriptionPlan:
    return plan_now(3, title="Gold", customer_agreement__customer__name="Acme")


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:licenses_{name}", args=args)


def page(desk: Client, address: str, **query: Any) -> str:
    response = desk.get(address, query)
    assert response.status_code == 200
    return text(response)


def text(response: Any) -> str:
    html = response.content.decode()
    return words(response) if "<main" in html else html


def post(desk: Client, address: str, **fields: Any) -> str:
    response = desk.post(address, fields, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.mark.parametrize("role", ["Subscriptions", "Support", "Operators", "Auditors"])
def test_whoever_may_look_opens_every_list(role: str, plan: SubscriptionPlan) -> None:
    take(plan, learner())
    browser = member_of(role)

    for model in MODELS:
        assert browser.get(url(f"{model._meta.model_name}_changelist")).status_code == 200, model


def test_registrars_see_none_of_it() -> None:
    browser = member_of("Registrars")

    assert {
        browser.get(url(f"{model._meta.model_name}_changelist")).status_code for model in MODELS
    } == {403}


@pytest.mark.parametrize("role", ["Support", "Operators", "Auditors"])
def test_who_may_look_only_changes_nothing(role: str, plan: SubscriptionPlan) -> None:
    [license] = take(plan, learner())
    browser = member_of(role)

    assert browser.post(url("subscriptionplan_provision", plan.pk)).status_code == 403
    assert browser.get(url("subscriptionplan_add")).status_code == 403
    act(browser, "license", "revoke_chosen", license)
    assert License.objects.get(pk=license.pk).status == LicenseStatus.ACTIVATED


def act(browser: Client, model: str, action: str, *rows: Any, **fields: Any) -> str:
    chosen = [row.pk for row in rows]
    given = {"action": action, "_selected_action": chosen, **fields}
    return post(browser, url(f"{model}_changelist"), **given)


def test_a_plans_page_says_its_state_and_what_comes_next(
    desk: Client, plan: SubscriptionPlan
) -> None:
    give(plan, learner(), learner(), learner())

    html = desk.get(url("subscriptionplan_change", plan.pk)).content.decode()

    assert "Every seat is held: provision more, if the customer bought more." in html
    assert url("subscriptionplan_provision", plan.pk) in html
    assert f"/customers/{plan.customer_agreement.customer.slug}/plans/{plan.uuid}/" in html


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"is_active": False}, "Switch it on when the customer should have it."),
        ({"days_left": -2}, "The next run of expire_subscriptions processes its end."),
        ({"days_left": -2, "expiration_processed": True}, "everything that follows from its end"),
        ({"start_date": NOW + DAY}, "it starts by itself"),
        ({}, "Nothing until it ends; then expire_subscriptions processes it."),
    ],
)
def test_says_the_next_action_of_each_state(
    desk: Client, fields: dict[str, Any], told: str
) -> None:
    plan = plan_now(1, **fields)

    assert told in desk.get(url("subscriptionplan_change", plan.pk)).content.decode()


def test_seats_are_provisioned_with_a_reason(desk: Client, plan: SubscriptionPlan) -> None:
    address = url("subscriptionplan_provision", plan.pk)

    asked = desk.get(address).content.decode()
    refused = post(desk, address, count="2", reason="")
    done = post(desk, address, count="2", reason="Bought more.")

    assert "which has 3 now, 3 of them free" in asked
    assert "errors" in refused
    assert "Seats added: 2" in done
    assert statuses(plan) == {"unassigned": 5}
    newest = License.objects.latest("pk").history.get()
    assert (newest.history_change_reason, newest.cause) == ("Bought more.", "admin")


def test_a_plan_that_is_prolonged_ends_anew(desk: Client) -> None:
    plan = plan_now(days_left=-2, expiration_processed=True)
    ends = timezone.localtime(NOW + 50 * DAY)

    post(
        desk,
        url("subscriptionplan_change", plan.pk),
        title=plan.title,
        is_active="on",
        start_date_0=f"{timezone.localtime(plan.start_date):%Y-%m-%d}",
        start_date_1="00:00:00",
        expiration_date_0=f"{ends:%Y-%m-%d}",
        expiration_date_1="00:00:00",
        revoke_max_percentage="5",
        should_auto_apply_licenses="unknown",
        reason="They asked for it.",
    )

    plan.refresh_from_db()
    assert plan.expiration_date > NOW
    assert not plan.expiration_processed
    assert plan.history.latest("history_id").history_change_reason == "They asked for it."


def test_a_license_tells_its_story(desk: Client, plan: SubscriptionPlan) -> None:
    ada = learner(username="ada")
    [license] = take(plan, ada)

    html = desk.get(url("license_change", license.pk)).content.decode()

    assert "Nothing: its learner uses it." in html
    story = html[html.index('id="story"') :]
    assert story.index("Activated") < story.index("Given to a learner") < story.index("A free seat")


def test_licenses_are_found_by_whole_words_only(desk: Client, plan: SubscriptionPlan) -> None:
    ada = learner(username="ada", email="ada@example.com")
    [license] = take(plan, ada)
    give(plan, learner())

    def found(term: str) -> list[License]:
        response = desk.get(url("license_changelist"), {"q": term})
        return list(response.context["cl"].result_list)

    for term in ("ADA@example.com", "ada", str(license.uuid), str(license.activation_key)):
        assert found(term) == [license]
    assert found("example.com") == []


def test_revoking_is_asked_first_and_keeps_the_reason(desk: Client, plan: SubscriptionPlan) -> None:
    [license] = take(plan, learner(email="ada@example.com"))

    asked = act(desk, "license", "revoke_chosen", license)
    untouched = License.objects.get(pk=license.pk).status
    done = act(desk, "license", "revoke_chosen", license, confirmed="yes", reason="Left.")

    assert "lose these licenses at once" in asked
    assert "ada@example.com: Gold, activated" in asked
    assert untouched == LicenseStatus.ACTIVATED
    assert "Revoked: 1" in done
    assert statuses(plan) == {"revoked": 1, "unassigned": 3}
    assert license.history.latest("history_id").history_change_reason == "Left."


def test_revoking_stops_at_the_cap(desk: Client, plan: SubscriptionPlan) -> None:
    plan.is_revocation_cap_enabled, plan.num_revocations_applied = True, 1
    plan.save()
    [license] = take(plan, learner())

    done = act(desk, "license", "revoke_chosen", license, confirmed="yes", reason="Left.")

    assert "Not revoked, because of the plan&#x27;s limit: 1" in done
    assert License.objects.get(pk=license.pk).status == LicenseStatus.ACTIVATED


def test_reminding_is_asked_first(desk: Client, plan: SubscriptionPlan) -> None:
    [waiting] = give(plan, learner())

    asked = act(desk, "license", "remind_chosen", waiting)
    mails = OutboxMessage.objects.filter(kind="licenses.mail")
    before = mails.count()
    done = act(desk, "license", "remind_chosen", waiting, confirmed="yes", reason="Asked.")

    assert "get a mail with the link" in asked
    assert before == 0
    assert "Reminded: 1" in done
    assert mails.get().payload["notice"] == "reminder"


def test_a_free_seat_is_neither_reminded_nor_revoked(desk: Client, plan: SubscriptionPlan) -> None:
    seat = plan.licenses.first()

    for action in ("remind_chosen", "revoke_chosen"):
        assert "None of the chosen licenses is in a state for this." in act(
            desk, "license", action, seat
        )


def test_a_renewal_is_processed_with_a_reason(desk: Client, plan: SubscriptionPlan) -> None:
    take(plan, learner())
    renewal = RenewalFactory.create(prior_subscription_plan=plan)
    address = url("subscriptionplanrenewal_process", renewal.pk)

    asked = desk.get(address).content.decode()
    done = post(desk, address, reason="Paid early.")

    assert "1 licenses of “Gold” are copied" in asked
    assert "The renewal is processed." in done
    renewal.refresh_from_db()
    assert renewal.processed
    assert renewal.renewed_subscription_plan
    assert statuses(renewal.renewed_subscription_plan) == {"activated": 1, "unassigned": 9}


def test_a_renewal_that_cannot_be_says_why(desk: Client, plan: SubscriptionPlan) -> None:
    take(plan, learner(), learner())
    renewal = RenewalFactory.create(prior_subscription_plan=plan, number_of_licenses=1)
    address = url("subscriptionplanrenewal_process", renewal.pk)

    asked = desk.get(address).content.decode()
    refused = post(desk, address, reason="Paid early.")

    assert "it will be refused" in asked
    assert "The renewal has 1 licenses, and 2 are to be copied." in refused
    assert not SubscriptionPlanRenewal.objects.get().processed


def test_stuck_renewals_are_found(desk: Client) -> None:
    stuck = RenewalFactory.create(prior_subscription_plan=plan_now(days_left=-10))
    RenewalFactory.create(prior_subscription_plan=plan_now(days_left=10))

    response = desk.get(url("subscriptionplanrenewal_changelist"), {"standing": "stuck"})

    assert list(response.context["cl"].result_list) == [stuck]


def test_an_administrator_is_appointed_by_address(desk: Client) -> None:
    customer: Customer = CustomerFactory.create()
    ada = learner(email="ada@example.com")
    for email in ("Ada@example.com", "new@example.com", "ada@example.com"):
        post(
            desk,
            url("customerlearner_add"),
            customer=customer.pk,
            user_email=email,
            role=CustomerRole.ADMIN,
        )

    links = CustomerLearner.objects.filter(customer=customer, role=CustomerRole.ADMIN)
    assert set(links.values_list("user", "user_email", "status")) == {
        (ada.pk, "", LinkStatus.LINKED),
        (None, "new@example.com", LinkStatus.LINKED),
    }


def test_a_learner_is_linked_by_the_service(desk: Client) -> None:
    customer: Customer = CustomerFactory.create()

    post(
        desk,
        url("customerlearner_add"),
        customer=customer.pk,
        user_email="ada@example.com",
        role=CustomerRole.LEARNER,
    )

    assert customer.learners.get().user_email == "ada@example.com"
    assert OutboxMessage.objects.get().kind == "licenses.link"


def test_a_link_ends_with_a_reason_and_begins_again(desk: Client) -> None:
    link: CustomerLearner = CustomerLearnerFactory.create(admin=True)
    assert link.user

    act(desk, "customerlearner", "end_links", link, confirmed="yes", reason="Left.")
    ended = CustomerLearner.objects.get(pk=link.pk).status
    fields = {"customer": link.customer_id, "user_email": link.user.email, "role": "admin"}
    post(desk, url("customerlearner_add"), **fields)

    assert ended == LinkStatus.UNLINKED
    assert CustomerLearner.objects.get().status == LinkStatus.LINKED


def test_an_agreements_page_opens_and_keeps_its_customer(desk: Client) -> None:
    agreement = AgreementFactory.create(customer__name="Acme")

    html = desk.get(url("customeragreement_change", agreement.pk)).content.decode()

    assert "Acme" in html
    assert 'name="customer"' not in html


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<p>It <b>ended</b>.<script>alert(1)</script></p>", "<p>It <b>ended</b>.</p>"),
        ("<script>alert(1)</script>", None),
    ],
)
def test_words_about_the_end_are_kept_without_what_could_run(
    desk: Client, written: str, kept: str | None
) -> None:
    agreement = AgreementFactory.create()
    address = url("customeragreement_change", agreement.pk)

    post(
        desk,
        address,
        unlink_after_days=90,
        license_duration_before_purge="90 00:00:00",
        has_custom_license_expiration_messaging="on",
        modal_header_text="Goodbye",
        expired_subscription_modal_messaging=written,
        button_label_in_modal="Learn more",
        url_for_button_in_modal="https://example.org/",
    )

    agreement.refresh_from_db()
    # Nothing is left of the second: all of the words, or none of them.
    assert agreement.has_custom_license_expiration_messaging is (kept is not None)
    assert agreement.expired_subscription_modal_messaging == (kept or "")


@pytest.mark.parametrize(
    "model", ["license", "subscriptionplan", "subscriptionplanrenewal", "customerlearner"]
)
def test_lists_take_as_many_statements_for_many_as_for_one(desk: Client, model: str) -> None:
    def add() -> None:
        plan = plan_now(2)
        take(plan, learner())
        RenewalFactory.create(prior_subscription_plan=plan)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(url(f"{model}_changelist")).status_code == 200
        return len(captured)

    add()
    before = statements()
    for _ in range(4):
        add()

    assert statements() == before


@pytest.mark.parametrize("term", ["acme", "00000000-0000-0000-0000-000000000000", "%", "1"])
def test_every_list_can_be_searched_for_anything(desk: Client, term: str) -> None:
    for model in MODELS:
        address = url(f"{model._meta.model_name}_changelist")
        if admin.site._registry[model].search_fields:
            assert desk.get(address, {"q": term}).status_code == 200, model


def test_customers_are_found_by_part_of_the_name(desk: Client, plan: SubscriptionPlan) -> None:
    for model in ("customer", "customeragreement", "subscriptionplan"):
        response = desk.get(url(f"{model}_changelist"), {"q": "acm"})

        assert len(response.context["cl"].result_list) == 1, model

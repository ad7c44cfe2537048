"""What staff find about entitlements, and what each one's page tells."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from credentials_portal.core.history import Attribution
from entitlements.enums import EntitlementStatus, ExpiryReason, RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.services.supporting import (
    expire_entitlement,
    extend_entitlement,
    release_entitlement,
)
from tests.entitlements.admin.desk import found, member_of, read, refund_of, url
from tests.entitlements.factories import DAY, INSTANT, PolicyFactory
from tests.entitlements.pages.now import NOW, bought, course, learner, run_of, used
from tests.letters.conftest import Statements

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label == "entitlements"]
EVERYBODY = ("Support", "Refunds", "Registrars", "Operators", "Auditors")


@pytest.fixture
def desk() -> Client:
    return member_of("Support", username="susi")


def page_of(entitlement: CourseEntitlement) -> str:
    return url("courseentitlement_change", entitlement.pk)


@pytest.mark.parametrize("role", EVERYBODY)
def test_whoever_may_look_opens_every_list(role: str) -> None:
    refund_of(bought(learner(), course()))
    PolicyFactory.create()
    browser = member_of(role)

    for model in MODELS:
        address = url(f"{model._meta.model_name}_changelist")
        assert browser.get(address).status_code == 200, model


@pytest.mark.parametrize("role", ["Subscriptions", None])
def test_others_see_none_of_it(role: str | None) -> None:
    browser = member_of(*([role] if role else []))

    assert {
        browser.get(url(f"{model._meta.model_name}_changelist")).status_code for model in MODELS
    } == {403}


def test_finds_entitlements_by_whole_words(desk: Client) -> None:
    statistics = course("Statistics")
    ada = learner(username="ada", email="ada@example.com")
    entitlement = bought(ada, statistics, order_number="EDX-7")
    bought(learner(), course("Probability"), order_number="EDX-77")

    for term in (
        *("ada", "ADA@example.com", "EDX-7", str(entitlement.uuid)),
        *(str(statistics.uuid), statistics.key, "statistic"),
    ):
        assert found(desk, "courseentitlement", q=term) == [entitlement], term
    for term in ("example.com", "EDX", "%", "1", "00000000-0000-0000-0000-000000000000"):
        assert found(desk, "courseentitlement", q=term) == [], term


def test_filters_by_the_status_of_now_and_not_of_the_last_sweep(desk: Client) -> None:
    run = run_of(course(), starts=-100 * DAY)
    ended: dict[str, Any] = {"expired_at": NOW - DAY, "expired_reason": ExpiryReason.SUPPORT}
    expected = {
        EntitlementStatus.AVAILABLE: [bought(learner(), course())],
        EntitlementStatus.REDEEMED: [used(learner(), run, ago=DAY)],
        EntitlementStatus.SPENT: [
            used(learner(), run, ago=20 * DAY),
            used(learner(), run, ago=DAY, **ended),
        ],
        EntitlementStatus.LAPSED: [
            bought(learner(), course(), ago=731 * DAY),
            bought(learner(), course(), **ended),
        ],
    }

    for status, entitlements in expected.items():
        rows = found(desk, "courseentitlement", status=status.value)
        assert rows == entitlements[::-1], status
        assert {row.held.decision.status for row in rows} == {status}


def test_finds_what_ends_soon(desk: Client) -> None:
    soon = bought(learner(), course(), ago=710 * DAY)
    bought(learner(), course())

    assert found(desk, "courseentitlement", ends="soon") == [soon]


@pytest.mark.parametrize("query", [{"status": "no"}, {"ends": "no"}, {"waits_for": "no"}])
def test_a_filter_that_does_not_exist_breaks_nothing(desk: Client, query: dict[str, str]) -> None:
    for model in ("courseentitlement", "courseentitlementrefund"):
        assert desk.get(url(f"{model}_changelist"), query).status_code in {200, 302}


@pytest.mark.parametrize("model", ["courseentitlement", "courseentitlementrefund"])
def test_lists_take_as_many_statements_for_many_as_for_one(
    desk: Client, statements: Statements, model: str
) -> None:
    def add() -> None:
        refund_of(used(learner(), run_of(course())))
        refund_of(bought(learner(), course(), policy=PolicyFactory.create(mode=None)))

    def counted() -> int:
        with statements.counted() as executed:
            assert desk.get(url(f"{model}_changelist")).status_code == 200
        return len(executed)

    refund_of(used(learner(), run_of(course())))
    refund_of(bought(learner(), course(), policy=PolicyFactory.create(mode="professional")))
    for_one = counted()
    for _ in range(3):
        refund_of(used(learner(), run_of(course())))

    assert counted() == for_one


def test_tells_state_reason_and_what_comes_next_of_one_in_use(desk: Client) -> None:
    entitlement = used(learner(username="ada"), run_of(course("Statistics")), ago=DAY)

    page = read(desk, page_of(entitlement))

    assert "ada: Statistics, verified" in page
    assert "State in use, may still be changed since" in page
    assert "Its learner may change or leave the session until" in page
    assert "Session may be changed or left until" in page
    assert "(in 45 days)" in page
    assert "the built-in one: 730 days to use it, 60 days to have it refunded" in page


def test_tells_the_end_that_no_sweep_has_noted(desk: Client) -> None:
    entitlement = bought(learner(), course(), ago=730 * DAY + INSTANT + timedelta(hours=1))

    page = read(desk, page_of(entitlement))

    assert "State ended unused since" in page
    assert "(the next run of expire_old_entitlements notes it)" in page
    entitlement.refresh_from_db()
    assert entitlement.expired_at is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"order_number": None}, "Refundable until never: it has no order"),
        ({"refund_locked": True}, "Refundable until never: it is locked"),
    ],
)
def test_tells_why_it_is_not_refundable(desk: Client, fields: dict[str, Any], told: str) -> None:
    assert told in read(desk, page_of(bought(learner(), course(), **fields)))


def test_tells_the_policy_that_it_was_made_under(desk: Client) -> None:
    policy = PolicyFactory.create(mode="verified", regain_period=2 * DAY)
    entitlement = bought(learner(), course(), policy=policy)

    page = read(desk, page_of(entitlement))

    assert "verified, any site: 730 days to use it, 60 days to have it refunded, 2 days" in page


def test_tells_a_use_that_is_under_way(desk: Client) -> None:
    entitlement, run = bought(learner(), course()), run_of(course())
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=NOW - 2 * DAY
    )

    page = read(desk, page_of(entitlement))

    assert "State being used since" in page
    assert f"To be used for {run.key}, asked" in page
    assert "That takes long: look for its message in the outbox." in page
    assert "its message in the outbox)" not in page
    seen_by_operator = member_of("Operators").get(page_of(entitlement)).content.decode()
    message = f"/admin/core/outboxmessage/?q=enrollment%3A{entitlement.user_id}%3A{run.pk}"
    assert f'href="{message}"' in seen_by_operator


def test_tells_what_happened_the_newest_first(desk: Client) -> None:
    entitlement = used(learner(), run := run_of(course()), ago=DAY)
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement,
        course_run=run,
        status=RedemptionStatus.REFUSED,
        refusal="http_404",
        requested_at=NOW - DAY,
        finished_at=NOW - DAY,
    )
    actor = learner(username="sami")
    for hours, act, fields in (
        (1, extend_entitlement, {"days": 5, "comments": "Was ill."}),
        (2, release_entitlement, {"comments": "Wrong session."}),
        (3, expire_entitlement, {"comments": "Paid back by the bank."}),
    ):
        by = Attribution(at=NOW + timedelta(hours=hours), actor=actor, cause="admin")
        act(entitlement_uuid=entitlement.uuid, by=by, **fields)

    page = read(desk, page_of(entitlement)).partition("What happened, the newest first")[2]

    told = [
        *("Staff: expired", "“Paid back by the bank.”", "Ended: ended by staff"),
        *(f"Staff: session left ({run.key})", "“Wrong session.”", f"Released from {run.key}"),
        *("Staff: extended", "“Was ill.”", "May be used until"),
        *(f"Not used for {run.key}: refused", f"Asked to be used for {run.key}"),
    ]
    places = [page.index(words) for words in told]
    assert places == sorted(places)
    assert page.count("by sami") == 6


def test_nobody_edits_adds_or_deletes_by_hand() -> None:
    entitlement = bought(learner(), course())
    browser = member_of("Support", is_superuser=True)

    assert browser.get(url("courseentitlement_add")).status_code == 403
    assert browser.get(url("courseentitlement_delete", entitlement.pk)).status_code == 403
    assert browser.post(page_of(entitlement), {"mode": "professional"}).status_code == 403
    entitlement.refresh_from_db()
    assert entitlement.mode == "verified"


def test_leads_to_the_learner_and_to_all_that_they_have(desk: Client) -> None:
    ada = learner(username="ada")
    entitlement, other = bought(ada, course()), bought(ada, course())
    bought(learner(), course())

    html = desk.get(page_of(entitlement)).content.decode()

    assert f'href="/admin/accounts/user/{ada.pk}/change/"' in html
    address = f"{url('courseentitlement_changelist')}?user__id__exact={ada.pk}"
    assert f'href="{address}"' in html
    assert found(desk, "courseentitlement", user__id__exact=ada.pk) == [other, entitlement]


def test_of_one_instant_the_later_change_stands_first(desk: Client) -> None:
    entitlement = bought(learner(), course())
    by = Attribution(at=NOW + timedelta(hours=1))
    for days in (1, 2):
        extend_entitlement(entitlement_uuid=entitlement.uuid, days=days, comments="So.", by=by)

    page = read(desk, page_of(entitlement)).partition("What happened, the newest first")[2]

    end = timezone.localtime(entitlement.created + timedelta(days=731))
    one_day, three_days = (f"{at.day} {at:%B %Y}" for at in (end, end + 2 * DAY))
    assert page.index(three_days) < page.index(one_day) < page.index("Created")

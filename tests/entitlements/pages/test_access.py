"""Entitlements in the list of all that a learner may use, and on the home."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from credentials_portal.web.access import access_of
from entitlements.selectors.learners import Standing, entitlements_of_learner
from tests.entitlements.factories import DAY
from tests.entitlements.pages.now import (
    NOW,
    bought,
    course,
    learner,
    page_of,
    refund_of,
    run_of,
    used,
)
from tests.licenses.pages.now import give, plan_now, signed_in, take, words

pytestmark = pytest.mark.django_db


def test_shows_a_bought_course_with_its_next_action() -> None:
    ada = learner()
    entitlement = bought(ada, course("Statistics"))

    response = signed_in(ada).get("/access/")

    assert "Statistics ready to use ends" in words(response)
    assert f'href="{page_of(entitlement)}session/"' in response.content.decode()


def test_shows_nobody_elses() -> None:
    bought(learner(), course("Statistics"))

    assert "Statistics" not in words(signed_in(learner()).get("/access/"))


def test_licenses_and_entitlements_are_one_list() -> None:
    ada = learner()
    take(plan_now(1, title="Long plan", days_left=300), ada)
    give(plan_now(1, title="To activate", days_left=90), ada)
    take(plan_now(1, title="Old plan", days_left=-3), ada, ago=50 * DAY)
    bought(ada, course("To choose"), ago=700 * DAY)
    used(ada, run_of(course("In use")))
    bought(ada, course("Lapsed"), ago=800 * DAY)

    told = words(signed_in(ada).get("/access/"))

    titles = ["To choose", "To activate", "In use", "Long plan", "Used up", "Old plan", "Lapsed"]
    places = [told.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize("count", [1, 6])
def test_takes_the_same_statements_for_any_number(count: int) -> None:
    ada = learner()
    for number in range(count):
        used(ada, run_of(course(f"Course {number}")))

    with CaptureQueriesContext(connection) as captured:
        access = access_of(ada, at=NOW)

    assert len(access.entries) == count
    assert len(captured) == 9


def test_what_needs_the_learner_comes_first() -> None:
    ada = learner()
    bought(ada, course(), ago=800 * DAY)
    used(ada, run_of(course()))
    bought(ada, course())

    standings = [held.standing for held in entitlements_of_learner(ada, at=NOW)]

    assert standings == [Standing.AVAILABLE, Standing.IN_USE, Standing.LAPSED]


@pytest.mark.parametrize(("period_days", "is_told"), [(90, True), (5, False)])
def test_the_home_warns_of_an_end_as_early_as_the_portal_wants(
    settings: Settings, period_days: int, is_told: bool
) -> None:
    settings.ENTITLEMENT_EXPIRED_ALERT_PERIOD = period_days * DAY
    ada = learner()
    bought(ada, course("Statistics"), ago=720 * DAY)

    told = words(signed_in(ada).get("/"))

    assert ("your place ends in 10 days. Choose a session" in told) is is_told
    assert ("Nothing needs you now." in told) is not is_told


def test_the_home_tells_of_a_refused_refund() -> None:
    ada = learner()
    entitlement = bought(ada, course("Statistics"))
    refund = refund_of(entitlement, "failed")

    now = words(signed_in(ada).get("/"))
    refund.settled_at = NOW - 40 * DAY
    refund.save()
    later = words(signed_in(ada).get("/"))

    assert "Your refund of “ Statistics ” was refused. What that means" in now
    assert "was refused" not in later

"""Choosing, changing and leaving a session, step by step, without JavaScript."""

from typing import Any

import pytest
from django.test import Client

from credentials_portal.core.models import OutboxMessage
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from programs.models import CourseRun
from tests.entitlements.factories import DAY, EnrollmentFactory
from tests.entitlements.pages.now import (
    NOW,
    bought,
    course,
    learner,
    page_of,
    refund_of,
    run_of,
    starts_on,
    used,
)
from tests.licenses.pages.now import day, signed_in, words

pytestmark = pytest.mark.django_db


def take(client: Client, entitlement: CourseEntitlement, run: CourseRun) -> Any:
    address = f"{page_of(entitlement)}session/take/"
    return client.post(address, {"course_run": run.key}, follow=True)


def run_in_use(entitlement: CourseEntitlement) -> CourseRun | None:
    entitlement.refresh_from_db()
    used_for = entitlement.enrollment_course_run
    return used_for.course_run if used_for else None


def test_shows_the_sessions_that_can_be_taken() -> None:
    ada, title = learner(), course()
    soon = run_of(title, enrollment_end=NOW + 10 * DAY)
    run_of(title, starts=60 * DAY, enrollment_end=NOW - DAY)
    run_of(title, starts=90 * DAY, modes=("audit",))
    later = run_of(title, starts=120 * DAY)
    entitlement = bought(ada, title)

    response = signed_in(ada).get(f"{page_of(entitlement)}session/")

    html = response.content.decode()
    assert html.count('type="radio"') == 2
    assert html.index(f'value="{soon.key}"') < html.index(f'value="{later.key}"')
    assert "checked" not in html
    assert f"{starts_on(soon)} to {day(NOW + 130 * DAY)}" in words(response)
    assert f"Can be taken until {day(NOW + 10 * DAY)}" in words(response)


def test_the_only_session_is_chosen_already() -> None:
    ada, title = learner(), course()
    run_of(title)

    html = signed_in(ada).get(f"{page_of(bought(ada, title))}session/").content.decode()

    assert html.count("checked") == 1


def test_no_session_is_told_and_nothing_is_lost() -> None:
    ada = learner()

    told = words(signed_in(ada).get(f"{page_of(bought(ada, course()))}session/"))

    assert "No session can be taken at the moment." in told
    assert "until then nothing is lost" in told


@pytest.mark.parametrize(
    ("query", "told"),
    [("", "Choose a session."), ("?course_run=gone", "This session cannot be taken any more.")],
)
def test_who_chose_nothing_that_is_there_chooses_again(query: str, told: str) -> None:
    ada, title = learner(), course()
    run_of(title)

    response = signed_in(ada).get(f"{page_of(bought(ada, title))}session/take/{query}")

    assert f"Please look at this again {told}" in words(response)
    assert "<title>Error: Choose a session" in response.content.decode()


def test_tells_what_follows_before_anything_is_taken() -> None:
    ada, title = learner(), course()
    run = run_of(title)
    entitlement = bought(ada, title)

    response = signed_in(ada).get(f"{page_of(entitlement)}session/take/", {"course_run": run.key})

    assert f"You may change or leave it until {day(NOW + 45 * DAY)}" in words(response)
    assert f"It can be refunded until {day(NOW + 45 * DAY)}" in words(response)
    assert "progress" not in words(response)
    assert not CourseEntitlementRedemption.objects.exists()


def test_takes_the_session_and_says_so() -> None:
    ada, title = learner(), course()
    run = run_of(title)
    entitlement = bought(ada, title)

    response = take(signed_in(ada), entitlement, run)

    assert response.redirect_chain == [(page_of(entitlement), 302)]
    assert "The session is yours." in words(response)
    assert run_in_use(entitlement) == run


def test_taking_it_twice_takes_it_once() -> None:
    ada, title = learner(), course()
    run = run_of(title)
    entitlement = bought(ada, title)
    take(signed_in(ada), entitlement, run)

    response = take(signed_in(ada), entitlement, run)

    assert "The session is yours." in words(response)
    assert CourseEntitlementRedemption.objects.count() == 1


def test_on_a_change_the_reader_knows_that_progress_does_not_move() -> None:
    ada, title = learner(), course()
    old, new = run_of(title), run_of(title, starts=60 * DAY)
    entitlement = used(ada, old)
    client = signed_in(ada)

    chosen = words(client.get(f"{page_of(entitlement)}session/take/", {"course_run": new.key}))
    response = take(client, entitlement, new)

    assert f"You leave {starts_on(old)}" in chosen
    assert "Your progress does not move:" in chosen
    assert "The session is yours." in words(response)
    assert run_in_use(entitlement) == new


def test_a_session_that_closed_meanwhile_changes_nothing() -> None:
    ada, title = learner(), course()
    run = run_of(title, enrollment_end=NOW - DAY)
    entitlement = bought(ada, title)

    response = take(signed_in(ada), entitlement, run)

    assert "This session cannot be taken any more, and nothing was changed." in words(response)
    assert run_in_use(entitlement) is None
    assert not OutboxMessage.objects.exists()


def test_a_session_of_another_course_is_refused() -> None:
    ada = learner()
    entitlement = bought(ada, course())

    response = take(signed_in(ada), entitlement, run_of(course("Other")))

    assert "This session is not of your course." in words(response)
    assert run_in_use(entitlement) is None


def test_who_paid_for_the_session_in_another_way_keeps_the_entitlement() -> None:
    ada, title = learner(), course()
    run = run_of(title, modes=("verified", "professional"))
    EnrollmentFactory.create(user=ada, course_run=run, mode="professional")
    entitlement = bought(ada, title)

    response = take(signed_in(ada), entitlement, run)

    assert "You have this session already, paid for in another way." in words(response)
    assert run_in_use(entitlement) is None


def test_leaving_frees_it_for_another_session() -> None:
    ada = learner()
    entitlement = used(ada, run_of(course()))
    client = signed_in(ada)

    asked = words(client.get(f"{page_of(entitlement)}leave/"))
    response = client.post(f"{page_of(entitlement)}leave/", follow=True)

    assert f"choose one until {day(entitlement.created + 730 * DAY)}" in asked
    assert "Ask for a refund instead" in asked
    assert "You have left the session, and can choose another one." in words(response)
    assert run_in_use(entitlement) is None


@pytest.mark.parametrize("path", ["session/", "session/take/", "leave/"])
def test_what_is_frozen_leads_back_to_the_page_that_says_why(path: str) -> None:
    ada = learner()
    entitlement = used(ada, run_of(course()))
    refund_of(entitlement, "needs_review")

    response = signed_in(ada).get(page_of(entitlement) + path, follow=True)

    assert response.redirect_chain == [(page_of(entitlement), 302)]
    assert "This is not possible at the moment. Nothing was changed." in words(response)
    assert "refund unclear" in words(response)


def test_leaving_after_the_time_for_it_changes_nothing() -> None:
    ada = learner()
    run = run_of(course(), starts=-90 * DAY)
    entitlement = used(ada, run, ago=90 * DAY)

    response = signed_in(ada).post(f"{page_of(entitlement)}leave/", follow=True)

    assert "This cannot be changed any more. Nothing was changed." in words(response)
    assert run_in_use(entitlement) == run

"""One entitlement as its learner sees it: the state, the reason, what can be done, what happened."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credentials_portal.core.history import save_with_history
from entitlements.deliveries import acting
from entitlements.enums import ExpiryReason
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from entitlements.selectors.learners import Standing, entitlement_of_learner
from entitlements.selectors.story import Step, story_of
from entitlements.services import states
from entitlements.services.supporting import transfer_entitlement
from tests.entitlements.factories import DAY, by_at
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


def page(entitlement: CourseEntitlement) -> str:
    return words(signed_in(entitlement.user).get(page_of(entitlement)))


def test_asks_strangers_to_sign_in(client: Client) -> None:
    address = page_of(bought(learner(), course()))

    assert client.get(address)["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.parametrize("path", ["", "session/", "session/take/", "leave/", "refund/"])
def test_somebody_elses_is_not_found(path: str) -> None:
    entitlement = used(learner(), run_of(course()))
    stranger = signed_in(learner())

    assert stranger.get(page_of(entitlement) + path).status_code == 404
    if path not in {"", "session/"}:
        assert stranger.post(page_of(entitlement) + path).status_code == 404
    entitlement.refresh_from_db()
    assert entitlement.enrollment_course_run_id


def test_an_unknown_one_is_not_found() -> None:
    assert signed_in(learner()).get(f"/access/entitlements/{uuid4()}/").status_code == 404


def test_an_unused_one_tells_its_deadlines_in_the_readers_zone() -> None:
    ada = learner(time_zone="Asia/Tokyo")
    entitlement = bought(ada, course("Statistics"))

    response = signed_in(ada).get(page_of(entitlement))

    html = response.content.decode()
    assert "Statistics How it stands ready to use" in words(response)
    assert "JST" in words(response).partition("Refundable until")[2][:40]
    assert f'datetime="{(entitlement.created + 61 * DAY).astimezone(ada.zone).isoformat()}"' in html
    assert f'href="{page_of(entitlement)}session/"' in html
    assert f'href="{page_of(entitlement)}refund/"' in html


def test_one_in_use_says_until_when_it_may_be_changed() -> None:
    run = run_of(course(), starts=-2 * DAY)

    told = page(used(learner(), run))

    assert f"in use for the session from {starts_on(run)}" in told
    assert "You may change or leave the session until" in told
    assert "Change the session Leave the session Ask for a refund" in told


def test_what_was_not_bought_is_not_refundable() -> None:
    told = page(bought(learner(), course(), order_number=None))

    assert "Given to you on" in told
    assert "Refund not possible" in told
    assert "Ask for a refund" not in told


def test_the_time_for_a_refund_was() -> None:
    told = page(bought(learner(), course(), ago=100 * DAY))

    assert f"Refund not any more, since {day(NOW - 39 * DAY)}" in told


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (ExpiryReason.PERIOD, "its time to be used is over. If you need it still, ask"),
        (ExpiryReason.REVOKE, "taken back with the order. If you need it still, ask"),
    ],
)
def test_one_that_ended_unused_says_why(reason: ExpiryReason, told: str) -> None:
    entitlement = bought(learner(), course(), ago=5 * DAY, expired_at=NOW, expired_reason=reason)

    told_by_page = page(entitlement)

    assert f"How it stands ended on {day(NOW)}" in told_by_page
    assert told in told_by_page
    assert "Choose a session" not in told_by_page


def test_a_due_one_is_shown_as_ended_before_anybody_marked_it() -> None:
    entitlement = used(learner(), run_of(course(), starts=-90 * DAY), ago=90 * DAY)

    told = page(entitlement)

    assert "the time to change or leave the session is over" in told
    assert "Your place in the session stays yours." in told
    entitlement.refresh_from_db()
    assert entitlement.expired_at is None


@pytest.mark.parametrize(
    ("status", "fields", "told"),
    [
        ("pending", {}, "refund asked for on"),
        ("pending", {"may_have_arrived": True}, "refund unclear asked for on"),
        ("needs_review", {}, "refund unclear asked for on"),
    ],
)
def test_while_a_refund_is_open_nothing_else_can_be_done(
    status: str, fields: dict[str, bool], told: str
) -> None:
    entitlement = used(learner(), run_of(course()))
    refund_of(entitlement, status, **fields)

    told_by_page = page(entitlement)

    assert told in told_by_page
    assert "you get a mail" in told_by_page
    assert "Change the session" not in told_by_page
    assert "Ask for a refund" not in told_by_page


@pytest.mark.parametrize(
    ("status", "told"),
    [("opened", "was accepted, and will be paid"), ("paid", "The refund was paid.")],
)
def test_a_refunded_one_says_how_far_the_payment_is(status: str, told: str) -> None:
    entitlement = bought(learner(), course(), expired_at=NOW, expired_reason=ExpiryReason.REFUND)
    refund_of(entitlement, status)

    told_by_page = page(entitlement)

    assert f"refunded on {day(NOW)}" in told_by_page
    assert told in told_by_page


def test_a_refused_refund_leaves_everything_as_it_was() -> None:
    entitlement = bought(learner(), course())
    refund_of(entitlement, "failed", refusal="http_400")

    told = page(entitlement)

    assert f"A refund was refused on {day(NOW)}" in told
    assert "http_400" not in told
    assert "Choose a session Ask for a refund" in told


def test_a_session_that_is_being_taken_is_told() -> None:
    entitlement, run = bought(learner(), course()), run_of(course("Other"))
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=NOW
    )

    told = page(entitlement)

    assert "session being taken" in told
    assert "Choose a session" not in told


def test_a_course_that_nobody_knows_any_more_has_a_page() -> None:
    assert "A course that is not in the catalog" in page(
        bought(learner(), course(), course_uuid=uuid4())
    )


def test_takes_a_fixed_number_of_statements() -> None:
    ada = learner()
    entitlement = bought(ada, course())
    with CaptureQueriesContext(connection) as captured:
        held = entitlement_of_learner(ada, entitlement.uuid, at=NOW)
        story_of(entitlement)

    assert held
    assert held.standing == Standing.AVAILABLE
    # None of its run, which it has not.
    assert len(captured) == 4 + 3


# --- What happened ------------------------------------------------------------------------------


def steps(entitlement: CourseEntitlement) -> list[Step]:
    return [happening.step for happening in story_of(entitlement)]


def test_the_story_is_told_newest_first() -> None:
    ada, title = learner(), course()
    first, second = run_of(title), run_of(title, starts=60 * DAY)
    entitlement = bought(ada, title)
    by: dict[str, Any] = {
        "entitlement_uuid": entitlement.uuid,
        "by": by_at(NOW),
        "clock": lambda: NOW,
    }
    acting.redeem_now(course_run_key=first.key, **by)
    acting.redeem_now(course_run_key=second.key, **by)
    acting.leave_now(**by)
    acting.refund_now(**by)

    story = story_of(entitlement)

    assert [happening.step for happening in story] == [
        Step.REFUND_ACCEPTED,
        Step.REFUND_ASKED,
        Step.LEFT,
        Step.SWITCHED,
        Step.TAKEN,
        Step.GRANTED,
    ]
    runs = [happening.run_key for happening in story[2:5]]
    assert runs == [second.key, second.key, first.key]
    told = page(entitlement)
    assert "Refund accepted. With that it ended." in told
    assert "Session changed:" in told


def test_an_imported_one_tells_what_it_brought_along() -> None:
    run = run_of(course(), starts=-90 * DAY)
    entitlement = used(
        *(learner(), run),
        ago=90 * DAY,
        expired_at=NOW - 70 * DAY,
        expired_reason=ExpiryReason.IMPORTED,
    )
    save_with_history(entitlement, by=by_at(NOW))

    assert steps(entitlement) == [Step.ENDED, Step.TAKEN, Step.GRANTED]
    assert story_of(entitlement)[1].run_key == run.key


def test_a_new_owner_is_not_told_what_was_before() -> None:
    entitlement = bought(learner(), course(), ago=5 * DAY)
    save_with_history(entitlement, by=by_at(NOW - 5 * DAY))
    refund_of(entitlement, "failed").history.update(history_date=NOW - 4 * DAY)
    entitlement = transfer_entitlement(
        entitlement_uuid=entitlement.uuid, user=learner(), comments="Asked for.", by=by_at(NOW)
    )

    assert steps(entitlement) == [Step.RECEIVED]
    assert "efused" not in page(entitlement)


def test_an_end_and_what_staff_did_then_are_told() -> None:
    entitlement = bought(learner(), course(), ago=5 * DAY)
    states.end({entitlement.pk: states.Ending(ExpiryReason.SUPPORT)}, by=by_at(NOW - DAY))
    entitlement.refresh_from_db()
    entitlement.expired_at, entitlement.expired_reason = None, ""
    entitlement.extended_until = NOW + 90 * DAY
    save_with_history(entitlement, by=by_at(NOW))
    entitlement.extended_until = NOW + 100 * DAY
    save_with_history(entitlement, by=by_at(NOW))

    assert steps(entitlement) == [Step.EXTENDED, Step.REISSUED, Step.ENDED, Step.GRANTED]
    assert f"Ended: ended by staff. {day(NOW - 5 * DAY)}" in page(entitlement)


def test_an_attempt_that_was_refused_is_told_without_codes() -> None:
    entitlement, run = bought(learner(), course()), run_of(course("Other"))
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement,
        course_run=run,
        status="refused",
        refusal="http_403",
        requested_at=NOW,
        finished_at=NOW,
    )

    told = page(entitlement)

    assert "Session not taken: from" in told
    assert "http_403" not in told

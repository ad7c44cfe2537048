"""What staff do about one entitlement: each action is asked first, and refused where it must be."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.test import Client

from credentials_portal.core.models import OutboxMessage
from entitlements.enums import ExpiryReason, RedemptionStatus, SupportAction
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementSupportDetail,
)
from tests.entitlements.admin.desk import member_of, read, refund_of, send, url
from tests.entitlements.factories import DAY, PolicyFactory
from tests.entitlements.pages.now import NOW, bought, course, learner, run_of, used

pytestmark = pytest.mark.django_db

ACTIONS = ("reissue", "extend", "release", "transfer", "expire")
WHY = "They asked for it."


@pytest.fixture
def desk() -> Client:
    return member_of("Support", username="susi")


def available(**fields: Any) -> CourseEntitlement:
    return bought(learner(), course(), **fields)


def in_use(**fields: Any) -> CourseEntitlement:
    return used(learner(), run_of(course()), **fields)


def ended(**fields: Any) -> CourseEntitlement:
    return available(expired_at=NOW - DAY, expired_reason=ExpiryReason.SUPPORT, **fields)


def address(action: str, entitlement: CourseEntitlement) -> str:
    return url(f"courseentitlement_{action}", entitlement.pk)


def offered(desk: Client, entitlement: CourseEntitlement) -> set[str]:
    """The actions of which the page has a button."""
    html = desk.get(url("courseentitlement_change", entitlement.pk)).content.decode()
    return {action for action in ACTIONS if f'href="{address(action, entitlement)}"' in html}


def state_of(entitlement: CourseEntitlement) -> tuple[Any, ...]:
    """All that an action could change, and the traces that it would leave."""
    (row,) = CourseEntitlement.objects.filter(pk=entitlement.pk).values_list()
    return (
        row,
        entitlement.history.count(),
        CourseEntitlementSupportDetail.objects.count(),
        OutboxMessage.objects.count(),
    )


def note_of(entitlement: CourseEntitlement) -> tuple[str, str, str]:
    detail = entitlement.support_details.get()
    return detail.action, detail.comments, str(detail.support_user)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (available, {"extend", "transfer", "expire"}),
        (in_use, {"extend", "release", "expire"}),
        (ended, {"reissue"}),
    ],
)
def test_offers_what_is_possible_in_each_state(desk: Client, make: Any, expected: set[str]) -> None:
    assert offered(desk, make()) == expected


def test_one_whose_end_no_sweep_has_noted_is_offered_to_be_reissued(desk: Client) -> None:
    assert offered(desk, available(ago=731 * DAY)) == {"reissue"}


def test_nothing_is_offered_while_a_refund_is_unsettled(desk: Client) -> None:
    entitlement = available()
    refund_of(entitlement)

    assert offered(desk, entitlement) == set()


def test_nothing_is_offered_while_it_is_being_used(desk: Client) -> None:
    entitlement = available()
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement,
        course_run=run_of(course()),
        status=RedemptionStatus.PENDING,
        requested_at=NOW,
    )

    assert offered(desk, entitlement) == set()


@pytest.mark.parametrize("action", ACTIONS)
def test_asks_for_a_comment_and_shows_what_follows_first(desk: Client, action: str) -> None:
    entitlement = {"reissue": ended, "release": in_use}.get(action, available)()
    before = state_of(entitlement)

    asked = read(desk, address(action, entitlement))
    refused = send(desk, address(action, entitlement), comments=" ", days=3, user="", leaves_run="")

    assert "What happens" in asked
    assert "Nothing was changed. Please look at this again:" in refused
    assert state_of(entitlement) == before


@pytest.mark.parametrize("role", ["Refunds", "Operators", "Auditors", "Registrars"])
def test_others_see_it_and_do_nothing(role: str) -> None:
    browser = member_of(role)

    for entitlement in (available(), in_use(), ended()):
        before = state_of(entitlement)
        assert offered(browser, entitlement) == set()
        for action in ACTIONS:
            answer = browser.post(address(action, entitlement), {"comments": WHY, "days": 3})
            assert answer.status_code == 403
        assert state_of(entitlement) == before


def test_whoever_may_not_look_gets_no_page() -> None:
    entitlement = available()

    browser = member_of("Subscriptions")

    assert browser.get(url("courseentitlement_change", entitlement.pk)).status_code == 403
    assert browser.get(address("expire", entitlement)).status_code == 403
    assert browser.get(url("courseentitlement_create")).status_code == 403
    assert browser.get(url("courseentitlement_many")).status_code == 403


def test_reissues_one_that_ended(desk: Client) -> None:
    entitlement = ended()

    done = send(desk, address("reissue", entitlement), comments=WHY)

    assert "It can be used again." in done
    entitlement.refresh_from_db()
    assert entitlement.expired_at is None
    assert note_of(entitlement) == (SupportAction.REISSUE, WHY, "susi")


def test_reissuing_leaves_the_session_if_asked_to(desk: Client) -> None:
    entitlement = in_use(expired_at=NOW - DAY, expired_reason=ExpiryReason.SUPPORT)
    enrollment = entitlement.enrollment_course_run
    assert enrollment

    asked = read(desk, address("reissue", entitlement))
    send(desk, address("reissue", entitlement), comments=WHY, leaves_run="on")

    assert f"It was used for {enrollment.course_run.key}." in asked
    entitlement.refresh_from_db()
    assert (entitlement.expired_at, entitlement.enrollment_course_run) == (None, None)
    assert entitlement.support_details.get().unenrolled_run == enrollment.course_run
    assert OutboxMessage.objects.filter(kind="entitlements.unenroll").count() == 1


def test_extends_by_days(desk: Client) -> None:
    entitlement = available()
    end = entitlement.created + timedelta(days=730)

    send(desk, address("extend", entitlement), comments=WHY, days=10)

    entitlement.refresh_from_db()
    assert entitlement.extended_until == end + 10 * DAY
    assert note_of(entitlement) == (SupportAction.EXTEND, WHY, "susi")


@pytest.mark.parametrize("days", ["", "0", "-1", "3651", "a"])
def test_extends_by_no_other_number_of_days(desk: Client, days: str) -> None:
    entitlement = available()
    before = state_of(entitlement)

    refused = send(desk, address("extend", entitlement), comments=WHY, days=days)

    assert "Nothing was changed." in refused
    assert state_of(entitlement) == before


def test_releases_from_the_session(desk: Client) -> None:
    entitlement = in_use()

    asked = read(desk, address("release", entitlement))
    send(desk, address("release", entitlement), comments=WHY)

    assert "Nothing is refunded." in asked
    entitlement.refresh_from_db()
    assert entitlement.enrollment_course_run is None
    assert entitlement.expired_at is None
    assert note_of(entitlement) == (SupportAction.LEAVE, WHY, "susi")


def test_transfers_to_another_learner_and_course(desk: Client) -> None:
    entitlement, other = available(), course("Statistics")
    ada = learner(email="ada@example.com")

    send(
        desk,
        address("transfer", entitlement),
        comments=WHY,
        user="ADA@example.com",
        course_uuid=other.key,
    )

    entitlement.refresh_from_db()
    assert (entitlement.user, entitlement.course_uuid) == (ada, other.uuid)
    assert entitlement.refund_locked
    assert note_of(entitlement) == (SupportAction.TRANSFER, WHY, "susi")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Name the new learner, the new course, or both."),
        ({"user": "nobody"}, "There is nobody with this username or e-mail address."),
        ({"course_uuid": "no+course"}, "There is no course with this key or uuid."),
    ],
)
def test_transfers_to_nobody_and_nothing_unknown(
    desk: Client, fields: dict[str, str], told: str
) -> None:
    entitlement = available()
    before = state_of(entitlement)

    refused = send(desk, address("transfer", entitlement), comments=WHY, **fields)

    assert told in refused
    assert state_of(entitlement) == before


def test_expires_and_keeps_the_learner_in_the_session(desk: Client) -> None:
    entitlement = in_use()

    send(desk, address("expire", entitlement), comments=WHY)

    entitlement.refresh_from_db()
    assert entitlement.expired_reason == ExpiryReason.SUPPORT
    assert entitlement.enrollment_course_run is not None
    assert note_of(entitlement) == (SupportAction.EXPIRE, WHY, "susi")


def test_says_why_the_rules_refuse(desk: Client) -> None:
    """It came to be refused while the page was open."""
    entitlement = available()
    refund_of(entitlement)
    before = state_of(entitlement)

    shown = read(desk, address("expire", entitlement))
    refused = send(desk, address("expire", entitlement), comments=WHY)

    assert "This cannot be done: the entitlement is not in a state for it any more" in shown
    assert "A refund of this entitlement is under way." in refused
    assert state_of(entitlement) == before


def test_gives_an_entitlement(desk: Client) -> None:
    ada, statistics = learner(username="ada"), course("Statistics")
    fields = {"user": "ada", "course_uuid": str(statistics.uuid), "mode": "verified"}

    done = send(desk, url("courseentitlement_create"), comments=WHY, **fields)

    assert "The entitlement is given." in done
    entitlement = CourseEntitlement.objects.get()
    assert (entitlement.user, entitlement.course_uuid) == (ada, statistics.uuid)
    assert (entitlement.order_number, entitlement.refund_locked) == (None, True)
    assert note_of(entitlement) == (SupportAction.CREATE, WHY, "susi")


def test_gives_it_under_the_policy_of_the_site_that_is_asked(desk: Client) -> None:
    policy = PolicyFactory.create(site=Site.objects.create(domain="localhost", name="The desk"))
    learner(username="ada")
    fields = {"user": "ada", "course_uuid": str(course().uuid), "mode": "verified"}

    send(desk, url("courseentitlement_create"), comments=WHY, **fields)

    assert CourseEntitlement.objects.get().policy == policy


def test_gives_nothing_for_an_order_that_paid_already(desk: Client) -> None:
    entitlement = available(order_number="EDX-7")
    before = state_of(entitlement)
    fields = {
        "user": entitlement.user.username,
        "course_uuid": str(entitlement.course_uuid),
        "mode": "verified",
        "order_number": "EDX-7",
    }

    refused = send(desk, url("courseentitlement_create"), comments=WHY, **fields)

    assert "This order paid for this course already" in refused
    assert CourseEntitlement.objects.count() == 1
    assert state_of(entitlement) == before

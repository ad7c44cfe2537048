"""Policies in the admin: added, superseded, withdrawn; what learners bought stays as it was."""

from typing import Any

import pytest
from django.test import Client

from entitlements.models import CourseEntitlementPolicy
from entitlements.rules import DAY, Periods
from tests.entitlements.admin.desk import member_of, read, send, url
from tests.entitlements.factories import PolicyFactory
from tests.entitlements.pages.now import NOW, bought, course, learner

pytestmark = pytest.mark.django_db

DAYS = {"expiration_days": 365, "refund_days": 30, "regain_days": 2}
WHY = "The board decided."


@pytest.fixture
def desk() -> Client:
    return member_of("Registrars", username="rita")


@pytest.fixture
def policy() -> CourseEntitlementPolicy:
    made: CourseEntitlementPolicy = PolicyFactory.create(mode="verified")
    return made


def address(name: str, *args: Any) -> str:
    return url(f"courseentitlementpolicy_{name}", *args)


def test_adds_a_policy_in_whole_days(desk: Client) -> None:
    done = send(desk, address("new"), mode="professional", reason=WHY, **DAYS)

    assert "The policy is saved." in done
    policy = CourseEntitlementPolicy.objects.get()
    assert (policy.site, policy.mode) == (None, "professional")
    assert policy.periods == Periods(365 * DAY, 30 * DAY, 2 * DAY)
    assert policy.history.get().history_change_reason == WHY


@pytest.mark.parametrize("days", ["-1", "1.5", "36501", ""])
def test_adds_none_with_other_periods(desk: Client, days: str) -> None:
    refused = send(desk, address("new"), reason=WHY, **{**DAYS, "regain_days": days})

    assert "Nothing was changed." in refused
    assert not CourseEntitlementPolicy.objects.exists()


def test_adds_no_second_one_for_the_same_site_and_mode(
    desk: Client, policy: CourseEntitlementPolicy
) -> None:
    refused = send(desk, address("new"), mode="verified", reason=WHY, **DAYS)

    assert "There is a policy for this site and mode: change that one." in refused
    assert CourseEntitlementPolicy.objects.count() == 1


def test_changing_one_in_use_supersedes_it(desk: Client, policy: CourseEntitlementPolicy) -> None:
    entitlement = bought(learner(), course(), policy=policy)

    asked = read(desk, address("supersede", policy.pk))
    done = send(desk, address("supersede", policy.pk), reason=WHY, **DAYS)

    assert "The entitlements that have this one (1) keep it" in asked
    assert "365 days to use it" in done
    old, new = CourseEntitlementPolicy.objects.order_by("pk")
    assert old.superseded_at is not None
    assert (new.mode, new.periods.regain) == ("verified", 2 * DAY)
    entitlement.refresh_from_db()
    assert entitlement.policy == old
    assert entitlement.periods == Periods()


def test_withdraws_one(desk: Client, policy: CourseEntitlementPolicy) -> None:
    send(desk, address("withdraw", policy.pk), reason=WHY)

    policy.refresh_from_db()
    assert policy.superseded_at is not None


@pytest.mark.parametrize("name", ["supersede", "withdraw"])
def test_one_that_is_past_is_left_alone(desk: Client, name: str) -> None:
    past = PolicyFactory.create(mode="verified", superseded_at=NOW)

    shown = read(desk, address(name, past.pk))
    refused = send(desk, address(name, past.pk), reason=WHY, **DAYS)

    assert "This policy is not in force any more." in shown
    assert "This policy is not in force any more." in refused
    assert f'href="{address(name, past.pk)}"' not in read(desk, address("change", past.pk))
    assert CourseEntitlementPolicy.objects.count() == 1


@pytest.mark.parametrize("role", ["Support", "Refunds", "Operators", "Auditors"])
def test_others_see_them_and_change_nothing(role: str, policy: CourseEntitlementPolicy) -> None:
    browser = member_of(role)

    assert browser.get(address("change", policy.pk)).status_code == 200
    assert browser.post(address("new"), {"reason": WHY, **DAYS}).status_code == 403
    for name in ("supersede", "withdraw"):
        answer = browser.post(address(name, policy.pk), {"reason": WHY, **DAYS})
        assert answer.status_code == 403
    assert CourseEntitlementPolicy.objects.get().superseded_at is None

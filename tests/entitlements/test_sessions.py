from collections.abc import Callable
from typing import Any

import pytest

from entitlements.models import CourseEntitlement
from entitlements.selectors.judging import judge
from entitlements.selectors.sessions import sessions_of
from programs.models import CourseRun
from tests.entitlements.factories import (
    DAY,
    INSTANT,
    SOLD,
    EnrollmentFactory,
    EntitlementFactory,
)
from tests.entitlements.sessions import AT, offered_run, run_used
from tests.letters.conftest import Statements
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db


def shown(*entitlements: CourseEntitlement) -> list[list[tuple[str, bool]]]:
    """The keys of what is shown for each, and whether it is the present one."""
    judged = judge(entitlements, at=AT)
    found = sessions_of(judged, at=AT)
    return [[(one.offer.key, one.is_present) for one in found[e.pk]] for e in entitlements]


def can_be_chosen(entitlement: CourseEntitlement, run: CourseRun) -> bool:
    return (run.key, False) in shown(entitlement)[0]


@pytest.mark.parametrize(
    ("fields", "is_offered"),
    [
        ({}, True),
        ({"start_date": None}, False),
        ({"start_date": SOLD + 900 * DAY}, True),
        ({"end_date": SOLD}, True),
        ({"modes": ()}, False),
        ({"modes": ("professional",)}, False),
        ({"enrollment_start": AT}, False),
        ({"enrollment_start": AT - INSTANT}, True),
        ({"enrollment_end": AT}, False),
        ({"enrollment_end": AT + INSTANT}, True),
    ],
)
def test_a_run_is_offered_while_it_can_be_entered(fields: dict[str, Any], is_offered: bool) -> None:
    entitlement = EntitlementFactory.create()

    assert can_be_chosen(entitlement, offered_run(entitlement, **fields)) is is_offered


@pytest.mark.parametrize(("deadline", "is_offered"), [(AT, False), (AT + INSTANT, True)])
def test_a_run_is_offered_until_its_mode_cannot_be_had_any_more(
    deadline: Any, is_offered: bool
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    run.modes.update(upgrade_deadline=deadline)

    assert can_be_chosen(entitlement, run) is is_offered


@pytest.mark.parametrize(
    ("enrollment", "is_offered"),
    [
        ({"mode": "audit"}, True),
        ({"mode": "audit", "is_active": False}, False),
        ({"mode": "verified"}, False),
        ({"mode": "professional"}, False),
    ],
)
def test_who_is_in_a_run_for_free_may_use_one_after_enrollment_closed(
    enrollment: dict[str, Any], is_offered: bool
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement, enrollment_end=SOLD)
    EnrollmentFactory.create(user=entitlement.user, course_run=run, **enrollment)

    assert can_be_chosen(entitlement, run) is is_offered


def test_the_present_run_is_shown_whatever_became_of_it_and_others_by_start() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    present = run_used(entitlement)
    CourseRun.objects.filter(pk=present.pk).update(start_date=None, enrollment_end=SOLD)
    later = offered_run(entitlement, start_date=SOLD + 20 * DAY)
    sooner = offered_run(entitlement, start_date=SOLD + 5 * DAY)

    assert shown(entitlement) == [[(sooner.key, False), (later.key, False), (present.key, True)]]


@pytest.mark.parametrize("make", [{"expired": True}, {"created": SOLD - 800 * DAY}])
def test_nothing_else_is_shown_for_one_that_has_ended(make: dict[str, Any]) -> None:
    entitlement = EntitlementFactory.create(redeemed=True, **make)
    present = run_used(entitlement)
    offered_run(entitlement)

    assert shown(entitlement) == [[(present.key, True)]]


def test_many_take_as_many_statements_as_one(statements: Statements) -> None:
    def count(*entitlements: CourseEntitlement) -> int:
        judged = judge(entitlements, at=AT)
        with statements.counted() as run:
            sessions_of(judged, at=AT)
        return len(run)

    entitlements = EntitlementFactory.create_batch(20, redeemed=True)
    for entitlement in entitlements:
        offered_run(entitlement)

    assert count(entitlements[0]) == count(*entitlements) == 3


# --- What the old service's queries meant -----------------------------------------------------------


@pytest.fixture
def four() -> dict[str, CourseEntitlement]:
    """A fresh, a redeemed, a lapsed and a spent one of the same learner, in this order of sale."""
    same: dict[str, Any] = {"user": LearnerFactory.create(), "course": CourseFactory.create()}
    return {
        "fresh": EntitlementFactory.create(**same),
        "redeemed": EntitlementFactory.create(**same, created=SOLD + DAY, redeemed=True),
        "lapsed": EntitlementFactory.create(**same, created=SOLD + 3 * DAY, expired=True),
        "spent": EntitlementFactory.create(
            **same, created=SOLD + 2 * DAY, redeemed=True, expired=True
        ),
    }


@pytest.mark.parametrize(
    ("helper", "names"),
    [("active", {"fresh", "redeemed", "spent"}), ("fulfillable", {"fresh"})],
)
def test_the_old_queries_mean_what_they_said(
    four: dict[str, CourseEntitlement], helper: str, names: set[str]
) -> None:
    held = CourseEntitlement.objects.filter(user=four["fresh"].user)

    found: Callable[[], Any] = getattr(held, helper)

    assert set(found()) == {four[name] for name in names}


def test_shown_for_a_course_is_the_newest_active_one(four: dict[str, CourseEntitlement]) -> None:
    user_id, course_uuid = four["fresh"].user_id, four["fresh"].course_uuid
    held = CourseEntitlement.objects.all()

    assert held.newest_active(user_id=user_id, course_uuid=course_uuid) == four["spent"]
    assert (
        CourseEntitlement.objects.none().newest_active(user_id=user_id, course_uuid=course_uuid)
        is None
    )

"""`report_subsidy_requests`, and what it is made of."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from licenses.models import SubscriptionPlan
from programs.models import Course
from subsidy_requests.enums import DecisionSource, RequestState, SubsidyType
from subsidy_requests.models import LicenseRequest
from subsidy_requests.selectors.reports import (
    DeclineReason,
    StateCount,
    UsedOtherwise,
    course_demands,
    decline_reasons,
    demands,
    state_counts,
    unused_grants,
    used_otherwise,
)
from subsidy_requests.services.approving import approve_license_requests
from tests.letters.commands import Ran, run_command
from tests.licenses.factories import (
    AT,
    DAY,
    INSTANT,
    CustomerFactory,
    LearnerFactory,
    plan_with_seats,
    refresh,
)
from tests.programs.factories import CourseEnrollmentFactory, CourseFactory
from tests.subsidy_requests.factories import (
    ConfigurationFactory,
    CouponCodeFactory,
    CouponCodeRequestFactory,
    LicenseRequestFactory,
    by_at,
)

pytestmark = pytest.mark.django_db

GRANTED = AT - 40 * DAY


@pytest.fixture
def plan() -> SubscriptionPlan:
    plan = plan_with_seats(3, customer_agreement__customer__slug="acme")
    ConfigurationFactory.create(customer=plan.customer_agreement.customer)
    return plan


def command(*options: object) -> Ran:
    return run_command("report_subsidy_requests", "--as-of", AT.isoformat(), *options)


def granted(plan: SubscriptionPlan, user: User, course: str = "") -> LicenseRequest:
    customer = plan.customer_agreement.customer
    request = LicenseRequestFactory.create(user=user, customer=customer, course_id=course)
    (fulfilled,) = approve_license_requests(
        customer=customer,
        uuids=[request.uuid],
        plan_uuid=plan.uuid,
        source=DecisionSource.COMMAND,
        notify=False,
        by=by_at(GRANTED),
    )
    assert fulfilled.state == RequestState.FULFILLED
    return fulfilled


def enrolled(user: User, course: Course, *, after: timedelta, **fields: Any) -> None:
    enrollment = CourseEnrollmentFactory.create(user=user, course_run__course=course, **fields)
    type(enrollment).objects.filter(pk=enrollment.pk).update(created=GRANTED + after)


def waiting(plan: SubscriptionPlan, *, days: int, **fields: Any) -> LicenseRequest:
    request: LicenseRequest = LicenseRequestFactory.create(
        customer=plan.customer_agreement.customer, created=AT - days * DAY, **fields
    )
    return request


# --- What learners wait for --------------------------------------------------------------------


def test_demand_is_told_against_the_seats_that_are_left(plan: SubscriptionPlan) -> None:
    for days in (0, 6, 7, 30, 90):
        waiting(plan, days=days)
    waiting(plan, days=1, failed=True)

    (demand,) = demands(at=AT)

    assert (demand.slug, demand.kind) == ("acme", SubsidyType.LICENSE)
    assert (demand.waiting, demand.failed, demand.free, demand.unmet) == (5, 1, 3, 3)
    assert demand.oldest_at == AT - 90 * DAY
    assert demand.by_age == {"7": 2, "30": 1, "90": 1, "older": 1}


def test_what_is_free_in_other_plans_and_times_does_not_count(plan: SubscriptionPlan) -> None:
    customer = plan.customer_agreement.customer
    plan_with_seats(5, customer_agreement=plan.customer_agreement, is_active=False)
    plan_with_seats(5, customer_agreement=plan.customer_agreement, expired=True)
    plan_with_seats(5)
    waiting(plan, days=1)

    assert [demand.free for demand in demands(at=AT, customer=customer)] == [3]


def test_demand_for_codes_is_told_against_codes_that_hold() -> None:
    code = CouponCodeFactory.create(coupon__ends_at=AT + INSTANT)
    CouponCodeFactory.create(coupon__customer=code.coupon.customer, coupon__ends_at=AT)
    for _ in range(3):
        CouponCodeRequestFactory.create(customer=code.coupon.customer)

    (demand,) = demands(at=AT)

    assert (demand.kind, demand.free, demand.unmet) == (SubsidyType.COUPON, 1, 2)


def test_who_asked_again_counts_once(plan: SubscriptionPlan) -> None:
    failed = waiting(plan, days=2, failed=True)
    waiting(plan, days=1, user=failed.user)

    (demand,) = demands(at=AT)

    assert (demand.waiting, demand.failed) == (1, 0)


def test_nobody_waits_for_nothing() -> None:
    LicenseRequestFactory.create(declined=True)

    assert demands(at=AT) == []


# --- What became of them -----------------------------------------------------------------------


def test_reasons_of_decline_are_counted(plan: SubscriptionPlan) -> None:
    for reason in ("Too dear.", "", "Too dear."):
        waiting(plan, days=1, declined=True, decline_reason=reason)
    LicenseRequestFactory.create(declined=True)

    assert decline_reasons(customer=plan.customer_agreement.customer) == [
        DeclineReason("acme", SubsidyType.LICENSE, DecisionSource.ADMIN_API, "Too dear.", 2),
        DeclineReason("acme", SubsidyType.LICENSE, DecisionSource.ADMIN_API, "", 1),
    ]


def test_states_are_counted_with_how_long_it_took(plan: SubscriptionPlan) -> None:
    for days in (1, 2, 9):
        waiting(plan, days=days, declined=True)
    waiting(plan, days=5)

    assert state_counts() == [
        StateCount("acme", SubsidyType.LICENSE, RequestState.DECLINED, 3, 48.0),
        StateCount("acme", SubsidyType.LICENSE, RequestState.REQUESTED, 1, None),
    ]


def test_the_most_wanted_courses_come_first(plan: SubscriptionPlan) -> None:
    for course_id in ("X+A", "X+B", "X+B", ""):
        waiting(plan, days=1, course_id=course_id)
    waiting(plan, days=1, course_id="X+A", declined=True)

    assert [(one.course_id, one.count) for one in course_demands()] == [
        ("X+B", 2),
        ("", 1),
        ("X+A", 1),
    ]


def test_a_license_that_nobody_activated_is_unused_from_its_day_on(
    plan: SubscriptionPlan,
) -> None:
    request = granted(plan, LearnerFactory.create())
    used = granted(plan, LearnerFactory.create())
    assert used.license
    type(used.license).objects.filter(pk=used.license.pk).update(
        status="activated", activation_date=AT
    )

    assert list(unused_grants(at=AT, days=40)) == [request]
    assert list(unused_grants(at=AT, days=41)) == []
    assert list(unused_grants(at=AT, days=0, customer=CustomerFactory.create())) == []


def test_a_seat_that_is_somebody_elses_by_now_is_not_unused(plan: SubscriptionPlan) -> None:
    request = granted(plan, LearnerFactory.create())
    assert request.license
    type(request.license).objects.filter(pk=request.license.pk).update(
        user_email="another@x.org", source_request_uuid=None
    )
    refresh([request.license])

    assert list(unused_grants(at=AT, days=1)) == []


def test_tells_what_was_used_for_another_course(plan: SubscriptionPlan) -> None:
    ann, bob, cyd = (LearnerFactory.create() for _ in range(3))
    asked, other = CourseFactory.create(key="X+Asked"), CourseFactory.create(key="X+Other")
    for learner in (ann, bob, cyd):
        granted(plan, learner, "X+Asked")
    enrolled(ann, other, after=DAY)
    enrolled(bob, other, after=DAY)
    enrolled(bob, asked, after=2 * DAY)
    enrolled(cyd, other, after=-DAY)

    assert used_otherwise() == [UsedOtherwise("acme", SubsidyType.LICENSE, "X+Asked", "X+Other", 1)]
    assert used_otherwise(customer=CustomerFactory.create()) == []


def test_an_enrollment_that_ended_is_no_use(plan: SubscriptionPlan) -> None:
    learner = LearnerFactory.create()
    granted(plan, learner, "X+Asked")
    enrolled(learner, CourseFactory.create(key="X+Other"), after=DAY, is_active=False)

    assert used_otherwise() == []


# --- The command -------------------------------------------------------------------------------


def test_sums_up_and_lists(plan: SubscriptionPlan, tmp_path: Path) -> None:
    learner = LearnerFactory.create()
    unused = granted(plan, learner, "X+Asked")
    enrolled(learner, CourseFactory.create(key="X+Other"), after=DAY)
    waiting(plan, days=1)
    for days in (100, 101):
        waiting(plan, days=days, course_id="X+Wanted")
    waiting(plan, days=1, declined=True, decline_reason="=Too dear")

    ran = command("--customer", "acme", "--output", tmp_path / "report.csv")

    assert (ran.code, ran.summary) == (
        0,
        {
            "states": {"declined": 1, "fulfilled": 1, "requested": 3},
            "waiting": 3,
            "failed": 0,
            "unmet": 1,
            "waiting_days": {"7": 1, "30": 0, "90": 0, "older": 2},
            "declined": {"admin_api": 1},
            "unused": 1,
            "used_otherwise": 1,
        },
    )
    with (tmp_path / "report.csv").open(newline="", encoding="utf-8-sig") as lines:
        rows = [tuple(row.values()) for row in csv.DictReader(lines)]
    assert ("requests", "acme", "license", "fulfilled", "1") in rows
    assert ("waiting_for_course", "acme", "license", "X+Wanted", "2") in rows
    assert ("unmet", "acme", "license", "", "1") in rows
    assert ("waiting_days", "acme", "license", "older", "2") in rows
    assert ("declined", "acme", "license", "'=Too dear", "1") in rows
    assert ("used_otherwise", "acme", "license", "X+Asked → X+Other", "1") in rows
    assert ("unused", "acme", "license", str(unused.uuid), "40") in rows


def test_another_customer_has_nothing_to_report(plan: SubscriptionPlan) -> None:
    waiting(plan, days=1)

    ran = command("--customer", CustomerFactory.create().uuid)

    assert (ran.summary["waiting"], ran.summary["declined"]) == (0, {})
    assert command().summary["waiting"] == 1
    assert command("--customer", "nobody").code == 2

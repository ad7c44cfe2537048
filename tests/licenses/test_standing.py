"""Where a plan stands at an exact instant."""

from datetime import datetime, timedelta

import pytest

from licenses.models import SubscriptionPlan
from licenses.selectors.standing import PlanStanding, plan_standings
from tests.licenses.factories import DAY, ENDS, HOUR, INSTANT, STARTS, PlanFactory, RenewalFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan() -> SubscriptionPlan:
    """From `STARTS` until `ENDS`."""
    plan: SubscriptionPlan = PlanFactory.create()
    return plan


def at(instant: datetime, plan: SubscriptionPlan) -> PlanStanding:
    [standing] = plan_standings([plan], at=instant)
    return standing


@pytest.mark.parametrize(
    ("instant", "is_current", "days"),
    [
        (STARTS - INSTANT, False, 365),
        (STARTS, True, 365),
        (ENDS - DAY, True, 1),
        (ENDS - DAY + INSTANT, True, 0),
        (ENDS - INSTANT, True, 0),
        (ENDS, False, 0),
        (ENDS + INSTANT, False, -1),
    ],
)
def test_a_plan_is_current_until_but_not_at_its_end(
    plan: SubscriptionPlan, instant: datetime, is_current: bool, days: int
) -> None:
    standing = at(instant, plan)

    assert (standing.is_current, standing.days_until_expiration) == (is_current, days)


@pytest.mark.parametrize(
    ("before_renewal", "is_locked"),
    [
        (12 * HOUR, False),
        (12 * HOUR - INSTANT, True),
        (timedelta(), True),
        (-INSTANT, False),
    ],
)
def test_a_plan_is_locked_in_the_twelve_hours_before_its_renewal(
    plan: SubscriptionPlan, before_renewal: timedelta, is_locked: bool
) -> None:
    RenewalFactory.create(prior_subscription_plan=plan)

    assert at(ENDS - before_renewal, plan).is_locked_for_renewal is is_locked


def test_renewals_that_go_in_a_circle_are_followed_once(plan: SubscriptionPlan) -> None:
    other = PlanFactory.create(customer_agreement=plan.customer_agreement)
    RenewalFactory.create(prior_subscription_plan=plan, renewed_subscription_plan=other)
    RenewalFactory.create(prior_subscription_plan=other, renewed_subscription_plan=plan)

    standing = at(ENDS, plan)

    assert (len(standing.future_renewals), len(standing.prior_renewals)) == (2, 2)

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.sites.models import Site

from credentials_portal.core.history import rows_without_true_history
from entitlements.models import CourseEntitlementPolicy
from entitlements.rules import DAY, Periods
from entitlements.selectors.policies import policy_for, site_of
from entitlements.services.granting import grant_entitlement
from entitlements.services.policies import (
    PeriodInvalidError,
    PolicyExistsError,
    PolicySupersededError,
    add_policy,
    change_policy,
    withdraw_policy,
)
from tests.entitlements.factories import SOLD, PolicyFactory, by_at
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db

SHORT = Periods(expiration=100 * DAY, refund=10 * DAY, regain=2 * DAY)
BY = by_at(SOLD)


@pytest.fixture
def site() -> Site:
    return Site.objects.create(domain="courses.example.com", name="Courses")


# --- Which one applies -------------------------------------------------------------------------


def test_the_most_specific_policy_applies(site: Site) -> None:
    general, by_mode, by_site, by_both = (
        PolicyFactory.create(),
        PolicyFactory.create(mode="verified"),
        PolicyFactory.create(site=site),
        PolicyFactory.create(site=site, mode="verified"),
    )

    for policy in (by_both, by_site, by_mode, general):
        assert policy_for(mode="verified", site_id=site.pk) == policy
        withdraw_policy(policy_id=policy.pk, by=BY)
    assert policy_for(mode="verified", site_id=site.pk) is None


def test_without_a_site_the_policies_of_sites_do_not_apply(site: Site) -> None:
    PolicyFactory.create(site=site, mode="verified")
    general = PolicyFactory.create()

    assert policy_for(mode="verified", site_id=None) == general


@pytest.mark.parametrize("host", ["courses.example.com", "Courses.Example.com:8000"])
def test_a_site_is_known_by_the_address_that_is_asked(site: Site, host: str) -> None:
    assert site_of(host) == site.pk


def test_a_site_with_that_very_port_comes_first(site: Site) -> None:
    other = Site.objects.create(domain="courses.example.com:8000", name="Another one")

    assert site_of("courses.example.com:8000") == other.pk
    assert site_of("courses.example.com") == site.pk


def test_at_an_address_of_no_site_the_default_one_counts(site: Site) -> None:
    assert site_of("elsewhere.example.com") == settings.SITE_ID


@pytest.mark.parametrize("other", ["site", "mode"])
def test_a_policy_of_another_site_or_mode_does_not_apply(site: Site, other: str) -> None:
    elsewhere = Site.objects.create(domain="elsewhere.example.com", name="Elsewhere")
    differs: dict[str, dict[str, object]] = {
        "site": {"site": elsewhere},
        "mode": {"mode": "professional"},
    }
    PolicyFactory.create(**differs[other])

    assert policy_for(mode="verified", site_id=site.pk) is None


def test_professional_without_identity_check_goes_by_the_policy_of_professional() -> None:
    professional = PolicyFactory.create(mode="professional")
    PolicyFactory.create(mode="verified")

    assert policy_for(mode="no-id-professional", site_id=None) == professional


# --- Adding and superseding --------------------------------------------------------------------


def test_a_policy_is_added_with_its_history(site: Site) -> None:
    policy = add_policy(site_id=site.pk, mode="verified", periods=SHORT, by=BY)

    assert (policy.site, policy.mode, policy.periods) == (site, "verified", SHORT)
    assert rows_without_true_history(CourseEntitlementPolicy) == 0


@pytest.mark.parametrize("mode", [None, "verified"])
@pytest.mark.parametrize("has_site", [True, False])
def test_there_is_one_policy_for_a_site_and_mode(
    site: Site, mode: str | None, has_site: bool
) -> None:
    site_id = site.pk if has_site else None
    add_policy(site_id=site_id, mode=mode, periods=SHORT, by=BY)

    with pytest.raises(PolicyExistsError):
        add_policy(site_id=site_id, mode=mode, periods=Periods(), by=BY)

    assert CourseEntitlementPolicy.objects.get().periods == SHORT


def test_a_change_makes_another_policy_and_what_was_sold_keeps_its_own() -> None:
    policy = add_policy(site_id=None, mode="verified", periods=SHORT, by=BY)
    sold = grant_entitlement(
        user=LearnerFactory.create(),
        course_uuid=CourseFactory.create().uuid,
        mode="verified",
        by=BY,
    ).entitlement

    changed = change_policy(policy_id=policy.pk, periods=Periods(), by=by_at(SOLD + DAY))

    policy.refresh_from_db()
    sold.refresh_from_db()
    assert (policy.periods, policy.superseded_at) == (SHORT, SOLD + DAY)
    assert (changed.mode, changed.periods, changed.superseded_at) == ("verified", Periods(), None)
    assert sold.policy == policy
    assert policy_for(mode="verified", site_id=None) == changed
    assert rows_without_true_history(CourseEntitlementPolicy) == 0


def test_a_change_to_the_same_periods_changes_nothing() -> None:
    policy = add_policy(site_id=None, mode=None, periods=SHORT, by=BY)

    assert change_policy(policy_id=policy.pk, periods=SHORT, by=BY) == policy
    assert CourseEntitlementPolicy.history.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda policy: change_policy(policy_id=policy.pk, periods=Periods(), by=BY),
        lambda policy: withdraw_policy(policy_id=policy.pk, by=BY),
    ],
)
def test_a_policy_that_is_not_in_force_stays_as_it_is(
    change: Callable[[CourseEntitlementPolicy], object],
) -> None:
    policy = PolicyFactory.create(superseded_at=SOLD)

    with pytest.raises(PolicySupersededError):
        change(policy)

    assert list(CourseEntitlementPolicy.objects.all()) == [policy]


@pytest.mark.parametrize("name", ["expiration", "refund", "regain"])
@pytest.mark.parametrize(
    "period", [timedelta(hours=36), timedelta(days=-1), timedelta(days=36_501), timedelta(1, 0, 1)]
)
def test_a_period_is_a_whole_number_of_days(name: str, period: timedelta) -> None:
    with pytest.raises(PeriodInvalidError, match="whole number of days"):
        add_policy(site_id=None, mode=None, periods=Periods(**{name: period}), by=BY)

    assert not CourseEntitlementPolicy.objects.exists()


def test_a_period_may_be_no_day_at_all() -> None:
    none = Periods(timedelta(0), timedelta(0), timedelta(0))

    assert add_policy(site_id=None, mode=None, periods=none, by=BY).periods == none

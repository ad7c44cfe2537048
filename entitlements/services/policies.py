"""How long entitlements last: policies are added, superseded and withdrawn, never rewritten."""

from dataclasses import fields
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from entitlements.models import CourseEntitlementPolicy
from entitlements.rules import DAY, Periods

MAX_DAYS = 36_500


class PolicyNotFoundError(NotFoundError):
    code = "policy_not_found"


class PolicyExistsError(ConflictError):
    """There is a policy in force for this site and mode."""

    code = "policy_exists"


class PolicySupersededError(ConflictError):
    """The policy is not in force any more."""

    code = "policy_superseded"


class PeriodInvalidError(DomainError):
    """The rule counts whole days, so a period of 36 hours would mean two things."""

    code = "period_invalid"


@retry_conflicts
@transaction.atomic
def add_policy(
    *, site_id: int | None, mode: str | None, periods: Periods, by: Attribution
) -> CourseEntitlementPolicy:
    """A policy for entitlements made from now on; None: for any site, for any mode.

    Raises `PeriodInvalidError`, `PolicyExistsError`.
    """
    _require_whole_days(periods)
    try:
        with transaction.atomic():
            return _save_new(site_id, mode, periods, by=by)
    except IntegrityError:
        if not _in_force(site_id, mode):
            raise
    raise PolicyExistsError("There is a policy for this site and mode: change that one.")


@retry_conflicts
@transaction.atomic
def change_policy(*, policy_id: int, periods: Periods, by: Attribution) -> CourseEntitlementPolicy:
    """The policy that takes the place of this one; the same one, if nothing changes.

    Entitlements that were made under it keep it. Raises `PeriodInvalidError`,
    `PolicyNotFoundError`, `PolicySupersededError`.
    """
    _require_whole_days(periods)
    policy = _lock(policy_id)
    if policy.periods == periods:
        return policy
    _supersede(policy, by=by)
    return _save_new(policy.site_id, policy.mode, periods, by=by)


@retry_conflicts
@transaction.atomic
def withdraw_policy(*, policy_id: int, by: Attribution) -> CourseEntitlementPolicy:
    """Make no entitlement under it any more: the next less specific policy applies.

    Raises `PolicyNotFoundError`, `PolicySupersededError`.
    """
    policy = _lock(policy_id)
    _supersede(policy, by=by)
    return policy


def _require_whole_days(periods: Periods) -> None:
    for field in fields(periods):
        period: timedelta = getattr(periods, field.name)
        if period % DAY or not timedelta(0) <= period <= MAX_DAYS * DAY:
            raise PeriodInvalidError(f"A period is a whole number of days, from 0 to {MAX_DAYS}.")


def _in_force(site_id: int | None, mode: str | None) -> bool:
    named = Q(site=site_id, mode=mode)
    return CourseEntitlementPolicy.objects.filter(named, superseded_at=None).exists()


def _save_new(
    site_id: int | None, mode: str | None, periods: Periods, *, by: Attribution
) -> CourseEntitlementPolicy:
    policy = CourseEntitlementPolicy(
        site_id=site_id,
        mode=mode,
        expiration_period=periods.expiration,
        refund_period=periods.refund,
        regain_period=periods.regain,
    )
    save_with_history(policy, by=by)
    return policy


def _lock(policy_id: int) -> CourseEntitlementPolicy:
    policies = CourseEntitlementPolicy.objects.select_for_update(of=("self",), no_key=True)
    policy = policies.filter(pk=policy_id).first()
    if policy is None:
        raise PolicyNotFoundError("There is no such policy.")
    if policy.superseded_at:
        raise PolicySupersededError("This policy is not in force any more.")
    return policy


def _supersede(policy: CourseEntitlementPolicy, *, by: Attribution) -> None:
    policy.superseded_at = by.at
    save_with_history(policy, by=by)

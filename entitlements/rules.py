"""When an entitlement may be used, changed, refunded, and when it has ended: one pure function.

Source: the models of Open edX' `entitlements`, whose operators are kept to the instant. They
count whole days of 24 hours from an instant, in no time zone, so that "14 days" last through
the whole of day 14. `sql.due_entitlements` says the same of many rows; tests hold them equal.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from entitlements.enums import NON_REFUNDABLE_STATUSES, EntitlementStatus, ExpiryReason

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Periods:
    """How long an entitlement can be used, refunded, and its session changed."""

    expiration: timedelta = timedelta(days=730)
    refund: timedelta = timedelta(days=60)
    regain: timedelta = timedelta(days=14)


DEFAULT_PERIODS = Periods()


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """The run that an entitlement is used for.

    `start` is None where no date is set: it has not started. `joined_at` is when the learner
    began to use the entitlement for it. `certificate_status` is the LMS' word.
    """

    start: datetime | None
    joined_at: datetime
    certificate_status: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the rule asks of an entitlement."""

    created: datetime
    expired_at: datetime | None = None
    expired_reason: str = ""
    extended_until: datetime | None = None
    order_number: str | None = None
    refund_locked: bool = False
    run: RunFacts | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What holds of an entitlement at an instant.

    `expired_at` and `expired_reason` are the stored ones, or those of a rule that applies and was
    not written yet. `days_until_expiration` is floored, so it is negative from the first instant
    after the end. It can be used until `expires_at`, if nothing happens; its session can be
    changed before `regain_until`, and it can be refunded before `refundable_until`; these two are
    None where that was never possible, and no later than `expired_at`. `base_end` is until when it
    can be used where neither its session nor anybody ends it earlier.
    """

    status: EntitlementStatus
    expired_at: datetime | None
    expired_reason: str
    days_until_expiration: int
    base_end: datetime
    expires_at: datetime
    regain_until: datetime | None
    refundable_until: datetime | None
    is_redeemable: bool
    is_regainable: bool
    is_refundable: bool

    @property
    def is_expired(self) -> bool:
        return self.expired_at is not None


def evaluate(facts: Facts, periods: Periods, at: datetime) -> Decision:
    """Judge an entitlement at `at`. Writes nothing, asks nobody."""
    base_end = facts.extended_until or facts.created + periods.expiration
    regain_end = _regain_end(facts, periods)
    end = min(base_end, regain_end or base_end)
    expired_at, reason = _expiry(facts, base_end, regain_end, at)
    is_expired = expired_at is not None
    until = min(end, expired_at or end)
    is_regainable = facts.run is not None and not is_expired
    can_be_refunded = facts.order_number is not None and not facts.refund_locked
    refund_end = facts.created + (periods.refund.days + 1) * DAY
    return Decision(
        status=_status(is_expired=is_expired, has_run=facts.run is not None),
        expired_at=expired_at,
        expired_reason=reason,
        days_until_expiration=_days_left(facts, periods, base_end, at),
        base_end=base_end,
        expires_at=expired_at or end,
        regain_until=until if facts.run else None,
        refundable_until=min(refund_end, until) if can_be_refunded else None,
        is_redeemable=facts.run is None and not is_expired and at < base_end,
        is_regainable=is_regainable,
        is_refundable=(
            can_be_refunded
            and not is_expired
            and at < refund_end
            and (facts.run is None or is_regainable)
        ),
    )


def _last_event(facts: Facts, run: RunFacts) -> datetime | None:
    """When the time to leave the run began to count; None: the run has no start yet."""
    if run.start is None:
        return None
    return max(run.start, run.joined_at, facts.created)


def _regain_end(facts: Facts, periods: Periods) -> datetime | None:
    """The first instant at which the session can no longer be changed; None: there is no such."""
    began = _last_event(facts, facts.run) if facts.run else None
    return began + (periods.regain.days + 1) * DAY if began else None


def _expiry(
    facts: Facts, base_end: datetime, regain_end: datetime | None, at: datetime
) -> tuple[datetime | None, str]:
    if facts.expired_at is not None:
        return facts.expired_at, facts.expired_reason
    end = min(base_end, regain_end or base_end)
    if facts.run and facts.run.certificate_status in NON_REFUNDABLE_STATUSES:
        return min(at, end), ExpiryReason.CERTIFICATE
    if regain_end and at >= regain_end:
        return end, ExpiryReason.REGAIN
    if at > base_end:
        return end, ExpiryReason.PERIOD
    return None, ""


def _days_left(facts: Facts, periods: Periods, base_end: datetime, at: datetime) -> int:
    days = (base_end - at) // DAY
    began = _last_event(facts, facts.run) if facts.run else None
    return min(days, periods.regain.days - (at - began) // DAY) if began else days


def _status(*, is_expired: bool, has_run: bool) -> EntitlementStatus:
    if is_expired:
        return EntitlementStatus.SPENT if has_run else EntitlementStatus.LAPSED
    return EntitlementStatus.REDEEMED if has_run else EntitlementStatus.AVAILABLE

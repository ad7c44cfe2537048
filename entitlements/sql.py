"""When entitlements have ended, or soon will, in SQL: the set-based twin of `rules.evaluate`."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet

from credentials_portal.core.sql import Fragment
from entitlements.enums import NON_REFUNDABLE_STATUSES, ExpiryReason
from entitlements.models import CourseEntitlement
from entitlements.rules import DEFAULT_PERIODS
from programs.selectors import enrollment_facts

# Columns of a row that a query around this one looks at: each is judged by itself.
THIS_ROW = Fragment(
    """
    SELECT this.* FROM (VALUES (
        entitlements_courseentitlement.id, entitlements_courseentitlement.enrollment_course_run_id,
        entitlements_courseentitlement.created, entitlements_courseentitlement.redeemed_at,
        entitlements_courseentitlement.extended_until, entitlements_courseentitlement.policy_id
    )) AS this
    WHERE entitlements_courseentitlement.expired_at IS NULL
    """
)

# Seconds, for PostgreSQL adds days by the calendar of the session's zone.
SECOND = "interval '1 second'"
DAY = "interval '86400 seconds'"

SUBJECT = (
    *("pk", "enrollment_course_run", "created", "redeemed_at", "extended_until"),
    "policy",
)
SUBJECT_ALIAS = "entitlement (id, enrollment_id, created, redeemed_at, extended_until, policy_id)"

BASE_END = f"""COALESCE(
    entitlement.extended_until,
    entitlement.created + {SECOND} * COALESCE(extract(epoch FROM policy.expiration_period), %s))"""
"""Until when an entitlement can be used that nothing ends earlier. Parameter: `DEFAULT_SECONDS`."""
DEFAULT_SECONDS = DEFAULT_PERIODS.expiration.total_seconds()


def subjects(entitlements: "QuerySet[CourseEntitlement]") -> Fragment:
    """What the rules ask of those of these entitlements that nobody marked as ended."""
    return Fragment.of(entitlements.filter(expired_at=None).order_by().values(*SUBJECT))


def due_entitlements(subjects: Fragment, *, at: datetime) -> Fragment:
    """Those of these entitlements that a rule has ended by `at`, and that nobody marked yet.

    Columns: `entitlement_id`, `course_run_id` (null where it was not used) and `reason`, an
    `ExpiryReason`.
    """
    facts = enrollment_facts(
        Fragment("SELECT enrollment_id FROM subject WHERE enrollment_id IS NOT NULL")
    )
    return Fragment(
        f"""
        WITH subject AS MATERIALIZED (
            SELECT entitlement.id, entitlement.enrollment_id, entitlement.created,
                   entitlement.redeemed_at, {BASE_END} AS base_end,
                   {DAY} * (floor(COALESCE(
                       extract(epoch FROM policy.regain_period), %s) / 86400) + 1) AS regain_period
            FROM ({subjects.sql}) AS {SUBJECT_ALIAS}
            LEFT JOIN entitlements_courseentitlementpolicy AS policy
              ON policy.id = entitlement.policy_id
        )
        SELECT judged.entitlement_id, judged.course_run_id, judged.reason
        FROM (
            SELECT subject.id AS entitlement_id, used.course_run_id,
                   CASE
                       WHEN used.certificate_status = ANY(%s) THEN %s
                       WHEN %s >= subject.regain_period + greatest(
                                COALESCE(used.run_start, 'infinity'),
                                COALESCE(subject.redeemed_at, used.enrolled_at),
                                subject.created
                            )
                       THEN %s
                       WHEN %s > subject.base_end THEN %s
                   END AS reason
            FROM subject
            LEFT JOIN ({facts.sql}) AS used ON used.enrollment_id = subject.enrollment_id
        ) AS judged
        WHERE judged.reason IS NOT NULL
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (
            DEFAULT_SECONDS,
            DEFAULT_PERIODS.regain.total_seconds(),
            *subjects.params,
            list(NON_REFUNDABLE_STATUSES),
            ExpiryReason.CERTIFICATE,
            at,
            ExpiryReason.REGAIN,
            at,
            ExpiryReason.PERIOD,
            *facts.params,
        ),
    )


def due_reminders(subjects: Fragment, *, thresholds: Sequence[int], at: datetime) -> Fragment:
    """The reminder that is due for each of these entitlements, unless it was queued before.

    They are used for no run. Due is the nearest to the end of those thresholds, in days before
    it, that have come, until the end; none counts that had passed when the entitlement was sold.
    Columns: `entitlement_id`, `threshold_days` and `ends_at`.
    """
    return Fragment(
        f"""
        SELECT unused.entitlement_id, nearest.threshold_days, unused.ends_at
        FROM (
            SELECT entitlement.id AS entitlement_id, entitlement.created, {BASE_END} AS ends_at
            FROM ({subjects.sql}) AS {SUBJECT_ALIAS}
            LEFT JOIN entitlements_courseentitlementpolicy AS policy
              ON policy.id = entitlement.policy_id
        ) AS unused
        CROSS JOIN LATERAL (
            SELECT min(days) AS threshold_days FROM unnest(%s::int[]) AS threshold (days)
            WHERE %s >= unused.ends_at - {DAY} * days
              AND unused.created < unused.ends_at - {DAY} * days
        ) AS nearest
        WHERE unused.ends_at > %s AND nearest.threshold_days IS NOT NULL
          AND NOT EXISTS (
            SELECT FROM entitlements_entitlementreminder AS queued
            WHERE queued.entitlement_id = unused.entitlement_id
              AND queued.threshold_days = nearest.threshold_days
              AND queued.ends_at = unused.ends_at
          )
        """,  # noqa: S608 - composed of constants; every value is a parameter
        (DEFAULT_SECONDS, *subjects.params, list(thresholds), at, at),
    )

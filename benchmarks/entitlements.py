"""End 100,000 of 1,000,000 entitlements, in batches, with history and announcements."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from rest_framework.test import APIClient

from benchmarks.letters import command
from benchmarks.measuring import measured
from credentials_portal.accounts.models import User
from entitlements.models import CourseEntitlement
from entitlements.signals import entitlement_expired
from programs.models import Course, CourseRun

ENTITLEMENTS = {"S": 100_000, "M": 1_000_000}
# Of ten one is due: half of these were never used, half can no longer be changed.
DUE = 10
LEARNERS = 1_000
# Of how many one is used for a run.
USED = 5
SOLD_AT_ONCE = 50_000
BATCH = 10_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_TIMES_THE_FLOOR = 2.0
MOST_MEMORY_MB = 60
MOST_STATEMENTS_OF_A_LIST = 5

CERTIFIED = """(certificate.id IS NOT NULL
    OR enrollment.certificate_status IN ('downloadable', 'generating', 'unavailable'))"""
UNCHANGEABLE = """(enrollment.id IS NOT NULL AND %(at)s >= interval '360 hours' + greatest(
    COALESCE(run.start_date, 'infinity'), COALESCE(entitlement.redeemed_at, enrollment.created),
    entitlement.created))"""
LAPSED = "%(at)s > entitlement.created + interval '17520 hours'"
BARE_BATCH = f"""
    WITH due AS MATERIALIZED (
        SELECT entitlement.id, CASE WHEN {CERTIFIED} THEN 'certificate'
            WHEN {UNCHANGEABLE} THEN 'regain' ELSE 'period' END AS reason
        FROM entitlements_courseentitlement AS entitlement
        LEFT JOIN programs_courseenrollment AS enrollment
          ON enrollment.id = entitlement.enrollment_course_run_id
        LEFT JOIN programs_courserun AS run ON run.id = enrollment.course_run_id
        LEFT JOIN programs_coursecertificate AS certificate
          ON certificate.user_id = enrollment.user_id
         AND certificate.course_run_id = enrollment.course_run_id
         AND certificate.status = 'awarded'
        WHERE entitlement.id > %(after)s AND entitlement.id <= %(upto)s
          AND entitlement.expired_at IS NULL
          AND ({CERTIFIED} OR {UNCHANGEABLE} OR {LAPSED})
        ORDER BY entitlement.id
        FOR NO KEY UPDATE OF entitlement
    ),
    changed AS (
        UPDATE entitlements_courseentitlement AS entitlement
        SET expired_at = %(at)s, expired_reason = due.reason, modified = %(at)s
        FROM due WHERE due.id = entitlement.id
        RETURNING entitlement.*
    )
    INSERT INTO entitlements_historicalcourseentitlement ({{columns}}, history_date, history_type,
        cause)
    SELECT {{columns}}, %(at)s, '~', '' FROM changed
"""
ENROLLMENTS = """
    INSERT INTO programs_courseenrollment (
        user_id, course_run_id, mode, is_active, certificate_status, created, modified)
    SELECT buyer.id, run.id, 'verified', true, '', run.start_date, run.start_date
    FROM unnest(%(buyers)s::bigint[]) AS buyer (id)
    CROSS JOIN programs_courserun AS run
    WHERE run.course_id = %(course)s
    ORDER BY run.id, buyer.id
"""
SOLD = """
    INSERT INTO entitlements_courseentitlement (
        uuid, user_id, course_uuid, mode, order_number, refund_locked, created, modified,
        enrollment_course_run_id, redeemed_at, expired_reason)
    SELECT gen_random_uuid(), COALESCE(used.user_id, (%(buyers)s::bigint[])[1 + n %% 1000]),
           %(uuid)s, 'verified', 'EDX-' || n, false, sold.at, sold.at, used.id,
           CASE WHEN used.id IS NOT NULL THEN sold.at END, ''
    FROM generate_series(%(first)s, %(last)s) AS n
    LEFT JOIN (
        SELECT enrollment.*, row_number() OVER (ORDER BY enrollment.id) - 1 AS place
        FROM programs_courseenrollment AS enrollment
        JOIN programs_courserun AS run ON run.id = enrollment.course_run_id
        WHERE run.course_id = %(course)s
    ) AS used ON n %% 5 = 0 AND used.place = n / 5
    CROSS JOIN LATERAL (
        SELECT %(at)s - make_interval(
            days => CASE n %% 20 WHEN 0 THEN 20 WHEN 1 THEN 800 ELSE 5 END) AS at
    ) AS sold
    ORDER BY n
"""


def measure(size: str) -> None:
    count = ENTITLEMENTS[size]
    _entitlements(count)
    _vacuum()
    print(f"\nEntitlements: {count:,}, of which {count // DUE:,} have ended unmarked")
    _measure_expiry(count)
    _measure_list()


def _measure_expiry(count: int) -> None:
    with measured(f"floor: one bare statement for {BATCH:,} each, undone") as floor:
        _bare_expiry()
    floor.show()
    _vacuum()
    options = ("--as-of", AT.isoformat(), "--batch-size", str(BATCH))
    with measured("expire_old_entitlements, a dry run") as preview:
        command("expire_old_entitlements", *options)
    preview.show()
    with _announcements() as announced, measured("expire_old_entitlements --commit") as work:
        summary = command("expire_old_entitlements", "--commit", *options)
    work.show(floor)
    batches = count // BATCH
    print(
        f"    {summary['expired']}; {work.statements / batches:.1f} statements a batch;"
        f" announced {announced['items']:,} in {announced['calls']}"
    )
    _require_all(count // DUE, summary, announced)
    if work.seconds > MOST_TIMES_THE_FLOOR * floor.seconds:
        raise SystemExit("expire_old_entitlements is too slow")
    if work.memory_mb > MOST_MEMORY_MB:
        raise SystemExit("expire_old_entitlements needs too much memory")


def _require_all(due: int, summary: dict[str, Any], announced: Counter[str]) -> None:
    histories = CourseEntitlement.history.filter(history_date=AT, history_type="~").count()
    if not sum(summary["expired"].values()) == announced["items"] == histories == due:
        raise SystemExit(f"not all {due} were marked, with history and announcement")


def _measure_list() -> None:
    settings.ALLOWED_HOSTS = ["*"]
    client = APIClient()
    learner = User.objects.get(username="buyer0")
    client.force_authenticate(learner)
    address = "/api/entitlements/v1/entitlements/?page_size=100"
    client.get(address)
    with measured("the list of a learner's entitlements, 100 a page") as page:
        answer = client.get(address)
    page.show()
    held = CourseEntitlement.objects.filter(user=learner).count()
    if len(json.loads(answer.content)["results"]) != min(held, 100):
        raise SystemExit("the list is not what it should be")
    if page.statements > MOST_STATEMENTS_OF_A_LIST:
        raise SystemExit("the list needs too many statements")


def _bare_expiry() -> None:
    columns = ", ".join(f'"{field.column}"' for field in CourseEntitlement._meta.concrete_fields)
    statement = BARE_BATCH.format(columns=columns)
    last = CourseEntitlement.objects.latest("pk").pk
    with transaction.atomic(), connection.cursor() as cursor:
        for after in range(0, last, BATCH):
            cursor.execute(statement, {"at": AT, "after": after, "upto": after + BATCH})
        transaction.set_rollback(True)


@contextmanager
def _announcements() -> Iterator[Counter[str]]:
    heard: Counter[str] = Counter()

    def hear(items: tuple[Any, ...], **_kwargs: Any) -> None:
        heard.update(calls=1, items=len(items))

    entitlement_expired.connect(hear)
    yield heard
    entitlement_expired.disconnect(hear)


def _entitlements(count: int) -> None:
    """Four of five unused; the others used for runs of one course, each learner once in a run."""
    course = Course.objects.create(key="SOLD+1", title="Sold")
    buyers = User.objects.bulk_create(
        User(username=f"buyer{number}", password="!") for number in range(LEARNERS)
    )
    CourseRun.objects.bulk_create(
        CourseRun(course=course, key=f"SOLD+1+{number}", start_date=AT - 900 * DAY)
        for number in range(count // USED // LEARNERS)
    )
    _execute(ENROLLMENTS, course=course.pk, buyers=[buyer.pk for buyer in buyers])
    for first in range(0, count, SOLD_AT_ONCE):
        _execute(
            SOLD,
            course=course.pk,
            uuid=course.uuid,
            buyers=[buyer.pk for buyer in buyers],
            first=first,
            last=first + SOLD_AT_ONCE - 1,
        )


def _execute(statement: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"at": AT, **values})


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

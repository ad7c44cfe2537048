"""Unlink the learners of ended plans: 100,000 licenses, an LMS on loopback that costs no time."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from benchmarks.letters import command
from benchmarks.measuring import measured
from licenses.models import Customer, CustomerAgreement, License, SubscriptionPlan

CUSTOMERS, PLANS = 10, 10
# Per customer: plans that ended long ago, and the newest that lasts.
LASTING = 1
LICENSES = {"S": 100_000, "M": 1_000_000}
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_SECONDS, MOST_STATEMENTS = 15, 3_000
MOST_SECONDS_IDLE, MOST_STATEMENTS_IDLE = 0.5, 20

BARE_CANDIDATES = """
    SELECT license.id, license.user_email, agreement.customer_id
    FROM licenses_license AS license
    JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
    JOIN licenses_customeragreement AS agreement ON agreement.id = plan.customer_agreement_id
    WHERE license.status IN ('assigned', 'activated') AND plan.expiration_date < %s
      AND agreement.unlink_expired_enabled AND license.renewed_to_id IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM licenses_license AS other
        JOIN licenses_subscriptionplan AS current ON current.id = other.subscription_plan_id
        WHERE current.customer_agreement_id = agreement.id AND current.is_active
          AND current.expiration_date > %s AND other.status IN ('assigned', 'activated')
          AND other.user_email = license.user_email)
"""


def measure(size: str) -> None:
    licenses = LICENSES[size]
    _customers(licenses)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(f"\nExpiry: {licenses:,} licenses of {CUSTOMERS} customers in {PLANS} plans each")
    with _lms():
        _measure_downgrade()
        _measure_unlink(licenses)


def _measure_downgrade() -> None:
    as_of = ("--as-of", AT.isoformat())
    with measured("expire_subscriptions (the old system: 9.8 s, 554 statements)") as work:
        summary = command("expire_subscriptions", *as_of)["expired"]
    work.show()
    print(f"    {summary['processed']} plans, {summary['licenses']:,} licenses downgraded")
    # What autovacuum does in its own time.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _measure_unlink(licenses: int) -> None:
    as_of = ("--as-of", AT.isoformat())
    learners = _count()
    with measured("floor: the bare candidates, links ended and licenses marked, undone") as floor:
        _bare_unlink()
    floor.show()
    with measured("unlink_expired_licenses (old: 108.7 s, 75,531 statements)") as work:
        summary = command("unlink_expired_licenses", *as_of)
    work.show(floor)
    print(f"    {summary['unlinked']:,} learners unlinked, {summary['kept_licenses']}")
    with measured("unlink_expired_licenses again (old: 4.3 s, 3,960 statements)") as idle:
        command("unlink_expired_licenses", *as_of)
    idle.show()
    if summary["unlinked"] != learners:
        raise SystemExit(f"{summary['unlinked']} learners were unlinked, not {learners}")
    scale = licenses / LICENSES["S"]
    is_slow = work.seconds > MOST_SECONDS * scale or idle.seconds > MOST_SECONDS_IDLE * scale
    if work.statements > MOST_STATEMENTS * scale or idle.statements > MOST_STATEMENTS_IDLE:
        raise SystemExit("unlink_expired_licenses needs too many statements")
    if is_slow:
        raise SystemExit("unlink_expired_licenses is too slow")


def _count() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(DISTINCT (customer_id, user_email)) FROM ({BARE_CANDIDATES}) AS bare",
            [AT - 90 * DAY, AT],
        )
        count: int = cursor.fetchone()[0]
    return count


def _bare_unlink() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH due AS MATERIALIZED ({BARE_CANDIDATES}),
            link AS (
                UPDATE licenses_customerlearner AS link SET status = 'unlinked', unlinked_at = %s
                FROM due
                WHERE link.customer_id = due.customer_id AND link.user_email = due.user_email)
            INSERT INTO licenses_licenseevent (license_id, event_name, at, cause)
            SELECT id, 'unlinked', %s, '' FROM due
            """,
            [AT - 90 * DAY, AT, AT, AT],
        )
        transaction.set_rollback(True)


def _customers(licenses: int) -> None:
    """Customers that want unlinking; in their lasting plan some learners of the ended ones."""
    customers = Customer.objects.bulk_create(
        Customer(slug=f"expiry-{number}", name=f"Customer {number}") for number in range(CUSTOMERS)
    )
    agreements = CustomerAgreement.objects.bulk_create(
        CustomerAgreement(customer=customer, unlink_expired_enabled=True) for customer in customers
    )
    plans = SubscriptionPlan.objects.bulk_create(
        SubscriptionPlan(
            customer_agreement=agreement,
            title=f"Plan {number}",
            start_date=AT - 900 * DAY,
            expiration_date=AT + 300 * DAY if number < LASTING else AT - (100 + 30 * number) * DAY,
            is_active=True,
        )
        for agreement in agreements
        for number in range(PLANS)
    )
    per_plan = licenses // len(plans)
    for number, plan in enumerate(plans):
        is_lasting = number % PLANS < LASTING
        # Most learners of the lasting plan hold a license of the first that ended, too.
        first = 0 if is_lasting else (number % PLANS - 1) * per_plan
        _licenses(plan, first, per_plan)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO licenses_customerlearner (customer_id, user_email, role, status,
                is_relinkable, linked_at, created, modified)
            SELECT DISTINCT agreement.customer_id, license.user_email, 'learner', 'linked', true,
                   %s::timestamptz, %s::timestamptz, %s::timestamptz
            FROM licenses_license AS license
            JOIN licenses_subscriptionplan AS plan ON plan.id = license.subscription_plan_id
            JOIN licenses_customeragreement AS agreement ON agreement.id = plan.customer_agreement_id
            WHERE license.user_email <> ''
            """,
            [AT - 900 * DAY] * 3,
        )


def _licenses(plan: SubscriptionPlan, first: int, count: int) -> None:
    """A tenth of the seats is free."""
    held = count * 9 // 10
    began = AT - 800 * DAY
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO licenses_license (uuid, subscription_plan_id, status, user_email,
                lms_user_id, activation_key, assigned_date, activation_date, created, modified)
            SELECT gen_random_uuid(), %s, 'activated', 'learner' || n || '@c' || %s || '.example',
                   %s::bigint * 10000000 + n, gen_random_uuid(), %s, %s, %s, %s
            FROM generate_series(%s::int, %s::int) AS n
            """,
            [
                *(plan.pk, plan.customer_agreement_id, plan.customer_agreement_id),
                *(began,) * 4,
                *(first, first + held - 1),
            ],
        )
    License.objects.bulk_create(
        [License(subscription_plan=plan) for _ in range(count - held)], batch_size=5_000
    )


@contextmanager
def _lms() -> Iterator[None]:
    """A stand-in in a process of its own, as an LMS is."""
    server = subprocess.Popen(
        [sys.executable, "-m", "credentials_portal.devlms", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout  # noqa: S101 - it was asked for
        settings.LMS_BASE_URL = server.stdout.readline().split()[-1]
        settings.LMS_CLIENT_ID, settings.LMS_CLIENT_SECRET = "portal", "portal-secret"
        yield
    finally:
        settings.LMS_BASE_URL = ""
        server.terminate()
        server.wait()

"""Provision, ask for and report licenses by the hundred thousand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.letters import command
from benchmarks.measuring import measured
from credentials_portal.accounts.models import User
from credentials_portal.core.history import Attribution
from licenses.models import License, SubscriptionPlan
from licenses.services import open_customer, open_plan

PROVISIONED = 345_000
FEWEST_A_SECOND = 10_000
OWN_LICENSES = 10
MOST_STATEMENTS_OF_LEARNER, MOST_STATEMENTS_OF_LIST = 6, 5
REPORTED = {"S": 100_000, "M": 1_000_000}
MOST_MEMORY_MB = 50
OF_SESSION = ("django_session", "portal_cache", "SAVEPOINT", 'FROM "accounts_user"')
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BY = Attribution(at=AT, cause="benchmark")


def measure(size: str) -> None:
    print("\nSeats of plans")
    _measure_provision()
    _measure_requests()
    _measure_report(REPORTED[size])


def _measure_provision() -> None:
    with measured("floor: one bare INSERT of rows and history, undone") as floor:
        _bare_seats()
    floor.show()
    with measured(f"open a plan of {PROVISIONED:,} seats") as work:
        sold_plan("provision", seats=PROVISIONED, ended=-300)
    work.show(floor)
    a_second = PROVISIONED / work.seconds
    print(f"    {a_second:,.0f} licenses a second")
    if a_second < FEWEST_A_SECOND:
        raise SystemExit(f"Fewer than {FEWEST_A_SECOND:,} licenses a second were provisioned")


def _bare_seats() -> None:
    plan = sold_plan("floor", seats=0, ended=-300)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH license AS (
                INSERT INTO licenses_license (uuid, subscription_plan_id, status, user_email,
                    created, modified)
                SELECT gen_random_uuid(), %s, 'unassigned', '', now(), now()
                FROM generate_series(1, %s) RETURNING *)
            INSERT INTO licenses_historicallicense (id, uuid, subscription_plan_id, status,
                user_email, created, modified, history_date, history_type, cause)
            SELECT id, uuid, subscription_plan_id, status, user_email, created, modified, now(),
                   '+', '' FROM license
            """,
            [plan.pk, PROVISIONED],
        )
        transaction.set_rollback(True)


def _measure_requests() -> None:
    """What every learner's page asks, and an administrator's list of plans."""
    settings.ALLOWED_HOSTS = ["*"]
    learner = User.objects.create_user("holder", "holder@seats.example")
    staff = User.objects.create_superuser("seats")
    plans = [
        sold_plan(f"own-{n}", customer="own", seats=1, ended=-300) for n in range(OWN_LICENSES)
    ]
    License.objects.filter(subscription_plan__in=plans).update(
        status="assigned",
        user_email=learner.email,
        activation_key="00000000-0000-4000-8000-000000000001",
        assigned_date=AT,
    )
    customer = plans[0].customer_agreement.customer
    for path, user, most in (
        ("learner-licenses", learner, MOST_STATEMENTS_OF_LEARNER),
        ("subscriptions", staff, MOST_STATEMENTS_OF_LIST),
    ):
        client = Client()
        client.force_login(user)
        address = (
            f"/api/v1/{path}/?enterprise_customer_uuid={customer.uuid}&current_plans_only=false"
        )
        client.get(address)
        with CaptureQueriesContext(connection) as queries, measured(f"GET {path}/") as work:
            rows = client.get(address).json()["results"]
        work.show()
        own = [one for one in queries if not _is_of_session(one["sql"])]
        print(f"    {len(rows)} rows, {len(own)} statements without those of the session")
        if len(rows) != OWN_LICENSES or len(own) > most:
            raise SystemExit(f"{path} needs more than {most} statements, or shows not all")


def _is_of_session(sql: str) -> bool:
    return any(part in sql for part in OF_SESSION)


def _measure_report(licenses: int) -> None:
    plans = [sold_plan(f"report-{n}", seats=licenses // 10, ended=10) for n in range(10)]
    hold(plans)
    with TemporaryDirectory() as folder:
        report = Path(folder) / "forecast.csv"
        with measured(f"expiry_forecast --output: {licenses:,} licenses") as work:
            command("expiry_forecast", "--as-of", AT.isoformat(), "--output", str(report))
        work.show()
        with report.open(encoding="utf-8") as rows:
            lines = sum(1 for _row in rows)
    print(f"    {lines:,} lines")
    if work.memory_mb > MOST_MEMORY_MB:
        raise SystemExit("expiry_forecast keeps its rows in memory")


def sold_plan(name: str, *, customer: str = "", seats: int, ended: int) -> SubscriptionPlan:
    """An active plan of a customer, which ended so many days ago; below zero: it lasts."""
    slug = f"seats-{customer or name}"
    known = SubscriptionPlan.objects.filter(customer_agreement__customer__slug=slug).first()
    agreement = known.customer_agreement if known else open_customer(slug=slug, name=slug, by=BY)
    ends = AT - ended * DAY
    return open_plan(
        agreement=agreement, title=name, starts=ends - 400 * DAY, ends=ends, seats=seats, by=BY
    )


def hold(plans: Sequence[SubscriptionPlan]) -> None:
    """Each seat of these plans is used by somebody."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE licenses_license SET status = 'activated', activation_key = gen_random_uuid(),
                user_email = 'holder' || id || '@seats.example', assigned_date = %s,
                activation_date = %s
            WHERE subscription_plan_id = ANY(%s)
            """,
            [AT - 300 * DAY, AT - 300 * DAY, [plan.pk for plan in plans]],
        )
        cursor.execute("ANALYZE")

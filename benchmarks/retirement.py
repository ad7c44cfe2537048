"""Forget the learners of a plan that ended long ago; before other benchmarks leave some of theirs."""

from django.db import connection, transaction

from benchmarks.letters import command
from benchmarks.measuring import measured
from benchmarks.seats import AT, hold, sold_plan

RETIRED = 20_000
MOST_SECONDS, MOST_STATEMENTS = 5, 500


def measure(_size: str) -> None:
    print(f"\nRetirement of {RETIRED:,} licenses")
    plan = sold_plan("retire", seats=RETIRED, ended=200)
    hold([plan])
    with measured("floor: one bare UPDATE of rows and history, undone") as floor:
        _bare_retirement(plan.pk)
    floor.show()
    with measured("retire_old_licenses (old: 63 s, 97,329 statements)") as work:
        summary = command("retire_old_licenses", "--as-of", AT.isoformat())
    work.show(floor)
    print(f"    {summary['retired']}")
    if work.seconds > MOST_SECONDS or work.statements > MOST_STATEMENTS:
        raise SystemExit("retire_old_licenses is too slow, or needs too many statements")


def _bare_retirement(plan_id: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH retired AS (
                UPDATE licenses_license SET status = 'revoked', user_email = '', revoked_date = %s
                WHERE subscription_plan_id = %s RETURNING id)
            UPDATE licenses_historicallicense AS past SET user_email = '' FROM retired
            WHERE past.id = retired.id
            """,
            [AT, plan_id],
        )
        transaction.set_rollback(True)

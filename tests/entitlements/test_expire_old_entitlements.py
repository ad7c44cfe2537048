"""`expire_old_entitlements`: what the rule has ended is marked, with history and announcement."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun
from entitlements.enums import EntitlementStatus, RefundGateway
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.selectors.judging import judge
from entitlements.services.expiring import expire_page
from entitlements.signals import entitlement_expired
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import (
    DAY,
    INSTANT,
    SOLD,
    EntitlementFactory,
    OfferedRunFactory,
    PolicyFactory,
    by_at,
    enrollment_of,
)
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements

pytestmark = pytest.mark.django_db

LAPSED = SOLD + 730 * DAY + INSTANT


def command(*options: object, at: datetime = LAPSED) -> Ran:
    return run_command("expire_old_entitlements", "--as-of", at.isoformat(), *options)


def commit(*options: object, at: datetime = LAPSED) -> Ran:
    return command("--commit", *options, at=at)


def expiry(entitlement: CourseEntitlement) -> tuple[datetime | None, str]:
    entitlement.refresh_from_db()
    return entitlement.expired_at, entitlement.expired_reason


def pend(entitlement: CourseEntitlement) -> CourseEntitlementRedemption:
    run = OfferedRunFactory.create()
    return CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=SOLD
    )


def refund(entitlement: CourseEntitlement, **fields: Any) -> CourseEntitlementRefund:
    return CourseEntitlementRefund.objects.create(
        entitlement=entitlement,
        order_number="EDX-1",
        gateway=RefundGateway.ORDERS,
        requested_at=SOLD,
        **fields,
    )


def test_marks_what_has_ended_once(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()

    first, second = commit(), commit(at=LAPSED + DAY)

    assert expiry(entitlement) == (LAPSED, "period")
    assert entitlement.modified == LAPSED
    assert first.summary == {
        "committed": True,
        "expired": {"certificate": 0, "regain": 0, "period": 1},
        "waiting": 0,
        "failed": 0,
    }
    assert second.summary["expired"]["period"] == 0
    assert (first.code, second.code) == (0, 0)
    ((signal, (fact,)),) = announced
    assert signal is entitlement_expired
    assert (fact.entitlement_id, fact.course_run_id, fact.reason) == (
        entitlement.pk,
        None,
        "period",
    )


def test_at_the_last_instant_nothing_has_ended(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()

    commit(at=LAPSED - INSTANT)

    assert expiry(entitlement) == (None, "")
    assert announced == []


def test_tells_why_and_for_which_run_it_was_used(announced: Heard) -> None:
    in_use = EntitlementFactory.create(redeemed=True)
    passed = EntitlementFactory.create(redeemed=True, created=SOLD + 5 * DAY)
    enrollment = enrollment_of(passed)
    enrollment.certificate_status = "downloadable"
    enrollment.save()

    ran = commit(at=SOLD + 15 * DAY)

    assert expiry(in_use) == (SOLD + 15 * DAY, "regain")
    assert expiry(passed) == (SOLD + 15 * DAY, "certificate")
    assert passed.enrollment_course_run == enrollment
    assert ran.summary["expired"] == {"certificate": 1, "regain": 1, "period": 0}
    ((_signal, facts),) = announced
    assert [(fact.course_run_id, fact.reason) for fact in facts] == [
        (enrollment_of(in_use).course_run_id, "regain"),
        (enrollment.course_run_id, "certificate"),
    ]


def test_a_run_without_a_start_stops_nobody() -> None:
    course_run = OfferedRunFactory.create(start_date=None)
    placeless = EntitlementFactory.create(
        redeemed=True, course=course_run.course, course_run=course_run
    )
    other = EntitlementFactory.create(redeemed=True)

    commit(at=SOLD + 15 * DAY)

    assert expiry(placeless) == (None, "")
    assert expiry(other)[1] == "regain"


def test_goes_by_the_policy_and_by_an_end_that_was_moved() -> None:
    short = EntitlementFactory.create(policy=PolicyFactory.create(expiration_period=10 * DAY))
    moved = EntitlementFactory.create(extended_until=LAPSED)

    commit()

    assert expiry(short)[1] == "period"
    assert expiry(moved) == (None, "")


def test_every_mark_has_its_history_and_the_command_in_it() -> None:
    entitlements = EntitlementFactory.create_batch(3)

    commit()

    histories = [one.history.order_by("history_id").last() for one in entitlements]
    assert [(one.history_type, one.history_date, one.cause) for one in histories] == [
        ("~", LAPSED, "command:expire_old_entitlements")
    ] * 3
    assert rows_without_true_history(CourseEntitlement) == 0
    assert JobRun.objects.get().counters["expired"]["period"] == 3


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--commit", "--dry-run")])
def test_without_commit_it_only_shows(
    options: tuple[str, ...], announced: Heard, tmp_path: Path
) -> None:
    entitlement = EntitlementFactory.create()
    frozen = EntitlementFactory.create()
    pend(frozen)
    histories = CourseEntitlement.history.count()

    ran = command(*options, "--output", tmp_path / "due.csv")

    assert ran.summary["committed"] is False
    assert (ran.summary["expired"]["period"], ran.summary["waiting"]) == (1, 1)
    assert ("nothing is written" in ran.stderr) is (options == ())
    assert (tmp_path / "due.csv").read_text().splitlines() == [
        "uuid,reason,outcome",
        f"{entitlement.uuid},period,would_expire",
    ]
    assert expiry(entitlement) == (None, "")
    assert CourseEntitlement.history.count() == histories
    assert announced == []
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("freeze", [pend, refund])
def test_leaves_alone_what_is_under_way(freeze: Callable[[CourseEntitlement], object]) -> None:
    entitlement = EntitlementFactory.create()
    freeze(entitlement)

    ran = commit()

    assert expiry(entitlement) == (None, "")
    assert (ran.summary["waiting"], ran.code) == (1, 0)


def test_marks_what_was_refused_or_refunded_in_vain() -> None:
    entitlement = EntitlementFactory.create()
    refund(entitlement, status="failed", settled_at=SOLD)

    commit()

    assert expiry(entitlement)[1] == "period"


def test_looks_at_all_batches_whatever_the_gaps_between_keys(announced: Heard) -> None:
    entitlements = EntitlementFactory.create_batch(7)
    CourseEntitlement.objects.filter(pk__in=[one.pk for one in entitlements[1:3]]).delete()

    ran = commit("--batch-size", 2)

    assert ran.summary["expired"]["period"] == 5
    assert [len(facts) for _signal, facts in announced] == [2, 2, 1]


def test_a_bad_row_stops_no_other(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    entitlements = EntitlementFactory.create_batch(5)
    bad = entitlements[3]
    refuse(bad)

    ran = commit("--output", tmp_path / "rows.csv")

    assert [expiry(one)[1] for one in entitlements] == ["period"] * 3 + ["", "period"]
    assert (ran.code, ran.summary["failed"], ran.summary["expired"]["period"]) == (1, 1, 4)
    assert f"{bad.uuid},period,failed" in (tmp_path / "rows.csv").read_text()
    assert f"{bad.pk}" in caplog.text
    assert rows_without_true_history(CourseEntitlement) == 0


def refuse(entitlement: CourseEntitlement) -> None:
    """Let the database refuse what is written about it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION refuse_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'a bad row' USING ERRCODE = 'check_violation'; END $$;
            CREATE TRIGGER refuse_for_test BEFORE UPDATE ON entitlements_courseentitlement
                FOR EACH ROW WHEN (NEW.id = {entitlement.pk}) EXECUTE FUNCTION refuse_for_test();
            """
        )


def test_a_page_needs_as_many_statements_for_one_as_for_fifty(statements: Statements) -> None:
    EntitlementFactory.create(redeemed=True)
    with statements.counted() as for_one:
        expire_page((0, None), by=by_at(LAPSED))
    EntitlementFactory.create_batch(50)

    with statements.counted() as for_fifty:
        page = expire_page((0, None), by=by_at(LAPSED))

    assert len(page.ended) == 50
    assert len(for_fifty) == len(for_one)


def test_a_future_instant_is_only_for_a_dry_run() -> None:
    EntitlementFactory.create(created=SOLD + 3_000 * DAY)

    shown = command(at=SOLD + 4_000 * DAY)
    refused = commit(at=SOLD + 4_000 * DAY)

    assert (shown.code, shown.summary["expired"]["period"]) == (0, 1)
    assert refused.code == 2


@pytest.mark.parametrize("late", [timedelta(0), 400 * DAY])
def test_it_says_what_reads_say_before_and_after(late: timedelta) -> None:
    used = EntitlementFactory.create_batch(2, redeemed=True)
    entitlements = [*used, EntitlementFactory.create()]
    before = {
        one.entitlement.pk: one.decision.status for one in judge(entitlements, at=LAPSED + late)
    }

    commit(at=LAPSED + late)

    after = judge(CourseEntitlement.objects.order_by("pk"), at=LAPSED + late)
    assert {one.entitlement.pk: one.decision.status for one in after} == before
    assert set(before.values()) == {EntitlementStatus.SPENT, EntitlementStatus.LAPSED}

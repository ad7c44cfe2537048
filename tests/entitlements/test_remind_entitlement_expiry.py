"""`remind_entitlement_expiry`: who has not used an entitlement is told before it ends."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from credentials_portal.core.models import JobRun, OutboxMessage
from entitlements.enums import RefundGateway
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    EntitlementReminder,
)
from entitlements.services.notices import ENTITLEMENT_MAIL
from entitlements.services.reminding import remind_page
from tests.entitlements.factories import (
    DAY,
    INSTANT,
    SOLD,
    EntitlementFactory,
    OfferedRunFactory,
    PolicyFactory,
    by_at,
)
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements

pytestmark = pytest.mark.django_db

END = SOLD + 730 * DAY


def command(*options: object, at: datetime) -> Ran:
    return run_command("remind_entitlement_expiry", "--as-of", at.isoformat(), *options)


def told() -> list[tuple[int, int]]:
    """Each reminder: the entitlement, and how many days before its end."""
    return list(
        EntitlementReminder.objects.order_by("pk").values_list("entitlement", "threshold_days")
    )


def mails() -> list[dict[str, Any]]:
    return list(
        OutboxMessage.objects.filter(kind=ENTITLEMENT_MAIL)
        .order_by("pk")
        .values_list("payload", flat=True)
    )


def test_tells_90_30_and_7_days_before_the_end_once_each() -> None:
    entitlement = EntitlementFactory.create()

    for days in range(92, -2, -1):
        command(at=END - days * DAY)

    assert told() == [(entitlement.pk, 90), (entitlement.pk, 30), (entitlement.pk, 7)]
    reminders = list(EntitlementReminder.objects.order_by("pk"))
    assert [(one.ends_at, one.queued_at) for one in reminders] == [
        (END, END - days * DAY) for days in (90, 30, 7)
    ]
    assert mails() == [{"notice": "reminder", "reminder": one.pk} for one in reminders]


def test_each_threshold_comes_to_the_instant() -> None:
    EntitlementFactory.create()

    before = command(at=END - 30 * DAY - INSTANT)
    after = command(at=END - 30 * DAY)

    assert before.summary == {"queued": {"90": 1, "30": 0, "7": 0}}
    assert after.summary == {"queued": {"90": 0, "30": 1, "7": 0}}
    assert (after.code, JobRun.objects.count()) == (0, 2)


def test_after_an_outage_only_the_nearest_is_told() -> None:
    entitlement = EntitlementFactory.create()

    command(at=END - 5 * DAY)
    command(at=END - 4 * DAY)

    assert told() == [(entitlement.pk, 7)]


def test_nothing_is_told_at_the_end_or_after_it() -> None:
    EntitlementFactory.create()

    command(at=END)
    command(at=END + DAY)

    assert told() == []


def test_a_threshold_that_had_passed_when_it_was_sold_is_not_told() -> None:
    entitlement = EntitlementFactory.create(policy=PolicyFactory.create(expiration_period=60 * DAY))

    command(at=SOLD + DAY)
    command(at=SOLD + 31 * DAY)

    assert told() == [(entitlement.pk, 30)]


def test_another_end_is_told_again() -> None:
    entitlement = EntitlementFactory.create()
    command(at=END - 30 * DAY)

    entitlement.extended_until = END + 60 * DAY
    entitlement.save()
    command(at=END - 29 * DAY)
    command(at=END + 30 * DAY)

    assert told() == [(entitlement.pk, days) for days in (30, 90, 30)]
    assert set(EntitlementReminder.objects.values_list("ends_at", flat=True)) == {
        END,
        END + 60 * DAY,
    }


@pytest.mark.parametrize("traits", [{"redeemed": True}, {"expired": True}])
def test_who_uses_it_or_lost_it_is_not_told(traits: dict[str, bool]) -> None:
    EntitlementFactory.create(**traits)

    command(at=END - 30 * DAY)

    assert (told(), mails()) == ([], [])


def use(entitlement: CourseEntitlement) -> CourseEntitlementRedemption:
    run = OfferedRunFactory.create()
    return CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=SOLD
    )


def refund(entitlement: CourseEntitlement) -> CourseEntitlementRefund:
    return CourseEntitlementRefund.objects.create(
        entitlement=entitlement,
        order_number="EDX-1",
        gateway=RefundGateway.ORDERS,
        requested_at=SOLD,
    )


@pytest.mark.parametrize("freeze", [use, refund])
def test_what_is_under_way_waits_until_it_is_settled(freeze: Any) -> None:
    entitlement = EntitlementFactory.create()
    pending = freeze(entitlement)

    command(at=END - 30 * DAY)
    while_frozen = told()
    pending.delete()
    command(at=END - 29 * DAY)

    assert while_frozen == []
    assert told() == [(entitlement.pk, 30)]


def test_goes_through_all_pages(tmp_path: Path) -> None:
    entitlements = EntitlementFactory.create_batch(5)
    EntitlementFactory.create(created=SOLD + 400 * DAY)

    ran = command("--batch-size", 2, "--output", tmp_path / "mails.csv", at=END - 7 * DAY)

    assert ran.summary == {"queued": {"90": 0, "30": 0, "7": 5}}
    assert told() == [(one.pk, 7) for one in entitlements]
    assert len((tmp_path / "mails.csv").read_text().splitlines()) == 6


def test_a_dry_run_tells_nobody() -> None:
    EntitlementFactory.create_batch(3)

    ran = command("--dry-run", "--batch-size", 2, at=END - 90 * DAY)

    assert ran.summary == {"queued": {"90": 3, "30": 0, "7": 0}}
    assert (told(), mails(), JobRun.objects.count()) == ([], [], 0)


def test_a_page_needs_as_many_statements_for_one_as_for_fifty(statements: Statements) -> None:
    EntitlementFactory.create()
    with statements.counted() as for_one:
        remind_page(size=100, by=by_at(END - 90 * DAY))
    EntitlementFactory.create_batch(50)

    with statements.counted() as for_fifty:
        page = remind_page(size=100, by=by_at(END - 90 * DAY))

    assert page
    assert len(page.reminders) == 50
    assert len(for_fifty) == len(for_one)

"""`reconcile_entitlement_enrollments`: what events queued, what none told, and what is stuck."""

from datetime import datetime
from pathlib import Path

import pytest

from credentials_portal.core.history import rows_without_true_history
from entitlements.enums import RedemptionStatus, RefundGateway, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    EntitlementReview,
)
from entitlements.signals import entitlement_expired, entitlement_released
from programs.models import CourseEnrollment
from programs.services import leave_run
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import (
    DAY,
    INSTANT,
    SOLD,
    EntitlementFactory,
    OfferedRunFactory,
    by_at,
    enrollment_of,
)
from tests.letters.commands import Ran, run_command

pytestmark = pytest.mark.django_db

AT = SOLD + 5 * DAY


def command(*options: object, at: datetime = AT) -> Ran:
    return run_command("reconcile_entitlement_enrollments", "--as-of", at.isoformat(), *options)


def end_unheard(entitlement: CourseEntitlement) -> None:
    """As raw SQL or an import would: nobody is told."""
    CourseEnrollment.objects.filter(pk=enrollment_of(entitlement).pk).update(is_active=False)


def unenroll(entitlement: CourseEntitlement) -> None:
    enrollment = enrollment_of(entitlement)
    leave_run(user_id=enrollment.user_id, course_run_id=enrollment.course_run_id, by=by_at(AT))


def test_works_off_what_an_event_queued(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run_id = enrollment_of(entitlement).course_run_id
    unenroll(entitlement)

    ran = command("--queued")

    entitlement.refresh_from_db()
    assert (entitlement.enrollment_course_run, entitlement.redeemed_at) == (None, None)
    assert (ran.code, ran.summary["outcomes"], ran.summary["queued"]) == (0, {"released": 1}, 0)
    ((signal, (fact,)),) = announced
    assert signal is entitlement_released
    assert (fact.entitlement_id, fact.course_run_id) == (entitlement.pk, run_id)
    assert rows_without_true_history(CourseEntitlement) == 0


def test_finds_what_no_event_told() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    EntitlementFactory.create(redeemed=True)
    end_unheard(entitlement)

    only_queued = command("--queued")
    ran = command()
    again = command()

    entitlement.refresh_from_db()
    assert entitlement.enrollment_course_run is None
    assert (only_queued.summary["found"], only_queued.summary["looked_at"]) == (0, 0)
    assert (ran.summary["found"], ran.summary["outcomes"]) == (1, {"released": 1})
    assert (again.summary["found"], again.summary["looked_at"]) == (0, 0)


def test_one_that_was_over_already_ends_and_says_why(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    end_unheard(entitlement)

    ran = command(at=SOLD + 15 * DAY)

    entitlement.refresh_from_db()
    assert (entitlement.expired_reason, entitlement.enrollment_course_run) == ("regain", None)
    assert ran.summary["outcomes"] == {"ended": 1}
    assert [signal for signal, _facts in announced] == [entitlement_expired, entitlement_released]


def test_goes_through_all_pages() -> None:
    for entitlement in EntitlementFactory.create_batch(5, redeemed=True):
        end_unheard(entitlement)

    ran = command("--batch-size", 2)

    assert (ran.summary["found"], ran.summary["outcomes"]) == (5, {"released": 5})


def test_a_dry_run_only_counts() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    end_unheard(entitlement)

    ran = command("--dry-run")

    entitlement.refresh_from_db()
    assert entitlement.enrollment_course_run is not None
    assert (ran.summary["found"], ran.summary["looked_at"]) == (1, 0)
    assert not EntitlementReview.objects.exists()


def attempt(**fields: object) -> CourseEntitlementRedemption:
    return CourseEntitlementRedemption.objects.create(
        entitlement=EntitlementFactory.create(),
        course_run=OfferedRunFactory.create(),
        requested_at=AT - DAY,
        **fields,
    )


def refund(**fields: object) -> CourseEntitlementRefund:
    return CourseEntitlementRefund.objects.create(
        entitlement=EntitlementFactory.create(),
        order_number="EDX-1",
        gateway=RefundGateway.ORDERS,
        requested_at=AT - DAY,
        **fields,
    )


def test_tells_what_has_been_under_way_for_a_day(tmp_path: Path) -> None:
    refunds = [refund(), refund(status=RefundStatus.NEEDS_REVIEW)]
    stuck = [attempt().entitlement, *(one.entitlement for one in refunds)]

    ran = command("--output", tmp_path / "stuck.csv")

    assert (ran.code, ran.summary["stuck"]) == (1, {"redemptions": 1, "refunds": 2})
    report = (tmp_path / "stuck.csv").read_text()
    assert [str(one.uuid) in report for one in stuck] == [True] * 3


def test_what_is_younger_or_settled_is_not_stuck() -> None:
    attempt(status=RedemptionStatus.REFUSED, finished_at=AT)
    refund(status=RefundStatus.OPENED, settled_at=AT)
    CourseEntitlementRedemption.objects.update(requested_at=AT - 9 * DAY)
    attempt()
    refund()

    ran = command(at=AT - INSTANT)

    assert (ran.code, ran.summary["stuck"]) == (0, {"redemptions": 0, "refunds": 0})


def test_the_queue_alone_says_nothing_of_what_is_stuck() -> None:
    attempt()

    ran = command("--queued")

    assert (ran.code, ran.summary["stuck"]) == (0, {})

"""`update_entitlement_mode ORDERS COURSE MODE`: another mode, its policy, and the enrollment."""

from pathlib import Path
from uuid import uuid4

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devlms import StandInLms
from credentials_portal.devlms.enrollments import Enrolled
from entitlements.enums import RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRedemption
from programs.models import CourseEnrollment
from tests.entitlements.factories import (
    DAY,
    SOLD,
    EntitlementFactory,
    OfferedRunFactory,
    PolicyFactory,
    enrollment_of,
)
from tests.entitlements.sessions import leave
from tests.letters.commands import Ran, run_command
from tests.programs.factories import CourseFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def command(orders: str, course_uuid: object, mode: str, *options: object) -> Ran:
    return run_command("update_entitlement_mode", orders, course_uuid, mode, *options)


def mode_of(entitlement: CourseEntitlement) -> str:
    entitlement.refresh_from_db()
    return entitlement.mode


def enrolled_mode(entitlement: CourseEntitlement) -> str:
    return CourseEnrollment.objects.get(pk=enrollment_of(entitlement).pk).mode


def test_changes_the_mode_of_each_order() -> None:
    course = CourseFactory.create()
    both = [EntitlementFactory.create(course=course, order_number=f"O{n}") for n in (1, 2)]
    other = EntitlementFactory.create(order_number="O1")

    ran = command("O1, O2,", course.uuid, "professional")

    assert [mode_of(one) for one in both] == ["professional"] * 2
    assert mode_of(other) == "verified"
    assert (ran.code, ran.summary) == (
        0,
        {"updated": 2, "unchanged": 0, "failed": 0, "reasons": {}},
    )
    assert both[0].history.order_by("history_id").last().cause == "command:update_entitlement_mode"
    assert rows_without_true_history(CourseEntitlement) == 0


def test_an_unknown_order_is_told_and_stops_no_other(tmp_path: Path) -> None:
    entitlement = EntitlementFactory.create(order_number="O2")

    ran = command(
        "O1,O2", entitlement.course_uuid, "professional", "--output", tmp_path / "rows.csv"
    )

    assert mode_of(entitlement) == "professional"
    assert (ran.code, ran.summary["updated"], ran.summary["failed"]) == (1, 1, 1)
    assert ran.summary["reasons"] == {"entitlement_not_found": 1}
    assert "O1: entitlement_not_found" in ran.stderr
    assert (tmp_path / "rows.csv").read_text().splitlines()[1:] == [
        "O1,failed,entitlement_not_found",
        "O2,updated,",
    ]


def test_a_second_run_changes_nothing() -> None:
    entitlement = EntitlementFactory.create(order_number="O1")
    command("O1", entitlement.course_uuid, "professional")
    histories = entitlement.history.count()

    ran = command("O1", entitlement.course_uuid, "professional")

    assert (ran.code, ran.summary["unchanged"]) == (0, 1)
    assert entitlement.history.count() == histories


@pytest.mark.parametrize(
    ("course", "mode"), [(uuid4(), "honor"), (uuid4(), ""), ("EX+1", "verified")]
)
def test_what_is_no_mode_or_no_course_is_refused(course: object, mode: str) -> None:
    entitlement = EntitlementFactory.create(order_number="O1")

    ran = command("O1", course, mode)

    assert ran.code != 0
    assert ran.summary == {}
    assert mode_of(entitlement) == "verified"


@pytest.mark.parametrize("mode", ["professional", "no-id-professional"])
def test_the_policy_of_the_new_mode_applies(mode: str) -> None:
    verified = PolicyFactory.create(mode="verified")
    professional = PolicyFactory.create(mode="professional", regain_period=2 * DAY)
    entitlement = EntitlementFactory.create(order_number="O1", policy=verified)

    command("O1", entitlement.course_uuid, mode)

    assert mode_of(entitlement) == mode
    assert entitlement.policy == professional


def test_without_a_policy_for_it_the_built_in_periods_apply() -> None:
    verified = PolicyFactory.create(mode="verified", expiration_period=10 * DAY)
    entitlement = EntitlementFactory.create(order_number="O1", policy=verified)

    command("O1", entitlement.course_uuid, "professional")

    entitlement.refresh_from_db()
    assert entitlement.policy is None


def test_what_is_under_way_is_left_alone() -> None:
    entitlement = EntitlementFactory.create(order_number="O1")
    run = OfferedRunFactory.create()
    CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=SOLD, status=RedemptionStatus.PENDING
    )

    shown = command("O1", entitlement.course_uuid, "professional", "--dry-run")
    ran = command("O1", entitlement.course_uuid, "professional")

    assert mode_of(entitlement) == "verified"
    assert shown.summary == ran.summary
    assert (ran.code, ran.summary["reasons"]) == (1, {"entitlement_frozen": 1})


def test_a_dry_run_tells_the_same_and_writes_nothing() -> None:
    course = CourseFactory.create()
    changed = EntitlementFactory.create(course=course, order_number="O1")
    EntitlementFactory.create(course=course, order_number="O2", mode="professional")

    shown = command("O1,O2,O3", course.uuid, "professional", "--dry-run")
    before = mode_of(changed)
    done = command("O1,O2,O3", course.uuid, "professional")

    assert before == "verified"
    assert shown.summary == done.summary
    assert [shown.summary[name] for name in ("updated", "unchanged", "failed")] == [1, 1, 1]


# --- The enrollment -------------------------------------------------------------------------------


def test_the_enrollment_stays_unless_it_is_asked_for() -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")

    command("O1", entitlement.course_uuid, "professional")

    assert enrolled_mode(entitlement) == "verified"
    assert not OutboxMessage.objects.exists()


def test_the_enrollment_gets_the_mode_where_the_entitlement_has_it_already() -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")
    command("O1", entitlement.course_uuid, "professional")

    first = command("O1", entitlement.course_uuid, "professional", "--update-enrollment")
    second = command("O1", entitlement.course_uuid, "professional", "--update-enrollment")

    assert enrolled_mode(entitlement) == "professional"
    assert (first.code, first.summary["updated"]) == (0, 1)
    assert (second.code, second.summary["unchanged"]) == (0, 1)


def test_the_lms_gives_the_enrollment_the_mode(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")
    username, run = entitlement.user.username, enrollment_of(entitlement).course_run
    lms.enrollments[username, run.key] = Enrolled("verified", is_active=True)

    ran = command("O1", entitlement.course_uuid, "professional", "--update-enrollment")

    assert (ran.code, mode_of(entitlement)) == (0, "professional")
    assert lms.active_mode(username, run.key) == "professional"
    assert enrolled_mode(entitlement) == "professional"


def test_an_lms_that_is_down_hears_of_it_later(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")
    lms.fail(503)

    ran = command("O1", entitlement.course_uuid, "professional", "--update-enrollment")

    assert (ran.code, mode_of(entitlement)) == (1, "professional")
    assert ran.summary["reasons"] == {"enrollment_not_updated": 1}
    assert enrolled_mode(entitlement) == "verified"
    assert OutboxMessage.objects.get().status == "pending"


def test_a_session_that_was_left_at_the_lms_is_not_taken_again(lms: StandInLms) -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")
    username, run = entitlement.user.username, enrollment_of(entitlement).course_run

    ran = command("O1", entitlement.course_uuid, "professional", "--update-enrollment")

    assert ran.code == 1
    assert lms.active_mode(username, run.key) is None
    assert OutboxMessage.objects.get().reason == "not_enrolled"


def test_who_leaves_afterwards_is_unenrolled_in_whatever_mode() -> None:
    entitlement = EntitlementFactory.create(redeemed=True, order_number="O1")
    enrollment = enrollment_of(entitlement)
    command("O1", entitlement.course_uuid, "professional")

    leave(entitlement)

    enrollment.refresh_from_db()
    assert (enrollment.is_active, enrollment.mode) == (False, "verified")

"""`import_entitlements`: entitlements of the old service, and what its staff did about them."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import JobRun, OutboxMessage
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from programs.models import Course, CourseEnrollment
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import (
    DAY,
    EnrollmentFactory,
    EntitlementFactory,
    OfferedRunFactory,
    PolicyFactory,
    enrollment_of,
)
from tests.letters.commands import Ran, run_command
from tests.letters.conftest import Statements
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db

COURSE = UUID(int=1)
Cells = dict[str, Any]


@pytest.fixture(autouse=True)
def course() -> Course:
    LearnerFactory.create(username="ann", lms_user_id=7)
    return CourseFactory.create(uuid=COURSE, key="EX+1")


@pytest.fixture
def enrollment(course: Course) -> CourseEnrollment:
    run = OfferedRunFactory.create(course=course, key="course-v1:EX+1+2024")
    return EnrollmentFactory.create(user__username="bob", course_run=run)


def entitlement(number: int = 1, **cells: Any) -> Cells:
    return {
        "uuid": UUID(int=number).hex,
        "course_uuid": COURSE.hex,
        "mode": "verified",
        "created": "2024-01-01 00:00:00.000001",
        "modified": "2024-02-01 00:00:00",
        "expired_at": r"\N",
        "order_number": f"EDX-{number}",
        "refund_locked": "0",
        "user_id": "7",
        "username": "ann",
        "policy": "NULL",
        "enrollment_course_run": "",
        **cells,
    }


def write(path: Path, rows: list[Cells]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def bring(tmp_path: Path) -> Any:
    def bring(*rows: Cells, options: tuple[object, ...] = ()) -> Ran:
        return run_command(
            "import_entitlements", write(tmp_path / "entitlements.csv", list(rows)), *options
        )

    return bring


def counted(ran: Ran, table: str = "entitlements") -> dict[str, int]:
    return {outcome: count for outcome, count in ran.summary[table].items() if count}


def test_brings_entitlements_with_their_uuids_and_dates(bring: Any, announced: Heard) -> None:
    ran = bring(entitlement())

    (stored,) = CourseEntitlement.objects.all()
    assert (stored.uuid, stored.course_uuid) == (UUID(int=1), COURSE)
    assert (stored.user.username, stored.mode, stored.order_number) == ("ann", "verified", "EDX-1")
    assert stored.created == datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert stored.modified == datetime(2024, 2, 1, tzinfo=UTC)
    assert (stored.policy, stored.enrollment_course_run, stored.redeemed_at) == (None, None, None)
    assert (stored.expired_at, stored.refund_locked) == (None, False)
    assert (ran.code, counted(ran)) == (0, {"imported": 1})
    assert stored.history.get().cause == "command:import_entitlements"
    assert rows_without_true_history(CourseEntitlement) == 0
    assert announced == []
    assert not OutboxMessage.objects.exists()


def test_a_second_run_changes_nothing(bring: Any) -> None:
    bring(entitlement(1), entitlement(2))
    CourseEntitlement.objects.filter(uuid=UUID(int=1)).update(refund_locked=True)

    ran = bring(entitlement(1), entitlement(2), entitlement(3))

    assert counted(ran) == {"imported": 1, "unchanged": 2}
    assert CourseEntitlement.objects.get(uuid=UUID(int=1)).refund_locked
    assert CourseEntitlement.history.count() == 3


@pytest.mark.parametrize("nothing", ["", "NULL", r"\N"])
def test_orders_that_are_empty_are_none(bring: Any, nothing: str) -> None:
    ran = bring(entitlement(1, order_number=nothing), entitlement(2, order_number=nothing))

    assert counted(ran) == {"imported": 2}
    assert set(CourseEntitlement.objects.values_list("order_number", flat=True)) == {None}


def test_one_that_has_ended_keeps_its_date(bring: Any) -> None:
    bring(entitlement(expired_at="2024-03-01T12:00:00Z", refund_locked="1"))

    stored = CourseEntitlement.objects.get()
    assert stored.expired_at == datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert (stored.expired_reason, stored.refund_locked) == ("imported", True)


def test_one_in_use_is_linked_and_counts_from_its_enrollment(
    bring: Any, enrollment: CourseEnrollment
) -> None:
    bring(entitlement(user_id="", username="bob", enrollment_course_run=enrollment.course_run.key))

    stored = CourseEntitlement.objects.get()
    assert stored.enrollment_course_run == enrollment
    assert stored.redeemed_at is None


def test_of_two_for_one_enrollment_the_first_keeps_it(
    bring: Any, enrollment: CourseEnrollment, tmp_path: Path
) -> None:
    bob = {"user_id": "", "username": "bob", "enrollment_course_run": enrollment.course_run.key}

    ran = bring(
        entitlement(1, **bob),
        entitlement(2, **bob),
        entitlement(3, expired_at="2024-03-01", **bob),
        options=("--output", tmp_path / "rows.csv"),
    )

    assert counted(ran) == {"imported": 2, "mended": 1}
    used = CourseEntitlement.objects.filter(enrollment_course_run=enrollment)
    assert set(used.values_list("uuid", flat=True)) == {UUID(int=1), UUID(int=3)}
    assert "this one counts as unused" in (tmp_path / "rows.csv").read_text()


def test_an_enrollment_that_is_used_here_stays_so(bring: Any) -> None:
    here = EntitlementFactory.create(redeemed=True)
    used = enrollment_of(here)

    ran = bring(
        entitlement(
            course_uuid=here.course_uuid,
            user_id="",
            username=used.user.username,
            enrollment_course_run=used.course_run.key,
        )
    )

    assert counted(ran) == {"mended": 1}
    assert CourseEntitlement.objects.get(enrollment_course_run=used) == here


def test_one_that_ended_comes_without_an_enrollment_that_is_not_here(bring: Any) -> None:
    ran = bring(entitlement(expired_at="2024-03-01", enrollment_course_run="course-v1:EX+1+2019"))

    assert counted(ran) == {"mended": 1}
    assert CourseEntitlement.objects.get().enrollment_course_run is None


def test_goes_by_the_policy_that_stands_for_the_old_one(bring: Any) -> None:
    ours = PolicyFactory.create(expiration_period=10 * DAY)

    ran = bring(
        *(entitlement(1, policy="3"), entitlement(2, policy="4"), entitlement(3, policy="5")),
        options=("--policy", f"3={ours.pk}", "--policy", "4=built-in"),
    )

    assert counted(ran) == {"imported": 2, "rejected": 1}
    stored = dict(CourseEntitlement.objects.values_list("order_number", "policy"))
    assert stored == {"EDX-1": ours.pk, "EDX-2": None}
    assert "line 4: nobody said which policy stands for 5" in ran.stderr


@pytest.mark.parametrize("named", ["3", "=1", "3=", "3=x"])
def test_a_policy_must_be_named_well(bring: Any, named: str) -> None:
    ran = bring(entitlement(), options=("--policy", named))

    assert "is not OLD=NEW" in ran.error
    assert not CourseEntitlement.objects.exists()


def test_a_policy_that_does_not_exist_is_refused(bring: Any) -> None:
    ran = bring(entitlement(), options=("--policy", "3=99999"))

    assert (ran.code, ran.error) == (2, "There is no policy 99999.")
    assert not CourseEntitlement.objects.exists()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"uuid": "x"}, "uuid is malformed"),
        ({"uuid": ""}, "uuid is missing"),
        ({"course_uuid": UUID(int=9).hex}, "there is no such course"),
        ({"mode": "honor"}, "there is no such mode"),
        ({"mode": ""}, "mode is missing"),
        ({"created": ""}, "created is missing, or lies in the future"),
        ({"created": "2999-01-01"}, "created is missing, or lies in the future"),
        ({"created": "yesterday"}, "created is no instant"),
        ({"expired_at": "2024-13-01"}, "expired_at is no instant"),
        ({"user_id": "8", "username": ""}, "there is no such learner"),
        ({"user_id": "8", "username": "ann"}, "there is no such learner"),
        ({"user_id": "-8"}, "user_id is no id"),
        ({"user_id": "", "username": ""}, "there is no such learner"),
        ({"username": "a\0b"}, "username holds a NUL character"),
        ({"refund_locked": "maybe"}, "refund_locked is neither true nor false"),
        ({"order_number": "x" * 129}, "it contradicts what is stored"),
        ({"order_number": "EDX-2"}, "another entitlement for the course has its order"),
        ({"enrollment_course_run": "course-v1:EX+1+2019"}, "its enrollment is not here"),
        ({"enrollment_course_run": "other"}, "its run is one of another course"),
    ],
)
def test_a_bad_row_is_told_and_stops_no_other(bring: Any, cells: Cells, reason: str) -> None:
    ann = EnrollmentFactory.create(user__username="ann2", course_run__key="other").user
    if cells.get("enrollment_course_run") == "other":
        cells = {**cells, "user_id": "", "username": ann.username}

    ran = bring(entitlement(2), entitlement(1, **cells), entitlement(3))

    assert (ran.code, counted(ran)) == (1, {"imported": 2, "rejected": 1})
    assert f"entitlements.csv, line 3: {reason}" in ran.stderr
    assert set(CourseEntitlement.objects.values_list("order_number", flat=True)) == {
        *("EDX-2", "EDX-3")
    }


@pytest.mark.parametrize("column", ["uuid", "created", "mode"])
def test_a_file_that_lacks_a_column_is_refused(bring: Any, column: str) -> None:
    row = entitlement()
    del row[column]

    ran = bring(row)

    assert ran.code == 2
    assert f"lacks the column {column}" in ran.error
    assert not JobRun.objects.filter(outcome="done").exists()


def test_a_file_that_names_no_learner_is_refused(bring: Any) -> None:
    row = entitlement()
    del row["user_id"], row["username"]

    assert "lacks the column user_id or username" in bring(row).error


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"uuid\n\xff\xfe\n")

    assert run_command("import_entitlements", tmp_path / "rows.csv").code == 2
    assert run_command("import_entitlements", tmp_path / "none.csv").code == 2


def test_a_dry_run_tells_the_same_and_writes_nothing(
    bring: Any, enrollment: CourseEnrollment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entitlements.management.commands.import_entitlements.PAGE", 1)
    bob = {"user_id": "", "username": "bob", "enrollment_course_run": enrollment.course_run.key}
    rows = [entitlement(1, **bob), entitlement(2, **bob), entitlement(3), entitlement(3)]
    rows.append(entitlement(4, order_number="EDX-3"))

    shown = bring(*rows, options=("--dry-run",))
    written = CourseEntitlement.objects.count()
    done = bring(*rows)

    assert written == 0
    assert shown.summary == done.summary
    assert counted(done) == {"imported": 2, "mended": 1, "unchanged": 1, "rejected": 1}


# --- What staff did ------------------------------------------------------------------------------


def detail(**cells: Any) -> Cells:
    return {
        "entitlement": UUID(int=1).hex,
        "support_user": "grace",
        "action": "REISSUE",
        "comments": "The learner was ill.",
        "unenrolled_run": "",
        "reason": "NULL",
        "created": "2024-03-01 10:00:00",
        **cells,
    }


@pytest.fixture
def bring_details(bring: Any, tmp_path: Path) -> Any:
    LearnerFactory.create(username="grace")

    def bring_details(*details: Cells, options: tuple[object, ...] = ()) -> Ran:
        path = write(tmp_path / "details.csv", list(details))
        ran: Ran = bring(entitlement(), options=("--support-details", path, *options))
        return ran

    return bring_details


def test_brings_what_staff_did_once(bring_details: Any, enrollment: CourseEnrollment) -> None:
    run = enrollment.course_run
    rows = [detail(), detail(action="EXPIRE", reason="OTHER", unenrolled_run=run.key)]

    first, second = bring_details(*rows), bring_details(*rows)

    assert counted(first, "support_details") == {"imported": 2}
    assert counted(second, "support_details") == {"unchanged": 2}
    details = {one.action: one for one in CourseEntitlementSupportDetail.objects.all()}
    assert str(details["REISSUE"].support_user) == "grace"
    assert details["REISSUE"].comments == "The learner was ill."
    assert details["REISSUE"].created == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert (details["REISSUE"].unenrolled_run, details["REISSUE"].reason) == (None, None)
    assert (details["EXPIRE"].unenrolled_run, details["EXPIRE"].reason) == (run, "OTHER")
    assert rows_without_true_history(CourseEntitlementSupportDetail) == 0


def test_what_a_detail_names_and_is_not_here_is_left_out(bring_details: Any) -> None:
    ran = bring_details(detail(support_user="nobody", unenrolled_run="gone", comments="NULL"))

    assert counted(ran, "support_details") == {"mended": 1}
    stored = CourseEntitlementSupportDetail.objects.get()
    assert (stored.support_user, stored.unenrolled_run, stored.comments) == (None, None, "")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"entitlement": UUID(int=2).hex}, "its entitlement is not here"),
        ({"action": "DANCE"}, "there is no such action"),
        ({"action": ""}, "there is no such action"),
        ({"reason": "DANCE"}, "there is no such reason"),
        ({"created": ""}, "created is missing, or lies in the future"),
    ],
)
def test_a_bad_detail_stops_no_other(bring_details: Any, cells: Cells, reason: str) -> None:
    ran = bring_details(detail(**cells), detail())

    assert (ran.code, counted(ran, "support_details")) == (1, {"imported": 1, "rejected": 1})
    assert f"details.csv, line 2: {reason}" in ran.stderr


def test_a_dry_run_knows_the_entitlements_that_would_come(bring_details: Any) -> None:
    ran = bring_details(detail(), detail(), options=("--dry-run",))

    assert counted(ran, "support_details") == {"imported": 1, "unchanged": 1}
    assert not CourseEntitlementSupportDetail.objects.exists()


def test_a_page_needs_as_many_statements_for_one_as_for_fifty(
    bring: Any, statements: Statements
) -> None:
    with connection.execute_wrapper(statements):
        bring(entitlement(1))
        for_one, statements.texts = len(statements.texts), []
        bring(*(entitlement(number) for number in range(2, 52)))

    assert CourseEntitlement.objects.count() == 51
    assert len(statements.texts) == for_one

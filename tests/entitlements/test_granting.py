from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from entitlements.deliveries.acting import deliver_grant
from entitlements.enums import EntitlementMode, SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from entitlements.services.granting import (
    EndToComeError,
    Granted,
    OrderTakenError,
    grant_entitlement,
)
from entitlements.services.notes import CommentMissingError, RunUnknownError, SupportNote
from entitlements.services.states import fact_of
from entitlements.services.supporting import transfer_entitlement
from entitlements.signals import (
    entitlement_expired,
    entitlement_granted,
    entitlement_redeemed,
)
from programs.models import Course, CourseEnrollment
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import (
    DAY,
    SOLD,
    EnrollmentFactory,
    OfferedRunFactory,
    PolicyFactory,
    by_at,
)
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db

AT = SOLD + 10 * DAY


@pytest.fixture
def ann() -> User:
    return LearnerFactory.create(username="ann")


@pytest.fixture
def course() -> Course:
    return CourseFactory.create()


def grant(user: User, course: Course, at: datetime = AT, **fields: Any) -> Granted:
    wanted = {"mode": EntitlementMode.VERIFIED, "order_number": "EDX-1", **fields}
    return grant_entitlement(user=user, course_uuid=course.uuid, by=by_at(at), **wanted)


def granted_and_delivered(user: User, course: Course, **fields: Any) -> CourseEntitlement:
    return deliver_grant(grant(user, course, **fields), clock=lambda: AT)


# --- What is granted ---------------------------------------------------------------------------


def test_a_learner_gets_what_the_order_paid_for(
    ann: User, course: Course, announced: Heard
) -> None:
    policy = PolicyFactory.create(mode="verified")

    granted = grant(ann, course)

    (entitlement,) = CourseEntitlement.objects.all()
    assert (granted.entitlement, granted.is_new, granted.redemption) == (entitlement, True, None)
    assert (entitlement.user, entitlement.course_uuid, entitlement.mode) == (
        ann,
        course.uuid,
        "verified",
    )
    assert (entitlement.order_number, entitlement.refund_locked) == ("EDX-1", False)
    assert (entitlement.policy, entitlement.created, entitlement.modified) == (policy, AT, AT)
    assert announced == [(entitlement_granted, (fact_of(entitlement),))]
    assert rows_without_true_history(CourseEntitlement) == 0


def test_an_empty_order_number_is_none_and_each_such_grant_is_another(
    ann: User, course: Course
) -> None:
    first = grant(ann, course, order_number="")
    second = grant(ann, course, order_number=None)

    assert first.entitlement != second.entitlement
    assert list(CourseEntitlement.objects.values_list("order_number", flat=True)) == [None, None]


def test_one_that_has_ended_is_announced_as_granted_and_ended(
    ann: User, course: Course, announced: Heard
) -> None:
    EnrollmentFactory.create(user=ann, course_run__course=course, mode="audit")

    granted = grant(ann, course, expired_at=SOLD)

    assert (granted.entitlement.expired_at, granted.entitlement.expired_reason) == (SOLD, "support")
    assert granted.redemption is None
    assert [signal for signal, _ in announced] == [entitlement_granted, entitlement_expired]


def test_what_is_to_end_later_is_not_granted(ann: User, course: Course) -> None:
    with pytest.raises(EndToComeError):
        grant(ann, course, expired_at=AT + 2 * DAY)

    assert not CourseEntitlement.objects.exists()


# --- A replayed order --------------------------------------------------------------------------


def test_a_replayed_order_finds_its_entitlement(
    ann: User, course: Course, announced: Heard
) -> None:
    first = grant(ann, course)
    announced.clear()

    again = grant(ann, course, at=AT + DAY)

    assert (again.entitlement, again.is_new) == (first.entitlement, False)
    assert CourseEntitlement.history.count() == 1
    assert announced == []


def test_one_order_may_pay_for_several_courses(ann: User, course: Course) -> None:
    first = grant(ann, course)
    second = grant(ann, CourseFactory.create())

    assert first.entitlement != second.entitlement


@pytest.mark.parametrize("other", ["user", "mode"])
def test_an_order_does_not_pay_twice_for_a_course(
    ann: User, course: Course, other: str, announced: Heard
) -> None:
    grant(ann, course)
    announced.clear()
    changed: dict[str, Any] = {"user": LearnerFactory.create(), "mode": "professional"}

    with pytest.raises(OrderTakenError):
        grant(**{"user": ann, "course": course, other: changed[other]})

    assert CourseEntitlement.objects.count() == 1
    assert announced == []


@pytest.mark.parametrize("to", ["user", "course_uuid"])
def test_a_replayed_order_finds_an_entitlement_that_was_transferred(
    ann: User, course: Course, to: str
) -> None:
    first = grant(ann, course).entitlement
    target: dict[str, Any] = {
        "user": LearnerFactory.create(),
        "course_uuid": CourseFactory.create().uuid,
    }
    transfer_entitlement(
        entitlement_uuid=first.uuid, comments="Asked.", by=by_at(AT), **{to: target[to]}
    )

    again = grant(ann, course)

    assert (again.entitlement, again.is_new) == (first, False)
    assert CourseEntitlement.objects.count() == 1


# --- The enrollment that it upgrades -----------------------------------------------------------


@pytest.mark.parametrize("free_mode", ["audit", "honor", ""])
def test_the_one_free_enrollment_is_upgraded(
    ann: User, course: Course, free_mode: str, announced: Heard
) -> None:
    enrollment = EnrollmentFactory.create(
        user=ann, course_run__course=course, mode=free_mode, created=SOLD - 200 * DAY
    )

    entitlement = granted_and_delivered(ann, course)

    enrollment.refresh_from_db()
    assert (enrollment.mode, enrollment.is_active) == ("verified", True)
    assert (entitlement.enrollment_course_run, entitlement.redeemed_at) == (enrollment, AT)
    assert [signal for signal, _ in announced] == [entitlement_granted, entitlement_redeemed]


def test_a_free_enrollment_is_upgraded_after_enrollment_closed(ann: User, course: Course) -> None:
    run = OfferedRunFactory.create(course=course, enrollment_end=AT - DAY)
    enrollment = EnrollmentFactory.create(user=ann, course_run=run, mode="audit")

    entitlement = granted_and_delivered(ann, course)

    assert entitlement.enrollment_course_run == enrollment


def test_of_two_enrollments_none_is_chosen(ann: User, course: Course) -> None:
    EnrollmentFactory.create(user=ann, course_run__course=course, mode="audit")
    EnrollmentFactory.create(user=ann, course_run__course=course, mode="audit")

    assert granted_and_delivered(ann, course).enrollment_course_run is None
    assert not CourseEnrollment.objects.filter(mode="verified").exists()


@pytest.mark.parametrize(
    "enrollment",
    [
        {"mode": "audit", "is_active": False},
        {"mode": "verified"},
        {"mode": "audit", "course_run__start_date": None},
        {"mode": "audit", "course_run__modes": ["professional"]},
    ],
)
def test_an_enrollment_that_cannot_be_upgraded_stays(
    ann: User, course: Course, enrollment: dict[str, Any]
) -> None:
    EnrollmentFactory.create(user=ann, course_run__course=course, **enrollment)

    assert granted_and_delivered(ann, course).enrollment_course_run is None
    assert CourseEnrollment.objects.get().mode == enrollment["mode"]
    assert not OutboxMessage.objects.filter(kind="entitlements.enroll").exists()


def test_what_was_paid_is_granted_although_another_is_used_for_the_run(
    ann: User, course: Course
) -> None:
    EnrollmentFactory.create(user=ann, course_run__course=course, mode="audit")
    first = grant(ann, course)

    second = grant(ann, course, order_number="EDX-2")

    assert first.redemption is not None
    assert (second.is_new, second.redemption) == (True, None)


# --- What staff give ---------------------------------------------------------------------------

NOTE = SupportNote(action=SupportAction.CREATE, comments=" The order was lost. ")


def test_what_staff_give_keeps_their_comment_and_upgrades_nothing(
    ann: User, course: Course
) -> None:
    EnrollmentFactory.create(user=ann, course_run__course=course, mode="audit")
    staff = LearnerFactory.create()
    by = by_at(AT, actor=staff)

    granted = grant_entitlement(
        user=ann, course_uuid=course.uuid, mode="verified", notes=[NOTE], by=by
    )

    detail = granted.entitlement.support_details.get()
    assert (detail.action, detail.comments) == ("CREATE", "The order was lost.")
    assert (detail.support_user, detail.unenrolled_run, detail.created) == (staff, None, AT)
    assert granted.redemption is None
    assert rows_without_true_history(CourseEntitlementSupportDetail) == 0


@pytest.mark.parametrize(
    ("note", "error"),
    [
        (SupportNote(action=SupportAction.CREATE, comments=" "), CommentMissingError),
        (
            SupportNote(action=SupportAction.CREATE, comments="So.", unenrolled_run="no/such/run"),
            RunUnknownError,
        ),
    ],
)
def test_a_note_that_cannot_be_kept_undoes_the_grant(
    ann: User, course: Course, note: SupportNote, error: type[Exception]
) -> None:
    with pytest.raises(error):
        grant(ann, course, notes=[note])

    assert not CourseEntitlement.objects.exists()


def test_a_comment_stands_in_the_detail_alone(ann: User, course: Course) -> None:
    grant(ann, course, notes=[NOTE])

    assert not CourseEntitlement.history.filter(
        history_change_reason__contains="order was lost"
    ).exists()


def test_a_mode_that_nobody_sells_is_refused_by_the_database(ann: User) -> None:
    with pytest.raises(ValueError), transaction.atomic():  # noqa: PT011 - the enum's own
        grant_entitlement(user=ann, course_uuid=uuid4(), mode="audit", by=by_at(AT))

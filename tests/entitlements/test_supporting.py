"""What staff do about entitlements, but for reissuing them."""

from typing import Any

import pytest

from credentials_portal.accounts.models import User
from entitlements.enums import RefundGateway, RefundStatus
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.services.granting import EndToComeError, OrderTakenError
from entitlements.services.locking import (
    EntitlementExpiredError,
    EntitlementFrozenError,
    EntitlementNotFoundError,
)
from entitlements.services.notes import CommentMissingError
from entitlements.services.remedies import (
    ActionInvalidError,
    EntitlementUsedError,
    RunNotUsedError,
)
from entitlements.services.supporting import (
    create_entitlement,
    expire_entitlement,
    extend_entitlement,
    reissue_entitlement,
    release_entitlement,
    transfer_entitlement,
)
from entitlements.signals import (
    entitlement_expired,
    entitlement_granted,
    entitlement_released,
)
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import (
    AT,
    deliver,
    enrolled,
    offered_run,
    stored,
)
from tests.entitlements.support import (
    LATE,
    Action,
    act,
    assert_noted,
    assert_nothing_happened,
    heard,
)
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return LearnerFactory.create(username="staff")


# --- Create ---------------------------------------------------------------------------------------


def test_staff_give_an_entitlement(staff: User, announced: Heard) -> None:
    created = create_entitlement(
        user=LearnerFactory.create(),
        course_uuid=CourseFactory.create().uuid,
        mode="verified",
        comments="Asked by mail.",
        by=by_at(AT, actor=staff),
    )

    assert (created.refund_locked, created.order_number) == (True, None)
    assert heard(announced) == [entitlement_granted]
    assert_noted(created, "CREATE")


def test_an_order_that_paid_for_the_course_gives_staff_nothing_new() -> None:
    sold = EntitlementFactory.create()

    with pytest.raises(OrderTakenError):
        create_entitlement(
            user=sold.user,
            course_uuid=sold.course_uuid,
            mode="verified",
            order_number=sold.order_number,
            comments="Asked by mail.",
            by=by_at(AT),
        )

    assert CourseEntitlement.objects.count() == 1


# --- Expire, extend, release ----------------------------------------------------------------------


def test_staff_end_an_entitlement(announced: Heard) -> None:
    live = EntitlementFactory.create(redeemed=True)

    ended = act(expire_entitlement, live)

    assert (ended.expired_at, ended.expired_reason) == (AT, "support")
    assert ended.enrollment_course_run == live.enrollment_course_run
    assert heard(announced) == [entitlement_expired]
    assert_noted(ended, "EXPIRE")


def test_the_end_that_is_told_may_be_past_but_not_to_come(announced: Heard) -> None:
    live = EntitlementFactory.create()
    with pytest.raises(EndToComeError):
        act(expire_entitlement, live, expired_at=AT + 2 * DAY)
    assert_nothing_happened(live, announced)

    ended = act(expire_entitlement, live, expired_at=SOLD)

    assert ended.expired_at == SOLD
    assert CourseEntitlement.history.latest("history_id").history_date == AT


def test_one_that_ended_keeps_its_date(announced: Heard) -> None:
    ended = EntitlementFactory.create(expired=True)

    again = act(expire_entitlement, ended, at=LATE)

    assert again.expired_at == ended.expired_at
    assert announced == []


def test_an_extension_counts_from_the_end() -> None:
    live = EntitlementFactory.create()

    act(extend_entitlement, live, days=30)
    extended = act(extend_entitlement, live, days=5)

    assert extended.extended_until == SOLD + 765 * DAY
    assert_noted(extended, "EXTEND", "EXTEND")


@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_an_extension_is_of_some_days(days: int, announced: Heard) -> None:
    live = EntitlementFactory.create()

    with pytest.raises(ActionInvalidError):
        act(extend_entitlement, live, days=days)

    assert_nothing_happened(live, announced)


def test_staff_let_a_learner_leave(announced: Heard) -> None:
    used = EntitlementFactory.create(redeemed=True)

    released = act(release_entitlement, used)
    deliver(AT)

    assert (released.enrollment_course_run, released.expired_at) == (None, None)
    assert enrolled(used.user) == {}
    assert heard(announced) == [entitlement_released]
    assert_noted(released, "LEAVE")


def test_who_is_in_no_session_has_none_to_leave(announced: Heard) -> None:
    live = EntitlementFactory.create()

    with pytest.raises(RunNotUsedError):
        act(release_entitlement, live)

    assert_nothing_happened(live, announced)


# --- Transfer -------------------------------------------------------------------------------------


def test_another_learner_gets_it_without_a_right_to_a_refund() -> None:
    live, other = EntitlementFactory.create(), LearnerFactory.create()

    given = act(transfer_entitlement, live, user=other)

    assert (given.user, given.course_uuid, given.refund_locked) == (other, live.course_uuid, True)
    assert_noted(given, "TRANSFER")


def test_it_is_for_another_course() -> None:
    live, course = EntitlementFactory.create(), CourseFactory.create()

    moved = act(transfer_entitlement, live, course_uuid=course.uuid)

    assert (moved.user, moved.course_uuid, moved.refund_locked) == (live.user, course.uuid, False)


def test_an_order_pays_for_a_course_once() -> None:
    live = EntitlementFactory.create()
    other = EntitlementFactory.create(user=live.user, order_number=live.order_number)

    with pytest.raises(OrderTakenError):
        act(transfer_entitlement, live, course_uuid=other.course_uuid)

    assert stored(live).course_uuid == live.course_uuid
    assert not CourseEntitlementSupportDetail.objects.exists()


@pytest.mark.parametrize("to", ["nobody", "the same", "who left", "an unknown course"])
def test_a_transfer_goes_somewhere(to: str, announced: Heard) -> None:
    live = EntitlementFactory.create()
    targets: dict[str, dict[str, Any]] = {
        "nobody": {},
        "the same": {"user": live.user},
        "who left": {"user": LearnerFactory.create(retired_at=SOLD)},
        "an unknown course": {"course_uuid": live.uuid},
    }

    with pytest.raises(ActionInvalidError):
        act(transfer_entitlement, live, **targets[to])

    assert_nothing_happened(live, announced)


def test_what_is_used_is_not_transferred(announced: Heard) -> None:
    used = EntitlementFactory.create(redeemed=True)

    with pytest.raises(EntitlementUsedError):
        act(transfer_entitlement, used, user=LearnerFactory.create())

    assert_nothing_happened(used, announced)


# --- All of them ----------------------------------------------------------------------------------

ALL: dict[Action, dict[str, Any]] = {
    reissue_entitlement: {},
    expire_entitlement: {},
    extend_entitlement: {"days": 1},
    transfer_entitlement: {},
    release_entitlement: {},
}
each = pytest.mark.parametrize("action", ALL)


def fields_of(action: Action) -> dict[str, Any]:
    is_transfer = action is transfer_entitlement
    return {**ALL[action], **({"user": LearnerFactory.create()} if is_transfer else {})}


@each
def test_without_a_comment_nothing_is_done(action: Action, announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=action is release_entitlement)

    with pytest.raises(CommentMissingError):
        act(action, entitlement, comments=" ", **fields_of(action))

    announced.clear()
    assert_nothing_happened(entitlement, announced)


@each
@pytest.mark.parametrize("frozen_by", ["redemption", "refund"])
def test_while_something_is_under_way_nothing_is_done(
    action: Action, frozen_by: str, announced: Heard
) -> None:
    entitlement = EntitlementFactory.create()
    if frozen_by == "refund":
        CourseEntitlementRefund.objects.create(
            entitlement=entitlement,
            order_number="EDX-1",
            gateway=RefundGateway.ORDERS,
            status=RefundStatus.NEEDS_REVIEW,
            requested_at=SOLD,
        )
    else:
        CourseEntitlementRedemption.objects.create(
            entitlement=entitlement, course_run=offered_run(entitlement), requested_at=SOLD
        )

    with pytest.raises(EntitlementFrozenError):
        act(action, entitlement, **fields_of(action))

    assert_nothing_happened(entitlement, announced)


@pytest.mark.parametrize("action", [extend_entitlement, transfer_entitlement, release_entitlement])
def test_what_a_rule_ended_must_be_reissued_first(action: Action, announced: Heard) -> None:
    lapsed = EntitlementFactory.create()

    with pytest.raises(EntitlementExpiredError):
        act(action, lapsed, at=LATE, **fields_of(action))

    assert_nothing_happened(lapsed, announced)


@each
def test_an_unknown_entitlement_is_not_found(action: Action) -> None:
    unknown = EntitlementFactory.build(user=None, course_uuid=None)

    with pytest.raises(EntitlementNotFoundError):
        act(action, unknown, **fields_of(action))

"""What the old service's PATCH and DELETE ask for."""

from datetime import datetime
from typing import Any

import pytest

from entitlements.enums import RefundGateway, SupportAction
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRefund,
)
from entitlements.services.notes import CommentMissingError, RunUnknownError, SupportNote
from entitlements.services.remedies import (
    ActionInvalidError,
    RunNotUsedError,
)
from entitlements.services.supporting import (
    amend_entitlement,
    revoke_entitlement,
)
from entitlements.signals import (
    entitlement_expired,
    entitlement_released,
)
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import (
    AT,
    deliver,
    enrolled,
    refund,
    run_of,
    stored,
)
from tests.entitlements.support import LATE, assert_noted, assert_nothing_happened, heard

pytestmark = pytest.mark.django_db


def amend(
    entitlement: CourseEntitlement,
    *actions: SupportAction,
    run: str | None = None,
    at: datetime = AT,
    **values: Any,
) -> CourseEntitlement:
    notes = [
        SupportNote(action=action, comments="Asked by mail.", unenrolled_run=run)
        for action in actions
    ]
    return amend_entitlement(entitlement_uuid=entitlement.uuid, by=by_at(at), notes=notes, **values)


def key_of(entitlement: CourseEntitlement) -> str:
    run = run_of(entitlement)
    assert run
    return run.key


# --- The old service's PATCH ----------------------------------------------------------------------


def test_a_patch_reissues_as_the_support_tool_asks() -> None:
    ended = EntitlementFactory.create(redeemed=True, expired=True)
    key = key_of(ended)

    reissued = amend(ended, SupportAction.REISSUE, run=key, expired_at=None)

    assert (reissued.expired_at, reissued.enrollment_course_run) == (None, None)
    assert reissued.refund_locked
    detail = reissued.support_details.get()
    assert detail.unenrolled_run
    assert detail.unenrolled_run.key == key
    assert_noted(reissued, "REISSUE")


def test_a_patch_expires_as_the_support_tool_asks() -> None:
    live = EntitlementFactory.create(redeemed=True)

    ended = amend(live, SupportAction.EXPIRE, run=key_of(live), expired_at=AT - DAY)

    assert (ended.expired_at, ended.expired_reason) == (AT - DAY, "support")
    assert ended.enrollment_course_run is None
    assert_noted(ended, "EXPIRE")


def test_the_newest_of_several_notes_comes_first() -> None:
    live = EntitlementFactory.create()

    amend(live, SupportAction.CREATE, SupportAction.EXPIRE)

    assert_noted(live, "EXPIRE", "CREATE")


@pytest.mark.parametrize("at", [AT, LATE])
def test_a_comment_alone_touches_neither_end_nor_lock(at: datetime, announced: Heard) -> None:
    live = EntitlementFactory.create()

    amended = amend(live, SupportAction.CREATE, at=at, expired_at=None, refund_locked=False)

    assert (amended.expired_at, amended.refund_locked) == (None, False)
    assert CourseEntitlement.history.filter(id=live.pk).count() == 1
    assert announced == []
    assert_noted(amended, "CREATE")


def test_the_lock_changes_with_a_comment() -> None:
    live = EntitlementFactory.create()

    assert amend(live, SupportAction.CREATE, refund_locked=True).refund_locked
    assert not amend(live, SupportAction.CREATE, refund_locked=False).refund_locked
    with pytest.raises(CommentMissingError):
        amend(live, refund_locked=True)
    assert not stored(live).refund_locked


def test_a_run_in_a_note_is_left_and_can_be_told_again() -> None:
    used = EntitlementFactory.create(redeemed=True)
    key = key_of(used)

    released = amend(used, SupportAction.LEAVE, run=key)
    again = amend(used, SupportAction.LEAVE, run=key)

    assert released.enrollment_course_run is None
    assert again.modified == released.modified
    assert_noted(used, "LEAVE", "LEAVE")


def test_an_empty_patch_changes_nothing(announced: Heard) -> None:
    live = EntitlementFactory.create()

    amend(live)

    assert_nothing_happened(live, announced)


@pytest.mark.parametrize(
    ("actions", "values"),
    [
        ([SupportAction.REISSUE, SupportAction.EXPIRE], {}),
        ([SupportAction.REISSUE], {"expired_at": AT}),
        ([SupportAction.EXPIRE], {"expired_at": None}),
        ([SupportAction.CREATE], {"expired_at": AT}),
        ([], {"expired_at": AT}),
    ],
)
def test_notes_and_values_that_do_not_fit_change_nothing(
    actions: list[SupportAction], values: dict[str, Any], announced: Heard
) -> None:
    live = EntitlementFactory.create()

    with pytest.raises(ActionInvalidError):
        amend(live, *actions, **values)

    assert_nothing_happened(live, announced)


def test_an_end_is_not_lifted_without_saying_so(announced: Heard) -> None:
    ended = EntitlementFactory.create(expired=True)

    with pytest.raises(ActionInvalidError):
        amend(ended, expired_at=None)

    assert_nothing_happened(ended, announced)


@pytest.mark.parametrize(("redeemed", "error"), [(True, RunNotUsedError), (False, RunUnknownError)])
def test_a_run_that_it_is_not_used_for_changes_nothing(
    redeemed: bool, error: type[Exception], announced: Heard
) -> None:
    ended = EntitlementFactory.create(redeemed=redeemed, expired=True)

    with pytest.raises(error):
        amend(ended, SupportAction.REISSUE, run="no/such/run", expired_at=None)

    announced.clear()
    assert_nothing_happened(ended, announced)


def test_what_was_refunded_is_not_refundable_again() -> None:
    refunded = EntitlementFactory.create()
    refund(refunded)

    with pytest.raises(ActionInvalidError):
        amend(refunded, SupportAction.REISSUE, refund_locked=False)

    assert stored(refunded).expired_at == AT


# --- The old service's DELETE ---------------------------------------------------------------------


def revoke(entitlement: CourseEntitlement, at: datetime = AT) -> CourseEntitlement:
    return revoke_entitlement(entitlement_uuid=entitlement.uuid, by=by_at(at))


def test_a_revoked_entitlement_ends_and_its_learner_leaves(announced: Heard) -> None:
    used = EntitlementFactory.create(redeemed=True)

    revoked = revoke(used)
    deliver(AT)

    assert (revoked.expired_at, revoked.expired_reason) == (AT, "revoke")
    assert revoked.enrollment_course_run is None
    assert enrolled(used.user) == {}
    assert heard(announced) == [entitlement_expired, entitlement_released]
    assert not CourseEntitlementRefund.objects.exists()


def test_revoking_again_changes_nothing(announced: Heard) -> None:
    used = EntitlementFactory.create(redeemed=True)
    revoke(used)
    announced.clear()

    again = revoke(used, at=LATE)

    assert again.expired_at == AT
    assert CourseEntitlement.history.filter(id=used.pk).count() == 2
    assert announced == []


def test_who_used_it_up_leaves_when_it_is_revoked(announced: Heard) -> None:
    spent = EntitlementFactory.create(redeemed=True, expired=True)

    revoked = revoke(spent, at=LATE)
    deliver(LATE)

    assert (revoked.expired_at, revoked.expired_reason) == (spent.expired_at, "support")
    assert enrolled(spent.user) == {}
    assert heard(announced) == [entitlement_released]


def test_a_refund_that_is_under_way_does_not_hold_up_a_revocation() -> None:
    sold = EntitlementFactory.create()
    CourseEntitlementRefund.objects.create(
        entitlement=sold, order_number="EDX-1", gateway=RefundGateway.ORDERS, requested_at=SOLD
    )

    assert revoke(sold).expired_reason == "revoke"

from datetime import datetime
from typing import Any

import pytest

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from entitlements.enums import RedemptionStatus, RefundGateway
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
)
from entitlements.services.locking import (
    EntitlementExpiredError,
    EntitlementFrozenError,
    EntitlementNotFoundError,
)
from entitlements.services.redeeming import (
    EntitlementNotRedeemableError,
    RunMismatchError,
    RunUnavailableError,
    RunUsedError,
    open_redemption,
)
from entitlements.signals import EntitlementFact, entitlement_redeemed
from programs.models import CourseEnrollment, CourseRun
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import (
    DAY,
    INSTANT,
    SOLD,
    EnrollmentFactory,
    EntitlementFactory,
    OfferedRunFactory,
    by_at,
)
from tests.entitlements.sessions import (
    AT,
    enrolled,
    offered_run,
    redeem,
    run_of,
    run_used,
    stored,
    used_for,
)

pytestmark = pytest.mark.django_db


def assert_untouched(entitlement: CourseEntitlement, announced: Heard) -> None:
    before = CourseEntitlement.history.get(id=entitlement.pk)
    assert stored(entitlement).enrollment_course_run_id == before.enrollment_course_run_id
    assert announced == []
    assert not OutboxMessage.objects.filter(status="pending").exists()


def under_way(entitlement: CourseEntitlement, run: CourseRun) -> CourseEntitlementRedemption:
    return CourseEntitlementRedemption.objects.create(
        entitlement=entitlement, course_run=run, requested_at=AT
    )


# --- Using one ------------------------------------------------------------------------------------


def test_redeeming_enrolls_the_learner_and_uses_the_entitlement(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)

    attempt = redeem(entitlement, run)

    assert attempt
    assert (attempt.status, attempt.refusal, attempt.finished_at) == ("done", "", AT)
    used = stored(entitlement)
    assert used.enrollment_course_run == CourseEnrollment.objects.get(course_run=run)
    assert used.redeemed_at == AT
    assert enrolled(entitlement.user) == {run.key: "verified"}
    fact = EntitlementFact(
        used.pk, used.uuid, used.user_id, used.course_uuid, "verified", course_run_id=run.pk
    )
    assert announced == [(entitlement_redeemed, (fact,))]
    assert CourseEntitlement.history.filter(id=used.pk).count() == 2
    assert rows_without_true_history(CourseEntitlement) == 0


def test_the_history_says_who_redeemed() -> None:
    entitlement = EntitlementFactory.create()

    redeem(entitlement, offered_run(entitlement))

    newest = CourseEntitlement.history.filter(id=entitlement.pk).latest("history_id")
    assert newest.history_user == entitlement.user
    assert (newest.cause, newest.history_date) == ("entitlements.enroll", AT)


def test_redeeming_for_the_present_run_does_nothing(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    attempt = redeem(entitlement, run_used(entitlement))

    assert attempt is None
    assert_untouched(entitlement, announced)


def test_switching_takes_the_new_run_and_leaves_the_old_one(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    run = offered_run(entitlement)

    attempt = redeem(entitlement, run)

    assert attempt
    assert attempt.status == RedemptionStatus.DONE
    assert run_of(entitlement) == run
    assert stored(entitlement).redeemed_at == AT
    assert enrolled(entitlement.user) == {run.key: "verified"}
    assert [signal for signal, _facts in announced] == [entitlement_redeemed]


def test_one_who_is_in_the_run_for_free_is_upgraded() -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    free = EnrollmentFactory.create(
        user=entitlement.user, course_run=run, mode="audit", certificate_status="audit_passing"
    )

    redeem(entitlement, run)

    assert run_of(entitlement) == run
    free.refresh_from_db()
    assert (free.mode, free.certificate_status) == ("verified", "audit_passing")


def test_an_enrollment_in_its_own_mode_that_nobody_pays_for_is_linked() -> None:
    entitlement = EntitlementFactory.create()
    enrollment = EnrollmentFactory.create(
        user=entitlement.user, course_run=offered_run(entitlement)
    )

    redeem(entitlement, enrollment.course_run)

    assert stored(entitlement).enrollment_course_run == enrollment


def test_one_who_is_in_the_run_in_another_paid_mode_keeps_the_entitlement(
    announced: Heard,
) -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement, modes=("verified", "professional"))
    EnrollmentFactory.create(user=entitlement.user, course_run=run, mode="professional")

    attempt = redeem(entitlement, run)

    assert attempt
    assert (attempt.status, attempt.refusal) == ("refused", "already_paid")
    assert enrolled(entitlement.user) == {run.key: "professional"}
    assert_untouched(entitlement, announced)


def test_who_left_another_paid_mode_may_come_back() -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    EnrollmentFactory.create(
        user=entitlement.user, course_run=run, mode="professional", is_active=False
    )

    redeem(entitlement, run)

    assert enrolled(entitlement.user) == {run.key: "verified"}


# --- When it cannot be used -----------------------------------------------------------------------


def test_a_run_of_another_course_is_no_match(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()

    with pytest.raises(RunMismatchError):
        redeem(entitlement, OfferedRunFactory.create())
    with pytest.raises(RunMismatchError):
        redeem(entitlement, CourseRun(key="course-v1:Org+C+Unknown"))

    assert_untouched(entitlement, announced)


def test_another_learners_entitlement_does_not_exist() -> None:
    entitlement, other = EntitlementFactory.create_batch(2)

    with pytest.raises(EntitlementNotFoundError):
        open_redemption(
            entitlement_uuid=entitlement.uuid,
            course_run_key=offered_run(entitlement).key,
            by=by_at(AT),
            user=other.user,
        )


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"expired": True}, AT),
        ({}, SOLD + 730 * DAY + INSTANT),
        ({"redeemed": True}, SOLD + 15 * DAY),
    ],
)
def test_one_that_has_ended_cannot_be_used_even_if_nobody_marked_it(
    fields: dict[str, Any], at: datetime, announced: Heard
) -> None:
    entitlement = EntitlementFactory.create(**fields)

    with pytest.raises(EntitlementExpiredError):
        redeem(entitlement, offered_run(entitlement, end_date=None), at=at)

    assert_untouched(entitlement, announced)


def test_it_cannot_be_used_any_more_at_the_very_end_of_its_time() -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)

    with pytest.raises(EntitlementNotRedeemableError):
        redeem(entitlement, run, at=SOLD + 730 * DAY)

    redeem(entitlement, run, at=SOLD + 730 * DAY - INSTANT)
    assert run_of(entitlement) == run


@pytest.mark.parametrize(
    "fields",
    [
        {"start_date": None},
        {"modes": ("professional",)},
        {"enrollment_start": AT},
        {"enrollment_end": AT},
    ],
)
def test_a_run_that_cannot_be_taken_now_is_refused(
    fields: dict[str, Any], announced: Heard
) -> None:
    entitlement = EntitlementFactory.create()

    with pytest.raises(RunUnavailableError):
        redeem(entitlement, offered_run(entitlement, **fields))

    assert_untouched(entitlement, announced)


def test_who_is_in_the_run_may_use_one_after_enrollment_closed() -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement, enrollment_end=SOLD)
    EnrollmentFactory.create(user=entitlement.user, course_run=run, mode="audit")

    redeem(entitlement, run)

    assert run_of(entitlement) == run


def test_one_of_which_a_refund_is_under_way_cannot_be_used(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()
    CourseEntitlementRefund.objects.create(
        entitlement=entitlement, gateway=RefundGateway.ORDERS, requested_at=AT
    )

    with pytest.raises(EntitlementFrozenError):
        redeem(entitlement, offered_run(entitlement))

    assert_untouched(entitlement, announced)


def test_while_it_is_being_used_for_a_run_it_cannot_be_for_another(announced: Heard) -> None:
    entitlement = EntitlementFactory.create()
    attempt = under_way(entitlement, offered_run(entitlement))

    with pytest.raises(EntitlementFrozenError):
        redeem(entitlement, offered_run(entitlement))

    assert redeem(entitlement, attempt.course_run) == attempt
    assert_untouched(entitlement, announced)


def test_two_entitlements_are_not_used_for_one_run(announced: Heard) -> None:
    used = EntitlementFactory.create(redeemed=True)
    run = run_used(used)
    other = EntitlementFactory.create(user=used.user, course=run.course)

    with pytest.raises(RunUsedError):
        redeem(other, run)

    assert_untouched(other, announced)


@pytest.mark.parametrize(("is_active", "is_used"), [(True, False), (False, True)])
def test_a_run_for_which_one_was_used_up_takes_another_one_only_after_it_was_left(
    is_active: bool, is_used: bool
) -> None:
    spent = EntitlementFactory.create(redeemed=True)
    run = run_used(spent)
    CourseEntitlement.objects.update(expired_at=SOLD + 15 * DAY, expired_reason="regain")
    CourseEnrollment.objects.update(is_active=is_active)
    other = EntitlementFactory.create(user=spent.user, course=run.course)

    use = used_for(other.user, run, at=SOLD + 20 * DAY)

    assert (use is not None) is is_used
    assert (run_of(other) == run) is is_used


def test_nor_while_one_is_just_being_used_for_it() -> None:
    first = EntitlementFactory.create()
    run = offered_run(first)
    under_way(first, run)
    second = EntitlementFactory.create(user=first.user, course=run.course)

    with pytest.raises(RunUsedError):
        redeem(second, run)


# --- An enrollment elsewhere asks for what the learner has ----------------------------------------


def test_an_enrollment_uses_the_entitlement_that_ends_first() -> None:
    later = EntitlementFactory.create(created=SOLD + DAY)
    run = offered_run(later)
    same: dict[str, Any] = {"user": later.user, "course": run.course}
    EntitlementFactory.create(**same, extended_until=SOLD + 900 * DAY)
    EntitlementFactory.create(**same, expired=True)
    first = EntitlementFactory.create(**same)

    use = used_for(later.user, run)

    assert use
    assert use.entitlement == first
    assert use.redemption
    assert use.redemption.status == RedemptionStatus.DONE
    assert run_of(first) == run


def test_an_older_usable_one_is_not_hidden_by_a_newer_spent_one() -> None:
    usable = EntitlementFactory.create()
    run = offered_run(usable)
    EntitlementFactory.create(
        user=usable.user, course=run.course, created=SOLD + DAY, redeemed=True, expired=True
    )

    use = used_for(usable.user, run)

    assert use
    assert use.entitlement == usable


def test_an_enrollment_again_uses_no_second_entitlement() -> None:
    first = EntitlementFactory.create()
    run = offered_run(first)
    second = EntitlementFactory.create(user=first.user, course=run.course, created=SOLD + DAY)
    used_for(first.user, run)

    again = used_for(first.user, run)

    assert again
    assert (again.entitlement, again.redemption) == (first, None)
    assert run_of(second) is None


def test_an_enrollment_uses_nothing_where_there_is_nothing_for_it() -> None:
    entitlement = EntitlementFactory.create()
    closed = offered_run(entitlement, enrollment_end=AT)

    assert used_for(entitlement.user, closed) is None
    assert used_for(entitlement.user, OfferedRunFactory.create()) is None
    assert used_for(entitlement.user, CourseRun(key="course-v1:Org+C+Unknown")) is None
    assert used_for(EntitlementFactory.create().user, offered_run(entitlement)) is None
    assert used_for(entitlement.user, offered_run(entitlement), at=SOLD + 731 * DAY) is None
    assert run_of(entitlement) is None

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.devorders import StandInOrders
from entitlements.enums import SupportAction
from entitlements.models import (
    CourseEntitlement,
    CourseEntitlementRedemption,
    CourseEntitlementRefund,
    CourseEntitlementSupportDetail,
)
from entitlements.services.notes import SupportNote, write_notes
from entitlements.services.redeeming import open_redemption
from entitlements.services.refunding import open_refund
from entitlements.services.remedies import ActionInvalidError
from entitlements.services.settling import confirm_refund, deny_refund
from entitlements.services.supporting import reissue_entitlement, transfer_entitlement
from entitlements.signals import EntitlementFact, entitlement_expired
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, EntitlementFactory, by_at
from tests.entitlements.sessions import AT, deliver, offered_run, run_of, stored
from tests.programs.factories import LearnerFactory
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture
from tests.standins.orders import standing_in_orders  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

LATER = AT + DAY


@pytest.fixture
def ann() -> User:
    return LearnerFactory.create(username="ann", email="ann@example.com", full_name="Ann Ash")


def leave(user: User) -> None:
    retire_user(user=user, at=LATER, actor=None, reason="Asked to leave.")


def comment(entitlement: CourseEntitlement, text: str, *, author: User | None = None) -> None:
    note = SupportNote(action=SupportAction.CREATE, comments=text)
    write_notes(entitlement, [note], by=by_at(AT, actor=author))


def comments() -> set[str]:
    """All that is known of what staff wrote, now and before."""
    live = CourseEntitlementSupportDetail.objects.values_list("comments", flat=True)
    past = CourseEntitlementSupportDetail.history.values_list("comments", flat=True)
    assert rows_without_true_history(CourseEntitlementSupportDetail) == 0
    return {*live, *past}


def test_entitlements_of_who_leaves_end_and_stay(ann: User, announced: Heard) -> None:
    used = EntitlementFactory.create(user=ann, redeemed=True)
    ended = EntitlementFactory.create(user=ann, expired=True)
    others = EntitlementFactory.create()
    run = run_of(used)
    assert run

    leave(ann)

    retired = stored(used)
    assert (retired.expired_at, retired.expired_reason) == (LATER, "retired")
    assert retired.enrollment_course_run == used.enrollment_course_run
    assert stored(ended).expired_reason == "support"
    assert stored(others).expired_at is None
    fact = EntitlementFact(
        used.pk, used.uuid, ann.pk, used.course_uuid, "verified", run.pk, "retired"
    )
    assert announced == [(entitlement_expired, (fact,))]
    assert rows_without_true_history(CourseEntitlement) == 0


def test_comments_about_who_leaves_are_emptied_also_in_the_history(ann: User) -> None:
    entitlement = EntitlementFactory.create(user=ann)
    comment(entitlement, "Said it was lost.")
    detail = entitlement.support_details.get()
    detail.comments = "Said that her order was lost."
    detail.save()

    leave(ann)

    assert comments() == {""}


def test_comments_by_who_leaves_are_emptied(ann: User) -> None:
    comment(EntitlementFactory.create(), "I gave it.", author=ann)

    leave(ann)

    assert comments() == {""}
    assert CourseEntitlementSupportDetail.objects.get().support_user == ann


def test_comments_about_what_they_gave_away_are_emptied(ann: User) -> None:
    given = EntitlementFactory.create(user=ann)
    transfer_entitlement(
        entitlement_uuid=given.uuid, user=LearnerFactory.create(), comments="Hers.", by=by_at(AT)
    )

    leave(ann)

    assert comments() == {""}
    assert stored(given).expired_at is None


def test_names_are_erased_from_comments_about_others(ann: User) -> None:
    comment(EntitlementFactory.create(), "As for Ann Ash (ann@example.com).")

    leave(ann)

    assert comments() == {"As for *** (***)."}


def test_a_use_that_was_under_way_is_given_up(ann: User) -> None:
    entitlement = EntitlementFactory.create(user=ann)
    open_redemption(
        entitlement_uuid=entitlement.uuid,
        course_run_key=offered_run(entitlement).key,
        by=by_at(AT),
    )

    leave(ann)
    deliver(LATER)

    assert CourseEntitlementRedemption.objects.get().status == "abandoned"
    assert stored(entitlement).enrollment_course_run is None


@pytest.mark.parametrize(
    ("decision", "status"), [(confirm_refund, "opened"), (deny_refund, "failed")]
)
def test_a_refund_that_was_under_way_is_left_to_staff(
    ann: User, orders: StandInOrders, decision: type, status: str
) -> None:
    """The order service knows the learner by a name that is gone."""
    entitlement = EntitlementFactory.create(user=ann)
    refund = open_refund(entitlement_uuid=entitlement.uuid, by=by_at(AT))

    leave(ann)
    deliver(LATER)

    refund.refresh_from_db()
    assert (refund.status, refund.refusal) == ("needs_review", "learner_left")
    assert orders.calls_to("/refunds/") == []
    decision(refund_id=refund.pk, comments="Looked it up.", by=by_at(LATER))
    assert CourseEntitlementRefund.objects.get().status == status
    assert stored(entitlement).expired_reason == "retired"


def test_what_ended_with_its_learner_is_not_reissued(ann: User) -> None:
    entitlement = EntitlementFactory.create(user=ann)
    leave(ann)

    with pytest.raises(ActionInvalidError):
        reissue_entitlement(entitlement_uuid=entitlement.uuid, comments="So.", by=by_at(LATER))

    assert stored(entitlement).expired_reason == "retired"


def test_nothing_that_leaves_names_who_left(ann: User) -> None:
    entitlement = EntitlementFactory.create(user=ann)
    open_refund(entitlement_uuid=entitlement.uuid, by=by_at(AT))

    leave(ann)

    for message in OutboxMessage.objects.all():
        assert "ann" not in f"{message.payload}{message.dedupe_key}{message.key}"

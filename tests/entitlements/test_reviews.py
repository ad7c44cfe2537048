"""What certificates and enrollments that the portal hears of do to entitlements."""

from collections import Counter
from datetime import datetime

import pytest
from django.db import connection

from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import Delivery, Outcome
from entitlements.enums import RedemptionStatus
from entitlements.models import CourseEntitlement, CourseEntitlementRefund, EntitlementReview
from entitlements.services.redeeming import ENROLL, open_redemption, record_redemptions
from entitlements.services.reviews import ReviewedPage, open_reviews, review_page
from entitlements.services.unenrolling import UNENROLL
from entitlements.signals import entitlement_expired, entitlement_released
from programs.services import (
    CertificateRecord,
    EnrollmentRecord,
    record_course_certificates,
    record_course_enrollments,
)
from tests.entitlements.conftest import Heard
from tests.entitlements.factories import DAY, SOLD, EntitlementFactory, by_at
from tests.entitlements.sessions import AT, deliver, enrolled, offered_run, run_of, run_used, stored
from tests.letters.conftest import Statements

pytestmark = pytest.mark.django_db

DAY_20 = SOLD + 20 * DAY


def end_enrollments(*entitlements: CourseEntitlement) -> None:
    """As the LMS tells it."""
    records = [
        EnrollmentRecord(
            one.user_id, one.enrollment_course_run.course_run_id, "verified", is_active=False
        )
        for one in entitlements
        if one.enrollment_course_run
    ]
    record_course_enrollments(records, by=by_at(AT))


def award(entitlement: CourseEntitlement) -> None:
    assert entitlement.enrollment_course_run
    run_id = entitlement.enrollment_course_run.course_run_id
    record_course_certificates(
        [CertificateRecord(entitlement.user_id, run_id, awarded_at=AT)], by=by_at(AT)
    )


def look(at: datetime = AT) -> Counter[str]:
    page = review_page(size=100, by=by_at(at))
    assert page
    assert page.errors == 0
    return page.outcomes


def test_a_certificate_ends_the_entitlement_that_paid(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    award(entitlement)

    assert look() == {"ended": 1}
    ended = stored(entitlement)
    assert (ended.expired_at, ended.expired_reason) == (AT, "certificate")
    assert ended.enrollment_course_run
    assert [signal for signal, _facts in announced] == [entitlement_expired]
    assert not EntitlementReview.objects.exists()


def test_an_enrollment_that_ended_releases_without_refund(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    end_enrollments(entitlement)

    assert look() == {"released": 1}
    released = stored(entitlement)
    assert (released.enrollment_course_run, released.redeemed_at) == (None, None)
    assert released.expired_at is None
    assert not CourseEntitlementRefund.objects.exists()
    assert [signal for signal, _facts in announced] == [entitlement_released]


def test_an_enrollment_that_ended_too_late_ends_the_entitlement_and_releases_it(
    announced: Heard,
) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)

    end_enrollments(entitlement)

    assert look(DAY_20) == {"ended": 1}
    ended = stored(entitlement)
    assert (ended.expired_reason, ended.enrollment_course_run) == ("regain", None)
    assert [signal for signal, _facts in announced] == [entitlement_expired, entitlement_released]


def test_an_enrollment_that_goes_on_changes_nothing(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    assert entitlement.enrollment_course_run
    record = EnrollmentRecord(
        entitlement.user_id,
        entitlement.enrollment_course_run.course_run_id,
        "verified",
        certificate_status="notpassing",
    )
    record_course_enrollments([record], by=by_at(AT))

    assert look() == {"unchanged": 1}

    assert announced == []
    assert CourseEntitlement.history.filter(id=entitlement.pk).count() == 1


def test_an_enrollment_that_merely_appears_uses_no_entitlement() -> None:
    entitlement = EntitlementFactory.create()
    run = offered_run(entitlement)
    record = EnrollmentRecord(entitlement.user_id, run.pk, "verified")

    record_course_enrollments([record], by=by_at(AT))

    assert look() == {"unchanged": 1}
    assert stored(entitlement).enrollment_course_run is None


def test_learners_without_entitlements_are_not_queued() -> None:
    spent = EntitlementFactory.create(redeemed=True, expired=True)

    end_enrollments(spent)

    assert not EntitlementReview.objects.exists()


def test_events_coalesce_and_one_that_comes_meanwhile_keeps_its_row_open() -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    end_enrollments(entitlement)
    award(entitlement)
    row = EntitlementReview.objects.get()
    assert (row.version, row.cause) == (2, "course_certificate_awarded:test")

    def hear_more(*_args: object, **_kwargs: object) -> None:
        open_reviews([(row.user_id, row.course_run_id)], cause="meanwhile", at=AT)

    entitlement_expired.connect(hear_more)
    # The entitlement is ended by now; another one keeps the learner in the queue.
    EntitlementFactory.create(user=entitlement.user)
    try:
        look()
    finally:
        entitlement_expired.disconnect(hear_more)

    assert EntitlementReview.objects.get().version == 3


def test_one_that_ended_while_it_is_switched_waits(announced: Heard) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    attempt = entitlement.redemptions.create(course_run=offered_run(entitlement), requested_at=AT)
    award(entitlement)

    assert look() == {"frozen": 1}

    assert stored(entitlement).expired_at is None
    assert announced == []
    attempt.status, attempt.finished_at = RedemptionStatus.REFUSED, AT
    attempt.save()
    assert look() == {"ended": 1}


@pytest.mark.parametrize("is_enrolled", [False, True])
def test_one_that_is_used_up_while_it_is_switched_stays_where_it_was(is_enrolled: bool) -> None:
    entitlement = EntitlementFactory.create(redeemed=True)
    old, new = run_used(entitlement), offered_run(entitlement)
    attempt = open_redemption(
        entitlement_uuid=entitlement.uuid, course_run_key=new.key, by=by_at(AT)
    )
    assert attempt
    award(entitlement)
    assert look() == {"frozen": 1}

    if is_enrolled:
        message = OutboxMessage.objects.get(kind=ENROLL)
        record_redemptions([Delivery(message, Outcome.done())], AT)
    deliver(AT + DAY)

    attempt.refresh_from_db()
    assert (attempt.status, attempt.refusal) == ("abandoned", "entitlement_ended")
    assert (run_of(entitlement), enrolled(entitlement.user)) == (old, {old.key: "verified"})
    assert OutboxMessage.objects.filter(kind=UNENROLL).count() == is_enrolled
    assert look() == {"ended": 1}


def test_a_switch_that_was_skipped_is_given_up_whatever_holds_by_then() -> None:
    """The certificate for which it was skipped was taken back before that was recorded."""
    entitlement = EntitlementFactory.create(redeemed=True)
    attempt = open_redemption(
        entitlement_uuid=entitlement.uuid, course_run_key=offered_run(entitlement).key, by=by_at(AT)
    )
    assert attempt

    message = OutboxMessage.objects.get(kind=ENROLL)
    record_redemptions([Delivery(message, Outcome.skipped("entitlement_ended"))], AT)

    attempt.refresh_from_db()
    assert attempt.status == "abandoned"
    assert stored(entitlement).expired_at is None


def test_pages_go_on_where_the_last_one_ended() -> None:
    entitlements = EntitlementFactory.create_batch(3, redeemed=True)
    for entitlement in entitlements:
        entitlement.redemptions.create(course_run=offered_run(entitlement), requested_at=AT)
        award(entitlement)

    pages: list[ReviewedPage] = []
    while page := review_page(size=2, by=by_at(AT), after=pages[-1].last_id if pages else 0):
        pages.append(page)

    assert [page.outcomes for page in pages] == [{"frozen": 2}, {"frozen": 1}]


def test_one_bad_row_does_not_stop_the_rest() -> None:
    bad, good = EntitlementFactory.create_batch(2, redeemed=True)
    end_enrollments(bad, good)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE FUNCTION refuse_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'refused for the test' USING ERRCODE = 'check_violation';
            END $$;
            CREATE TRIGGER refuse_for_test BEFORE UPDATE ON entitlements_courseentitlement
            FOR EACH ROW WHEN (NEW.id = {bad.pk}) EXECUTE FUNCTION refuse_for_test();
            """
        )

    page = review_page(size=10, by=by_at(AT))

    assert page
    assert (page.outcomes, page.errors) == ({"released": 1}, 1)
    assert stored(good).enrollment_course_run is None
    assert EntitlementReview.objects.get().user_id == bad.user_id


def test_fifty_take_as_many_statements_as_one(statements: Statements) -> None:
    counts = []
    for number in (2, 50):
        entitlements = EntitlementFactory.create_batch(number, redeemed=True)
        end_enrollments(*entitlements)
        for entitlement in entitlements[::2]:
            award(entitlement)
        with statements.counted() as run:
            assert look() == {"ended": number // 2, "released": number // 2}
        counts.append(len(run))

    assert counts[0] == counts[1]
    assert rows_without_true_history(CourseEntitlement) == 0

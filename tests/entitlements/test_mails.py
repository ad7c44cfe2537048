"""Mails about entitlements, as they arrive at a real mail server."""

from datetime import timedelta
from email.message import EmailMessage

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.history import save_with_history
from credentials_portal.core.models import OutboxMessage
from entitlements.deliveries import acting
from entitlements.enums import ExpiryReason, Notice
from entitlements.models import CourseEntitlement, EntitlementReminder
from entitlements.services import states
from entitlements.services.notices import ENTITLEMENT_MAIL, queue_refund_mails, queue_reminders
from programs.models import Course
from tests.core.outbox.mail_server import MailServer
from tests.entitlements.factories import (
    DAY,
    SOLD,
    EntitlementFactory,
    OfferedRunFactory,
    by_at,
)
from tests.entitlements.pages.now import refund_of
from tests.letters.mails import arrived, deliver, part
from tests.programs.factories import CourseFactory, LearnerFactory

pytestmark = pytest.mark.django_db

ENDS = SOLD + 730 * DAY
AT = ENDS - 7 * DAY


@pytest.fixture
def ann() -> User:
    ann: User = LearnerFactory.create(
        email="ann@example.com", full_name="Ann\nAsh", time_zone="Asia/Tokyo"
    )
    return ann


@pytest.fixture
def course() -> Course:
    course: Course = CourseFactory.create(title="Truth <&> Beauty")
    return course


@pytest.fixture
def entitlement(ann: User, course: Course) -> CourseEntitlement:
    entitlement: CourseEntitlement = EntitlementFactory.create(user=ann, course=course)
    return entitlement


def remind(entitlement: CourseEntitlement) -> None:
    reminder = EntitlementReminder.objects.create(
        entitlement=entitlement, threshold_days=7, ends_at=ENDS, queued_at=AT
    )
    queue_reminders([reminder.pk], at=AT)


def take(entitlement: CourseEntitlement, course: Course) -> None:
    run = OfferedRunFactory.create(course=course, start_date=SOLD + 5 * DAY)
    acting.redeem_now(
        entitlement_uuid=entitlement.uuid,
        course_run_key=run.key,
        by=by_at(SOLD),
        clock=lambda: SOLD,
    )


def the_mail(server: MailServer) -> EmailMessage:
    (mail,) = arrived(server)
    assert mail["Auto-Submitted"] == "auto-generated"
    return mail


def fates() -> list[tuple[str, str]]:
    mails = OutboxMessage.objects.filter(kind=ENTITLEMENT_MAIL).order_by("pk")
    return list(mails.values_list("status", "reason"))


# --- One of each kind --------------------------------------------------------------------------


def test_a_reminder_tells_the_end_by_the_readers_clock(
    entitlement: CourseEntitlement, mail_server: MailServer
) -> None:
    remind(entitlement)

    deliver(AT)

    mail = the_mail(mail_server)
    assert mail["To"] == "ann@example.com"
    assert mail["Subject"] == "Truth <&> Beauty: choose a session before it is too late"
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "you have a place in one session of Truth <&> Beauty, and have not chosen a session yet."
        " It ends on 31 December 2025, 09:00 JST; after that it cannot be used any more.\n\n"
        "Choose a session:\n"
        f"https://portal.example.org/access/entitlements/{entitlement.uuid}/\n\n"
        "-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"
    )
    assert "<bdi>Truth &lt;&amp;&gt; Beauty</bdi>" in part(mail, "html")


def test_a_session_that_was_taken_is_confirmed(
    entitlement: CourseEntitlement, course: Course, mail_server: MailServer
) -> None:
    take(entitlement, course)

    deliver(SOLD)

    mail = the_mail(mail_server)
    assert mail["Subject"] == "Your session of Truth <&> Beauty"
    assert "from 6 January 2024." in part(mail, "plain")
    assert "change or leave it until 21 January 2024, 09:00 JST" in part(mail, "plain")


def test_an_accepted_refund_is_told(
    entitlement: CourseEntitlement, mail_server: MailServer
) -> None:
    acting.refund_now(entitlement_uuid=entitlement.uuid, by=by_at(SOLD), clock=lambda: SOLD)

    deliver(SOLD)

    mail = the_mail(mail_server)
    assert mail["Subject"] == "Your refund of Truth <&> Beauty was accepted"
    assert "asked for on 1 January 2024 was accepted" in part(mail, "plain")


def test_a_refused_refund_is_told_without_codes(
    entitlement: CourseEntitlement, mail_server: MailServer
) -> None:
    refund_of(entitlement, "failed", refusal="http_400")
    queue_refund_mails(Notice.REFUND_FAILED, [states.fact_of(entitlement)], at=SOLD)

    deliver(SOLD)

    mail = the_mail(mail_server)
    assert mail["Subject"] == "Your refund of Truth <&> Beauty was refused"
    assert "Nothing else was changed." in part(mail, "plain")
    assert "http_400" not in part(mail, "plain")


# --- Looked at again before they leave ---------------------------------------------------------


def test_nobody_is_reminded_of_what_is_used_by_then(
    entitlement: CourseEntitlement, course: Course, mail_server: MailServer
) -> None:
    remind(entitlement)
    take(entitlement, course)
    OutboxMessage.objects.filter(payload__notice=Notice.SESSION_TAKEN).delete()

    deliver(AT)

    assert fates() == [("skipped", "changed_since")]
    assert mail_server.received == []


@pytest.mark.parametrize("later", [timedelta(0), 30 * DAY])
def test_another_end_is_another_reminder(
    entitlement: CourseEntitlement, mail_server: MailServer, later: timedelta
) -> None:
    remind(entitlement)
    entitlement.extended_until = ENDS + later
    save_with_history(entitlement, by=by_at(AT))

    deliver(AT)

    assert fates() == [("skipped", "changed_since") if later else ("done", "")]


def test_an_end_that_is_over_is_not_told(
    entitlement: CourseEntitlement, mail_server: MailServer
) -> None:
    remind(entitlement)

    deliver(ENDS)

    assert fates() == [("skipped", "changed_since")]


def test_a_session_that_was_left_is_not_confirmed(
    entitlement: CourseEntitlement, course: Course, mail_server: MailServer
) -> None:
    take(entitlement, course)
    acting.leave_now(entitlement_uuid=entitlement.uuid, by=by_at(SOLD), clock=lambda: SOLD)

    deliver(SOLD)

    assert fates() == [("skipped", "changed_since")]


def test_nothing_is_told_to_who_has_it_now(
    entitlement: CourseEntitlement, mail_server: MailServer
) -> None:
    refund_of(entitlement, "failed")
    queue_refund_mails(Notice.REFUND_FAILED, [states.fact_of(entitlement)], at=SOLD)
    entitlement.user = LearnerFactory.create(email="bob@example.com")
    save_with_history(entitlement, by=by_at(SOLD))

    deliver(SOLD)

    assert fates() == [("skipped", "changed_since")]
    assert mail_server.received == []


@pytest.mark.parametrize(
    ("fields", "reason"), [({"is_active": False}, "no_account"), ({"email": ""}, "no_address")]
)
def test_who_cannot_be_told_is_not(
    entitlement: CourseEntitlement, ann: User, fields: dict[str, object], reason: str
) -> None:
    remind(entitlement)
    User.objects.filter(pk=ann.pk).update(**fields)

    deliver(AT)

    assert fates() == [("skipped", reason)]


def test_staff_who_end_it_tell_nobody_by_mail(entitlement: CourseEntitlement) -> None:
    states.end({entitlement.pk: states.Ending(ExpiryReason.SUPPORT)}, by=by_at(SOLD))

    assert fates() == []

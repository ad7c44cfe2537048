"""Mails about requests for credit, to the learners who made them."""

from datetime import timedelta
from typing import Any

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer
from programs.models import Pathway, Program, UserCreditPathway
from programs.services.credit import answer_request, withdraw_request
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import deliver, part
from tests.programs.credit.asking import (
    ask,
    ask_as_staff,
    by_at,
    mails_of,
    mails_to,
    the_mail_to,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

PORTAL = "https://portal.example.org"
FOOT = "\n-- \nCredentials Portal sent this mail automatically. Replies are not read.\n"
NORTH = "registrar@north.example"
LATER = AT + timedelta(days=1)


def test_the_learner_gets_a_copy_with_a_way_back(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)

    deliver()

    mail = the_mail_to(mail_server, "ann@x.org")
    assert mail["Subject"] == "Your record of Data Science was sent to Northern University"
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "your record of Data Science was sent to Northern University,"
        " with your request for credit in the MSc Data.\n\n"
        "The institution sees your name, your username, your e-mail address and your record as it"
        " is when it looks. If you do not want that, withdraw the request: the link to your record"
        " is dead at once.\n\n"
        f"See your request:\n{PORTAL}/credit-requests/{request.uuid}/\n\n"
        f"Withdraw it:\n{PORTAL}/credit-requests/{request.uuid}/withdraw/\n" + FOOT
    )
    html = part(mail, "html")
    assert f'href="{PORTAL}/credit-requests/{request.uuid}/"' in html
    assert f'href="{PORTAL}/credit-requests/{request.uuid}/withdraw/"' in html


def test_the_mail_names_the_learner_whom_staff_asked_for_and_tells_them_who_and_why(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    staff = LearnerFactory.create(full_name="Sam <Staff>", email="sam@portal.example")
    ask_as_staff(ann, program, pathway, staff=staff, reason="She called\nus.")

    deliver()

    asked = the_mail_to(mail_server, NORTH)
    assert asked["Subject"] == "Data Science Credit Request for Ann Ash"
    assert asked["Reply-To"] == "ann@x.org"
    assert "Sam" not in part(asked, "plain") + part(asked, "html")
    told = the_mail_to(mail_server, "ann@x.org")
    words = "Sam <Staff> of the portal's staff asked for you. Their reason: She called us."
    assert f"\n\n{words}\n\n" in part(told, "plain")
    assert "<bdi>Sam &lt;Staff&gt;</bdi>" in part(told, "html")


def test_staff_who_left_are_not_named(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    staff = LearnerFactory.create(full_name="Sam Staff")
    ask_as_staff(ann, program, pathway, staff=staff)
    retire_user(user=staff, at=AT, actor=None, reason="asked for it")

    deliver()

    told = part(the_mail_to(mail_server, "ann@x.org"), "plain")
    assert "The portal's staff asked for you. Their reason: She called us." in told
    assert "retired__" not in told


def test_the_learner_is_told_what_could_not_be_sent(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    mail_server.answers_to[NORTH] = "550 no such mailbox"
    ask(ann, program, pathway)

    deliver()

    mail = the_mail_to(mail_server, "ann@x.org")
    assert mail["Subject"] == "Your record of Data Science could not be sent to Northern University"
    assert part(mail, "plain") == (
        "Hello Ann Ash,\n\n"
        "your record of Data Science could not be sent to Northern University:"
        " the institution has not got your request.\n\n"
        "The mail did not reach it. You can ask again at once: this one does not count.\n\n"
        f"Ask again:\n{PORTAL}/programs/{program.uuid}/credit/?pathway={pathway.pk}\n" + FOOT
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("received", "has received your request for credit in the MSc Data for Data Science."),
        ("granted", "grants you credit in the MSc Data for Data Science."),
        ("refused", "does not grant you credit in the MSc Data for Data Science."),
    ],
)
def test_the_learner_is_told_the_answer(
    ann: User,
    program: Program,
    pathway: Pathway,
    mail_server: MailServer,
    answer: str,
    words: str,
) -> None:
    request, _is_new = ask(ann, program, pathway)
    deliver()
    mail_server.received.clear()
    answer_request(
        request_uuid=request.uuid,
        answer=CreditAnswer(answer),
        note="Send <us>\nyour transcript.",
        by=by_at(LATER),
    )

    deliver(LATER)

    mail = the_mail_to(mail_server, "ann@x.org")
    assert mail["Subject"] == "Northern University answered your request for credit"
    assert part(mail, "plain") == (
        f"Hello Ann Ash,\n\nNorthern University {words}\n\n"
        "Its note: Send <us> your transcript.\n\n"
        f"See your request:\n{PORTAL}/credit-requests/{request.uuid}/\n" + FOOT
    )
    assert "<bdi>Send &lt;us&gt; your transcript.</bdi>" in part(mail, "html")


def test_an_answer_is_told_at_whatever_microsecond_it_came(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)
    deliver()
    mail_server.received.clear()
    at = LATER + timedelta(microseconds=123_456)
    answer_request(request_uuid=request.uuid, answer=CreditAnswer.GRANTED, note="", by=by_at(at))

    deliver(at)

    assert mails_to(mail_server, "ann@x.org") == [
        "Northern University answered your request for credit"
    ]


def test_an_answer_that_was_changed_before_it_was_told_is_told_as_it_is(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)
    deliver()
    mail_server.received.clear()
    for minutes, answer in enumerate((CreditAnswer.GRANTED, CreditAnswer.REFUSED)):
        at = LATER + timedelta(minutes=minutes)
        answer_request(request_uuid=request.uuid, answer=answer, note="", by=by_at(at))

    deliver(LATER + timedelta(hours=1))

    assert mails_of("programs.record_mail") == [
        ("done", ""),
        ("skipped", "changed_since"),
        ("done", ""),
    ]
    words = part(the_mail_to(mail_server, "ann@x.org"), "plain")
    assert "does not grant" in words
    assert "Its note" not in words


@pytest.mark.parametrize(
    ("fields", "reason"), [({"is_active": False}, "no_account"), ({"email": ""}, "no_address")]
)
def test_learners_who_cannot_be_told_are_not(
    ann: User, program: Program, pathway: Pathway, fields: dict[str, Any], reason: str
) -> None:
    request, _is_new = ask(ann, program, pathway)
    UserCreditPathway.objects.update(status="sent", sent_at=AT)
    answer_request(
        request_uuid=request.uuid, answer=CreditAnswer.RECEIVED, note="", by=by_at(LATER)
    )
    OutboxMessage.objects.filter(kind="programs.credit_request").delete()
    User.objects.filter(pk=ann.pk).update(**fields)

    deliver(LATER)

    assert mails_of("programs.record_mail") == [("skipped", reason)]


def test_a_copy_that_did_not_leave_before_the_withdrawal_does_not_leave(
    ann: User, program: Program, pathway: Pathway
) -> None:
    request, _is_new = ask(ann, program, pathway)
    OutboxMessage.objects.update(status="done", finished_at=AT)
    UserCreditPathway.objects.update(status="sent", sent_at=AT)
    answer_request(request_uuid=request.uuid, answer=CreditAnswer.GRANTED, note="", by=by_at(AT))
    withdraw_request(request_uuid=request.uuid, by=by_at(AT))
    OutboxMessage.objects.filter(kind="programs.credit_withdrawal").delete()

    deliver()

    assert mails_of("programs.record_mail") == [("skipped", "changed_since")]

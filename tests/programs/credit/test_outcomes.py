"""What becomes of requests whose mail server refuses, falters, is down, or is killed."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from credentials_portal.accounts.models import User
from credentials_portal.core import outbox
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxBreaker, OutboxMessage
from credentials_portal.core.outbox import Verdict
from programs.enums import CreditAnswer
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.services.credit import answer_request, request_credit, withdraw_request
from tests.core.outbox.mail_server import MailServer, serving
from tests.forks import was_killed
from tests.letters.mails import arrived, deliver
from tests.programs.credit.asking import (
    CREDIT_REQUEST,
    ask,
    by_at,
    mails_of,
    mails_to,
    statuses,
)
from tests.programs.factories import AT, LearnerFactory, ProgramFactory, pathway_of

pytestmark = pytest.mark.django_db

NORTH = "registrar@north.example"
HOUR = timedelta(hours=1)
ASKED = "Data Science Credit Request for Ann Ash"


@pytest.fixture
def staff() -> User:
    staff: User = LearnerFactory.create()
    return staff


def deliver_for_days(since: datetime = AT) -> None:
    for hours in range(3, 33, 3):
        outbox.deliver_due(clock=lambda: since + hours * HOUR)  # noqa: B023 - used at once


def settle(verdict: Verdict, *, staff: User, at: datetime = AT + 100 * HOUR) -> None:
    stuck = OutboxMessage.objects.get(kind=CREDIT_REQUEST)
    outbox.settle([stuck.pk], verdict=verdict, actor=staff, reason="Asked them.", at=at)


def the_request() -> UserCreditPathway:
    return UserCreditPathway.objects.get()


def told(server: MailServer) -> list[str]:
    """What the learner was told, by the last words of the subjects."""
    return ["not sent" if "not be" in one else "sent" for one in mails_to(server, "ann@x.org")]


# --- Refused, put off, down --------------------------------------------------------------------


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_what_the_server_refuses_fails_at_once_and_may_be_asked_again_at_once(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer, command: str
) -> None:
    if command == "RCPT":
        mail_server.answers_to[NORTH] = "550 no such mailbox"
    else:
        mail_server.answers["DATA"] = "554 no thanks"
    ask(ann, program, pathway)

    deliver()

    request = the_request()
    code = "smtp_550" if command == "RCPT" else "smtp_554"
    assert (request.status, request.failure, request.sent_at) == ("failed", code, None)
    assert mails_of(CREDIT_REQUEST) == [("failed", code)]
    assert request.shared_record
    assert request.shared_record.is_live(AT)
    again = ask(ann, program, pathway, at=AT + timedelta(seconds=1))
    assert (again.is_new, again.request.number) == (True, 2)


def test_what_is_put_off_is_tried_eight_times_and_then_fails(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    mail_server.answers_to[NORTH] = "450 come back later"
    ask(ann, program, pathway)

    deliver()
    assert statuses() == ["queued"]
    deliver_for_days()

    assert mails_of(CREDIT_REQUEST) == [("dead", "smtp_450")]
    assert OutboxMessage.objects.get(kind=CREDIT_REQUEST).attempts == 8
    assert (the_request().status, the_request().failure) == ("failed", "smtp_450")
    assert told(mail_server) == ["not sent"]


def test_what_is_put_off_leaves_once_when_the_server_takes_it(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    mail_server.answers["DATA"] = "451 come back later"
    ask(ann, program, pathway)
    deliver()
    mail_server.answers.clear()

    deliver_for_days()

    assert mails_to(mail_server, NORTH) == [ASKED]
    assert told(mail_server) == ["sent"]
    assert statuses() == ["sent"]


def test_a_server_that_is_down_and_comes_back_loses_and_doubles_nothing(
    mail_port: int, settings: Any
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = 100
    program = ProgramFactory.create()
    pathway = pathway_of(program, email=NORTH)
    learners = LearnerFactory.create_batch(10)
    for learner in learners:
        ask(learner, program, pathway)
    deliver()
    assert set(mails_of(CREDIT_REQUEST)) <= {
        ("pending", "unsent.ConnectionRefusedError"),
        ("pending", ""),
    }
    for learner in learners[:5]:
        ask(learner, program, pathway, at=AT + HOUR)
    server = MailServer()

    with serving(server, mail_port):
        deliver_for_days(AT + HOUR)

    assert statuses() == ["sent"] * 15
    assert len(mails_to(server, NORTH)) == 15
    assert len(server.received) == 30
    assert len({mail["Message-ID"] for mail in arrived(server)}) == 30


def test_what_the_same_learner_asked_leaves_in_its_order(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    mail_server.answers_to[NORTH] = "450 come back later"
    ask(ann, program, pathway)
    deliver()
    mail_server.answers_to.clear()
    ask(ann, program, pathway, at=AT + timedelta(minutes=3))

    # The second is due, and waits for the first, which was put off.
    deliver(AT + timedelta(seconds=181))
    deliver_for_days()

    assert mails_to(mail_server, NORTH) == [
        ASKED,
        "Data Science Updated Credit Request for Ann Ash",
    ]


# --- Nobody knows whether it arrived -----------------------------------------------------------


@pytest.fixture
def uncertain(ann: User, program: Program, pathway: Pathway, mail_server: MailServer) -> MailServer:
    """One request whose answer was lost, and a server that works again."""
    mail_server.answers["DATA"] = "lost"
    ask(ann, program, pathway)
    deliver()
    mail_server.answers.clear()
    assert [status for status, _reason in mails_of(CREDIT_REQUEST)] == ["uncertain"]
    return mail_server


def test_a_lost_answer_sends_nothing_again_and_tells_nobody(uncertain: MailServer) -> None:
    deliver_for_days()

    assert len(uncertain.received) == 1
    assert statuses() == ["queued"]
    assert mails_of("programs.record_mail") == []


def test_staff_who_found_it_there_move_it_on(uncertain: MailServer, staff: User) -> None:
    settle(Verdict.MARK_DONE, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert mails_to(uncertain, NORTH) == [ASKED]
    assert told(uncertain) == ["sent"]
    assert (the_request().status, the_request().sent_at) == ("sent", AT + 100 * HOUR)


def test_staff_who_did_not_find_it_give_up_and_the_learner_is_told(
    uncertain: MailServer, staff: User
) -> None:
    settle(Verdict.GIVE_UP, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert (the_request().status, the_request().failure) == ("failed", "settled_by_staff")
    assert told(uncertain) == ["not sent"]


@pytest.mark.parametrize("verdict", [Verdict.MARK_DONE, Verdict.GIVE_UP])
def test_what_was_answered_had_arrived_whatever_staff_think_of_its_mail(
    uncertain: MailServer, staff: User, verdict: Verdict
) -> None:
    granted = CreditAnswer.GRANTED
    answer_request(request_uuid=the_request().uuid, answer=granted, note="", by=by_at(AT + HOUR))

    settle(verdict, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    request = the_request()
    assert (request.status, request.sent_at, request.failure) == ("sent", AT + HOUR, "")
    assert mails_to(uncertain, "ann@x.org") == [
        "Your record of Data Science was sent to Northern University",
        "Northern University answered your request for credit",
    ]


def test_staff_who_try_it_again_send_it_again(uncertain: MailServer, staff: User) -> None:
    settle(Verdict.TRY_AGAIN, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert mails_to(uncertain, NORTH) == [ASKED] * 2
    assert told(uncertain) == ["sent"]
    assert statuses() == ["sent"]


def test_what_failed_and_is_tried_again_is_sent_after_all(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer, staff: User
) -> None:
    mail_server.answers_to[NORTH] = "450 come back later"
    ask(ann, program, pathway)
    deliver_for_days()
    mail_server.answers_to.clear()

    settle(Verdict.TRY_AGAIN, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    request = the_request()
    assert (request.status, request.failure) == ("sent", "")
    assert mails_to(mail_server, NORTH) == [ASKED]
    assert told(mail_server) == ["not sent", "sent"]
    assert rows_without_true_history(UserCreditPathway) == 0


def test_what_failed_is_uncertain_where_the_second_answer_is_lost(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer, staff: User
) -> None:
    mail_server.answers_to[NORTH] = "450 come back later"
    ask(ann, program, pathway)
    deliver_for_days()
    mail_server.answers_to.clear()
    mail_server.answers["DATA"] = "lost"

    settle(Verdict.TRY_AGAIN, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert (the_request().status, the_request().failure) == ("queued", "")


def test_what_was_withdrawn_while_nobody_knew_is_told_once_staff_found_it_there(
    uncertain: MailServer, staff: User
) -> None:
    withdraw_request(request_uuid=the_request().uuid, by=by_at(AT + HOUR))
    deliver_for_days()
    assert mails_to(uncertain, NORTH) == [ASKED]

    settle(Verdict.MARK_DONE, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert mails_to(uncertain, NORTH) == [ASKED, f"{ASKED} was withdrawn"]
    assert (the_request().status, the_request().sent_at) == ("withdrawn", AT + 100 * HOUR)
    assert told(uncertain) == []


def test_what_was_withdrawn_and_is_not_there_is_left_alone(
    uncertain: MailServer, staff: User
) -> None:
    withdraw_request(request_uuid=the_request().uuid, by=by_at(AT + HOUR))

    settle(Verdict.GIVE_UP, staff=staff)
    deliver_for_days(AT + 100 * HOUR)

    assert statuses() == ["withdrawn"]
    assert len(uncertain.received) == 1


# --- Killed ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_deliverer_that_is_killed_at_any_statement_sends_once_at_most(
    program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    fates = set()
    for statement in count(1):
        learner = LearnerFactory.create()
        ask(learner, program, pathway, at=timezone.now())
        mail_server.received.clear()
        # It would keep back the next one, after so many answers that nobody heard.
        OutboxBreaker.objects.all().delete()
        is_over = not was_killed(
            statement, lambda: call_command("deliver_outbox", "--kind", CREDIT_REQUEST)
        )

        sent = len(mail_server.received)
        now = timezone.now()
        for hours in range(1, 4):
            outbox.deliver_due(clock=lambda: now + hours * HOUR)  # noqa: B023 - used at once

        request = UserCreditPathway.objects.get(user=learner)
        message = OutboxMessage.objects.get(kind=CREDIT_REQUEST, payload__request=request.pk)
        arrived_there = len(mails_to(mail_server, NORTH))
        if message.status == "done":
            assert (request.status, arrived_there) == ("sent", 1)
            assert len(mails_to(mail_server, learner.email)) == 1
        else:
            assert (message.status, message.reason) == ("uncertain", "lease_expired")
            assert (request.status, arrived_there) == ("queued", sent)
        fates.add((message.status, sent))
        if is_over:
            break
    assert fates >= {("done", 0), ("uncertain", 1), ("done", 1)}
    assert rows_without_true_history(UserCreditPathway) == 0


@pytest.mark.django_db(transaction=True)
def test_a_request_that_is_killed_at_any_statement_was_made_with_its_mail_or_not_at_all(
    program: Program, pathway: Pathway
) -> None:
    for statement in count(1):
        learner = LearnerFactory.create()
        is_over = not was_killed(
            statement,
            lambda: request_credit(
                user=learner,  # noqa: B023 - used at once
                program=program,
                pathway_id=pathway.pk,
                source="web",  # type: ignore[arg-type]  # its value
                by=by_at(AT),
            ),
        )

        requests = UserCreditPathway.objects.filter(user=learner).count()
        links = SharedProgramRecord.objects.filter(user=learner).count()
        assert requests == links == int(is_over)
        assert OutboxMessage.objects.count() == UserCreditPathway.objects.count()
        if is_over:
            break
    assert statement == 11

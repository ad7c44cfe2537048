"""Mails to holders on their way: processes that are killed, servers that are down, many at once."""

import os
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone

from credentials_portal.core import outbox
from credentials_portal.core.models import JobRun, OutboxMessage
from letters import services
from letters.models import ProgramLetter
from programs.models import CourseRun, Program
from tests.core.outbox.mail_server import MailServer, serving
from tests.letters.commands import run_command
from tests.letters.factories import (
    DAY,
    HOUR,
    by_at,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    publish_text,
    states,
)
from tests.letters.incident import people
from tests.letters.mails import arrived, deliver, subjects
from tests.letters.test_killed import command_was_killed, run_again
from tests.programs.factories import AT

AS_OF = ("--as-of", AT.isoformat())
OVERRIDE = ("--yes-really", "--reason", "False.")
STEP = 1 if os.environ.get("FULL") else 2


@pytest.fixture
def course() -> tuple[Program, CourseRun]:
    return one_course_program(title="Data Science")


@pytest.fixture
def letters(course: tuple[Program, CourseRun]) -> list[ProgramLetter]:
    """Three that their holders could see."""
    program, run = course
    publish_text(program)
    return issue(program, *graduates(run, 3))


def revoke(*letters: ProgramLetter) -> None:
    """Withdraw letters, and tell their holders."""
    for letter in letters:
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT), notify=True)


def false_letters(count: int) -> list[ProgramLetter]:
    """Letters of which the checks know nothing: of every two, one could be seen by its holder."""
    shown, hidden = one_course_program()[0], one_course_program()[0]
    publish_text(shown)
    return [
        *imported(shown, *people("shown", count // 2)),
        *imported(hidden, *people("hidden", count - count // 2)),
    ]


# --- Killed ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_mail_whose_deliverer_is_killed_at_any_statement_arrives_once_at_most(
    course: tuple[Program, CourseRun], mail_server: MailServer
) -> None:
    program, run = course
    publish_text(program)
    issue(program, *graduates(run))
    fates = set()
    for statement in count(1, STEP):
        (letter,) = issue(program, *graduates(run))
        revoke(letter)
        mail_server.received.clear()
        is_over = not command_was_killed(statement, "deliver_outbox")

        sent = len(mail_server.received)
        later = timezone.now()
        for hours in range(1, 4):
            outbox.deliver_due(clock=lambda: later + hours * HOUR)  # noqa: B023 - used at once

        message = OutboxMessage.objects.get(payload__letter=letter.pk)
        if message.status == "done":
            assert len(mail_server.received) == 1
        else:
            assert (message.status, message.reason) == ("uncertain", "lease_expired")
            assert len(mail_server.received) == sent
        fates.add((message.status, sent))
        if is_over:
            break
    assert fates >= {("done", 0), ("uncertain", 1), ("done", 1)}
    assert set(JobRun.objects.values_list("outcome", flat=True)) <= {"done", "crashed", "running"}


@pytest.mark.django_db(transaction=True)
def test_a_plan_that_is_killed_while_it_tells_holders_queues_one_mail_for_each(
    mail_server: MailServer,
) -> None:
    letters = false_letters(12)
    plan = planned()
    line = ("apply_letter_plan", plan.uuid, "--notify", *OVERRIDE, "--batch-size", 2, *AS_OF)
    kills = 0
    while command_was_killed(29, *line):
        kills += 1
        assert kills < 20

    run_again(*line)

    assert kills >= 2
    assert states(*letters) == ["suspended"] * 12
    assert sorted(OutboxMessage.objects.values_list("payload__letter", flat=True)) == [
        letter.pk for letter in letters[:6]
    ]


# --- The mail server ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_server_that_is_down_and_comes_back_loses_no_mail(
    letters: list[ProgramLetter], mail_port: int
) -> None:
    revoke(*letters)
    down = deliver()
    server = MailServer()

    with serving(server, mail_port):
        for hours in range(1, 4):
            back = deliver(AT + hours * HOUR)

    assert down == [("pending", "unsent.ConnectionRefusedError")] * 3
    assert back == [("done", "")] * 3
    assert sorted(mail["To"] for mail in arrived(server)) == sorted(
        letter.user.email for letter in letters
    )


@pytest.mark.django_db
def test_a_refused_recipient_fails_alone(
    letters: list[ProgramLetter], mail_server: MailServer
) -> None:
    mail_server.answers_to[letters[1].user.email] = "550 no such mailbox"
    mail_server.answers_to[letters[2].user.email] = "450 greylisted"
    revoke(*letters)

    assert deliver() == [("done", ""), ("failed", "smtp_550"), ("pending", "smtp_450")]
    del mail_server.answers_to[letters[2].user.email]
    deliver(AT + HOUR)

    assert [mail["To"] for mail in arrived(mail_server)] == [
        letters[0].user.email,
        letters[2].user.email,
    ]


@pytest.mark.django_db
def test_a_lost_answer_is_for_staff_to_settle(
    letters: list[ProgramLetter], mail_server: MailServer
) -> None:
    mail_server.answers["DATA"] = "lost"
    revoke(letters[0])

    deliver()
    mail_server.answers.clear()

    assert deliver(AT + DAY) == [("uncertain", "lost.SMTPServerDisconnected")]
    assert len(mail_server.received) == 1


@pytest.mark.django_db
def test_an_address_that_no_header_can_hold_is_never_tried_at_the_server(
    letters: list[ProgramLetter], mail_server: MailServer
) -> None:
    revoke(letters[0])
    type(letters[0].user).objects.filter(pk=letters[0].user_id).update(
        email="ada@example.org\nBcc: eve@example.org"
    )

    assert deliver() == [("pending", "error.BadHeaderError")]
    assert mail_server.received == []


# --- Many --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_thousand_letters_are_suspended_without_a_mail() -> None:
    letters = false_letters(1_000)
    plan = planned()

    ran = run_command("apply_letter_plan", plan.uuid, *OVERRIDE, *AS_OF)

    assert (ran.code, ran.summary["changed"], ran.summary["told"]) == (0, 1_000, 0)
    assert set(states(*letters)) == {"suspended"}
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_of_a_thousand_only_holders_who_could_have_seen_their_letter_are_told_if_asked() -> None:
    letters = false_letters(1_000)
    plan = planned()
    line = ("apply_letter_plan", plan.uuid, "--notify", *OVERRIDE, *AS_OF)

    dry = run_command(*line, "--dry-run")
    assert (dry.summary["told"], OutboxMessage.objects.count()) == (500, 0)
    ran = run_command(*line)
    again = run_command(*line)

    assert [one.summary["told"] for one in (ran, again)] == [500, 0]
    assert sorted(OutboxMessage.objects.values_list("payload__letter", flat=True)) == [
        letter.pk for letter in letters[:500]
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("options", [(), ("--notify",)])
def test_revoking_by_command_tells_the_holder_if_asked(
    letters: list[ProgramLetter], mail_server: MailServer, options: tuple[str, ...]
) -> None:
    line = ("revoke_letter", letters[0].uuid, "--reason", "Copied.", *options, *AS_OF)
    told = len(options)

    assert run_command(*line, "--dry-run").summary["told"] == told
    assert run_command(*line).summary["told"] == told
    assert run_command(*line).summary["told"] == 0
    deliver(timezone.now() + timedelta(days=1))

    assert subjects(mail_server) == ["Your letter for Data Science was withdrawn"] * told

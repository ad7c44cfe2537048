"""Who is told what about a letter, and who is not."""

from typing import Any

import pytest

from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import OutboxMessage
from credentials_portal.core.outbox import purge
from letters import services
from letters.enums import LetterAction, LetterState
from letters.models import ProgramLetter
from letters.services.writing import Change, write_changes
from programs.models import CourseRun, Program
from tests.core.outbox.mail_server import MailServer
from tests.letters.conftest import Statements
from tests.letters.factories import (
    DAY,
    HOUR,
    applied,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    publish_text,
    revalidate,
    states,
)
from tests.letters.mails import deliver, lift, opt_in, subjects, suspend
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db

READY = "Your letter for Data Science is ready"
SUSPENDED = "Your letter for Data Science is not valid at the moment"
REVOKED = "Your letter for Data Science was withdrawn"
VALID_AGAIN = "Your letter for Data Science is valid again"


@pytest.fixture
def program() -> Program:
    return one_course_program(title="Data Science")[0]


@pytest.fixture
def run(program: Program) -> CourseRun:
    return program.included_runs.get().course_run


@pytest.fixture
def letter(program: Program, run: CourseRun) -> ProgramLetter:
    """One that its holder could see."""
    publish_text(program)
    return issue(program, *graduates(run))[0]


def revoke(letter: ProgramLetter, *, notify: bool = False) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT), notify=notify)


def reinstate(letter: ProgramLetter) -> None:
    services.reinstate_letter(letter_uuid=letter.uuid, by=by_at(AT))


def queued() -> list[str]:
    """What the mails that were queued are about, in their order."""
    return [message.payload["notice"] for message in OutboxMessage.objects.order_by("pk")]


def note(**fields: Any) -> None:
    """How the newest mail stands, as delivery or staff would have left it."""
    OutboxMessage.objects.filter(pk=OutboxMessage.objects.latest("pk").pk).update(**fields)


# --- A letter is there -------------------------------------------------------------------------


def test_tells_nobody_of_a_new_letter_where_the_program_did_not_opt_in(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    opt_in(one_course_program()[0])

    issue(program, *graduates(run, 3))

    assert queued() == []


def test_tells_of_letters_that_are_issued_and_of_those_that_staff_releases(
    program: Program, run: CourseRun, mail_server: MailServer
) -> None:
    publish_text(program)
    opt_in(program)
    held = issue(program, *graduates(run))
    assert queued() == ["issued"]
    new = LearnerFactory.create()
    grade(run, new)
    assert revalidate(AT) == {"issued": 1}

    deliver()

    assert held[0].events.filter(action="released").exists()
    assert subjects(mail_server) == [READY, READY]


def test_tells_of_a_letter_once_it_is_released_and_not_while_it_is_held(
    program: Program, run: CourseRun
) -> None:
    publish_text(program)
    opt_in(program)
    grade(run, LearnerFactory.create())

    assert revalidate(AT) == {"pending": 1}

    assert queued() == []


def test_tells_nobody_of_a_letter_that_has_no_page_yet(program: Program, run: CourseRun) -> None:
    opt_in(program)
    issue(program, *graduates(run))
    issue(program, *graduates(run))

    assert queued() == []


def test_tells_nobody_of_an_imported_letter(program: Program, run: CourseRun) -> None:
    publish_text(program)
    opt_in(program)
    (inactive,) = imported(program, *graduates(run), is_active=False)
    imported(program, LearnerFactory.create())

    assert applied(planned()) == {"changed": 2}

    assert states(inactive) == ["active"]
    assert queued() == []


# --- A letter is withdrawn, and valid again ----------------------------------------------------


def test_tells_of_a_withdrawal_only_if_asked(run: CourseRun, letter: ProgramLetter) -> None:
    suspend(run, letter)
    lift(run, letter)
    revoke(letter)
    reinstate(letter)

    assert queued() == []


def test_tells_of_a_withdrawal_only_who_could_have_seen_the_letter(
    program: Program, run: CourseRun, mail_server: MailServer
) -> None:
    unseen = issue(program, *graduates(run, 2))
    suspend(run, unseen[0], notify=True)
    revoke(unseen[1], notify=True)
    publish_text(program)
    (seen,) = issue(program, *graduates(run))
    suspend(run, seen, notify=True)

    deliver()

    (message,) = OutboxMessage.objects.all()
    assert message.payload == {"letter": seen.pk, "version": 2, "notice": "withdrawn"}
    assert subjects(mail_server) == [SUSPENDED]


def test_suspended_lifted_and_suspended_are_three_mails(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    deliver()
    lift(run, letter, at=AT + HOUR)
    deliver(AT + HOUR)
    suspend(run, letter, at=AT + DAY, notify=True)
    deliver(AT + DAY)

    assert subjects(mail_server) == [SUSPENDED, VALID_AGAIN, SUSPENDED]


def test_what_was_over_before_it_was_told_is_not_told(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    lift(run, letter, at=AT + HOUR)

    assert deliver(AT + HOUR) == [("skipped", "changed_since"), ("skipped", "was_not_told")]
    assert subjects(mail_server) == []


def test_of_several_withdrawals_only_the_last_is_told(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    lift(run, letter)
    suspend(run, letter, notify=True)
    revoke(letter, notify=True)

    assert deliver() == [
        ("skipped", "overtaken"),
        ("skipped", "changed_since"),
        ("skipped", "overtaken"),
        ("done", ""),
    ]
    assert subjects(mail_server) == [REVOKED]


def test_tells_how_the_letter_stands_when_the_mail_leaves(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    revoke(letter)

    deliver()

    assert subjects(mail_server) == [REVOKED]


@pytest.mark.parametrize("way", ["lifted", "reissued", "rolled_back", "reinstated"])
def test_whoever_was_told_learns_that_the_letter_is_valid_again(
    program: Program, run: CourseRun, mail_server: MailServer, way: str
) -> None:
    publish_text(program)
    told, untold = issue(program, *graduates(run, 2))
    if way == "reinstated":
        revoke(told, notify=True)
        revoke(untold)
        deliver()
        reinstate(told)
        reinstate(untold)
    else:
        plans = [suspend(run, told, notify=True), suspend(run, untold)]
        deliver()
        if way == "lifted":
            lift(run, told, untold)
        elif way == "reissued":
            grade(run, told.user, untold.user, at=AT + DAY, graded_at=AT + DAY)
            assert revalidate(AT + DAY) == {"reissued": 2}
        for plan in plans if way == "rolled_back" else []:
            services.start_rollback(plan, by=by_at(AT))
            services.roll_back_page(run=plan, size=10, by=by_at(AT))

    deliver(AT + DAY)

    assert [letter.events.latest("letter_version").action for letter in (told, untold)] == [way] * 2
    assert queued() == ["withdrawn", "valid_again"]
    assert subjects(mail_server)[1:] == [VALID_AGAIN]


def test_two_withdrawals_at_one_instant_are_two_causes(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    deliver()
    revoke(letter, notify=True)
    deliver()

    assert subjects(mail_server) == [SUSPENDED, REVOKED]


def test_good_news_that_came_too_late_is_told_the_next_time(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    """Reinstated and revoked again before the mail left: the holder still takes it for withdrawn."""
    revoke(letter, notify=True)
    deliver()
    reinstate(letter)
    revoke(letter)
    assert deliver()[-1] == ("skipped", "changed_since")
    reinstate(letter)

    assert deliver()[-1] == ("done", "")
    assert subjects(mail_server) == [REVOKED, VALID_AGAIN]


def test_who_was_told_that_it_is_valid_hears_nothing_of_what_comes_silently(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    revoke(letter, notify=True)
    deliver()
    reinstate(letter)
    deliver()
    revoke(letter)
    reinstate(letter)
    deliver()

    assert subjects(mail_server) == [REVOKED, VALID_AGAIN]


@pytest.mark.parametrize(
    ("fate", "is_told"),
    [
        ({"status": "dead"}, False),
        ({"status": "failed", "reason": "smtp_550", "finished_at": AT}, False),
        ({"status": "skipped", "reason": "no_address", "finished_at": AT}, False),
        ({"status": "uncertain"}, True),
        ({"status": "done", "finished_at": AT}, True),
    ],
)
def test_good_news_follows_only_bad_news_that_may_have_arrived(
    letter: ProgramLetter, mail_server: MailServer, fate: dict[str, Any], is_told: bool
) -> None:
    revoke(letter, notify=True)
    note(**fate)
    reinstate(letter)

    assert deliver()[-1] == (("done", "") if is_told else ("skipped", "was_not_told"))
    assert subjects(mail_server) == ([VALID_AGAIN] if is_told else [])


def test_good_news_follows_bad_news_of_which_only_the_first_arrived(
    run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    suspend(run, letter, notify=True)
    deliver()
    revoke(letter, notify=True)
    note(status="dead")
    lift(run, letter)
    reinstate(letter)

    deliver()

    assert subjects(mail_server) == [SUSPENDED, VALID_AGAIN]


def test_good_news_follows_bad_news_that_was_purged(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    revoke(letter, notify=True)
    deliver()
    assert purge(before=AT + DAY) == 1
    reinstate(letter)

    deliver()

    assert subjects(mail_server) == [REVOKED, VALID_AGAIN]


# --- What is looked at again before a mail leaves ----------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"), [({"is_active": False}, "no_account"), ({"email": ""}, "no_address")]
)
def test_a_mail_that_can_reach_nobody_is_skipped(
    letter: ProgramLetter, mail_server: MailServer, fields: dict[str, Any], reason: str
) -> None:
    revoke(letter, notify=True)
    type(letter.user).objects.filter(pk=letter.user_id).update(**fields)

    assert deliver() == [("skipped", reason)]
    assert subjects(mail_server) == []


def test_who_left_gets_no_mail_and_is_in_none(
    letter: ProgramLetter, mail_server: MailServer
) -> None:
    revoke(letter, notify=True)
    retire_user(user=letter.user, at=AT, actor=None, reason="left")

    assert deliver() == [("skipped", "no_account")]
    (message,) = OutboxMessage.objects.all()
    assert message.payload == {
        "letter": letter.pk,
        "version": letter.version + 1,
        "notice": "withdrawn",
    }
    assert subjects(mail_server) == []


def test_no_mail_leads_to_a_page_that_was_hidden_meanwhile(
    program: Program, run: CourseRun, letter: ProgramLetter, mail_server: MailServer
) -> None:
    opt_in(program)
    (new,) = issue(program, *graduates(run))
    text = new.content_revision
    assert text is not None
    services.withdraw_template(template_id=text.pk, by=by_at(AT))

    assert deliver() == [("skipped", "not_shown")]
    assert subjects(mail_server) == []


def test_a_mail_that_staff_tries_again_tells_nothing_that_is_old(
    program: Program, run: CourseRun, mail_server: MailServer
) -> None:
    publish_text(program)
    opt_in(program)
    (letter,) = issue(program, *graduates(run))
    note(status="dead")
    revoke(letter, notify=True)
    deliver()
    reinstate(letter)
    deliver()
    OutboxMessage.objects.filter(status="dead").update(status="pending")

    assert deliver()[0] == ("skipped", "overtaken")
    assert subjects(mail_server) == [REVOKED, VALID_AGAIN]


# --- Speed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("notice", ["issued", "withdrawn", "valid_again"])
def test_queueing_needs_the_same_statements_for_any_number_of_letters(
    statements: Statements, notice: str
) -> None:
    counts = []
    for number in (1, 50):
        program, run = one_course_program()
        publish_text(program)
        issue(program, *graduates(run))
        opt_in(program)
        learners = graduates(run, number)
        if notice == "issued":
            with statements.counted() as asked:
                issue(program, *learners)
            asked = [text for text in asked if "core_outboxmessage" in text]
        else:
            letters = issue(program, *learners)
            values = {"state": LetterState.SUSPENDED, "state_reason": "x"}
            with statements.counted() as asked:
                _write(letters, LetterAction.SUSPENDED, values)
            if notice == "valid_again":
                for letter in letters:
                    letter.refresh_from_db()
                with statements.counted() as asked:
                    _write(letters, LetterAction.LIFTED, {"state": LetterState.ACTIVE})
        counts.append(len(asked))
        assert OutboxMessage.objects.filter(payload__notice=notice).count() >= number

    assert counts[0] == counts[1] > 0


def _write(letters: list[ProgramLetter], action: LetterAction, values: dict[str, Any]) -> None:
    changes = [Change(letter, action, values, reason="x") for letter in letters]
    write_changes(changes, by=by_at(AT), notify=True)

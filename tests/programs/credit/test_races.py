"""Two and more at once, on connections of their own: one request, one mail, one end."""

import os
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from credentials_portal.accounts.services import retire_user
from credentials_portal.core import outbox
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer
from programs.models import SharedProgramRecord, UserCreditPathway
from programs.services.credit import answer_request, withdraw_request
from tests.core.outbox.mail_server import MailServer
from tests.core.outbox.test_races import at_once
from tests.programs.credit.asking import CREDIT_REQUEST, ask, by_at, mails_to
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    LearnerFactory,
    ProgramFactory,
    pathway_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 100 if os.environ.get("FULL") else 4
AT_ONCE = 20
NORTH = "registrar@north.example"

Work = Callable[[], object]


def outcome_of(work: Callable[[], object]) -> Work:
    """What it returns, or the code of the refusal."""

    def told() -> object:
        try:
            return work()
        except DomainError as refusal:
            return refusal.code

    return told


def asking(*whom: Any) -> Work:
    return outcome_of(lambda: ask(*whom).is_new)


def withdrawing(request: UserCreditPathway) -> Work:
    return outcome_of(lambda: withdraw_request(request_uuid=request.uuid, by=by_at(AT)).status)


def answering(request: UserCreditPathway, answer: CreditAnswer) -> Work:
    return outcome_of(
        lambda: (
            answer_request(
                request_uuid=request.uuid, answer=answer, note=answer.upper(), by=by_at(AT)
            ).answer
        )
    )


def delivering() -> object:
    return outbox.deliver_due(clock=lambda: AT)


def assert_sound() -> None:
    assert rows_without_true_history(UserCreditPathway) == 0
    assert rows_without_true_history(SharedProgramRecord) == 0


def test_twenty_identical_requests_at_once_make_one_row_and_one_mail(
    mail_server: MailServer,
) -> None:
    for _round in range(ROUNDS):
        program = ProgramFactory.create()
        pathway, learner = pathway_of(program, email=NORTH), LearnerFactory.create()

        results = at_once(*[asking(learner, program, pathway)] * AT_ONCE)
        at_once(delivering, delivering)

        assert sorted(map(str, results)) == ["False"] * (AT_ONCE - 1) + ["True"]
        request = UserCreditPathway.objects.get(user=learner)
        assert SharedProgramRecord.objects.filter(user=learner).count() == 1
        assert (request.status, len(mails_to(mail_server, NORTH))) == ("sent", 1)
        assert len(mails_to(mail_server, learner.email)) == 1
        mail_server.received.clear()
    assert_sound()


def test_of_two_requests_for_the_last_place_in_the_quota_one_is_made() -> None:
    for _round in range(ROUNDS):
        program, learner = ProgramFactory.create(), LearnerFactory.create()
        for days in range(19):
            at = AT - timedelta(days=1 + days)
            CreditRequestFactory.create(user=learner, requested_at=at)

        results = at_once(
            *[asking(learner, program, pathway_of(program, email=NORTH)) for _ in range(4)]
        )

        assert sorted(map(str, results)) == ["True", "quota", "quota", "quota"]
        assert UserCreditPathway.objects.filter(user=learner).count() == 20
        assert SharedProgramRecord.objects.filter(user=learner).count() == 20
    assert_sound()


def test_different_learners_do_not_wait_for_each_other() -> None:
    program = ProgramFactory.create()
    pathway, learners = pathway_of(program), LearnerFactory.create_batch(10)

    results = at_once(*[asking(learner, program, pathway) for learner in learners])

    assert results == [True] * 10
    assert OutboxMessage.objects.count() == 10


def test_what_is_withdrawn_while_it_leaves_did_not_leave_or_is_told_to_be_withdrawn(
    mail_server: MailServer,
) -> None:
    for _round in range(ROUNDS * 2):
        program = ProgramFactory.create(title="X")
        learner = LearnerFactory.create()
        request, _is_new = ask(learner, program, pathway_of(program, email=NORTH))

        at_once(delivering, withdrawing(request))
        delivering()

        request.refresh_from_db()
        assert request.status == "withdrawn"
        was_sent = request.sent_at is not None
        assert len(mails_to(mail_server, NORTH)) == 2 * was_sent
        assert not SharedProgramRecord.objects.live(AT).filter(user=learner).exists()
        message = OutboxMessage.objects.get(kind=CREDIT_REQUEST, payload__request=request.pk)
        assert message.status == ("done" if was_sent else "skipped")
        mail_server.received.clear()
    assert_sound()


def test_what_is_withdrawn_while_the_server_reads_it_is_told_to_be_withdrawn(
    mail_server: MailServer,
) -> None:
    program, learner = ProgramFactory.create(title="X"), LearnerFactory.create(full_name="Ann")
    request, _is_new = ask(learner, program, pathway_of(program, email=NORTH))
    withdrawn = Event()
    accept = mail_server.handle_DATA

    async def handle(server: Any, session: Any, envelope: Any) -> str:
        if not withdrawn.is_set():
            at_once(withdrawing(request))
            withdrawn.set()
        return await accept(server, session, envelope)

    mail_server.handle_DATA = handle  # type: ignore[method-assign]  # the server's answer, later

    delivering()

    request.refresh_from_db()
    assert (request.status, request.sent_at) == ("withdrawn", AT)
    assert mails_to(mail_server, NORTH) == [
        "X Credit Request for Ann",
        "X Credit Request for Ann was withdrawn",
    ]
    assert mails_to(mail_server, learner.email) == []
    assert_sound()


def test_of_two_answers_at_once_both_are_kept_and_the_last_counts() -> None:
    for _round in range(ROUNDS):
        request = CreditRequestFactory.create()

        at_once(*[answering(request, answer) for answer in CreditAnswer])

        request.refresh_from_db()
        kept = request.history.exclude(answer="").order_by("history_id")
        assert sorted(kept.values_list("answer", flat=True)) == sorted(CreditAnswer.values)
        assert request.answer == kept.last().answer
        assert request.answer_note == request.answer.upper()
        mails = OutboxMessage.objects.filter(payload__request=request.pk)
        assert mails.count() == 3
    assert_sound()


def test_the_same_answer_twice_at_once_is_kept_and_told_once() -> None:
    for _round in range(ROUNDS):
        request = CreditRequestFactory.create()

        at_once(*[answering(request, CreditAnswer.GRANTED)] * 5)

        assert request.history.exclude(answer="").count() == 1
        assert OutboxMessage.objects.filter(payload__request=request.pk).count() == 1
    assert_sound()


def test_what_is_answered_while_it_is_withdrawn_is_one_after_the_other() -> None:
    for _round in range(ROUNDS):
        request = CreditRequestFactory.create()

        results = at_once(withdrawing(request), answering(request, CreditAnswer.GRANTED))

        request.refresh_from_db()
        assert request.status == "withdrawn"
        assert results[0] == "withdrawn"
        assert results[1] == (request.answer or "request_not_open")
    assert_sound()


def test_who_leaves_while_asking_and_being_answered_leaves_nothing_behind() -> None:
    for _round in range(ROUNDS):
        program, learner = ProgramFactory.create(), LearnerFactory.create()
        old = CreditRequestFactory.create(user=learner)

        at_once(
            asking(learner, program, pathway_of(program)),
            answering(old, CreditAnswer.REFUSED),
            lambda: retire_user(user=learner, at=AT, actor=None, reason="asked for it"),  # noqa: B023 - used at once
        )

        theirs = UserCreditPathway.objects.filter(user=learner)
        assert not SharedProgramRecord.objects.live(AT).filter(user=learner).exists()
        assert set(theirs.exclude(pk=old.pk).values_list("status", flat=True)) <= {"withdrawn"}
        notes = {*theirs.values_list("answer_note"), *old.history.values_list("answer_note")}
        assert notes <= {("",), ("***",)}
    assert_sound()

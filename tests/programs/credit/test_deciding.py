"""Requests that learners take back and institutions answer."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer, CreditRequestSource, CreditRequestStatus
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.services.credit import (
    NoteInvalidError,
    RequestNotFoundError,
    RequestNotOpenError,
    answer_request,
    withdraw_request,
)
from programs.services.sharing import share_record
from tests.programs.conftest import Announcement
from tests.programs.credit.asking import ask, by_at, mails_of
from tests.programs.factories import AT, CreditRequestFactory, SharedRecordFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATER = AT + timedelta(days=1)


@pytest.fixture
def sent() -> UserCreditPathway:
    """A request that is with its institution."""
    request: UserCreditPathway = CreditRequestFactory.create()
    return request


def withdraw(request: UserCreditPathway, at: datetime = LATER) -> UserCreditPathway:
    return withdraw_request(request_uuid=request.uuid, by=by_at(at, actor=request.user))


def answer(
    request: UserCreditPathway,
    what: CreditAnswer = CreditAnswer.GRANTED,
    note: str = "",
    at: datetime = LATER,
) -> UserCreditPathway:
    return answer_request(
        request_uuid=request.uuid, answer=what, note=note, by=by_at(at, cause="institution")
    )


def answers_kept(request: UserCreditPathway) -> list[tuple[str, str]]:
    kept = request.history.order_by("history_id").exclude(answer="")
    return list(kept.values_list("answer", "answer_note"))


# --- Withdrawn ---------------------------------------------------------------------------------


def test_withdrawing_kills_the_requests_link_and_leaves_the_learners_own(
    ann: User, program: Program, pathway: Pathway
) -> None:
    own, _is_new = share_record(user=ann, program=program, by=by_at(AT))
    request, _is_new = ask(ann, program, pathway)
    other, _is_new = ask(ann, program, pathway, at=AT + 3 * MINUTE)

    withdraw(request)

    request.refresh_from_db()
    assert (request.status, request.withdrawn_at) == ("withdrawn", LATER)
    dead = SharedProgramRecord.objects.exclude(revoked_at=None)
    assert list(dead.values_list("pk", "revoked_at", "end")) == [
        (request.shared_record_id, LATER, "withdrawn")
    ]
    assert set(SharedProgramRecord.objects.live(LATER)) == {own, other.shared_record}
    assert rows_without_true_history(UserCreditPathway) == 0
    assert rows_without_true_history(SharedProgramRecord) == 0


def test_only_of_what_was_sent_the_institution_is_told(
    ann: User, program: Program, pathway: Pathway, sent: UserCreditPathway
) -> None:
    queued, _is_new = ask(ann, program, pathway)

    withdraw(queued)
    assert mails_of("programs.credit_withdrawal") == []
    withdraw(sent)

    (message,) = OutboxMessage.objects.filter(kind="programs.credit_withdrawal")
    assert message.payload == {"request": sent.pk}


def test_withdrawing_twice_does_no_more_than_once(sent: UserCreditPathway) -> None:
    withdraw(sent)

    again = withdraw(sent, at=LATER + MINUTE)

    assert (again.status, again.withdrawn_at) == ("withdrawn", LATER)
    assert len(mails_of("programs.credit_withdrawal")) == 1
    assert sent.history.filter(status="withdrawn").count() == 1


@pytest.mark.parametrize("status", ["failed", "other"])
def test_what_never_reached_its_institution_is_not_withdrawn(
    sent: UserCreditPathway, status: str
) -> None:
    UserCreditPathway.objects.update(status=status)

    with pytest.raises(RequestNotOpenError):
        withdraw(sent)

    assert SharedProgramRecord.objects.live(LATER).count() == 1
    assert not OutboxMessage.objects.exists()


def test_an_imported_request_is_withdrawn_and_the_learners_own_link_lives() -> None:
    legacy = CreditRequestFactory.create(legacy=True)
    own = SharedRecordFactory.create()
    imported = CreditRequestFactory.create(
        source=CreditRequestSource.IMPORT,
        user=own.user,
        program=own.program,
        shared_record=own,
    )

    for request in (legacy, imported):
        assert withdraw(request).status == CreditRequestStatus.WITHDRAWN

    own.refresh_from_db()
    assert own.is_live(LATER)
    assert not OutboxMessage.objects.exists()


def test_an_answered_request_may_be_withdrawn(sent: UserCreditPathway) -> None:
    answer(sent)

    assert withdraw(sent).answer == CreditAnswer.GRANTED


def test_what_does_not_exist_is_neither_withdrawn_nor_answered() -> None:
    with pytest.raises(RequestNotFoundError):
        withdraw_request(request_uuid=uuid4(), by=by_at(AT))
    with pytest.raises(RequestNotFoundError):
        answer_request(request_uuid=uuid4(), answer=CreditAnswer.GRANTED, note="", by=by_at(AT))


# --- Answered ----------------------------------------------------------------------------------


def test_an_answer_is_kept_with_its_note_and_told(sent: UserCreditPathway) -> None:
    answer(sent, CreditAnswer.RECEIVED, " Send us\r\nyour transcript. ")

    sent.refresh_from_db()
    assert (sent.answer, sent.answered_at) == ("received", LATER)
    assert sent.answer_note == "Send us\nyour transcript."
    assert sent.status == CreditRequestStatus.SENT
    newest = sent.history.latest("history_id")
    assert (newest.history_user, newest.cause) == (None, "institution")
    assert mails_of("programs.record_mail") == [("pending", "")]


def test_an_answer_may_be_changed_and_each_is_kept_and_told(sent: UserCreditPathway) -> None:
    said = [
        (CreditAnswer.RECEIVED, ""),
        (CreditAnswer.REFUSED, "Too late."),
        (CreditAnswer.GRANTED, "In time after all."),
        (CreditAnswer.GRANTED, ""),
    ]
    for minutes, (what, note) in enumerate(said):
        answer(sent, what, note, at=LATER + minutes * MINUTE)

    assert answers_kept(sent) == said
    assert len(mails_of("programs.record_mail")) == 4
    assert rows_without_true_history(UserCreditPathway) == 0


def test_the_same_answer_again_changes_nothing_and_is_not_told(
    sent: UserCreditPathway, announced: list[Announcement]
) -> None:
    answer(sent, note="Yes.")

    again = answer(sent, note=" Yes.\n", at=LATER + MINUTE)

    assert again.answered_at == LATER
    assert answers_kept(sent) == [("granted", "Yes.")]
    assert len(mails_of("programs.record_mail")) == 1
    assert announced == []


@pytest.mark.parametrize("note", ["x" * 2_001, "a\0b"], ids=["too long", "not to be stored"])
def test_a_note_that_cannot_be_kept_is_refused(sent: UserCreditPathway, note: str) -> None:
    with pytest.raises(NoteInvalidError):
        answer(sent, note=note)

    assert answers_kept(sent) == []
    assert not OutboxMessage.objects.exists()
    assert answer(sent, note="x" * 2_000).answer_note == "x" * 2_000


@pytest.mark.parametrize("status", ["failed", "withdrawn"])
def test_what_was_withdrawn_or_failed_is_not_answered(sent: UserCreditPathway, status: str) -> None:
    UserCreditPathway.objects.update(status=status, withdrawn_at=AT)

    with pytest.raises(RequestNotOpenError):
        answer(sent)

    assert answers_kept(sent) == []


def test_a_request_that_names_no_program_is_not_answered() -> None:
    with pytest.raises(RequestNotOpenError):
        answer(CreditRequestFactory.create(legacy=True))


def test_of_who_has_left_nothing_is_answered(sent: UserCreditPathway) -> None:
    User.objects.filter(pk=sent.user_id).update(retired_at=AT)

    with pytest.raises(NotFoundError):
        answer(sent, note="About Ann.")

    assert answers_kept(sent) == []


def test_who_answers_has_the_request_though_nobody_noted_that_it_was_sent(
    ann: User, program: Program, pathway: Pathway
) -> None:
    """Its mail may have arrived, though the server's answer was lost."""
    request, _is_new = ask(ann, program, pathway)

    answer(request)

    request.refresh_from_db()
    assert (request.status, request.sent_at, request.answer) == ("sent", LATER, "granted")
    told = OutboxMessage.objects.filter(kind="programs.record_mail").order_by("pk")
    assert list(told.values_list("payload__notice", flat=True)) == [
        "request_sent",
        "request_answered",
    ]
    withdraw(request)
    assert len(mails_of("programs.credit_withdrawal")) == 1
    assert rows_without_true_history(UserCreditPathway) == 0

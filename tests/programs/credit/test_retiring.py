"""A learner who leaves: their links are dead, their requests stay and name nobody."""

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditAnswer
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.services.credit import answer_request, withdraw_request
from programs.services.sharing import share_record
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, deliver
from tests.programs.credit.asking import ask, ask_as_staff, by_at
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    LearnerFactory,
    SharedRecordFactory,
)

pytestmark = pytest.mark.django_db


def retire(user: User) -> None:
    retire_user(user=user, at=AT, actor=None, reason="asked for it")


def written() -> set[tuple[str, str]]:
    """What requests hold in somebody's words, in live rows and history."""
    columns = ("on_behalf_reason", "answer_note")
    return {
        *UserCreditPathway.objects.values_list(*columns),
        *UserCreditPathway.history.values_list(*columns),
    }


def test_all_links_of_whoever_leaves_are_dead_and_those_of_others_live(
    ann: User, program: Program, pathway: Pathway
) -> None:
    share_record(user=ann, program=program, by=by_at(AT))
    ask(ann, program, pathway)
    revoked = SharedRecordFactory.create(user=ann, revoked=True)
    other = SharedRecordFactory.create()

    retire(ann)

    theirs = SharedProgramRecord.objects.filter(user=ann).order_by("pk")
    assert list(theirs.values_list("revoked_at", "end")) == [
        (AT, "retired"),
        (AT, "retired"),
        (AT, "revoked"),
    ]
    assert list(SharedProgramRecord.objects.live(AT)) == [other]
    assert revoked in theirs
    assert rows_without_true_history(SharedProgramRecord) == 0


def test_what_is_queued_is_withdrawn_and_what_was_sent_stays(
    ann: User, program: Program, pathway: Pathway
) -> None:
    sent = CreditRequestFactory.create(user=ann)
    failed = CreditRequestFactory.create(user=ann, failed=True)
    queued, _is_new = ask(ann, program, pathway)
    others, _is_new = ask(LearnerFactory.create(), program, pathway)

    retire(ann)

    for request, status in (
        (sent, "sent"),
        (failed, "failed"),
        (queued, "withdrawn"),
        (others, "queued"),
    ):
        request.refresh_from_db()
        assert request.status == status
    assert queued.withdrawn_at == AT
    assert UserCreditPathway.objects.filter(user=ann).count() == 3
    assert rows_without_true_history(UserCreditPathway) == 0


def test_what_was_written_about_them_is_erased_in_live_rows_and_history(
    ann: User, program: Program, pathway: Pathway
) -> None:
    staff = LearnerFactory.create()
    request, _is_new = ask_as_staff(ann, program, pathway, staff=staff, reason="She is ill.")
    for note in ("Ask Ann.", "Ann was told."):
        answer_request(
            request_uuid=request.uuid, answer=CreditAnswer.REFUSED, note=note, by=by_at(AT)
        )
    other = CreditRequestFactory.create(answer="granted", answered_at=AT, answer_note="As Ann Ash.")

    retire(ann)

    assert written() == {("***", ""), ("***", "***"), ("", "As ***.")}
    other.refresh_from_db()
    assert other.answer_note == "As ***."
    assert rows_without_true_history(UserCreditPathway) == 0


def test_staff_who_leave_are_erased_from_what_was_written(
    ann: User, program: Program, pathway: Pathway
) -> None:
    staff = LearnerFactory.create(full_name="Sam Staff")
    ask_as_staff(ann, program, pathway, staff=staff, reason="Sam Staff met her.")

    retire(staff)

    assert written() == {("*** met her.", "")}


def test_nothing_more_is_sent_to_anybody(
    ann: User, program: Program, pathway: Pathway, mail_server: MailServer
) -> None:
    request, _is_new = ask(ann, program, pathway)
    deliver()
    answer_request(request_uuid=request.uuid, answer=CreditAnswer.GRANTED, note="", by=by_at(AT))
    withdraw_request(request_uuid=request.uuid, by=by_at(AT))
    mail_server.received.clear()

    retire(ann)
    deliver()

    assert arrived(mail_server) == []
    left = OutboxMessage.objects.order_by("pk").values_list("status", "reason")
    assert list(left)[2:] == [("skipped", "no_account")] * 2

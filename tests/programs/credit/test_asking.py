"""What a request is made of, who may make it, and how often."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxMessage
from programs.enums import CreditRequestSource, ProgramStatus
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.selectors.records import record_of
from programs.services.credit import (
    IncompleteRecordError,
    NoteInvalidError,
    PathwayUnavailableError,
    ReasonMissingError,
    request_credit,
)
from programs.signals import CreditRequestFact
from tests.letters.conftest import Statements
from tests.programs.conftest import Announcement
from tests.programs.credit.asking import (
    ask,
    ask_as_staff,
    by_at,
    complete,
    mails_of,
)
from tests.programs.factories import (
    AT,
    CreditRequestFactory,
    LearnerFactory,
    PathwayFactory,
    ProgramFactory,
    pathway_of,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def staff() -> User:
    staff: User = LearnerFactory.create(full_name="Sam Staff")
    return staff


def nothing_happened() -> bool:
    return not (
        UserCreditPathway.objects.exists()
        or SharedProgramRecord.objects.exists()
        or OutboxMessage.objects.exists()
    )


# --- What is made ------------------------------------------------------------------------------


def test_a_request_has_its_own_link_and_one_message_and_is_announced(
    ann: User, program: Program, pathway: Pathway, announced: list[Announcement]
) -> None:
    request, is_new = ask(ann, program, pathway)

    request.refresh_from_db()
    link = request.shared_record
    assert link
    assert is_new
    assert (request.user, request.pathway, request.program) == (ann, pathway, program)
    assert (request.number, request.status, request.source) == (1, "queued", "web")
    assert (request.requested_at, request.requested_by, request.sent_at) == (AT, ann, None)
    assert (request.consent_text, request.on_behalf_reason) == ("Send it.", "")
    assert request.was_completed is False
    assert (link.kind, link.user, link.program) == ("credit_request", ann, program)
    assert (link.show_email, link.show_username) == (True, True)
    assert link.expires_at == AT + timedelta(days=365)
    (message,) = OutboxMessage.objects.all()
    assert (message.kind, message.payload) == (
        "programs.credit_request",
        {"request": request.pk},
    )
    fact = CreditRequestFact(request.pk, ann.pk, pathway.pk, program.pk)
    assert announced == [("credit_requested", (fact,))]
    assert rows_without_true_history(UserCreditPathway) == 0
    assert rows_without_true_history(SharedProgramRecord) == 0


def test_a_request_keeps_what_the_record_said(ann: User, program: Program) -> None:
    complete(ann, program)

    request, _is_new = ask(ann, program, pathway_of(program))

    record = record_of(user_id=ann.pk, program_uuid=program.uuid, at=AT)
    assert request.was_completed is True
    assert request.record_fingerprint == record.fingerprint


def test_asking_again_makes_another_row_with_the_next_number(
    ann: User, program: Program, pathway: Pathway
) -> None:
    requests = [ask(ann, program, pathway, at=AT + days * DAY).request for days in range(3)]

    assert [request.number for request in requests] == [1, 2, 3]
    assert len({request.shared_record_id for request in requests}) == 3
    assert len(mails_of("programs.credit_request")) == 3


def test_other_pathways_programs_and_learners_count_for_themselves(
    ann: User, program: Program, pathway: Pathway
) -> None:
    other = ProgramFactory.create()
    pathway.programs.add(other)
    ask(ann, program, pathway)

    requests = [
        ask(ann, other, pathway),
        ask(ann, program, pathway_of(program)),
        ask(LearnerFactory.create(), program, pathway),
    ]

    assert [(request.number, is_new) for request, is_new in requests] == [(1, True)] * 3


def test_the_number_of_statements_does_not_grow_with_what_was_asked_before(
    ann: User, program: Program, pathway: Pathway, statements: Statements
) -> None:
    with statements.counted() as first:
        ask(ann, program, pathway)
    for days in range(1, 10):
        ask(ann, program, pathway, at=AT + days * DAY)
    with statements.counted() as tenth:
        ask(ann, program, pathway, at=AT + 11 * DAY)

    assert len(first) == len(tenth) == 12
    assert len([text for text in tenth if "SAVEPOINT" in text]) == 2


# --- Who takes requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pathway",
    [
        {"retired": True},
        {"unpublished": True},
        {"industry": True},
        {"email": ""},
    ],
    ids=str,
)
def test_what_takes_no_requests_gets_none(
    ann: User, program: Program, pathway: dict[str, Any]
) -> None:
    closed = pathway_of(program, **pathway)

    with pytest.raises(PathwayUnavailableError):
        ask(ann, program, closed)

    assert nothing_happened()


def test_a_pathway_that_does_not_take_the_program_gets_no_request(
    ann: User, program: Program
) -> None:
    with pytest.raises(PathwayUnavailableError):
        ask(ann, program, PathwayFactory.create())

    assert nothing_happened()


@pytest.mark.parametrize(
    ("status", "is_taken"),
    [
        (ProgramStatus.ACTIVE, True),
        (ProgramStatus.RETIRED, True),
        (ProgramStatus.UNPUBLISHED, False),
        (ProgramStatus.DELETED, False),
    ],
)
def test_active_and_retired_programs_are_taken(
    ann: User, status: ProgramStatus, is_taken: bool
) -> None:
    program = ProgramFactory.create(status=status)
    pathway = pathway_of(program)

    try:
        ask(ann, program, pathway)
    except PathwayUnavailableError:
        assert nothing_happened()
    assert UserCreditPathway.objects.exists() == is_taken


def test_where_only_completed_programs_are_taken_others_are_refused(
    ann: User, program: Program
) -> None:
    pathway = pathway_of(program, requires_completion=True)

    with pytest.raises(IncompleteRecordError):
        ask(ann, program, pathway)
    assert nothing_happened()

    complete(ann, program)
    assert ask(ann, program, pathway).is_new


def test_nobody_asks_for_who_has_left(ann: User, program: Program, pathway: Pathway) -> None:
    User.objects.filter(pk=ann.pk).update(retired_at=AT)

    with pytest.raises(NotFoundError):
        ask(ann, program, pathway)

    assert nothing_happened()


# --- Staff, for a learner ----------------------------------------------------------------------


def test_staff_say_why_and_are_named(
    ann: User, program: Program, pathway: Pathway, staff: User
) -> None:
    request, _is_new = ask_as_staff(ann, program, pathway, staff=staff, reason=" She\r\ncalled. ")

    assert (request.user, request.requested_by) == (ann, staff)
    assert (request.source, request.on_behalf_reason) == ("staff", "She\ncalled.")


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (" \n ", ReasonMissingError),
        ("x" * 2_001, NoteInvalidError),
        ("a\0b", NoteInvalidError),
    ],
    ids=["empty", "too long", "not to be stored"],
)
def test_staff_who_do_not_say_why_do_not_ask(
    ann: User, program: Program, pathway: Pathway, staff: User, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask_as_staff(ann, program, pathway, staff=staff, reason=reason)

    assert nothing_happened()


def test_staff_without_a_name_do_not_ask(ann: User, program: Program, pathway: Pathway) -> None:
    with pytest.raises(ValueError, match="have a name"):
        request_credit(
            user=ann,
            program=program,
            pathway_id=pathway.pk,
            source=CreditRequestSource.STAFF,
            on_behalf_reason="She called.",
            by=by_at(AT),
        )

    assert nothing_happened()


def test_staff_send_no_incomplete_record_either(ann: User, program: Program, staff: User) -> None:
    with pytest.raises(IncompleteRecordError):
        ask_as_staff(ann, program, pathway_of(program, requires_completion=True), staff=staff)


def test_what_a_learner_gives_as_a_reason_is_not_kept(
    ann: User, program: Program, pathway: Pathway
) -> None:
    request, _is_new = request_credit(
        user=ann,
        program=program,
        pathway_id=pathway.pk,
        source=CreditRequestSource.API,
        on_behalf_reason="Ignored.",
        by=by_at(AT, actor=ann),
    )

    assert request.on_behalf_reason == ""


def test_the_database_refuses_a_second_row_of_a_number(ann: User, program: Program) -> None:
    first = CreditRequestFactory.create(user=ann, program=program)

    with pytest.raises(IntegrityError), transaction.atomic():
        CreditRequestFactory.create(user=ann, program=program, pathway=first.pathway)

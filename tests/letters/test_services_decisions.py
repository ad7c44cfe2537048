"""What people decide: revoke, reinstate, waive; and what stays when a person leaves."""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.errors import ConflictError, NotFoundError
from letters.models import LetterEvent, LetterRevalidation, LetterWaiver, ProgramLetter
from letters.services import (
    CheckNotWaivableError,
    LetterNotReinstatableError,
    ReasonMissingError,
    open_revalidations,
    reinstate_letter,
    revoke_letter,
    sweep_program,
    waive_check,
    withdraw_waiver,
)
from programs.models import CourseRun, Program
from tests.letters.factories import (
    BY,
    DAY,
    applied,
    by_at,
    empty_queue,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    revalidate,
    rows,
    states,
    story,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def program_and_run(db: None) -> tuple[Program, CourseRun]:
    return one_course_program()


@pytest.fixture
def program(program_and_run: tuple[Program, CourseRun]) -> Program:
    return program_and_run[0]


@pytest.fixture
def run(program_and_run: tuple[Program, CourseRun]) -> CourseRun:
    return program_and_run[1]


@pytest.fixture
def letter(program: Program, run: CourseRun) -> ProgramLetter:
    (letter,) = issue(program, *graduates(run), at=AT - DAY)
    return letter


@pytest.fixture
def registrar(db: None) -> User:
    return LearnerFactory.create(full_name="Olga Operator")


# --- Revoke ------------------------------------------------------------------------------------


def test_a_revocation_keeps_who_when_and_why(letter: ProgramLetter, registrar: User) -> None:
    by = by_at(AT, actor=registrar, reason="Copied.")

    assert revoke_letter(letter_uuid=letter.uuid, by=by)

    issued_at = letter.issued_at
    letter.refresh_from_db()
    assert (letter.state, letter.state_reason, letter.state_note) == (
        "revoked",
        "revoked",
        "Copied.",
    )
    assert (letter.revoked_at, letter.revoked_by, letter.revocation_reason) == (
        AT,
        registrar,
        "Copied.",
    )
    assert (letter.state_changed_at, letter.state_changed_by) == (AT, registrar)
    assert letter.issued_at == issued_at
    event = letter.events.last()
    assert event
    assert (event.action, event.actor, event.note, event.automatic) == (
        "revoked",
        registrar,
        "Copied.",
        False,
    )


def test_a_second_revocation_changes_nothing(letter: ProgramLetter) -> None:
    revoke_letter(letter_uuid=letter.uuid, by=BY)
    before = rows()

    assert not revoke_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY, reason="Again."))

    assert rows() == before


@pytest.mark.parametrize("decide", [revoke_letter, reinstate_letter])
@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_decision_needs_a_reason(
    letter: ProgramLetter, decide: Callable[..., bool], reason: str
) -> None:
    before = rows()

    with pytest.raises(ReasonMissingError):
        decide(letter_uuid=letter.uuid, by=by_at(AT, reason=reason))

    assert rows() == before


@pytest.mark.parametrize("decide", [revoke_letter, reinstate_letter])
def test_a_decision_needs_a_letter(db: None, decide: Callable[..., bool]) -> None:
    with pytest.raises(NotFoundError):
        decide(letter_uuid=uuid4(), by=BY)


@pytest.mark.parametrize("decide", [revoke_letter, reinstate_letter])
def test_a_dry_run_changes_nothing(letter: ProgramLetter, decide: Callable[..., bool]) -> None:
    if decide is reinstate_letter:
        revoke_letter(letter_uuid=letter.uuid, by=BY)
    before = rows()

    assert decide(letter_uuid=letter.uuid, by=BY, dry_run=True)

    assert rows() == before


def test_a_revocation_survives_everything_but_reinstating(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    revoke_letter(letter_uuid=letter.uuid, by=BY)
    later = AT + DAY

    grade(run, letter.user, percent="1", at=later)
    revalidate(later)
    sweep_program(program.pk, with_new=True, by=by_at(later))
    open_revalidations([(letter.user_id, program.pk)], cause="test", at=later)
    revalidate(later)
    issue(program, letter.user, at=later)
    applied(planned(at=later), at=later)

    assert states(letter) == ["revoked"]
    assert story(letter)[-1] == ("revoked", "revoked", "revoked")


# --- Reinstate ---------------------------------------------------------------------------------


def test_a_reinstated_letter_is_the_same_with_its_history(
    letter: ProgramLetter, registrar: User
) -> None:
    revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Copied."))

    by = by_at(AT + DAY, actor=registrar, reason="The appeal was right.")
    assert reinstate_letter(letter_uuid=letter.uuid, by=by)

    former, letter = letter, ProgramLetter.objects.get()
    assert (letter.uuid, letter.state, letter.issued_at) == (
        former.uuid,
        "active",
        former.issued_at,
    )
    assert (letter.revoked_at, letter.revocation_reason) == (AT, "Copied.")
    assert (letter.reinstated_at, letter.reinstated_by) == (AT + DAY, registrar)
    assert [action for action, *_rest in story(letter)][-2:] == ["revoked", "reinstated"]
    assert not reinstate_letter(letter_uuid=letter.uuid, by=by)


def test_a_letter_that_fails_is_reinstated_only_with_a_waiver(
    run: CourseRun, letter: ProgramLetter
) -> None:
    revoke_letter(letter_uuid=letter.uuid, by=BY)
    grade(run, letter.user, percent="0.1", at=AT)
    code = f"core_course:{run.course.key}"
    before = rows()

    with pytest.raises(LetterNotReinstatableError) as refusal:
        reinstate_letter(letter_uuid=letter.uuid, by=BY)

    assert refusal.value.failed_checks == (code,)
    assert rows() == before
    waive_check(user=letter.user, program_id=letter.program_id, code=code, by=BY)
    assert reinstate_letter(letter_uuid=letter.uuid, by=BY)
    assert states(letter) == ["active"]


def test_a_reinstated_letter_gets_a_true_date(program: Program, run: CourseRun) -> None:
    (letter,) = imported(program, *graduates(run), created_on=AT - 999 * DAY)
    revoke_letter(letter_uuid=letter.uuid, by=BY)

    reinstate_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY))

    letter.refresh_from_db()
    assert letter.issued_at == AT + DAY


def test_a_suspended_letter_is_not_reinstated(program: Program, run: CourseRun) -> None:
    (letter,) = imported(program, *graduates(run), is_active=False)

    with pytest.raises(ConflictError, match="Only a revoked letter"):
        reinstate_letter(letter_uuid=letter.uuid, by=BY)

    assert states(letter) == ["suspended"]


# --- Waive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["requirements_defined", "learner_identity", "core_course:none"])
def test_some_checks_cannot_be_waived(letter: ProgramLetter, code: str) -> None:
    with pytest.raises(CheckNotWaivableError):
        waive_check(user=letter.user, program_id=letter.program_id, code=code, by=BY)

    assert not LetterWaiver.objects.exists()
    assert not LetterRevalidation.objects.exists()


def test_a_waiver_lifts_a_suspension_and_its_end_suspends_again(
    program: Program, run: CourseRun
) -> None:
    (letter,) = imported(program, LearnerFactory.create(), at=AT - DAY)
    applied(planned())
    code = f"core_course:{run.course.key}"

    waiver = waive_check(user=letter.user, program_id=program.pk, code=code, by=by_at(AT))
    assert waive_check(user=letter.user, program_id=program.pk, code=code, by=BY) == waiver
    assert revalidate(AT) == {"lifted": 1}
    assert withdraw_waiver(waiver_id=waiver.pk, by=by_at(AT + DAY))
    assert not withdraw_waiver(waiver_id=waiver.pk, by=by_at(AT + 2 * DAY))
    assert revalidate(AT + 2 * DAY) == {"suspended": 1}

    waiver.refresh_from_db()
    assert (waiver.granted_at, waiver.withdrawn_at) == (AT, AT + DAY)


def test_an_expired_waiver_can_be_granted_anew(program: Program, run: CourseRun) -> None:
    learner = LearnerFactory.create()
    code = f"core_course:{run.course.key}"

    def waive(at: datetime) -> LetterWaiver:
        return waive_check(
            user=learner, program_id=program.pk, code=code, by=by_at(at), expires_at=at + DAY
        )

    first, second = waive(AT), waive(AT + DAY)

    assert first != second
    assert list(LetterWaiver.objects.in_force(AT + DAY)) == [second]


# --- Leave -------------------------------------------------------------------------------------


def test_who_leaves_is_named_nowhere_and_the_letter_stays(
    program: Program, run: CourseRun, registrar: User
) -> None:
    learner = LearnerFactory.create(username="lena", full_name="Lena Lovelace")
    grade(run, learner, at=AT - 9 * DAY)
    empty_queue()
    (letter,) = issue(program, learner, at=AT - DAY)
    note = "Lena Lovelace copied from lena's friend."
    by = by_at(AT, actor=registrar, reason=note)
    waive_check(user=learner, program_id=program.pk, code="program_started", by=by)
    revoke_letter(letter_uuid=letter.uuid, by=by)
    reinstate_letter(letter_uuid=letter.uuid, by=by)

    retire_user(user=learner, at=AT + DAY, actor=registrar, reason="Asked to leave.")

    former, letter = letter, ProgramLetter.objects.get()
    assert letter.uuid == former.uuid
    assert (letter.state, letter.state_reason) == ("revoked", "user_retired")
    assert (letter.recipient_name, letter.state_note) == ("", "")
    assert letter.revocation_reason == "user_retired"
    assert story(letter)[-1] == ("retired", "revoked", "user_retired")
    assert [event.letter_version for event in letter.events.all()] == [1, 2, 3, 4, 5]
    kept = [*LetterEvent.objects.values_list("note", "before")]
    kept += LetterWaiver.objects.values_list("reason", "code")
    assert "lena" not in str(kept).lower()
    assert "lovelace" not in str(kept).lower()


def test_nobody_brings_the_letter_of_a_person_who_left_back(
    program: Program, letter: ProgramLetter
) -> None:
    retire_user(user=letter.user, at=AT, actor=None, reason="Asked to leave.")

    with pytest.raises(LetterNotReinstatableError) as refusal:
        reinstate_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY))

    assert refusal.value.failed_checks == ("learner_identity",)
    assert states(letter) == ["revoked"]

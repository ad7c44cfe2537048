"""Who leaves is forgotten: in their own letters, and in what staff wrote about others."""

from datetime import datetime
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.history import Attribution
from letters import services
from letters.enums import LetterState
from letters.models import LetterEvent, ProgramLetter
from letters.services import LetterRecord
from programs.models import Program
from tests.letters.factories import DAY, planned
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    run = CourseRunFactory.create(course=CourseFactory.create(key="MITx+6.00"))
    return program_requiring(core=[run.course])


@pytest.fixture
def lena() -> User:
    return LearnerFactory.create(
        username="lena", email="lena@example.org", full_name="Lena Lovelace"
    )


def letter_of(user: User, program: Program) -> ProgramLetter:
    record = LetterRecord(uuid4(), user.username, str(program.uuid), True, RUN_ENDS)
    tally = services.import_letters([(1, record)], by=Attribution(at=AT))
    assert tally.errors == []
    return ProgramLetter.objects.get(uuid=record.uuid)


def revoke(letter: ProgramLetter, reason: str) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=Attribution(at=AT, reason=reason))


def retire(user: User, *, at: datetime = AT, actor: User | None = None) -> None:
    retire_user(user=user, at=at, actor=actor, reason="Asked to leave.")


def rows_that_tell(*names: str) -> list[str]:
    """Tables of this app with a row in which one of the names stands, history included."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_app_config("letters").get_models():
            table = model._meta.db_table
            cursor.execute(
                f"SELECT count(*) FROM {table} AS r WHERE r::text ILIKE ANY(%s)",  # noqa: S608 - our own tables
                [[f"%{name}%" for name in names]],
            )
            if cursor.fetchone()[0]:
                found.append(table)
    return found


def test_nothing_tells_who_had_the_letter(lena: User, program: Program) -> None:
    letter = letter_of(lena, program)
    by = Attribution(at=AT, reason="Lena Lovelace wrote to us.")
    services.approve_plan(planned(), by=by)
    services.waive_check(user=lena, program_id=program.pk, code="core_course:MITx+6.00", by=by)
    revoke(letter, "lena copied")
    services.reinstate_letter(letter_uuid=letter.uuid, by=by)
    User.objects.filter(pk=lena.pk).update(full_name="Lena Married")
    lena.refresh_from_db()
    assert len(rows_that_tell("lena", "lovelace")) == 4

    retire(lena)

    assert rows_that_tell("lena", "lovelace", "married") == []


def test_the_letter_stays_and_is_withdrawn_for_good(lena: User, program: Program) -> None:
    letter = letter_of(lena, program)

    retire(lena)

    now = ProgramLetter.objects.get(uuid=letter.uuid)
    assert (now.state, now.state_reason, now.recipient_name) == (
        LetterState.REVOKED,
        "user_retired",
        "",
    )
    events = LetterEvent.objects.filter(letter=now).values_list("action", "note", "before")
    assert [(action, note) for action, note, _before in events] == [
        ("imported", ""),
        ("retired", ""),
    ]
    assert events[1][2] == {"state": "active", "state_reason": "", "revoked_at": None}


def test_a_revoked_letter_stays_withdrawn_since_then(lena: User, program: Program) -> None:
    letter = letter_of(lena, program)
    operator = LearnerFactory.create()
    by = Attribution(at=AT, actor=operator, reason="Copied.")
    services.revoke_letter(letter_uuid=letter.uuid, by=by)

    retire(lena, at=AT + DAY, actor=LearnerFactory.create())

    letter.refresh_from_db()
    assert (letter.revoked_at, letter.revoked_by) == (AT, operator)


def test_a_letter_that_was_reinstated_is_withdrawn_since_its_holder_left(
    lena: User, program: Program
) -> None:
    letter = letter_of(lena, program)
    by = Attribution(at=AT, actor=LearnerFactory.create(), reason="Copied.")
    services.waive_check(user=lena, program_id=program.pk, code="core_course:MITx+6.00", by=by)
    services.revoke_letter(letter_uuid=letter.uuid, by=by)
    services.reinstate_letter(letter_uuid=letter.uuid, by=by)
    operator = LearnerFactory.create()

    retire(lena, at=AT + DAY, actor=operator)

    letter.refresh_from_db()
    assert (letter.revoked_at, letter.revoked_by) == (AT + DAY, operator)


def test_who_left_leaves_once(lena: User, program: Program) -> None:
    letter = letter_of(lena, program)
    names = {lena.pk: (lena.username, lena.full_name)}
    services.retire_letters(names=names, by=Attribution(at=AT))

    services.retire_letters(names=names, by=Attribution(at=AT + DAY))

    letter.refresh_from_db()
    assert [event.action for event in letter.events.all()] == ["imported", "retired"]
    assert (letter.version, letter.revoked_at) == (2, AT)


def test_erases_the_name_from_notes_about_others(lena: User, program: Program) -> None:
    others = letter_of(LearnerFactory.create(username="ada", full_name="Ada"), program)
    note = "Copied from Lena Lovelace (lena@example.org)."
    revoke(others, note)
    waiver = services.waive_check(
        user=others.user,
        program_id=program.pk,
        code="core_course:MITx+6.00",
        by=Attribution(at=AT, reason=note),
    )
    services.reinstate_letter(
        letter_uuid=others.uuid, by=Attribution(at=AT, reason="It was LENA LOVELACE.")
    )

    retire(lena)

    others.refresh_from_db()
    waiver.refresh_from_db()
    told = "Copied from *** (***)."
    assert (others.revocation_reason, others.state_note) == (told, "It was ***.")
    assert (waiver.reason, others.recipient_name) == (told, "Ada")
    assert list(others.events.values_list("note", flat=True)) == ["", told, "It was ***."]
    assert others.events.get(action="reinstated").before["state_note"] == told


def test_a_namesakes_letter_keeps_its_name(lena: User, program: Program) -> None:
    namesake = LearnerFactory.create(username="ll", full_name="Lena Lovelace")
    letter = letter_of(namesake, program)

    retire(lena)

    letter.refresh_from_db()
    assert (letter.recipient_name, letter.state) == ("Lena Lovelace", LetterState.ACTIVE)


def test_erases_nothing_for_a_person_without_names(program: Program) -> None:
    nobody = User.objects.create(username="x", full_name="")
    others = letter_of(LearnerFactory.create(username="ada"), program)
    revoke(others, "A reason.")

    services.retire_letters(names={nobody.pk: ("", "", "")}, by=Attribution(at=AT))

    others.refresh_from_db()
    assert others.state_note == "A reason."


def test_asks_the_same_for_any_number_of_letters(lena: User, program: Program) -> None:
    counts = []
    for size in (1, 20):
        people = [LearnerFactory.create() for _ in range(size)]
        for person in people:
            letter_of(person, program)
        with CaptureQueriesContext(connection) as captured:
            services.retire_letters(
                names={person.pk: (person.username,) for person in people}, by=Attribution(at=AT)
            )
        counts.append(len(captured))

    assert counts[0] == counts[1]

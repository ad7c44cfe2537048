"""Letters of another system."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from letters.models import LetterRevalidation, ProgramLetter
from letters.services import (
    BadLetterRecordError,
    ImportTally,
    LetterRecord,
    import_letters,
    parse_record,
)
from programs.models import Program
from tests.letters.conftest import Statements
from tests.letters.factories import (
    BY,
    DAY,
    INSTANT,
    letters_of,
    one_course_program,
    require,
    rows,
    story,
)
from tests.programs.factories import (
    AT,
    FOUNDED,
    CourseRunFactory,
    LearnerFactory,
    ProgramFactory,
)

pytestmark = pytest.mark.django_db

UUID_1 = UUID(int=1)


@pytest.fixture
def program(db: None) -> Program:
    program, _run = one_course_program()
    return program


def record(
    username: str,
    program: Program | str,
    *,
    email: str = "",
    uuid: UUID | None = None,
    is_active: bool = True,
    created_on: datetime = FOUNDED,
) -> LetterRecord:
    identifier = program if isinstance(program, str) else str(program.uuid)
    return LetterRecord(uuid or uuid4(), username, identifier, is_active, created_on, email)


def load(*records: LetterRecord) -> ImportTally:
    return import_letters(list(enumerate(records, start=2)), by=BY)


def test_an_active_letter_keeps_its_uuid_and_date(program: Program) -> None:
    learner = LearnerFactory.create()

    assert load(record(learner.username, program, uuid=UUID_1)) == ImportTally(imported=1)

    (letter,) = letters_of(program, learner)
    assert (letter.uuid, letter.issued_at, letter.state) == (UUID_1, FOUNDED, "active")
    assert (letter.issued_via, letter.recipient_name) == ("import", learner.full_name)
    assert story(letter) == [("imported", "active", "")]
    assert not LetterRevalidation.objects.exists()


def test_an_inactive_one_is_suspended_until_a_plan_lifts_it(program: Program) -> None:
    learner = LearnerFactory.create()

    tally = load(record(learner.username, program, is_active=False))

    assert (tally.imported, tally.inactive) == (1, 1)
    (letter,) = letters_of(program, learner)
    assert (letter.state, letter.state_reason) == ("suspended", "imported_inactive")
    assert story(letter) == [("imported", "suspended", "imported_inactive")]


def test_importing_again_changes_nothing(program: Program) -> None:
    records = [record(LearnerFactory.create().username, program) for _ in range(3)]
    load(*records)
    before = rows()

    assert load(*records) == ImportTally(unchanged=3)

    assert rows() == before


def test_a_letter_is_tied_to_the_requirements_of_its_date(db: None) -> None:
    program, run = ProgramFactory.create(), CourseRunFactory.create()
    empty = require(program, at=FOUNDED)
    full = require(program, run, at=FOUNDED + DAY)
    dates = [FOUNDED - INSTANT, FOUNDED, FOUNDED + DAY - INSTANT, FOUNDED + DAY]
    learners = LearnerFactory.create_batch(4)

    load(
        *(
            record(learner.username, program, created_on=date)
            for learner, date in zip(learners, dates, strict=True)
        )
    )

    versions = [letter.requirements_version for letter in letters_of(program, *learners)]
    assert versions == [None, empty, empty, full]


def test_contradictions_are_told_one_by_one_and_the_rest_is_loaded(program: Program) -> None:
    ann, ben, cleo, dora = LearnerFactory.create_batch(4)
    load(record(ann.username, program, uuid=UUID_1))

    tally = load(
        record(ben.username, program, uuid=UUID_1),
        record(ann.username, program),
        record("nobody", program),
        record(cleo.username, "no-program"),
        record(cleo.username, "0"),
        record(dora.username, program),
        record(dora.username, program),
        record(cleo.username, program),
    )

    assert tally.imported == 2
    assert tally.errors == [
        (2, "the uuid belongs to a letter of someone or something else"),
        (3, "the learner has another letter of this program"),
        (4, "there is no such learner"),
        (5, "there is no such program"),
        (6, "there is no such program"),
        (8, "the learner has another letter of this program"),
    ]
    assert ProgramLetter.objects.count() == 3


def test_learners_are_found_by_exact_name_else_by_address(program: Program) -> None:
    upper = LearnerFactory.create(username="Lena", email="upper@example.org")
    lower = LearnerFactory.create(username="lena", email="lower@example.org")
    other = LearnerFactory.create(username="other", email="other@example.org")
    third = LearnerFactory.create(username="third", email="third@example.org")

    tally = load(
        record("Lena", program, uuid=UUID(int=1), email="lower@example.org"),
        record("lena", program, uuid=UUID(int=2), email="nobody@example.org"),
        record("", program, uuid=UUID(int=3), email="Other@Example.org"),
        record("nobody", program, uuid=UUID(int=4), email="third@example.org"),
        record("LENA", program),
    )

    found = letters_of(program, upper, lower, other, third)
    assert [letter.uuid.int for letter in found] == [1, 2, 3, 4]
    assert tally.errors == [(6, "there is no such learner")]


def test_a_name_is_no_address_and_an_address_no_name(program: Program) -> None:
    LearnerFactory.create(username="ann", email="ben@example.org")
    LearnerFactory.create(username="cleo@example.org", email="")

    tally = load(
        record("ben@example.org", program),
        record("", program, email="cleo@example.org"),
        record("", program),
    )

    assert tally.errors == [(place, "there is no such learner") for place in (2, 3, 4)]
    assert not ProgramLetter.objects.exists()


def test_a_program_is_found_by_uuid_or_primary_key(program: Program) -> None:
    first, second = LearnerFactory.create_batch(2)

    load(
        record(first.username, program.uuid.hex),
        record(second.username, str(program.pk)),
    )

    assert len(letters_of(program, first, second)) == 2


def test_a_dry_run_says_the_same_and_writes_nothing(program: Program) -> None:
    records = [(2, record(LearnerFactory.create().username, program, is_active=False))]
    before = rows()

    assert import_letters(records, by=BY, dry_run=True) == ImportTally(imported=1, inactive=1)

    assert rows() == before


def test_statements_do_not_grow_with_the_records(program: Program, statements: Statements) -> None:
    def cost(count: int) -> int:
        records = [record(one.username, program) for one in LearnerFactory.create_batch(count)]
        with statements.counted() as texts:
            load(*records)
        return len(texts)

    cost(1)  # the first finds nothing that the program sets about its letters

    assert cost(1) == cost(50)


# --- A row of the file -------------------------------------------------------------------------

ROW = {
    "uuid": "11111111-1111-1111-1111-111111111111",
    "username": "lena",
    "program": "5",
    "is_active": "t",
    "created_on": "2019-12-19 17:11:05.25+00",
}


def test_a_row_is_read() -> None:
    assert parse_record(ROW, at=AT) == LetterRecord(
        UUID("11111111-1111-1111-1111-111111111111"),
        "lena",
        "5",
        True,
        datetime(2019, 12, 19, 17, 11, 5, 250_000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uuid": "x"}, "the uuid is malformed"),
        ({"uuid": None}, "the uuid is malformed"),
        ({"username": " "}, "neither a username nor an e-mail address"),
        ({"username": "le\0na"}, "it holds a NUL character"),
        ({"is_active": "maybe"}, "is_active is neither true nor false"),
        ({"created_on": "2019-12-19"}, "created_on is no instant with a zone"),
        ({"created_on": "2019-12-19T17:11:05"}, "created_on is no instant with a zone"),
        ({"created_on": "2019-13-19T17:11:05Z"}, "created_on is no instant with a zone"),
        ({"created_on": "0001-01-01T00:00:00+14:00"}, "created_on is no instant with a zone"),
        ({"created_on": "2025-06-01T12:00:00.000001Z"}, "created_on lies in the future"),
    ],
)
def test_a_bad_row_is_refused(change: dict[str, str | None], message: str) -> None:
    with pytest.raises(BadLetterRecordError) as refusal:
        parse_record({**ROW, **change}, at=AT)

    assert refusal.value.message == message


def test_an_address_stands_in_for_a_name() -> None:
    read = parse_record({**ROW, "username": "", "email": "lena@example.org"}, at=AT)

    assert (read.username, read.email) == ("", "lena@example.org")

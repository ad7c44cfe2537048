"""What the database itself refuses, whoever asks."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from letters.models import (
    LetterEvent,
    LetterPicture,
    LetterRevalidation,
    LetterSignatory,
    LetterWaiver,
    ProgramLetter,
    ProgramLetterTemplate,
)
from programs.models import Program
from tests.letters.factories import (
    DAY,
    graduates,
    issue,
    one_course_program,
    rows,
)
from tests.programs.factories import AT, LearnerFactory, ProgramFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def letter(db: None) -> ProgramLetter:
    program, run = one_course_program()
    (letter,) = issue(program, *graduates(run))
    return letter


def refused(work: Callable[[], object]) -> str:
    """Do it and commit: the name of the constraint, or what the database says of a trigger's."""

    def commit() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            work()
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    before = rows()
    with pytest.raises(IntegrityError) as refusal:
        commit()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    assert rows() == before
    diagnosis: Any = refusal.value.__cause__
    return str(diagnosis.diag.constraint_name or diagnosis.diag.message_primary)


def raw_letter(**fields: object) -> ProgramLetter:
    grounds = {"issued_at": AT, "evidence": {"core_course:x": []}, "issued_via": "command"}
    values = {"user": LearnerFactory.create(), "program": ProgramFactory.create(), **grounds}
    return ProgramLetter.objects.create(
        **{**values, "state": "active", "state_changed_at": AT, **fields}
    )


# --- A letter comes only from the services -----------------------------------------------------


def test_a_raw_letter_has_no_grounds(db: None) -> None:
    learner, program = LearnerFactory.create(), ProgramFactory.create()

    assert refused(lambda: raw_letter(user=learner, program=program)) == "letter_active_has_grounds"


@pytest.mark.parametrize("state", ["pending", "suspended"])
def test_a_raw_letter_has_no_event(db: None, state: str) -> None:
    learner, program = LearnerFactory.create(), ProgramFactory.create()

    def create() -> None:
        raw_letter(user=learner, program=program, state=state)

    assert refused(create) == "letter_change_has_event"


def test_a_raw_letter_with_grounds_has_no_event(letter: ProgramLetter) -> None:
    learner = LearnerFactory.create()

    def create() -> None:
        raw_letter(
            user=learner,
            program=letter.program,
            requirements_version=letter.requirements_version,
        )

    assert refused(create) == "letter_change_has_event"


def test_an_active_letter_has_a_date(letter: ProgramLetter) -> None:
    def undate() -> None:
        ProgramLetter.objects.update(issued_at=None)

    assert refused(undate) == "letter_active_has_issue_date"


def test_a_learner_has_one_letter_of_a_program(letter: ProgramLetter) -> None:
    def create() -> None:
        raw_letter(user=letter.user, program=letter.program, state="pending")

    assert refused(create) == "letter_once_per_learner_and_program"


# --- A letter changes only with its event ------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"state": "suspended"},
        {"version": 3},
        {"version": 9},
        {"issued_at": AT + DAY},
        {"evidence": {"other": []}},
        {"recipient_name": "Somebody Else"},
        {"state_reason": "other"},
        {"issued_via": "import"},
        {"ruleset_version": 9},
        {"state": "suspended", "version": 3},
    ],
)
def test_a_raw_change_has_no_event(letter: ProgramLetter, change: dict[str, object]) -> None:
    def update() -> None:
        ProgramLetter.objects.update(**change)

    assert refused(update) == "letter_change_has_event"


@pytest.mark.parametrize("to_state", ["active", "pending"])
def test_the_event_must_tell_the_same_state(letter: ProgramLetter, to_state: str) -> None:
    def update() -> None:
        LetterEvent.objects.create(
            letter=letter, letter_version=3, action="suspended", to_state=to_state, at=AT
        )
        ProgramLetter.objects.update(state="suspended", version=3)

    assert refused(update) == "letter_change_has_event"


def test_an_event_without_a_change_is_refused(letter: ProgramLetter) -> None:
    def invent() -> None:
        LetterEvent.objects.create(
            letter=letter, letter_version=3, action="suspended", to_state="suspended", at=AT
        )

    assert refused(invent) == "letter_event_has_change"


def test_each_version_has_one_event(letter: ProgramLetter) -> None:
    def repeat() -> None:
        LetterEvent.objects.create(
            letter=letter, letter_version=2, action="released", to_state="active", at=AT
        )

    assert refused(repeat) == "letter_event_once_per_version"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "lost"}, "letter_state_known"),
        ({"state": "revoked"}, "letter_revoked_with_date_and_reason"),
        ({"state": "revoked", "revoked_at": AT}, "letter_revoked_with_date_and_reason"),
        (
            {"state": "revoked", "revocation_reason": "Copied."},
            "letter_revoked_with_date_and_reason",
        ),
        ({"evidence": {}}, "letter_active_has_grounds"),
        ({"requirements_version": None}, "letter_active_has_grounds"),
    ],
)
def test_a_state_says_why(
    letter: ProgramLetter, change: dict[str, object], constraint: str
) -> None:
    assert refused(lambda: ProgramLetter.objects.update(**change)) == constraint


# --- Nothing goes away -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LetterEvent, "delete of letters_letterevent is not allowed"),
        (ProgramLetter, "delete of letters_programletter is not allowed"),
    ],
)
def test_nothing_is_deleted(letter: ProgramLetter, model: Any, message: str) -> None:
    table = model._meta.db_table

    def delete() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two tables

    assert refused(delete) == message


@pytest.mark.parametrize(
    "change",
    [
        {"action": "lifted"},
        {"to_state": "revoked"},
        {"letter_version": 9},
        {"reason": "other"},
        {"failed_checks": ["other"]},
        {"cause": "other"},
        {"at": AT + DAY},
        {"automatic": True},
    ],
)
def test_an_event_never_changes(letter: ProgramLetter, change: dict[str, object]) -> None:
    message = "update of letters_letterevent is not allowed"

    assert refused(lambda: LetterEvent.objects.update(**change)) == message


@pytest.mark.parametrize("column", ["uuid", "user_id", "program_id"])
def test_a_letter_stays_whose_it_is(letter: ProgramLetter, column: str) -> None:
    other_program, _run = one_course_program()
    other = {
        "uuid": "11111111-1111-1111-1111-111111111111",
        "user_id": LearnerFactory.create().pk,
        "program_id": other_program.pk,
    }

    def move() -> None:
        ProgramLetter.objects.update(**{column: other[column]})

    assert refused(move) == "update of letters_programletter is not allowed"


# --- Waivers, the queue, templates -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"code": "requirements_defined"}, "letter_waiver_allowed"),
        ({"code": "learner_identity"}, "letter_waiver_allowed"),
        ({"reason": ""}, "letter_waiver_has_reason"),
        ({"expires_at": AT}, "letter_waiver_expires_after_grant"),
        ({}, "letter_waiver_once"),
    ],
)
def test_a_waiver_is_allowed_explained_and_single(
    letter: ProgramLetter, fields: dict[str, object], constraint: str
) -> None:
    of_learner = {"user": letter.user, "program": letter.program, "granted_at": AT}
    LetterWaiver.objects.create(**of_learner, code="x", reason="x")

    def waive() -> None:
        LetterWaiver.objects.create(**{**of_learner, "code": "x", "reason": "x", **fields})

    assert refused(waive) == constraint


def test_a_learner_is_queued_once(letter: ProgramLetter) -> None:
    pair = {"user": letter.user, "program": letter.program, "opened_at": AT}
    LetterRevalidation.objects.create(**pair)

    assert refused(lambda: LetterRevalidation.objects.create(**pair)) == "letter_revalidation_once"


@pytest.fixture
def published(db: None) -> ProgramLetterTemplate:
    program: Program = ProgramFactory.create()
    template = ProgramLetterTemplate.objects.create(program=program, revision=1, text="Well done.")
    LetterSignatory.objects.create(template=template, name="Ann", title_line_1="Professor")
    ProgramLetterTemplate.objects.update(status="published", published_at=AT)
    return template


@pytest.mark.parametrize("change", [{"text": "Other."}, {"header": "Other."}, {"revision": 2}])
def test_what_was_published_stays(
    published: ProgramLetterTemplate, change: dict[str, object]
) -> None:
    message = "update of letters_programlettertemplate is not allowed"

    assert refused(lambda: ProgramLetterTemplate.objects.update(**change)) == message


@pytest.mark.parametrize("work", ["add", "change", "delete"])
def test_who_signed_what_was_published_stays(published: ProgramLetterTemplate, work: str) -> None:
    def touch() -> None:
        if work == "add":
            LetterSignatory.objects.create(template=published, name="Ben", title_line_1="Dean")
        elif work == "change":
            LetterSignatory.objects.update(name="Ben")
        else:
            LetterSignatory.objects.all().delete()

    assert refused(touch) == "the signatories of a published letter template do not change"


def test_a_program_may_have_several_published_texts(published: ProgramLetterTemplate) -> None:
    ProgramLetterTemplate.objects.create(
        program=published.program, revision=2, text="x", status="published", published_at=AT
    )

    assert published.program.letter_templates.filter(status="published").count() == 2


def test_a_revision_has_its_number_for_itself(published: ProgramLetterTemplate) -> None:
    def repeat() -> None:
        ProgramLetterTemplate.objects.create(program=published.program, revision=1)

    assert refused(repeat) == "letter_template_revision_once"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("published", "draft"),
        ("withdrawn", "published"),
        ("withdrawn", "draft"),
        ("draft", "withdrawn"),
    ],
)
def test_a_text_only_moves_on(db: None, was: str, becomes: str) -> None:
    program = ProgramFactory.create()
    dates = {"published_at": AT, "withdrawn_at": AT}
    ProgramLetterTemplate.objects.create(program=program, revision=1, text="x", status=was, **dates)

    def move() -> None:
        ProgramLetterTemplate.objects.update(status=becomes)

    assert refused(move) == "update of letters_programlettertemplate is not allowed"


def test_a_withdrawn_text_has_a_date(published: ProgramLetterTemplate) -> None:
    def withdraw() -> None:
        ProgramLetterTemplate.objects.update(status="withdrawn")

    assert refused(withdraw) == "letter_template_withdrawn_with_date"


def test_a_texts_status_is_known(published: ProgramLetterTemplate) -> None:
    def create() -> None:
        ProgramLetterTemplate.objects.create(
            program=published.program, revision=2, text="x", published_at=AT, status="lost"
        )

    assert refused(create) == "letter_template_status_known"


@pytest.mark.parametrize("change", [{"width": 9}, {"content": b"other"}])
def test_a_picture_never_changes(db: None, change: dict[str, object]) -> None:
    LetterPicture.objects.create(sha256="0" * 64, width=1, height=1, content=b"x")

    def update() -> None:
        LetterPicture.objects.update(**change)

    assert refused(update) == "update of letters_letterpicture is not allowed"


def test_the_logo_of_what_was_published_stays(published: ProgramLetterTemplate) -> None:
    picture = LetterPicture.objects.create(sha256="0" * 64, width=1, height=1, content=b"x")

    def change() -> None:
        ProgramLetterTemplate.objects.update(logo=picture)

    assert refused(change) == "update of letters_programlettertemplate is not allowed"


@pytest.mark.parametrize("column", ["content_revision", "first_visible_at"])
def test_a_letter_gets_no_text_without_an_event(letter: ProgramLetter, column: str) -> None:
    template = ProgramLetterTemplate.objects.create(program=letter.program, revision=1)
    change = {"content_revision": template} if column == "content_revision" else {column: AT}

    def pin() -> None:
        ProgramLetter.objects.update(**change)

    assert refused(pin) == "letter_change_has_event"


@pytest.mark.parametrize("fields", [{"text": ""}, {"published_at": None}])
def test_a_published_template_has_text_and_date(db: None, fields: dict[str, object]) -> None:
    program = ProgramFactory.create()
    whole = {"program": program, "revision": 1, "text": "x", "published_at": AT}

    def publish() -> None:
        ProgramLetterTemplate.objects.create(**{**whole, "status": "published", **fields})

    assert refused(publish) == "letter_template_published_with_text_and_date"

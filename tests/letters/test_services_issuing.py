from collections.abc import Callable
from datetime import datetime

import pytest
from pytest_django import Settings

from credentials_portal.accounts.models import User
from letters.enums import RunKind
from letters.models import LetterEvent, LetterValidationRun, ProgramLetter, ProgramLetterTemplate
from letters.selectors import learners_without_letter
from letters.services import (
    IssueTally,
    issue_letters,
    new_run,
    preview_issue,
    read_breaker,
    saved_uuid,
    waive_check,
)
from programs.models import CourseGrade, Program
from tests.letters.conftest import Statements
from tests.letters.factories import (
    BY,
    DAY,
    INSTANT,
    by_at,
    graduates,
    issue,
    letters_of,
    one_course_program,
    states,
    story,
)
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    LearnerFactory,
    ProgramEnrollmentFactory,
    ProgramFactory,
)

pytestmark = pytest.mark.django_db


def issue_to(
    program: Program, *learners: User, at: datetime = AT
) -> tuple[IssueTally, LetterValidationRun]:
    run = new_run(RunKind.ISSUE, by=by_at(at))
    tally = issue_letters(
        program_id=program.pk,
        user_ids=[learner.pk for learner in learners],
        run=run,
        by=by_at(at),
    )
    return tally, run


def test_a_letter_keeps_what_it_rests_on() -> None:
    program, run = one_course_program()
    template = ProgramLetterTemplate.objects.create(
        program=program, revision=1, status="published", text="Well done.", published_at=AT
    )
    issue(program, *graduates(run))
    (learner,) = graduates(run)

    tally, issue_run = issue_to(program, learner)

    assert tally == IssueTally(issued=1)
    assert saved_uuid(issue_run) is None
    (letter,) = letters_of(program, learner)
    assert (letter.state, letter.issued_at, letter.issued_via) == ("active", AT, "command")
    assert letter.recipient_name == learner.full_name
    assert letter.requirements_version == program.requirements_versions.get()
    assert letter.content_revision == template
    assert list(letter.evidence) == [f"core_course:{run.course.key}"]
    event = letter.events.get()
    assert (event.action, event.from_state, event.to_state) == ("issued", "", "active")
    assert (event.letter_version, event.automatic, event.cause, event.at) == (1, True, "test", AT)


def test_a_second_run_issues_nothing_more() -> None:
    program, run = one_course_program()
    learners = graduates(run, 3)
    issue(program, *learners)

    tally, _run = issue_to(program, *learners, at=AT + DAY)

    assert tally == IssueTally()
    assert ProgramLetter.objects.count() == 3
    assert LetterEvent.objects.count() == 6


def test_a_program_without_requirements_gives_nobody_a_letter() -> None:
    program = ProgramFactory.create()
    learners = [one.user for one in ProgramEnrollmentFactory.create_batch(5, program=program)]

    tally, _run = issue_to(program, *learners)

    assert (tally.issued, tally.pending, tally.not_eligible) == (0, 0, 5)
    assert tally.reasons == {"requirements_defined": 5}
    assert not ProgramLetter.objects.exists()


def test_the_first_letters_of_a_program_wait_for_staff() -> None:
    program, run = one_course_program()
    learners = graduates(run, 2)

    tally, issue_run = issue_to(program, *learners)

    assert (tally.issued, tally.pending) == (0, 2)
    assert saved_uuid(issue_run) == str(issue_run.uuid)
    letters = letters_of(program, *learners)
    assert states(*letters) == ["pending", "pending"]
    assert [letter.issued_at for letter in letters] == [None, None]
    assert [letter.issue_run for letter in letters] == [issue_run, issue_run]
    assert story(letters[0]) == [("held", "pending", "breaker")]


def test_beyond_the_breaker_letters_wait_until_the_window_has_passed(
    settings: Settings,
) -> None:
    settings.LETTER_BREAKER_LIMIT = 2
    program, run = one_course_program()
    issue(program, *graduates(run), at=AT - 9 * DAY)

    tallies = [
        issue_to(program, *graduates(run, 3), at=at)[0] for at in (AT, AT + DAY - INSTANT, AT + DAY)
    ]

    assert [(tally.issued, tally.pending) for tally in tallies] == [(2, 1), (0, 3), (2, 1)]


def test_a_programs_own_limit_stands_above_the_portals() -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    program.letter_configuration.breaker_limit = 1
    program.letter_configuration.save()

    tally, _run = issue_to(program, *graduates(run, 3))

    assert (tally.issued, tally.pending) == (1, 2)


def test_what_was_waived_is_ground_enough() -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    learner = LearnerFactory.create()
    code = f"core_course:{run.course.key}"
    waive_check(user=learner, program_id=program.pk, code=code, by=BY)

    tally, _run = issue_to(program, learner)

    assert tally == IssueTally(issued=1)
    (letter,) = letters_of(program, learner)
    assert letter.evidence == {code: []}


@pytest.mark.parametrize("change", [{"full_name": ""}, {"is_active": False}])
def test_nobody_without_a_name_gets_a_letter(change: dict[str, object]) -> None:
    program, run = one_course_program()
    (learner,) = graduates(run)
    User.objects.filter(pk=learner.pk).update(**change)

    tally, _run = issue_to(program, learner)

    assert tally.reasons == {"learner_identity": 1}
    assert not ProgramLetter.objects.exists()


def test_one_bad_row_does_not_stop_the_rest(refuse_letters_of: Callable[..., None]) -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    learners = graduates(run, 5)
    refuse_letters_of(learners[2].pk)

    tally, _run = issue_to(program, *learners)

    assert (tally.issued, tally.errors) == (4, 1)
    assert learners_without_letter(program.pk) == [learners[2].pk]


def test_a_bad_row_among_the_first_letters_leaves_one_run_that_holds_the_rest(
    refuse_letters_of: Callable[..., None],
) -> None:
    program, run = one_course_program()
    learners = graduates(run, 5)
    refuse_letters_of(learners[2].pk)

    tally, issue_run = issue_to(program, *learners)

    assert (tally.pending, tally.errors) == (4, 1)
    assert LetterValidationRun.objects.get().uuid == issue_run.uuid
    assert issue_run.issued_letters.filter(state="pending").count() == 4


def test_a_preview_spends_the_breaker_from_page_to_page(settings: Settings) -> None:
    settings.LETTER_BREAKER_LIMIT = 3
    program, run = one_course_program()
    issue(program, *graduates(run), at=AT - 9 * DAY)
    learners = graduates(run, 4)
    breaker = read_breaker(program.pk, by=BY)

    tallies = [
        preview_issue(program_id=program.pk, user_ids=page, breaker=breaker, by=BY)
        for page in ([one.pk for one in learners[:2]], [one.pk for one in learners[2:]])
    ]

    assert [(tally.issued, tally.pending) for tally in tallies] == [(2, 0), (1, 1)]
    assert ProgramLetter.objects.count() == 1


def test_statements_do_not_grow_with_the_learners(statements: Statements) -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    learners = graduates(run, 50)

    with statements.counted() as for_one:
        issue_to(program, learners[0])
    with statements.counted() as for_many:
        issue_to(program, *learners[1:])

    assert len(for_one) == len(for_many) <= 14


def test_no_letter_is_dated_before_its_requirements_were_met() -> None:
    program, run = one_course_program()
    (learner,) = graduates(run)
    CourseGrade.objects.update(is_final=True)
    by = by_at(RUN_ENDS - DAY)

    tally = issue_letters(
        program_id=program.pk, user_ids=[learner.pk], run=new_run(RunKind.ISSUE, by=by), by=by
    )

    assert (tally.issued, tally.pending, tally.not_eligible) == (0, 0, 1)
    assert tally.reasons == {"evidence_not_after_issue": 1}
    assert not ProgramLetter.objects.exists()

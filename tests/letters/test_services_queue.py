"""The queue: what is looked at again, when, and what the portal then does by itself."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError
from letters.enums import RunKind
from letters.models import LetterEvent, LetterRevalidation, LetterValidationRun, ProgramLetter
from letters.services import (
    issue_letters,
    new_run,
    open_revalidations,
    preview_release,
    preview_revalidation,
    release_run,
    revalidate_page,
    revoke_letter,
    sweep_program,
)
from programs.enums import CertificateStatus
from programs.models import CourseGrade, CourseRun, Program
from programs.services import (
    CertificateRecord,
    award_program_certificates,
    delete_grades,
    enroll_in_programs,
    record_course_certificates,
    revoke_program_certificates,
)
from tests.letters.conftest import Statements
from tests.letters.factories import (
    DAY,
    GRACE,
    HOUR,
    INSTANT,
    by_at,
    empty_queue,
    grade,
    graduates,
    imported,
    issue,
    letters_of,
    one_course_program,
    planned,
    require,
    revalidate,
    states,
    story,
)
from tests.programs.factories import AT, CourseRunFactory, LearnerFactory, ProgramCertificateFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(program_and_run: tuple[Program, CourseRun]) -> CourseRun:
    return program_and_run[1]


@pytest.fixture
def program(program_and_run: tuple[Program, CourseRun]) -> Program:
    return program_and_run[0]


@pytest.fixture
def program_and_run(db: None) -> tuple[Program, CourseRun]:
    return one_course_program()


@pytest.fixture
def letter(program: Program, run: CourseRun) -> ProgramLetter:
    """An active letter of long ago, with nothing queued."""
    (letter,) = issue(program, *graduates(run), at=AT - 9 * DAY)
    return letter


def queued() -> list[tuple[int, int]]:
    """(learner, version) of what is queued."""
    return list(LetterRevalidation.objects.order_by("user_id").values_list("user_id", "version"))


def sweep(program: Program, *, at: datetime = AT) -> int:
    return sweep_program(program.pk, with_new=True, by=by_at(at))


# --- What opens a row --------------------------------------------------------------------------


def test_every_result_of_a_learner_queues_them_once(program: Program, run: CourseRun) -> None:
    learner = LearnerFactory.create()

    grade(run, learner)
    for status in CertificateStatus:
        record_course_certificates(
            [CertificateRecord(learner.pk, run.pk, awarded_at=AT, status=status)], by=by_at(AT)
        )
    award_program_certificates(program=program, by=by_at(AT))
    delete_grades(grade_ids=[CourseGrade.objects.get().pk], by=by_at(AT))

    assert queued() == [(learner.pk, 4)]


def test_a_lost_program_certificate_queues_its_holder(program: Program, run: CourseRun) -> None:
    (learner,) = graduates(run)
    ProgramCertificateFactory.create(user=learner, program=program)

    revoke_program_certificates(
        program=program, user_ids=[learner.pk], reason="Copied.", by=by_at(AT)
    )

    assert queued() == [(learner.pk, 1)]


def test_a_result_in_a_run_of_no_program_queues_nobody(program: Program) -> None:
    grade(CourseRunFactory.create(), LearnerFactory.create())

    assert queued() == []


def test_new_requirements_queue_all_whom_they_may_concern(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    (graded,) = graduates(run)
    enrolled = LearnerFactory.create()
    enroll_in_programs(user_ids=[enrolled.pk], program=program, by=by_at(AT))
    (imported_letter,) = imported(program, LearnerFactory.create())
    empty_queue()

    one_course_program()  # another program
    assert queued() == []
    require(program, run, CourseRunFactory.create(), at=AT)

    concerned = {graded.pk, enrolled.pk, imported_letter.user_id, letter.user_id}
    assert {user_id for user_id, _version in queued()} == concerned


def test_events_coalesce_and_the_grace_counts_from_the_first(letter: ProgramLetter) -> None:
    pair = (letter.user_id, letter.program_id)

    open_revalidations([pair, pair], cause="first", at=AT)
    open_revalidations([pair], cause="second", at=AT + HOUR)

    row = LetterRevalidation.objects.get()
    assert (row.version, row.opened_at, row.due_at) == (2, AT, AT + HOUR)
    assert row.cause == "second"


# --- Issuing -----------------------------------------------------------------------------------


def test_who_completes_a_program_gets_a_letter_at_once(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    learner = LearnerFactory.create()
    grade(run, learner, at=AT)

    assert revalidate(AT) == {"issued": 1}

    (new,) = letters_of(program, learner)
    assert (new.state, new.issued_at, new.issued_via) == ("active", AT, "queue")
    assert new.events.get().cause == "course_grade_changed:test"
    assert queued() == []


def test_the_first_letter_of_a_program_is_pending(program: Program, run: CourseRun) -> None:
    learner = LearnerFactory.create()
    grade(run, learner)

    assert revalidate(AT) == {"pending": 1}

    assert states(*letters_of(program, learner)) == ["pending"]


def test_a_retired_program_issues_nothing_and_still_suspends(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    Program.objects.filter(pk=program.pk).update(status="retired")
    learner = LearnerFactory.create()
    grade(run, learner)
    grade(run, letter.user, percent="0.1")

    assert revalidate(AT + GRACE) == {"unchanged": 1, "suspended": 1}

    assert ProgramLetter.objects.get() == letter
    assert states(letter) == ["suspended"]


# --- Suspending --------------------------------------------------------------------------------


def test_a_letter_that_fails_is_suspended_when_its_grace_is_over(
    run: CourseRun, letter: ProgramLetter
) -> None:
    grade(run, letter.user, percent="0.1", at=AT)

    within = [revalidate(at) for at in (AT, AT + HOUR, AT + GRACE - INSTANT)]
    assert within == [{"waiting": 1}, {}, {}]
    assert states(letter) == ["active"]
    assert revalidate(AT + GRACE) == {"suspended": 1}

    letter.refresh_from_db()
    code = f"core_course:{run.course.key}"
    assert (letter.state, letter.state_reason) == ("suspended", code)
    assert (letter.state_changed_at, letter.state_changed_by) == (AT + GRACE, None)
    event = letter.events.last()
    assert event
    assert (event.action, event.reason, event.failed_checks) == ("suspended", code, [code])
    assert (event.automatic, event.from_state, event.cause) == (
        *(True, "active"),
        "course_grade_changed:test",
    )
    assert queued() == []


def test_the_grace_counts_from_the_first_signal(run: CourseRun, letter: ProgramLetter) -> None:
    grade(run, letter.user, percent="0.1", at=AT)
    revalidate(AT)
    grade(run, letter.user, percent="0.2", at=AT + 23 * HOUR)

    assert revalidate(AT + 23 * HOUR) == {"waiting": 1}
    assert revalidate(AT + GRACE) == {"suspended": 1}


def test_a_certificate_that_comes_back_within_the_grace_changes_nothing(
    run: CourseRun, letter: ProgramLetter
) -> None:
    def record(status: CertificateStatus, minutes: int) -> None:
        at = AT + timedelta(minutes=minutes)
        record_course_certificates(
            [CertificateRecord(letter.user_id, run.pk, awarded_at=AT - 99 * DAY, status=status)],
            by=by_at(at),
        )

    record(CertificateStatus.REVOKED, 0)
    assert revalidate(AT) == {"waiting": 1}
    record(CertificateStatus.AWARDED, 10)

    assert revalidate(AT + timedelta(minutes=10)) == {"unchanged": 1}
    assert states(letter) == ["active"]
    assert letter.events.count() == 2
    assert queued() == []


def test_a_program_certificate_taken_for_good_suspends_with_its_own_code(
    program: Program, letter: ProgramLetter
) -> None:
    ProgramCertificateFactory.create(user=letter.user, program=program)
    revoke_program_certificates(
        program=program, user_ids=[letter.user_id], reason="Copied.", by=by_at(AT)
    )

    revalidate(AT + GRACE)

    letter.refresh_from_db()
    assert (letter.state, letter.state_reason) == ("suspended", "program_certificate_active")


# --- Lifting -----------------------------------------------------------------------------------


@pytest.fixture
def suspended(run: CourseRun, letter: ProgramLetter) -> ProgramLetter:
    """Suspended nine days ago: its grade was lowered."""
    grade(run, letter.user, percent="0.1", at=AT - 9 * DAY)
    assert revalidate(AT - 8 * DAY) == {"suspended": 1}
    letter.refresh_from_db()
    return letter


def test_a_suspension_is_lifted_at_once(run: CourseRun, suspended: ProgramLetter) -> None:
    grade(run, suspended.user, at=AT)

    assert revalidate(AT) == {"lifted": 1}

    letter = ProgramLetter.objects.get()
    assert (letter.state, letter.state_reason) == ("active", "")
    assert letter.issued_at == suspended.issued_at
    assert [action for action, *_rest in story(letter)] == [
        "held",
        "released",
        "suspended",
        "lifted",
    ]


def test_who_completes_later_gets_the_same_letter_with_a_true_date(
    run: CourseRun, suspended: ProgramLetter
) -> None:
    grade(run, suspended.user, at=AT, graded_at=AT - DAY)

    assert revalidate(AT) == {"reissued": 1}

    letter = ProgramLetter.objects.get()
    assert (letter.uuid, letter.state) == (suspended.uuid, "active")
    assert letter.issued_at == AT
    (evidence,) = letter.evidence[f"core_course:{run.course.key}"]
    assert evidence["earned_at"].startswith((AT - DAY).date().isoformat())
    event = letter.events.last()
    assert event
    assert event.before["issued_at"].startswith((AT - 9 * DAY).date().isoformat())


def test_an_active_letter_with_a_wrong_date_waits_for_a_plan(
    program: Program, run: CourseRun
) -> None:
    (letter,) = imported(program, *graduates(run), created_on=AT - 999 * DAY)
    open_revalidations([(letter.user_id, program.pk)], cause="test", at=AT)

    assert revalidate(AT) == {"unchanged": 1}
    assert sweep(program) == 0


def test_an_imported_suspension_is_never_lifted_by_the_queue(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    (inactive,) = imported(program, *graduates(run), is_active=False)
    grade(run, inactive.user, percent="0.9", at=AT)

    assert revalidate(AT) == {"unchanged": 1}
    assert sweep(program) == 0
    assert states(inactive) == ["suspended"]


def test_a_revoked_letter_is_left_alone_whatever_comes(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    revoke_letter(letter_uuid=letter.uuid, by=by_at(AT, reason="Copied."))
    grade(run, letter.user, percent="1", at=AT + DAY)

    assert revalidate(AT + DAY) == {"unchanged": 1}
    assert sweep(program, at=AT + DAY) == 0
    issue(program, letter.user, at=AT + DAY)
    assert states(letter) == ["revoked"]
    assert letter.events.count() == 3


# --- The breaker -------------------------------------------------------------------------------


@pytest.fixture
def limit_of_two(settings: Settings) -> None:
    settings.LETTER_BREAKER_LIMIT = 2


def test_the_breaker_stops_suspensions_until_staff_releases_them(
    limit_of_two: None, program: Program, run: CourseRun
) -> None:
    letters = issue(program, *graduates(run, 5), at=AT - 9 * DAY)
    grade(run, *[letter.user for letter in letters], percent="0.1", at=AT)

    assert revalidate(AT + GRACE) == {"suspended": 2, "held": 3}
    assert revalidate(AT + 9 * DAY) == {}
    held_by = LetterValidationRun.objects.get(kind=RunKind.REVALIDATE)
    assert set(LetterRevalidation.objects.values_list("held_by", "due_at")) == {(held_by.pk, None)}
    by = by_at(AT + 9 * DAY, reason="A true correction.")
    assert preview_release(held_by, by=by) == {"suspended": 3}
    assert release_run(run=held_by, by=by) == {"suspended": 3}

    assert states(*letters) == ["suspended"] * 5
    suspensions = LetterEvent.objects.filter(action="suspended", run=held_by)
    assert suspensions.filter(automatic=True, at=AT + GRACE).count() == 2
    assert suspensions.filter(automatic=False, at=AT + 9 * DAY).count() == 3
    assert queued() == []
    assert release_run(run=held_by, by=by) == {}


def test_the_breaker_stops_new_letters_and_lifted_ones_together(
    limit_of_two: None, program: Program, run: CourseRun, suspended: ProgramLetter
) -> None:
    grade(run, suspended.user, *LearnerFactory.create_batch(3), at=AT)

    assert revalidate(AT) == {"lifted": 1, "issued": 1, "pending": 2}


def test_the_window_of_the_breaker_rolls(
    limit_of_two: None, program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    def complete(count: int, at: datetime) -> dict[str, int]:
        grade(run, *LearnerFactory.create_batch(count), at=at)
        return revalidate(at)

    assert complete(1, AT) == {"issued": 1}
    assert complete(1, AT + HOUR) == {"issued": 1}
    assert complete(1, AT + DAY - INSTANT) == {"pending": 1}
    assert complete(2, AT + DAY) == {"issued": 1, "pending": 1}
    assert complete(1, AT + DAY + HOUR) == {"issued": 1}


def test_a_held_letter_that_is_right_again_leaves_the_queue(
    settings: Settings, run: CourseRun, letter: ProgramLetter
) -> None:
    settings.LETTER_BREAKER_LIMIT = 0
    grade(run, letter.user, percent="0.1", at=AT)
    assert revalidate(AT + GRACE) == {"held": 1}
    grade(run, letter.user, at=AT + 2 * DAY)

    assert revalidate(AT + 2 * DAY) == {"unchanged": 1}

    assert queued() == []
    assert states(letter) == ["active"]


# --- Release -----------------------------------------------------------------------------------


def test_a_release_judges_again(program: Program, run: CourseRun) -> None:
    keeps, loses = graduates(run, 2)
    held_by = new_run(RunKind.ISSUE, by=by_at(AT))
    issue_letters(program_id=program.pk, user_ids=[keeps.pk, loses.pk], run=held_by, by=by_at(AT))
    grade(run, loses, percent="0.1", at=AT + HOUR)
    by = by_at(AT + DAY, reason="Looked at.", actor=LearnerFactory.create())

    assert preview_release(held_by, by=by) == {"released": 1, "unchanged": 1}
    assert release_run(run=held_by, by=by) == {"released": 1, "unchanged": 1}

    released, still_pending = letters_of(program, keeps, loses)
    assert (released.state, released.issued_at) == ("active", AT + DAY)
    assert still_pending.state == "pending"
    held_by.refresh_from_db()
    assert (held_by.status, held_by.approved_by) == ("released", by.actor)
    assert story(released) == [("held", "pending", "breaker"), ("released", "active", "released")]
    assert not LetterEvent.objects.get(action="released").automatic


def test_a_release_issues_nothing_in_a_program_that_retired_meanwhile(
    program: Program, run: CourseRun
) -> None:
    (graduate,) = graduates(run, 1)
    held_by = new_run(RunKind.ISSUE, by=by_at(AT))
    issue_letters(program_id=program.pk, user_ids=[graduate.pk], run=held_by, by=by_at(AT))
    assert held_by.status == "holding"
    Program.objects.filter(pk=program.pk).update(status="retired")

    assert release_run(run=held_by, by=by_at(AT, reason="Looked at.")) == {"unchanged": 1}

    assert states(*letters_of(program, graduate)) == ["pending"]


def test_a_plan_is_not_released(letter: ProgramLetter) -> None:
    with pytest.raises(ConflictError):
        release_run(run=planned(), by=by_at(AT))


# --- What interferes ---------------------------------------------------------------------------


def test_an_event_that_came_in_meanwhile_is_not_swallowed(
    run: CourseRun, letter: ProgramLetter
) -> None:
    """The worker has read its rows; before it closes them, another event is committed."""
    grade(run, letter.user, percent="0.9", at=AT)

    def interrupt(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if "FOR UPDATE" in sql and "letters_letterrevalidation" in sql and queued()[0][1] == 1:
            grade(run, letter.user, percent="0.1", at=AT)
        return execute(sql, *rest)

    with connection.execute_wrapper(interrupt):
        assert revalidate(AT) == {"unchanged": 1}

    assert queued() == [(letter.user_id, 2)]
    assert revalidate(AT) == {"waiting": 1}


def test_one_bad_row_does_not_stop_the_rest(
    program: Program, run: CourseRun, letter: ProgramLetter, refuse_letters_of: Callable[..., None]
) -> None:
    learners = LearnerFactory.create_batch(5)
    grade(run, *learners, at=AT)
    refuse_letters_of(learners[1].pk)
    revalidation = new_run(RunKind.REVALIDATE, by=by_at(AT))

    tally = revalidate_page(size=10, run=revalidation, by=by_at(AT))

    assert (tally.outcomes, tally.errors) == ({"issued": 4}, 1)
    row = LetterRevalidation.objects.get()
    assert (row.user_id, row.attempts) == (learners[1].pk, 1)
    assert row.due_at == AT + timedelta(minutes=15)
    assert revalidate(AT) == {}


def test_a_bad_row_among_those_that_are_held_leaves_one_run_that_holds_the_rest(
    program: Program, run: CourseRun, refuse_letters_of: Callable[..., None]
) -> None:
    learners = LearnerFactory.create_batch(5)
    grade(run, *learners, at=AT)
    refuse_letters_of(learners[1].pk)

    assert revalidate(AT) == {"pending": 4}

    held_by = LetterValidationRun.objects.get()
    assert held_by.issued_letters.count() == 4


def test_pages_end_with_the_queue(program: Program, run: CourseRun, letter: ProgramLetter) -> None:
    grade(run, *LearnerFactory.create_batch(5), at=AT)

    assert [revalidate(AT, size=2) for _page in range(4)] == [
        {"issued": 2},
        {"issued": 2},
        {"issued": 1},
        {},
    ]


# --- The sweep ---------------------------------------------------------------------------------


def test_the_sweep_finds_what_raw_sql_changed(
    program: Program, run: CourseRun, letter: ProgramLetter, suspended: ProgramLetter
) -> None:
    (good,) = issue(program, *graduates(run), at=AT - 9 * DAY)
    completed = LearnerFactory.create()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE programs_coursegrade SET passed = NOT passed")
        cursor.execute(
            "INSERT INTO programs_coursegrade (created, modified, user_id, course_run_id, passed,"
            " verified, is_final, letter_grade) VALUES (%s, %s, %s, %s, TRUE, TRUE, TRUE, '')",
            [AT, AT, completed.pk, run.pk],
        )

    assert sweep(program) == 3
    assert sweep(program) == 0
    assert revalidate(AT) == {"lifted": 1, "issued": 1, "waiting": 1}
    assert revalidate(AT + GRACE) == {"suspended": 1}
    assert states(suspended, good) == ["active", "suspended"]


def test_the_sweep_finds_what_time_did(program: Program, run: CourseRun) -> None:
    issue(program, *graduates(run), at=AT - 9 * DAY)
    CourseRun.objects.filter(pk=run.pk).update(end_date=AT)
    learner = LearnerFactory.create()
    CourseGrade.objects.create(user=learner, course_run=run, passed=True)

    assert [sweep(program, at=at) for at in (AT - INSTANT, AT)] == [0, 1]


def test_the_sweep_leaves_a_queued_learner_their_grace(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    grade(run, letter.user, percent="0.1", at=AT)
    revalidate(AT)

    assert sweep(program, at=AT + HOUR) == 0

    row = LetterRevalidation.objects.get()
    assert (row.opened_at, row.due_at, row.version) == (AT, AT + GRACE, 1)


# --- Cost --------------------------------------------------------------------------------------


def test_statements_do_not_grow_with_the_rows(
    program: Program, run: CourseRun, letter: ProgramLetter, statements: Statements
) -> None:
    def look(count: int) -> int:
        letters = issue(program, *graduates(run, count), at=AT - 9 * DAY)
        grade(run, *[one.user for one in letters], percent="0.1", at=AT - 2 * DAY)
        grade(run, *LearnerFactory.create_batch(count), at=AT - 2 * DAY)
        with statements.counted() as texts:
            outcomes = revalidate(AT)
        assert outcomes == {"suspended": count, "issued": count}
        return len(texts)

    assert look(1) == look(25)


def test_an_import_of_grades_queues_in_one_statement(
    program: Program, run: CourseRun, statements: Statements
) -> None:
    learners: list[User] = LearnerFactory.create_batch(50)

    with statements.counted() as texts:
        grade(run, *learners)

    assert sum("INTO letters_letterrevalidation" in text for text in texts) == 1
    assert len(queued()) == 50


def test_a_preview_says_what_would_be_done_and_does_nothing(
    program: Program, run: CourseRun, letter: ProgramLetter
) -> None:
    grade(run, letter.user, percent="0.1", at=AT)
    grade(run, LearnerFactory.create(), at=AT)

    assert preview_revalidation(by=by_at(AT)) == {"waiting": 1, "issued": 1}
    assert len(queued()) == 2
    assert ProgramLetter.objects.get() == letter

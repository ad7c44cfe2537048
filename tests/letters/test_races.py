"""Two at once: one letter for each learner and program, one event for each change."""

import time
from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from letters.enums import RunKind
from letters.models import (
    LetterEvent,
    LetterRevalidation,
    ProgramLetter,
    ProgramLetterConfiguration,
)
from letters.services import (
    PlanScope,
    apply_page,
    approve_plan,
    issue_letters,
    new_run,
    release_run,
    revalidate_page,
    revoke_letter,
    sweep_program,
    waive_check,
)
from programs.models import CourseRun, Program
from tests.core.outbox.test_races import ROUNDS, at_once
from tests.letters.factories import (
    BY,
    DAY,
    GRACE,
    assert_sound,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    letters_of,
    one_course_program,
    planned,
    revalidate,
    states,
    story,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_breaker(settings: Any) -> None:
    settings.LETTER_BREAKER_LIMIT = 1_000_000


@pytest.fixture
def program_and_run(transactional_db: None) -> tuple[Program, CourseRun]:
    program, run = one_course_program()
    issue(program, *graduates(run), at=AT - 9 * DAY)
    return program, run


@pytest.fixture
def program(program_and_run: tuple[Program, CourseRun]) -> Program:
    return program_and_run[0]


@pytest.fixture
def run(program_and_run: tuple[Program, CourseRun]) -> CourseRun:
    return program_and_run[1]


def issuing(program: Program, user_ids: list[int]) -> Callable[[], object]:
    def work() -> object:
        held_by = new_run(RunKind.ISSUE, by=BY)
        return issue_letters(program_id=program.pk, user_ids=user_ids, run=held_by, by=BY)

    return work


def work_off_the_queue(at: datetime) -> None:
    while revalidate(at):
        pass


def test_two_that_issue_create_each_letter_once(program: Program, run: CourseRun) -> None:
    for _round in range(ROUNDS):
        learners = graduates(run, 5)
        user_ids = [learner.pk for learner in learners]

        tallies: list[Any] = at_once(issuing(program, user_ids), issuing(program, user_ids[::-1]))

        assert sum(tally.issued for tally in tallies) == 5
        for letter in letters_of(program, *learners):
            assert story(letter) == [("issued", "active", "")]


def test_two_that_issue_a_programs_first_letters_hold_each_once(transactional_db: None) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        user_ids = [learner.pk for learner in graduates(run, 3)]

        tallies: list[Any] = at_once(issuing(program, user_ids), issuing(program, user_ids))

        assert sum(tally.pending for tally in tallies) == 3
        assert ProgramLetter.objects.filter(program=program, state="pending").count() == 3


def test_a_letter_issued_while_the_grade_is_corrected_does_not_stay(
    program: Program, run: CourseRun
) -> None:
    for _round in range(ROUNDS):
        learners = graduates(run, 3)

        at_once(
            issuing(program, [learner.pk for learner in learners]),
            lambda: grade(run, *learners, percent="0.1", at=AT),  # noqa: B023 - used at once
        )
        work_off_the_queue(AT)
        work_off_the_queue(AT + GRACE)

        letters = ProgramLetter.objects.filter(user__in=learners)
        assert not letters.exclude(state="suspended").exists()
        assert not LetterRevalidation.objects.exists()
    assert_sound()


def test_two_that_apply_a_plan_change_each_letter_once(program: Program) -> None:
    for _round in range(ROUNDS):
        letters = imported(program, *LearnerFactory.create_batch(6))
        plan = planned(PlanScope(letter_uuids=tuple(letter.uuid for letter in letters)))
        approve_plan(plan, by=BY)

        def work() -> int:
            changed = 0
            while outcomes := apply_page(run=plan, size=2, by=BY):  # noqa: B023 - used at once
                changed += outcomes["changed"]
            return changed

        totals: list[Any] = at_once(work, work)

        assert sum(totals) == 6
        assert states(*letters) == ["suspended"] * 6
        assert LetterEvent.objects.filter(run=plan).count() == 6


def test_a_plan_made_while_another_is_applied_sees_each_letter_before_or_after(
    program: Program,
) -> None:
    for _round in range(ROUNDS):
        letters = imported(program, *LearnerFactory.create_batch(3))
        scope = PlanScope(letter_uuids=tuple(letter.uuid for letter in letters))
        plan = approve_plan(planned(scope), by=BY)

        _outcomes, second = at_once(
            lambda: apply_page(run=plan, size=10, by=BY),  # noqa: B023 - used at once
            lambda: planned(scope),  # noqa: B023 - used at once
        )

        results: Any = second.results.values_list("state", "planned_action")  # type: ignore[attr-defined]  # a run
        assert set(results) in [{("active", "suspend")}, {("suspended", "none")}]
        assert states(*letters) == ["suspended"] * 3


def test_a_revocation_is_not_lost_to_a_plan(program: Program) -> None:
    for _round in range(ROUNDS):
        letters = imported(program, *LearnerFactory.create_batch(3))
        scope = PlanScope(letter_uuids=tuple(letter.uuid for letter in letters))
        plan = approve_plan(planned(scope), by=BY)
        uuid = letters[1].uuid

        at_once(
            lambda: apply_page(run=plan, size=10, by=BY),  # noqa: B023 - used at once
            lambda: revoke_letter(letter_uuid=uuid, by=BY),  # noqa: B023 - used at once
        )

        assert states(*letters) == ["suspended", "revoked", "suspended"]
        assert story(letters[1])[-1][0] == "revoked"
    assert_sound()


def test_a_revocation_is_not_lost_to_the_queue(program: Program, run: CourseRun) -> None:
    for _round in range(ROUNDS):
        letters = issue(program, *graduates(run, 3), at=AT - 9 * DAY)
        grade(run, *[letter.user for letter in letters], percent="0.1", at=AT - GRACE)
        uuid = letters[1].uuid

        tally: Any
        tally, _changed = at_once(
            lambda: revalidate_page(
                size=9, run=new_run(RunKind.REVALIDATE, by=by_at(AT)), by=by_at(AT)
            ),
            lambda: revoke_letter(letter_uuid=uuid, by=BY),  # noqa: B023 - used at once
        )

        assert tally.errors == 0
        assert states(*letters) == ["suspended", "revoked", "suspended"]
    assert_sound()


def test_the_queue_and_a_plan_suspend_each_letter_once(program: Program, run: CourseRun) -> None:
    for _round in range(ROUNDS):
        letters = issue(program, *graduates(run, 3), at=AT - 9 * DAY)
        grade(run, *[letter.user for letter in letters], percent="0.1", at=AT - GRACE)
        scope = PlanScope(letter_uuids=tuple(letter.uuid for letter in letters))
        plan = approve_plan(planned(scope), by=BY)

        by_queue: Any
        by_plan: Any
        by_queue, by_plan = at_once(
            lambda: revalidate(AT),
            lambda: apply_page(run=plan, size=9, by=BY),  # noqa: B023 - used at once
        )

        assert by_queue.get("suspended", 0) + by_plan.get("changed", 0) == 3
        for letter in letters:
            assert [action for action, *_rest in story(letter)] == ["issued", "suspended"]


def test_two_that_revoke_leave_one_event(program: Program) -> None:
    for _round in range(ROUNDS):
        (letter,) = imported(program, LearnerFactory.create())

        changed = at_once(*[lambda: revoke_letter(letter_uuid=letter.uuid, by=BY)] * 2)  # noqa: B023 - used at once

        assert sorted(map(bool, changed)) == [False, True]
        assert [action for action, *_rest in story(letter)] == ["imported", "revoked"]


def test_two_that_work_off_the_queue_change_each_letter_once(
    program: Program, run: CourseRun
) -> None:
    for _round in range(ROUNDS):
        failing = issue(program, *graduates(run, 3), at=AT - 9 * DAY)
        new = LearnerFactory.create_batch(3)
        grade(run, *[one.user for one in failing], percent="0.1", at=AT - GRACE)
        grade(run, *new, at=AT)

        outcomes: list[Any] = at_once(*[lambda: revalidate(AT)] * 2)

        assert sum(one.get("suspended", 0) for one in outcomes) == 3
        assert sum(one.get("issued", 0) for one in outcomes) == 3
        letters = [*failing, *letters_of(program, *new)]
        assert states(*letters) == ["suspended"] * 3 + ["active"] * 3
        assert not LetterRevalidation.objects.exists()
    assert_sound()


def test_two_that_release_a_run_issue_each_letter_once(transactional_db: None) -> None:
    for _round in range(ROUNDS):
        program, run = one_course_program()
        held_by = new_run(RunKind.ISSUE, by=BY)
        learners = graduates(run, 3)
        user_ids = [learner.pk for learner in learners]
        issue_letters(program_id=program.pk, user_ids=user_ids, run=held_by, by=BY)

        at_once(*[lambda: release_run(run=held_by, by=BY)] * 2)  # noqa: B023 - used at once

        for letter in letters_of(program, *learners):
            assert [action for action, *_rest in story(letter)] == ["held", "released"]


def test_grades_that_arrive_while_the_queue_is_worked_off_are_all_looked_at(
    program: Program, run: CourseRun
) -> None:
    """Both lock rows of the queue by the dozen, in the same order."""
    for _round in range(ROUNDS):
        learners = LearnerFactory.create_batch(20)
        grade(run, *learners, percent="0.1", at=AT - DAY)

        at_once(
            lambda: revalidate(AT),
            lambda: grade(run, *learners, at=AT),  # noqa: B023 - used at once
            lambda: sweep_program(program.pk, with_new=True, by=BY),
        )
        work_off_the_queue(AT)

        assert states(*letters_of(program, *learners)) == ["active"] * 20


def test_two_that_waive_a_check_leave_one_waiver(program: Program, run: CourseRun) -> None:
    code = f"core_course:{run.course.key}"
    for _round in range(ROUNDS):
        learner = LearnerFactory.create()

        def waive() -> int:
            waiver = waive_check(user=learner, program_id=program.pk, code=code, by=BY)  # noqa: B023 - used at once
            return waiver.pk

        first, second = at_once(waive, waive)

        assert first == second


# --- With the order of events in hand ----------------------------------------------------------


def blocks_another() -> bool:
    """Whether this connection holds what another one waits for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return bool(cursor.fetchone()[0])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_queue_is_closed_in_the_order_in_which_events_write_it(
    program: Program, run: CourseRun
) -> None:
    """The worker waits for the first of two rows without holding the second one."""
    first, second = graduates(run, 2)
    grade(run, first, second, percent="0.9", at=AT - DAY)
    has_first = Event()

    def correct() -> None:
        with transaction.atomic():
            grade(run, first, percent="0.8", at=AT)
            has_first.set()
            wait_until(blocks_another)
            grade(run, second, percent="0.8", at=AT)

    def work() -> dict[str, int]:
        has_first.wait(timeout=60)
        # Within a transaction a deadlock is an error: nothing is tried again.
        with transaction.atomic():
            return revalidate(AT - DAY)

    _nothing, outcomes = at_once(correct, work)

    assert outcomes == {"issued": 2}
    assert LetterRevalidation.objects.filter(version=2).count() == 2


def test_the_queue_judges_a_letter_only_once_it_holds_it(program: Program, run: CourseRun) -> None:
    (letter,) = issue(program, *graduates(run), at=AT - 9 * DAY)
    grade(run, letter.user, percent="0.1", at=AT - GRACE)
    is_revoked = Event()

    def revoke() -> None:
        with transaction.atomic():
            revoke_letter(letter_uuid=letter.uuid, by=BY)
            is_revoked.set()
            wait_until(blocks_another)

    def work() -> dict[str, int]:
        is_revoked.wait(timeout=60)
        return revalidate(AT)

    _nothing, outcomes = at_once(revoke, work)

    assert outcomes == {"unchanged": 1}
    assert states(letter) == ["revoked"]


def test_an_event_of_an_open_transaction_is_not_swallowed(program: Program, run: CourseRun) -> None:
    """The worker judges before it can see the grade, and closes after it was committed."""
    (letter,) = issue(program, *graduates(run), at=AT - 9 * DAY)
    grade(run, letter.user, percent="0.9", at=AT - DAY)
    is_graded = Event()

    def correct() -> None:
        with transaction.atomic():
            grade(run, letter.user, percent="0.1", at=AT)
            is_graded.set()
            wait_until(blocks_another)

    def work() -> dict[str, int]:
        is_graded.wait(timeout=60)
        return revalidate(AT - DAY)

    _nothing, outcomes = at_once(correct, work)

    assert outcomes == {"unchanged": 1}
    row = LetterRevalidation.objects.get()
    assert (row.user_id, row.version, row.due_at) == (letter.user_id, 2, AT)
    assert revalidate(AT) == {"suspended": 1}


def test_a_row_that_another_worker_closed_is_not_judged_by_its_old_grace(
    program: Program, run: CourseRun
) -> None:
    """Both read the row; while the second waits for the first, the letter is right, then wrong."""
    (letter,) = issue(program, *graduates(run), at=AT - 9 * DAY)
    grade(run, letter.user, percent="0.1", at=AT - 2 * GRACE)
    has_locked = Event()

    def first() -> None:
        with transaction.atomic():
            ProgramLetterConfiguration.objects.select_for_update().get()
            has_locked.set()
            wait_until(blocks_another)
            grade(run, letter.user, at=AT - DAY)
            held_by = new_run(RunKind.REVALIDATE, by=by_at(AT))
            assert revalidate_page(size=9, run=held_by, by=by_at(AT)).outcomes == {"unchanged": 1}
            grade(run, letter.user, percent="0.1", at=AT)

    def second() -> dict[str, int]:
        has_locked.wait(timeout=60)
        return revalidate(AT)

    _nothing, outcomes = at_once(first, second)

    assert outcomes == {"unchanged": 1}
    assert states(letter) == ["active"]
    assert LetterRevalidation.objects.get().opened_at == AT

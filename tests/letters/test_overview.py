"""How letters stand at a glance, as the start page of staff tells it."""

from datetime import timedelta
from typing import Any

import pytest

from letters.enums import LetterState
from letters.models import LetterRevalidation, ProgramLetter
from letters.selectors import (
    changes_per_day,
    letters_standing,
    overview,
    queue_standing,
    runs_standing,
)
from letters.services import release_run, retire_letters, revoke_letter
from tests.letters.admin.desk import held_run
from tests.letters.factories import (
    DAY,
    HOUR,
    applied,
    by_at,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
    revalidate,
)
from tests.programs.factories import AT, LearnerFactory

pytestmark = pytest.mark.django_db


def test_counts_letters_by_state() -> None:
    held_run()
    program, _run = one_course_program()
    first, *_rest = imported(program, *LearnerFactory.create_batch(3))
    imported(one_course_program()[0], LearnerFactory.create(), is_active=False)
    revoke_letter(letter_uuid=first.uuid, by=by_at(AT))

    by_state = letters_standing().by_state

    assert {state: count.number for state, count in by_state.items()} == {
        LetterState.PENDING: 2,
        LetterState.ACTIVE: 2,
        LetterState.SUSPENDED: 1,
        LetterState.REVOKED: 1,
    }


def test_counts_as_the_table_does() -> None:
    for _ in range(3):
        program, _run = one_course_program()
        imported(program, *LearnerFactory.create_batch(2), is_active=False)
        imported(program, *LearnerFactory.create_batch(3))

    by_state = letters_standing().by_state

    assert {state: count.number for state, count in by_state.items()} == {
        state: ProgramLetter.objects.filter(state=state).count() for state in LetterState
    }


def test_without_letters_there_is_nothing_to_count() -> None:
    standing = letters_standing()

    assert [count.number for count in standing.by_state.values()] == [0, 0, 0, 0]
    assert standing.suspended_because == ()


def test_tells_why_letters_are_suspended_by_kinds() -> None:
    for _ in range(2):
        imported(one_course_program()[0], LearnerFactory.create(), created_on=AT)
    applied(planned())
    imported(one_course_program()[0], LearnerFactory.create(), is_active=False)

    reasons = letters_standing().suspended_because

    assert [(reason.code, reason.count.number) for reason in reasons] == [
        ("core_course", 2),
        ("imported_inactive", 1),
    ]
    assert [reason.words for reason in reasons] == [
        "the core course … is not passed",
        "it came switched off from another system",
    ]


def test_counts_no_further_than_anybody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "LIMIT", 2)
    for _ in range(2):
        imported(one_course_program()[0], *LearnerFactory.create_batch(2))

    assert letters_standing().by_state[LetterState.ACTIVE].number == 3


def test_counts_the_queue_by_what_it_waits_for() -> None:
    program, _run = one_course_program()
    letters = imported(program, *LearnerFactory.create_batch(3))
    LetterRevalidation.objects.all().delete()
    for letter, due_at in zip(letters, (AT, AT + HOUR, AT + DAY), strict=True):
        LetterRevalidation.objects.create(
            user=letter.user, program=program, opened_at=AT, due_at=due_at
        )

    queue = queue_standing(AT)

    assert (queue.due.number, queue.waiting.number, queue.held.number) == (1, 2, 0)


def test_counts_what_a_breaker_holds(settings: Any) -> None:
    settings.LETTER_BREAKER_LIMIT = 0
    program, _run = one_course_program()
    imported(program, *LearnerFactory.create_batch(2))
    LetterRevalidation.objects.all().delete()
    for user_id in program.letters.values_list("user_id", flat=True):
        LetterRevalidation.objects.create(
            user_id=user_id, program=program, opened_at=AT - 2 * DAY, due_at=AT
        )
    assert revalidate(AT) == {"held": 2}

    queue = queue_standing(AT)

    assert (queue.due.number, queue.waiting.number, queue.held.number) == (0, 0, 2)
    assert len(runs_standing(at_most=5).holding) == 1


def test_a_run_waits_for_its_release_and_then_no_more() -> None:
    run = held_run()
    assert runs_standing(at_most=5).holding == (run,)

    release_run(run=run, by=by_at(AT, reason="Looked at."))

    assert runs_standing(at_most=5).holding == ()


def test_only_plans_with_something_to_apply_are_left_to_apply() -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))
    planned()
    assert runs_standing(at_most=5).not_applied == ()

    imported(one_course_program()[0], LearnerFactory.create())
    plan = planned()
    assert runs_standing(at_most=5).not_applied == (plan,)

    applied(plan)
    assert runs_standing(at_most=5).not_applied == ()
    assert runs_standing(at_most=5).applied_in_part == ()


def test_shows_at_most_as_many_runs_as_were_asked_for() -> None:
    runs = [held_run() for _ in range(3)]

    assert runs_standing(at_most=2).holding == tuple(runs[:2])


def test_counts_changes_by_day() -> None:
    program, run = one_course_program()
    first, second, _third = issue(program, *graduates(run, 3), at=AT - DAY)
    imported(one_course_program()[0], LearnerFactory.create(), created_on=AT, at=AT)
    applied(planned())
    revoke_letter(letter_uuid=first.uuid, by=by_at(AT))
    retire_letters(names={second.user_id: [second.recipient_name]}, by=by_at(AT))

    counts = changes_per_day(at=AT + timedelta(seconds=1), days=2)

    assert counts.by_kind == {"issued": (3, 1), "suspended": (0, 1), "revoked": (0, 2)}
    assert counts.begins is None

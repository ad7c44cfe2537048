"""Plan, apply, roll back."""

from collections.abc import Callable

import pytest

from credentials_portal.accounts.models import User
from credentials_portal.core.caps import Cap, CapExceededError
from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.models import OutboxMessage
from letters.enums import Against, LetterState
from letters.models import LetterEvent, LetterValidationResult, LetterValidationRun, ProgramLetter
from letters.selectors import outcome_counts, state_counts
from letters.services import (
    PlanScope,
    apply_page,
    approve_plan,
    check_cap,
    finish_apply,
    finish_plan,
    page_end,
    plan_page,
    preview_apply,
    preview_rollback,
    refresh_letter,
    reinstate_letter,
    require_letters,
    revoke_letter,
    roll_back_page,
    run_by_uuid,
    start_plan,
    start_rollback,
    sweep_program,
    waive_check,
)
from programs.models import CourseRun, Program
from programs.services import include_runs
from tests.letters.conftest import Statements
from tests.letters.factories import (
    BY,
    DAY,
    GRACE,
    HOUR,
    applied,
    by_at,
    empty_queue,
    grade,
    graduates,
    imported,
    issue,
    letters_of,
    one_course_program,
    planned,
    publish_text,
    require,
    revalidate,
    rows,
    states,
    story,
)
from tests.programs.factories import AT, FOUNDED, CourseRunFactory, LearnerFactory

pytestmark = pytest.mark.django_db

LETTERS = ("letters_programletter", "letters_letterevent")


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
def false_letters(program: Program) -> list[ProgramLetter]:
    """Three letters of learners who passed nothing."""
    return imported(program, *LearnerFactory.create_batch(3), at=AT - DAY)


@pytest.fixture
def good(program: Program, run: CourseRun) -> ProgramLetter:
    (letter,) = issue(program, *graduates(run), at=AT - DAY)
    return letter


def roll_back(plan: LetterValidationRun) -> dict[str, int]:
    by = by_at(AT + DAY, reason="A mistake.")
    start_rollback(plan, by=by)
    return dict(roll_back_page(run=plan, size=100, by=by))


# --- Plan --------------------------------------------------------------------------------------


def test_a_plan_changes_no_letter(false_letters: list[ProgramLetter], good: ProgramLetter) -> None:
    before = rows(*LETTERS)

    plan = planned()

    assert rows(*LETTERS) == before
    results = plan.results.order_by("letter_id")
    assert [(one.letter, one.verdict, one.planned_action) for one in results] == [
        *((letter, "invalid", "suspend") for letter in false_letters),
        (good, "valid", "none"),
    ]
    assert (plan.status, plan.counters["total"], plan.counters["invalid"]) == ("done", 4, 3)


def test_a_plan_leaves_revoked_letters_out_unless_asked(
    false_letters: list[ProgramLetter],
) -> None:
    revoke_letter(letter_uuid=false_letters[0].uuid, by=BY)

    usual, asked = planned(), planned(PlanScope(states=(LetterState.REVOKED,)))

    assert usual.results.count() == 2
    assert [(one.letter, one.planned_action) for one in asked.results.all()] == [
        (false_letters[0], "none")
    ]


def test_a_plan_covers_its_scope(program: Program, run: CourseRun, good: ProgramLetter) -> None:
    other_program, _run = one_course_program()
    learners = LearnerFactory.create_batch(3)
    first, second, third = imported(other_program, *learners, created_on=FOUNDED)
    (late,) = imported(other_program, LearnerFactory.create(), created_on=FOUNDED + DAY)
    (early,) = imported(other_program, LearnerFactory.create(), created_on=FOUNDED - DAY)

    def covered(**fields: object) -> set[ProgramLetter]:
        return set(PlanScope(**fields).letters())  # type: ignore[arg-type]  # fields of PlanScope

    assert covered(program_id=program.pk) == {good}
    of_other = {"program_id": other_program.pk}
    assert covered(**of_other, issued_from=FOUNDED) == {first, second, third, late}
    assert covered(**of_other, issued_to=FOUNDED) == {early}
    assert covered(letter_uuids=(second.uuid, good.uuid)) == {second, good}
    assert covered(letter_uuids=()) == set()


def test_a_plan_over_no_letters_is_a_plan(db: None) -> None:
    plan = planned(PlanScope(letter_uuids=()))

    assert (plan.status, plan.counters["total"]) == ("done", 0)


def test_pages_hold_each_letter_once(program: Program) -> None:
    imported(program, *LearnerFactory.create_batch(7))
    scope = PlanScope()
    plan = start_plan(scope, by=BY)
    after: int | None = 0
    sizes = []
    while after is not None:
        upto = page_end(scope, after=after, size=3)
        before = plan.results.count()
        plan_page(run=plan, scope=scope, after=after, upto=upto)
        sizes.append(plan.results.count() - before)
        after = upto

    assert sizes == [3, 3, 1]


def test_a_new_plan_aborts_one_that_was_left_unfinished(good: ProgramLetter) -> None:
    left = start_plan(PlanScope(), by=BY)

    planned()

    left.refresh_from_db()
    assert left.status == "aborted"
    with pytest.raises(ConflictError):
        approve_plan(left, by=BY)


def test_a_plan_against_current_requirements_is_asked_for(
    program: Program, run: CourseRun, good: ProgramLetter
) -> None:
    added = CourseRunFactory.create()
    require(program, run, added, at=AT)

    usual, current = planned(), planned(PlanScope(against=Against.CURRENT))

    assert usual.results.get().planned_action == "none"
    assert current.results.get().failed_checks == [f"core_course:{added.course.key}"]
    assert applied(current) == {"changed": 1}
    assert states(good) == ["suspended"]


def sweep(program: Program) -> int:
    return sweep_program(program.pk, with_new=False, by=by_at(AT + DAY))


def test_no_sweep_lifts_what_current_requirements_suspended(
    program: Program, run: CourseRun, good: ProgramLetter
) -> None:
    added = require(program, run, CourseRunFactory.create(), at=AT)
    plan = planned(PlanScope(against=Against.CURRENT))

    applied(plan)

    assert sweep(program) == 0
    now = ProgramLetter.objects.get(pk=good.pk)
    assert (now.state, now.requirements_version) == ("suspended", added)
    assert roll_back(plan) == {"restored": 1}
    now.refresh_from_db()
    assert (now.state, now.requirements_version) == ("active", good.requirements_version)


def test_no_sweep_suspends_what_current_requirements_lifted(
    program: Program, run: CourseRun, good: ProgramLetter
) -> None:
    grade(run, good.user, percent="0.1")
    other = CourseRunFactory.create()
    grade(other, good.user)
    empty_queue()
    applied(planned())
    relaxed = require(program, other, at=AT)
    empty_queue()
    suspended = ProgramLetter.objects.get(pk=good.pk)
    plan = planned(PlanScope(against=Against.CURRENT))

    applied(plan)

    assert sweep(program) == 0
    now = ProgramLetter.objects.get(pk=good.pk)
    assert (now.state, now.requirements_version) == ("active", relaxed)
    assert (list(now.evidence), now.issued_at) == (
        [f"core_course:{other.course.key}"],
        good.issued_at,
    )
    assert roll_back(plan) == {"restored": 1}
    now.refresh_from_db()
    assert (now.state, now.requirements_version, now.evidence) == (
        "suspended",
        suspended.requirements_version,
        suspended.evidence,
    )


@pytest.mark.parametrize(
    "lift", [lambda: applied(planned()), lambda: revalidate(AT + DAY)], ids=["plan", "queue"]
)
def test_a_lifted_letter_tells_on_what_it_rests_now(
    run: CourseRun, good: ProgramLetter, lift: Callable[[], dict[str, int]]
) -> None:
    grade(run, good.user, percent="0.1")
    applied(planned())
    second = CourseRunFactory.create(course=run.course)
    include_runs(program=good.program, course_run_ids=[second.pk], by=BY)
    grade(second, good.user)

    lift()

    now = ProgramLetter.objects.get(pk=good.pk)
    assert (story(now)[-1][0], now.issued_at) == ("lifted", good.issued_at)
    (proof,) = now.evidence[f"core_course:{run.course.key}"]
    assert proof["run"] == second.key


def test_an_unknown_letter_or_run_is_an_error(good: ProgramLetter) -> None:
    require_letters([good.uuid])

    with pytest.raises(NotFoundError):
        require_letters([good.uuid, LetterValidationRun().uuid])
    with pytest.raises(NotFoundError):
        run_by_uuid(good.uuid)


# --- The cap -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "passes"),
    [
        (Cap(max_percent=75), True),
        (Cap(max_percent=74.9), False),
        (Cap(max_changes=3), True),
        (Cap(max_changes=2), False),
        (Cap(max_changes=0, max_percent=0, is_overridden=True), True),
    ],
)
def test_the_cap_counts_what_the_plan_asks_for(
    false_letters: list[ProgramLetter], good: ProgramLetter, cap: Cap, passes: bool
) -> None:
    plan = planned()

    if passes:
        check_cap(plan, cap=cap)
    else:
        with pytest.raises(CapExceededError):
            check_cap(plan, cap=cap)


def test_a_plan_that_was_applied_passes_any_cap(false_letters: list[ProgramLetter]) -> None:
    plan = planned()
    applied(plan)

    check_cap(plan, cap=Cap(max_changes=0))


def test_pieces_of_a_plan_add_up_under_the_cap(
    run: CourseRun, false_letters: list[ProgramLetter], good: ProgramLetter
) -> None:
    User.objects.filter(pk=good.user_id).update(full_name="")
    plan = approve_plan(planned(), by=BY)
    failing = f"core_course:{run.course.key}"
    check_cap(plan, cap=Cap(max_percent=75), only=failing)
    check_cap(plan, cap=Cap(max_percent=25), only="learner_identity")
    apply_page(run=plan, size=10, by=BY, only=failing)

    check_cap(plan, cap=Cap(max_changes=4), only="learner_identity")
    with pytest.raises(CapExceededError):
        check_cap(plan, cap=Cap(max_changes=3), only="learner_identity")
    with pytest.raises(CapExceededError):
        check_cap(plan, cap=Cap(max_percent=75), only="learner_identity")


# --- Apply -------------------------------------------------------------------------------------


def test_applying_suspends_with_one_event_each_and_sends_nothing(
    run: CourseRun, false_letters: list[ProgramLetter], good: ProgramLetter
) -> None:
    plan = planned()
    actor = LearnerFactory.create()

    approve_plan(plan, by=by_at(AT, actor=actor, reason="False since 2019."))
    apply_page(run=plan, size=10, by=by_at(AT, actor=actor, reason="False since 2019."))

    assert states(*false_letters, good) == ["suspended"] * 3 + ["active"]
    code = f"core_course:{run.course.key}"
    for letter in ProgramLetter.objects.filter(state="suspended"):
        event = letter.events.last()
        assert event
        assert (letter.version, event.letter_version, event.run) == (2, 2, plan)
        assert (event.action, event.reason, event.failed_checks) == ("suspended", code, [code])
        assert (event.actor, event.note, event.automatic) == (actor, "False since 2019.", False)
        assert (letter.state_reason, letter.state_changed_by) == (code, actor)
        assert (letter.state_changed_at, letter.issued_at) == (AT, false_letters[0].issued_at)
        assert event.before == {"state": "active", "state_reason": "", "state_note": ""}
    assert LetterEvent.objects.filter(run=plan).count() == 3
    assert not OutboxMessage.objects.exists()
    assert (state_counts(plan), outcome_counts(plan)) == (
        {"active": 1, "suspended": 3},
        {"changed": 3},
    )


def test_applying_again_changes_nothing(false_letters: list[ProgramLetter]) -> None:
    plan = planned()
    applied(plan)
    by = by_at(AT, actor=LearnerFactory.create(), reason="Again.")
    before = rows()

    again = approve_plan(plan, by=by)
    assert apply_page(run=again, size=10, by=by) == {}
    finish_apply(again)

    assert rows() == before


def test_who_goes_on_without_a_word_leaves_the_approval(
    run: CourseRun, false_letters: list[ProgramLetter]
) -> None:
    first, second = LearnerFactory.create_batch(2)
    plan = planned()

    approve_plan(plan, by=by_at(AT, actor=first, reason="False since 2019."))
    approve_plan(plan, by=by_at(AT, reason=""))
    plan.refresh_from_db()
    assert (plan.approved_by, plan.approval_reason) == (first, "False since 2019.")

    approve_plan(plan, by=by_at(AT, actor=second, reason="All of them."))
    plan.refresh_from_db()
    assert (plan.approved_by, plan.approval_reason) == (second, "All of them.")


def test_a_plan_that_asks_for_nothing_is_not_applied(good: ProgramLetter) -> None:
    plan = planned()

    assert applied(plan) == {}

    plan.refresh_from_db()
    assert (plan.status, plan.approved_by, plan.approval_reason) == ("done", None, "")


def test_every_letter_is_judged_again(
    run: CourseRun, false_letters: list[ProgramLetter], good: ProgramLetter
) -> None:
    completed, revoked, still_false = false_letters
    plan = planned()
    grade(run, completed.user)
    revoke_letter(letter_uuid=revoked.uuid, by=BY)
    empty_queue()

    assert preview_apply(plan, at=AT) == {"changed": 1, "skipped": 2}
    assert applied(plan) == {"changed": 1, "skipped": 2}

    assert states(completed, revoked, still_false) == ["active", "revoked", "suspended"]


def test_a_plan_lifts_and_dates_anew(program: Program, run: CourseRun) -> None:
    (inactive,) = imported(program, *graduates(run), is_active=False)
    (misdated,) = imported(program, *graduates(run), created_on=AT - 999 * DAY)

    assert applied(planned()) == {"changed": 2}

    inactive.refresh_from_db()
    assert (inactive.state, inactive.state_reason) == ("active", "")
    assert story(inactive)[-1] == ("lifted", "active", "imported_inactive")
    before, misdated = misdated, ProgramLetter.objects.get(pk=misdated.pk)
    assert (misdated.uuid, misdated.state, misdated.issued_at) == (before.uuid, "active", AT)
    assert misdated.requirements_version == program.requirements_versions.get()
    assert list(misdated.evidence) == [f"core_course:{run.course.key}"]
    event = misdated.events.last()
    assert event
    assert event.action == "reissued"
    assert event.failed_checks == ["program_started", "evidence_not_after_issue"]
    assert event.before["issued_at"] == (AT - 999 * DAY).isoformat()
    assert applied(planned()) == {}


def test_only_one_check_can_be_applied_first(
    program: Program, run: CourseRun, false_letters: list[ProgramLetter]
) -> None:
    nameless = false_letters[0]
    User.objects.filter(pk=nameless.user_id).update(full_name="")
    plan = approve_plan(planned(), by=BY)

    first = apply_page(run=plan, size=10, by=BY, only="learner_identity")
    finish_apply(plan)
    plan.refresh_from_db()
    status = plan.status
    rest = apply_page(run=plan, size=10, by=BY)
    finish_apply(plan)
    plan.refresh_from_db()

    assert (first, rest) == ({"changed": 1}, {"changed": 2})
    assert (status, plan.status) == ("applying", "applied")
    assert story(nameless)[-1][2] == "learner_identity"


def test_a_letter_that_the_database_refuses_is_told_and_tried_again(
    false_letters: list[ProgramLetter], refuse_letters_of: Callable[..., None]
) -> None:
    plan = planned()
    refuse_letters_of(false_letters[1].user_id)

    assert applied(plan) == {"changed": 2, "failed": 1}
    plan.refresh_from_db()
    assert plan.status == "applied"
    assert preview_apply(plan, at=AT) == {"changed": 1}
    refuse_letters_of()
    assert applied(plan) == {"changed": 1}

    assert states(*false_letters) == ["suspended"] * 3
    assert outcome_counts(plan) == {"changed": 3}


def test_a_plan_does_not_repeat_what_was_rolled_back(false_letters: list[ProgramLetter]) -> None:
    first, second = planned(), planned()
    applied(first)
    roll_back(first)

    assert preview_apply(second, at=AT) == {"skipped": 3}
    assert applied(second) == {"skipped": 3}

    assert states(*false_letters) == ["active"] * 3


@pytest.mark.parametrize("is_named", [False, True])
def test_a_plan_does_not_undo_what_a_person_decided_since(
    run: CourseRun, false_letters: list[ProgramLetter], is_named: bool
) -> None:
    vouched, *others = false_letters
    plan = planned()
    by = by_at(AT, actor=LearnerFactory.create() if is_named else None)
    revoke_letter(letter_uuid=vouched.uuid, by=by)
    grade(run, vouched.user)
    reinstate_letter(letter_uuid=vouched.uuid, by=by)
    grade(run, vouched.user, percent="0.1", at=AT + HOUR)
    assert planned(at=AT + HOUR).results.get(letter=vouched).planned_action == "suspend"

    assert preview_apply(plan, at=AT + HOUR) == {"changed": 2, "skipped": 1}
    assert applied(plan, at=AT + HOUR) == {"changed": 2, "skipped": 1}

    assert states(vouched, *others) == ["active", "suspended", "suspended"]


def test_a_plan_holds_for_what_only_the_portal_changed_since(
    run: CourseRun, good: ProgramLetter
) -> None:
    grade(run, good.user, percent="0.1", at=AT - 2 * GRACE)
    plan = planned()
    revalidate(AT)
    revalidate(AT + GRACE)
    grade(run, good.user, at=AT + GRACE)
    revalidate(AT + GRACE)
    grade(run, good.user, percent="0.1", at=AT + GRACE + HOUR)
    assert [action for action, *_rest in story(good)][-2:] == ["suspended", "lifted"]

    assert preview_apply(plan, at=AT + GRACE + HOUR) == {"changed": 1}
    assert applied(plan, at=AT + GRACE + HOUR) == {"changed": 1}

    assert states(good) == ["suspended"]


def test_a_plan_of_older_rules_is_refused(false_letters: list[ProgramLetter]) -> None:
    plan = planned()
    LetterValidationRun.objects.update(ruleset_version=0)

    with pytest.raises(ConflictError, match="older rules"):
        approve_plan(plan, by=BY)


@pytest.mark.parametrize("status", ["running", "aborted", "rolled_back", "released"])
def test_only_a_finished_plan_is_applied(false_letters: list[ProgramLetter], status: str) -> None:
    plan = planned()
    LetterValidationRun.objects.update(status=status)

    with pytest.raises(ConflictError):
        approve_plan(plan, by=BY)

    assert states(*false_letters) == ["active"] * 3


# --- Roll back ---------------------------------------------------------------------------------


def test_a_rollback_restores_every_value(
    program: Program, run: CourseRun, false_letters: list[ProgramLetter]
) -> None:
    imported(program, *graduates(run), is_active=False)
    imported(program, *graduates(run), created_on=AT - 999 * DAY)
    columns = {"state", "state_reason", "state_note", "issued_at", "evidence"}
    columns |= {"requirements_version", "ruleset_version", "uuid"}
    before = list(ProgramLetter.objects.order_by("pk").values(*columns))
    plan = planned()
    applied(plan)
    changed = list(ProgramLetter.objects.order_by("pk").values(*columns))

    assert preview_rollback(plan) == {"restored": 5}
    assert roll_back(plan) == {"restored": 5}

    assert changed != before
    assert list(ProgramLetter.objects.order_by("pk").values(*columns)) == before
    assert {letter.version for letter in ProgramLetter.objects.all()} == {3}
    assert LetterEvent.objects.filter(run=plan, action="rolled_back").count() == 5
    assert roll_back(plan) == {}


def test_a_rollback_keeps_what_a_person_touched_since(
    run: CourseRun, false_letters: list[ProgramLetter]
) -> None:
    revoked, waived, untouched = false_letters
    plan = planned()
    applied(plan)
    revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT + HOUR, reason="Copied."))
    code = f"core_course:{run.course.key}"
    waive_check(user=waived.user, program_id=waived.program_id, code=code, by=BY)

    assert roll_back(plan) == {"restored": 2, "kept": 1}

    assert states(revoked, waived, untouched) == ["revoked", "active", "active"]
    assert outcome_counts(plan) == {"kept": 1, "restored": 2}


def test_how_a_letter_looks_is_no_touch_to_a_rollback(
    program: Program, false_letters: list[ProgramLetter]
) -> None:
    revoked, renamed, untouched = false_letters
    plan = planned()
    applied(plan)
    revoke_letter(letter_uuid=revoked.uuid, by=by_at(AT + HOUR, reason="Copied."))
    publish_text(program, at=AT + HOUR)
    renamed.user.full_name = "Ada King"
    renamed.user.save()
    refresh_letter(letter_uuid=renamed.uuid, by=by_at(AT + HOUR))

    assert preview_rollback(plan) == {"restored": 2, "kept": 1}
    assert roll_back(plan) == {"restored": 2, "kept": 1}

    assert states(revoked, renamed, untouched) == ["revoked", "active", "active"]


def test_a_letter_that_the_database_refuses_stops_no_rollback(
    false_letters: list[ProgramLetter], refuse_letters_of: Callable[..., None]
) -> None:
    plan = planned()
    applied(plan)
    refuse_letters_of(false_letters[1].user_id)

    assert roll_back(plan) == {"restored": 2, "failed": 1}
    assert states(*false_letters) == ["active", "suspended", "active"]
    assert outcome_counts(plan) == {"restored": 2, "failed": 1}
    assert preview_rollback(plan) == {"restored": 1}
    refuse_letters_of()
    assert roll_back(plan) == {"restored": 1}

    assert states(*false_letters) == ["active"] * 3
    assert outcome_counts(plan) == {"restored": 3}


def test_what_could_not_be_applied_is_not_rolled_back(
    false_letters: list[ProgramLetter], refuse_letters_of: Callable[..., None]
) -> None:
    plan = planned()
    refuse_letters_of(false_letters[1].user_id)
    applied(plan)
    refuse_letters_of()

    assert preview_rollback(plan) == {"restored": 2}
    assert roll_back(plan) == {"restored": 2}

    assert story(false_letters[1])[-1][0] == "imported"
    assert outcome_counts(plan) == {"restored": 2, "failed": 1}


def test_a_plan_that_was_not_applied_is_not_rolled_back(
    false_letters: list[ProgramLetter],
) -> None:
    with pytest.raises(ConflictError):
        start_rollback(planned(), by=BY)


def test_a_rollback_stops_an_application_halfway(false_letters: list[ProgramLetter]) -> None:
    plan = approve_plan(planned(), by=BY)
    apply_page(run=plan, size=1, by=BY)

    assert roll_back(plan) == {"restored": 1}

    with pytest.raises(ConflictError):
        apply_page(run=plan, size=1, by=BY)
    with pytest.raises(ConflictError):
        approve_plan(plan, by=BY)
    assert states(*false_letters) == ["active"] * 3


def test_whoever_completes_later_gets_the_same_letter_with_a_true_date(
    program: Program, run: CourseRun, false_letters: list[ProgramLetter]
) -> None:
    applied(planned())
    former = false_letters[0]
    grade(run, former.user, at=AT + DAY, graded_at=AT)

    assert revalidate(AT + DAY) == {"reissued": 1}

    (letter,) = letters_of(program, former.user)
    assert (letter.uuid, letter.state) == (former.uuid, "active")
    assert (letter.issued_at, letter.created) == (AT + DAY, former.created)


# --- Cost --------------------------------------------------------------------------------------


def test_statements_do_not_grow_with_the_letters(program: Program, statements: Statements) -> None:
    def cost(count: int) -> tuple[int, int, int]:
        letters = imported(program, *LearnerFactory.create_batch(count))
        scope = PlanScope(letter_uuids=tuple(letter.uuid for letter in letters))
        plan = start_plan(scope, by=BY)
        with statements.counted() as texts:
            plan_page(run=plan, scope=scope, after=0, upto=None)
            to_plan = len(texts)
        finish_plan(plan, at=AT, is_complete=True)
        approve_plan(plan, by=BY)
        with statements.counted() as texts:
            assert apply_page(run=plan, size=100, by=BY) == {"changed": count}
            to_apply = len(texts)
        start_rollback(plan, by=BY)
        with statements.counted() as texts:
            assert roll_back_page(run=plan, size=100, by=BY) == {"restored": count}
            to_restore = len(texts)
        return to_plan, to_apply, to_restore

    assert cost(1) == cost(50)
    assert LetterValidationResult.objects.count() == 51

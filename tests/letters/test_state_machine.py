"""Any order of what learners, registrars, operators and time do to the letters of a program."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.core.errors import ConflictError, DomainError
from letters.enums import RunKind
from letters.models import (
    LetterRevalidation,
    LetterValidationRun,
    LetterWaiver,
    ProgramLetter,
)
from letters.selectors import judge, letter_subjects
from letters.services import (
    PlanScope,
    issue_letters,
    new_run,
    reinstate_letter,
    release_run,
    revalidate_page,
    revoke_letter,
    roll_back_page,
    start_rollback,
    sweep_program,
    waive_check,
    withdraw_waiver,
)
from programs.enums import CertificateStatus
from programs.services import (
    CertificateRecord,
    GradeRecord,
    record_course_certificates,
    record_grades,
)
from tests.letters.factories import (
    DAY,
    GRACE,
    applied,
    assert_sound,
    by_at,
    imported,
    planned,
    require,
)
from tests.programs.factories import AT, CourseRunFactory, LearnerFactory, ProgramFactory

LEARNERS = st.integers(0, 3)
RUNS = st.integers(0, 1)


class Letters(RuleBasedStateMachine):
    """One program with two runs; of its four learners the last has an imported letter."""

    @initialize()
    def start(self) -> None:
        self.now = AT
        self.program = ProgramFactory.create()
        self.runs = CourseRunFactory.create_batch(2)
        self.learners = LearnerFactory.create_batch(4)
        require(self.program, self.runs[0], at=self.now)
        imported(self.program, self.learners[3], created_on=AT - DAY)

    # --- What happens ------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 12, 24, 48]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(learner=LEARNERS, run=RUNS, percent=st.sampled_from(["0.1", "0.9"]))
    def grade(self, learner: int, run: int, percent: str) -> None:
        record = GradeRecord(
            self.learners[learner].pk,
            self.runs[run].pk,
            percent_grade=Decimal(percent),
            is_final=True,
            graded_at=self.now,
            lms_last_updated_at=self.now,
        )
        record_grades([record], by=by_at(self.now))

    @rule(learner=LEARNERS, run=RUNS, status=st.sampled_from(CertificateStatus))
    def certify(self, learner: int, run: int, status: CertificateStatus) -> None:
        record = CertificateRecord(
            self.learners[learner].pk, self.runs[run].pk, awarded_at=self.now, status=status
        )
        record_course_certificates([record], by=by_at(self.now))

    @rule(count=st.sampled_from([0, 1, 2]))
    def edit_requirements(self, count: int) -> None:
        require(self.program, *self.runs[:count], at=self.now)

    @rule(learner=LEARNERS, run=RUNS)
    def waive(self, learner: int, run: int) -> None:
        with suppress(DomainError):
            waive_check(
                user=self.learners[learner],
                program_id=self.program.pk,
                code=f"core_course:{self.runs[run].course.key}",
                by=by_at(self.now),
            )

    @rule(learner=LEARNERS)
    def withdraw_waivers(self, learner: int) -> None:
        for waiver in LetterWaiver.objects.filter(user=self.learners[learner], withdrawn_at=None):
            withdraw_waiver(waiver_id=waiver.pk, by=by_at(self.now))

    @rule(learner=LEARNERS)
    def revoke(self, learner: int) -> None:
        for letter in self.letters().filter(user=self.learners[learner]):
            revoke_letter(letter_uuid=letter.uuid, by=by_at(self.now))

    @rule(learner=LEARNERS)
    def reinstate(self, learner: int) -> None:
        for letter in self.letters().filter(user=self.learners[learner]):
            with suppress(ConflictError):
                reinstate_letter(letter_uuid=letter.uuid, by=by_at(self.now))

    @rule()
    def issue(self) -> None:
        run = new_run(RunKind.ISSUE, by=by_at(self.now))
        user_ids = [learner.pk for learner in self.learners]
        issue_letters(program_id=self.program.pk, user_ids=user_ids, run=run, by=by_at(self.now))

    @rule()
    def sweep(self) -> None:
        sweep_program(self.program.pk, with_new=True, by=by_at(self.now))

    @rule()
    def work_off_the_queue(self) -> None:
        run = new_run(RunKind.REVALIDATE, by=by_at(self.now))
        tally = revalidate_page(size=99, run=run, by=by_at(self.now), program_id=self.program.pk)
        assert not tally.errors

    @rule()
    def release(self) -> None:
        pending = self.letters().filter(state="pending").values_list("issue_run", flat=True)
        held = self.queue().exclude(held_by=None).values_list("held_by", flat=True)
        for run in LetterValidationRun.objects.filter(pk__in={*pending, *held}):
            release_run(run=run, by=by_at(self.now))

    @rule(undo=st.booleans())
    def plan_and_apply(self, undo: bool) -> None:
        plan = planned(PlanScope(program_id=self.program.pk), at=self.now)
        outcomes = applied(plan, at=self.now)
        assert outcomes.keys() <= {"changed"}
        if outcomes and undo:
            start_rollback(plan, by=by_at(self.now))
            roll_back_page(run=plan, size=99, by=by_at(self.now))

    # --- What is always true -----------------------------------------------------------------

    @invariant()
    def every_change_has_its_event(self) -> None:
        if self.has_begun():
            assert_sound(self.letters())

    @invariant()
    def a_letter_that_fails_is_known_to_the_queue(self) -> None:
        if self.has_begun():
            failing = self.failing(self.letters().exclude(issued_via="import"))
            queued = set(self.queue().values_list("user_id", flat=True))
            assert failing <= queued

    @invariant()
    def nothing_waits_longer_than_its_grace(self) -> None:
        if self.has_begun():
            for row in self.queue().filter(held_by=None):
                assert row.due_at is not None
                assert row.due_at <= max(self.now, row.opened_at + GRACE)

    def teardown(self) -> None:
        """Whatever happened: once all is swept, waited for and released, letters say the truth."""
        if not self.has_begun():
            return
        for _night in range(2):
            self.sweep()
            self.work_off_the_queue()
            self.now += 2 * GRACE
        self.work_off_the_queue()
        self.release()
        assert not self.queue().exists()
        assert not self.failing(self.letters())
        lifted = self.letters().filter(state="suspended")
        assert not [one for one in self.judged(lifted) if one.is_valid]

    # --- Looking -----------------------------------------------------------------------------

    def has_begun(self) -> bool:
        return hasattr(self, "learners")

    def letters(self) -> Any:
        return ProgramLetter.objects.filter(program=self.program)

    def queue(self) -> Any:
        return LetterRevalidation.objects.filter(program=self.program)

    def judged(self, letters: Any) -> Sequence[Any]:
        at: datetime = self.now
        return judge(letter_subjects(letters), at=at)

    def failing(self, letters: Any) -> set[int]:
        """Holders of active letters that fail; what a rollback put back waits for the sweep."""
        restored = {
            letter.user_id
            for letter in letters.filter(state="active")
            if letter.events.last().action == "rolled_back"
        }
        judged = self.judged(letters.filter(state="active"))
        return {one.user_id for one in judged if one.verdict == "invalid"} - restored


@pytest.mark.django_db
def test_letters_say_the_truth_in_any_history(settings: Any) -> None:
    settings.LETTER_BREAKER_LIMIT = 2
    run_state_machine_as_test(Letters, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=500 if os.environ.get("FULL") else 25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

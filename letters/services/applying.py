"""A plan is applied and rolled back, under a person's eyes and a cap."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.caps import Cap
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters import selectors
from letters.enums import (
    APPEARANCE,
    RULESET_VERSION,
    Against,
    LetterAction,
    Outcome,
    PlannedAction,
    RunKind,
    RunStatus,
)
from letters.models import (
    LetterEvent,
    LetterValidationResult,
    LetterValidationRun,
    ProgramLetter,
)
from letters.services.changes import change_for
from letters.services.planning import read_verdicts
from letters.services.writing import LASTING, Change, write_changes

logger = logging.getLogger(__name__)

MAX_PERCENT = 5.0
"""How much of a plan is applied without somebody saying that they have read the report."""

PREVIEWED_AT_ONCE = 5_000

APPLICABLE = (RunStatus.DONE, RunStatus.APPLYING, RunStatus.APPLIED)
ROLLBACKABLE = (RunStatus.APPLYING, RunStatus.APPLIED, RunStatus.ROLLED_BACK)

PERSONS_ACTIONS = (
    LetterAction.RELEASED,
    LetterAction.REVOKED,
    LetterAction.REINSTATED,
    LetterAction.ROLLED_BACK,
)
"""Only a person does these, also where a command was not told who."""


def require_applicable(run: LetterValidationRun, only: str | None = None) -> None:
    """Raise `ConflictError` for a run that is no finished plan, or that has no check `only`."""
    if run.kind != RunKind.PLAN or run.status not in APPLICABLE:
        raise ConflictError(f"Run {run.uuid} ({run.kind}, {run.status}) is no plan to apply.")
    if run.ruleset_version != RULESET_VERSION:
        raise ConflictError(f"Run {run.uuid} was planned by older rules: make a new plan.")
    if only is not None and not _selected(run, only).exists():
        raise ConflictError(f"No letter of run {run.uuid} fails the check {only}.")


def require_rollbackable(run: LetterValidationRun) -> None:
    """Raise `ConflictError` for a run that is no plan, or of which nothing was ever applied."""
    if run.status not in ROLLBACKABLE:
        raise ConflictError(f"Run {run.uuid} ({run.kind}, {run.status}) was not applied.")


def check_cap(run: LetterValidationRun, *, cap: Cap, only: str | None = None) -> None:
    """Raise `CapExceededError` if the plan would have changed more than the cap lets pass.

    Counted is what it changed before and what is left to do now, of all letters in it, so that
    pieces add up; with nothing left to do it passes.
    """
    cap.check(planned_changes(run, only), of=run.results.count())


def planned_changes(run: LetterValidationRun, only: str | None = None) -> int:
    """How many letters the plan has changed and would change yet; 0 with nothing left to do."""
    left = left_to_apply(run, only).count()
    return left and left + run.results.filter(outcome=Outcome.CHANGED).count()


@transaction.atomic
def approve_plan(
    run: LetterValidationRun, *, by: Attribution, only: str | None = None
) -> LetterValidationRun:
    """Let the plan be applied, and what failed before be tried again.

    Writes nothing where nothing is left to do; who approved it before, and why, stands until
    somebody else says so. Raises `ConflictError` (see `require_applicable`).
    """
    run = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    require_applicable(run, only)
    left = left_to_apply(run, only)
    if left.exists():
        run.status = RunStatus.APPLYING
        run.approved_by = by.actor or run.approved_by
        run.approval_reason = by.reason or run.approval_reason
        run.save(update_fields=["status", "approved_by", "approval_reason"])
        left.filter(outcome=Outcome.FAILED).update(outcome=Outcome.OPEN)
    return run


@retry_conflicts
@transaction.atomic
def apply_page(
    *,
    run: LetterValidationRun,
    size: int,
    by: Attribution,
    only: str | None = None,
    notify: bool = False,
) -> Counter[str]:
    """Apply the next page of an approved plan; an empty count says that nothing is left.

    Every letter is locked and judged again; it is skipped if another action fits now than the
    one planned, or if a person decided about it since. With `notify`, the holders of letters
    that are withdrawn are told, if they could have seen them. Counts by `Outcome`.
    """
    letters_left = _open(run, only)
    if not letters_left.exists():
        return Counter()
    _lock_run(run, RunStatus.APPLYING)
    letter_ids = list(letters_left.order_by("letter_id").values_list("letter_id", flat=True)[:size])
    outcomes: Counter[str] = Counter()

    def fail(letter_id: int, error: Exception) -> None:
        logger.error("letter could not be changed", extra={"letter": letter_id}, exc_info=error)
        _set_outcome(run, [letter_id], Outcome.FAILED)
        outcomes[Outcome.FAILED] += 1

    def work(ids: Sequence[int]) -> Counter[str]:
        return _apply_to(ids, run=run, by=by, notify=notify)

    for tally in in_halves(letter_ids, work, failed=fail):
        outcomes += tally
    return outcomes


def preview_apply(
    run: LetterValidationRun, *, at: datetime, only: str | None = None
) -> Counter[str]:
    """What applying the plan would do now; writes and locks nothing."""
    left = left_to_apply(run, only)
    planned = dict(left.values_list("letter_id", "planned_action"))
    # By their keys: judged through a subquery over the results of a plan that was made just now,
    # of which the planner knows nothing yet, a thousand letters take minutes.
    undecided = list(left.filter(~Exists(_decisions_since())).values_list("letter_id", flat=True))
    now = {
        letter_id: action
        for start in range(0, len(undecided), PREVIEWED_AT_ONCE)
        for letter_id, _verdict, _failed, action in read_verdicts(
            ProgramLetter.objects.filter(pk__in=undecided[start : start + PREVIEWED_AT_ONCE]),
            at=at,
            against=Against(run.against),
        )
    }
    return Counter(
        Outcome.CHANGED if now.get(letter_id) == action else Outcome.SKIPPED
        for letter_id, action in planned.items()
    )


def finish_apply(run: LetterValidationRun) -> None:
    """Close the application of a plan, unless pieces of it were left for later."""
    LetterValidationRun.objects.filter(
        ~Exists(_open(run, None)), pk=run.pk, status=RunStatus.APPLYING
    ).update(status=RunStatus.APPLIED)


@transaction.atomic
def start_rollback(run: LetterValidationRun, *, by: Attribution) -> None:
    """Stop the application of a plan for good, so that it can be undone.

    What an earlier rollback failed to put back is tried again. Raises `ConflictError`.
    """
    run = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    require_rollbackable(run)
    run.status = RunStatus.ROLLED_BACK
    run.finished_at = by.at
    run.save(update_fields=["status", "finished_at"])
    _to_roll_back(run).filter(outcome=Outcome.FAILED).update(outcome=Outcome.CHANGED)


@retry_conflicts
@transaction.atomic
def roll_back_page(*, run: LetterValidationRun, size: int, by: Attribution) -> Counter[str]:
    """Put the next page of changed letters back; an empty count says that nothing is left.

    A letter that anybody touched since the plan was applied is kept as it is. One that the
    database refuses stays as well, until the next rollback. Counts by `Outcome`.
    """
    _lock_run(run, RunStatus.ROLLED_BACK)
    letter_ids = list(
        run.results.filter(outcome=Outcome.CHANGED)
        .order_by("letter_id")
        .values_list("letter_id", flat=True)[:size]
    )
    outcomes: Counter[str] = Counter()

    def fail(letter_id: int, error: Exception) -> None:
        logger.error("letter could not be put back", extra={"letter": letter_id}, exc_info=error)
        run.results.filter(letter_id=letter_id).update(outcome=Outcome.FAILED)
        outcomes[Outcome.FAILED] += 1

    for tally in in_halves(letter_ids, lambda ids: _roll_back(ids, run=run, by=by), failed=fail):
        outcomes += tally
    return +outcomes


def preview_rollback(run: LetterValidationRun) -> Counter[str]:
    """What a rollback would do now; writes and locks nothing."""
    touched = _to_roll_back(run).values_list(Exists(_touches_since()), flat=True)
    return Counter(Outcome.KEPT if is_touched else Outcome.RESTORED for is_touched in touched)


def _to_roll_back(run: LetterValidationRun) -> "QuerySet[LetterValidationResult]":
    """What the plan changed and nobody came to put back, failures included."""
    return run.results.filter(applied_version__isnull=False)


def _selected(run: LetterValidationRun, only: str | None) -> "QuerySet[LetterValidationResult]":
    results = run.results.all()
    return results if only is None else results.filter(failed_checks__contains=[only])


def left_to_apply(
    run: LetterValidationRun, only: str | None = None
) -> "QuerySet[LetterValidationResult]":
    """What is left to do, failures included."""
    return (
        _selected(run, only)
        .filter(outcome__in=[Outcome.OPEN, Outcome.FAILED])
        .exclude(planned_action=PlannedAction.NONE)
    )


def _open(run: LetterValidationRun, only: str | None) -> "QuerySet[LetterValidationResult]":
    """What the application of a plan has not come to."""
    return left_to_apply(run, only).filter(outcome=Outcome.OPEN)


def _decisions_since() -> "QuerySet[LetterEvent]":
    """What people did to the letter of a result after it was planned."""
    return LetterEvent.objects.filter(
        ~Q(action__in=APPEARANCE),
        Q(actor__isnull=False) | Q(action__in=PERSONS_ACTIONS),
        letter_id=OuterRef("letter_id"),
        letter_version__gt=OuterRef("letter_version"),
    )


def _touches_since() -> "QuerySet[LetterEvent]":
    """What became of the letter of a result after the plan changed it, but for how it looks."""
    return LetterEvent.objects.exclude(action__in=APPEARANCE).filter(
        letter_id=OuterRef("letter_id"), letter_version__gt=OuterRef("applied_version")
    )


def _lock_run(run: LetterValidationRun, status: RunStatus) -> None:
    """Two processes on one run take turns, and stop when the run's status moved on."""
    locked = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if locked.status != status:
        raise ConflictError(f"Run {run.uuid} is {locked.status} now.")


def _lock_letters(letter_ids: Any) -> "QuerySet[ProgramLetter]":
    return (
        ProgramLetter.objects.filter(pk__in=letter_ids)
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    )


def _apply_to(
    letter_ids: Sequence[int], *, run: LetterValidationRun, by: Attribution, notify: bool
) -> Counter[str]:
    letters = {(letter.user_id, letter.program_id): letter for letter in _lock_letters(letter_ids)}
    planned = dict(
        run.results.filter(~Exists(_decisions_since()), letter_id__in=letter_ids).values_list(
            "letter_id", "planned_action"
        )
    )
    against = Against(run.against)
    judged = selectors.judge(
        selectors.letter_subjects(ProgramLetter.objects.filter(pk__in=planned)),
        at=by.at,
        against=against,
        with_evidence=any(action != PlannedAction.SUSPEND for action in planned.values()),
    )
    changes = []
    for judgement in judged:
        letter = letters[judgement.user_id, judgement.program_id]
        if judgement.planned_action == planned[letter.pk]:
            changes.append(change_for(letter, judgement, by=by, against=against))
    write_changes(changes, by=by, run=run, notify=notify)
    changed = [change.letter.pk for change in changes]
    skipped = sorted(set(letter_ids) - set(changed))
    _set_outcome(run, changed, Outcome.CHANGED)
    _set_outcome(run, skipped, Outcome.SKIPPED)
    return Counter({Outcome.CHANGED: len(changed), Outcome.SKIPPED: len(skipped)})


def _roll_back(
    letter_ids: Sequence[int], *, run: LetterValidationRun, by: Attribution
) -> Counter[str]:
    letters = list(_lock_letters(letter_ids))
    applied = dict(
        run.results.filter(letter_id__in=letter_ids).values_list("letter_id", "applied_version")
    )
    before = {
        event.letter_id: event.before
        for event in LetterEvent.objects.filter(run=run, letter_id__in=letter_ids)
        if event.letter_version == applied[event.letter_id]
    }
    touched = set(
        run.results.filter(Exists(_touches_since()), letter_id__in=letter_ids).values_list(
            "letter_id", flat=True
        )
    )
    untouched = [letter for letter in letters if letter.pk not in touched]
    action = LetterAction.ROLLED_BACK
    write_changes(
        [
            Change(letter, action, values=_undone(before[letter.pk]), reason=action)
            for letter in untouched
        ],
        by=by,
        run=run,
    )
    restored = [letter.pk for letter in untouched]
    kept = sorted(set(letter_ids) - set(restored))
    _set_outcome(run, restored, Outcome.RESTORED)
    _set_outcome(run, kept, Outcome.KEPT)
    return Counter({Outcome.RESTORED: len(restored), Outcome.KEPT: len(kept)})


def _undone(before: Mapping[str, Any]) -> dict[str, Any]:
    """Old values to put back. Who has seen the letter has seen it."""
    return {name: value for name, value in before.items() if name not in LASTING}


def _set_outcome(run: LetterValidationRun, letter_ids: Sequence[int], outcome: Outcome) -> None:
    version = ProgramLetter.objects.filter(pk=OuterRef("letter_id")).values("version")
    if letter_ids:
        run.results.filter(letter_id__in=letter_ids).update(
            outcome=outcome,
            applied_version=Subquery(version) if outcome == Outcome.CHANGED else None,
        )

"""Plan, apply, roll back: many letters are judged and changed under a person's eyes."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.caps import Cap
from credentials_portal.core.errors import ConflictError, NotFoundError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters import selectors
from letters.enums import (
    RULESET_VERSION,
    Against,
    LetterAction,
    LetterState,
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
from letters.selectors import Judgement
from letters.services.writing import Change, write_changes

logger = logging.getLogger(__name__)

ACTIONS = {
    PlannedAction.SUSPEND: LetterAction.SUSPENDED,
    PlannedAction.LIFT: LetterAction.LIFTED,
    PlannedAction.REISSUE: LetterAction.REISSUED,
}


@dataclass(frozen=True)
class PlanScope:
    """Which letters a plan judges. Revoked ones, a person's decision, only when asked for."""

    program_id: int | None = None
    states: tuple[LetterState, ...] = (
        LetterState.PENDING,
        LetterState.ACTIVE,
        LetterState.SUSPENDED,
    )
    issued_from: datetime | None = None
    issued_to: datetime | None = None
    letter_uuids: tuple[UUID, ...] | None = None
    against: Against = Against.ISSUE

    def letters(self) -> "QuerySet[ProgramLetter]":
        letters = ProgramLetter.objects.filter(state__in=self.states)
        if self.program_id is not None:
            letters = letters.filter(program_id=self.program_id)
        if self.issued_from is not None:
            letters = letters.filter(issued_at__gte=self.issued_from)
        if self.issued_to is not None:
            letters = letters.filter(issued_at__lt=self.issued_to)
        if self.letter_uuids is not None:
            letters = letters.filter(uuid__in=self.letter_uuids)
        return letters


@dataclass
class PlanTally:
    """How many letters a plan judged, by verdict, failed check and planned action."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.verdicts.total()


def require_letters(letter_uuids: Collection[UUID]) -> None:
    """Raise `NotFoundError` when there is no letter of one of these uuids."""
    letters = ProgramLetter.objects.filter(uuid__in=letter_uuids)
    unknown = set(letter_uuids) - set(letters.values_list("uuid", flat=True))
    if unknown:
        raise NotFoundError(f"There is no letter {min(unknown)}.")


def start_plan(scope: PlanScope, *, by: Attribution) -> LetterValidationRun:
    """Open a plan; plans of the same kind that were left unfinished are closed as aborted."""
    LetterValidationRun.objects.filter(kind=RunKind.PLAN, status=RunStatus.RUNNING).update(
        status=RunStatus.ABORTED, finished_at=by.at
    )
    return LetterValidationRun.objects.create(
        kind=RunKind.PLAN,
        against=scope.against,
        as_of=by.at,
        started_at=by.at,
        requested_by=by.actor,
        scope={name: value for name, value in vars(scope).items() if value is not None},
    )


def page_end(scope: PlanScope, *, after: int, size: int) -> int | None:
    """Primary key of the last letter of the page that follows `after`; None: the last page."""
    keys = scope.letters().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    return keys[size - 1 : size].first()


@retry_conflicts
@transaction.atomic
def plan_page(*, run: LetterValidationRun, scope: PlanScope, after: int, upto: int | None) -> None:
    """Judge a page of letters and store the results, in one statement; no letter changes."""
    judged = selectors.judged_letters(
        _page(scope, after, upto), at=run.as_of, against=Against(run.against)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO letters_lettervalidationresult (run_id, letter_id, letter_version, state,"  # noqa: S608 - composed of constants
            " verdict, failed_checks, planned_action, outcome)"
            " SELECT %s, letter_id, version, state, verdict, failed_checks, planned_action, ''"
            f" FROM ({judged.sql}) AS judged",
            [run.pk, *judged.params],
        )


def preview_page(
    *, scope: PlanScope, after: int, upto: int | None, at: datetime
) -> list[tuple[int, str, list[str], str]]:
    """What a page of a plan would say: letter id, verdict, failed checks, planned action."""
    return _verdicts(_page(scope, after, upto), at=at, against=scope.against)


def finish_plan(run: LetterValidationRun, *, at: datetime, is_complete: bool) -> PlanTally:
    """Close a plan with its counts. One that is not complete cannot be applied."""
    tally = tally_of(run)
    run.status = RunStatus.DONE if is_complete else RunStatus.ABORTED
    run.finished_at = at
    run.counters = {"total": tally.total, **tally.verdicts, "reasons": dict(tally.reasons)}
    run.save(update_fields=["status", "finished_at", "counters"])
    return tally


def tally_of(run: LetterValidationRun) -> PlanTally:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdict, planned_action, failed_checks, count(*)"
            " FROM letters_lettervalidationresult WHERE run_id = %s GROUP BY 1, 2, 3",
            [run.pk],
        )
        tally = PlanTally()
        for verdict, action, failed_checks, count in cursor.fetchall():
            tally.verdicts[verdict] += count
            tally.actions[action] += count
            for code in failed_checks:
                tally.reasons[code] += count
        return tally


def check_cap(run: LetterValidationRun, *, cap: Cap, only: str | None = None) -> None:
    """Raise `CapExceededError` if the plan asks for more than the cap lets pass.

    Counted are all changes that the plan asks for, made or not, of all letters in it; a plan
    with nothing left to do passes.
    """
    if _to_apply(run, only).exists():
        planned = _selected(run, only).exclude(planned_action=PlannedAction.NONE).count()
        cap.check(planned, of=run.results.count())


@transaction.atomic
def approve_plan(run: LetterValidationRun, *, by: Attribution) -> LetterValidationRun:
    """Let the plan be applied, and what failed before be tried again.

    Raises `ConflictError` for a run that is not a finished plan.
    """
    run = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if run.kind != RunKind.PLAN or run.status not in {
        RunStatus.DONE,
        RunStatus.APPLYING,
        RunStatus.APPLIED,
    }:
        raise ConflictError(f"Run {run.uuid} ({run.kind}, {run.status}) is no plan to apply.")
    if run.ruleset_version != RULESET_VERSION:
        raise ConflictError(f"Run {run.uuid} was planned by older rules: make a new plan.")
    run.status = RunStatus.APPLYING
    run.approved_by = by.actor
    run.approval_reason = by.reason
    run.save(update_fields=["status", "approved_by", "approval_reason"])
    run.results.filter(outcome=Outcome.FAILED).update(outcome=Outcome.OPEN)
    return run


@retry_conflicts
@transaction.atomic
def apply_page(
    *, run: LetterValidationRun, size: int, by: Attribution, only: str | None = None
) -> Counter[str]:
    """Apply the next page of an approved plan; an empty count says that nothing is left.

    Every letter is locked and judged again; one for which another action fits now than the one
    planned is skipped. Counts by `Outcome`.
    """
    _lock_run(run, RunStatus.APPLYING)
    letter_ids = list(
        _to_apply(run, only)
        .filter(outcome=Outcome.OPEN)
        .order_by("letter_id")
        .values_list("letter_id", flat=True)[:size]
    )
    outcomes: Counter[str] = Counter()

    def fail(letter_id: int, error: Exception) -> None:
        logger.error("letter could not be changed", extra={"letter": letter_id}, exc_info=error)
        _set_outcome(run, [letter_id], Outcome.FAILED)
        outcomes[Outcome.FAILED] += 1

    for tally in in_halves(letter_ids, lambda ids: _apply_to(ids, run=run, by=by), failed=fail):
        outcomes += tally
    return outcomes


def preview_apply(
    run: LetterValidationRun, *, at: datetime, only: str | None = None
) -> Counter[str]:
    """What applying the plan would do now; writes and locks nothing."""
    planned = dict(_to_apply(run, only).values_list("letter_id", "planned_action"))
    letters = ProgramLetter.objects.filter(pk__in=planned)
    now = {
        letter_id: action
        for letter_id, _verdict, _failed, action in _verdicts(
            letters, at=at, against=Against(run.against)
        )
    }
    return Counter(
        Outcome.CHANGED if now.get(letter_id) == action else Outcome.SKIPPED
        for letter_id, action in planned.items()
    )


@transaction.atomic
def finish_apply(run: LetterValidationRun) -> None:
    LetterValidationRun.objects.filter(pk=run.pk, status=RunStatus.APPLYING).update(
        status=RunStatus.APPLIED
    )


@transaction.atomic
def start_rollback(run: LetterValidationRun, *, by: Attribution) -> None:
    """Stop the application of a plan for good, so that it can be undone."""
    run = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    if run.status not in {RunStatus.APPLYING, RunStatus.APPLIED, RunStatus.ROLLED_BACK}:
        raise ConflictError(f"Run {run.uuid} ({run.kind}, {run.status}) was not applied.")
    run.status = RunStatus.ROLLED_BACK
    run.finished_at = by.at
    run.save(update_fields=["status", "finished_at"])


@retry_conflicts
@transaction.atomic
def roll_back_page(*, run: LetterValidationRun, size: int, by: Attribution) -> Counter[str]:
    """Put the next page of changed letters back; an empty count says that nothing is left.

    A letter that anybody touched since the plan was applied is kept as it is.
    """
    _lock_run(run, RunStatus.ROLLED_BACK)
    applied = dict(
        run.results.filter(outcome=Outcome.CHANGED)
        .order_by("letter_id")
        .values_list("letter_id", "applied_version")[:size]
    )
    letters = list(_lock_letters(applied))
    events = {
        event.letter_id: event
        for event in LetterEvent.objects.filter(run=run, letter_id__in=applied)
        if event.letter_version == applied[event.letter_id]
    }
    untouched = [letter for letter in letters if letter.version == applied[letter.pk]]
    write_changes(
        [
            Change(
                letter,
                LetterAction.ROLLED_BACK,
                values=events[letter.pk].before,
                reason=LetterAction.ROLLED_BACK,
            )
            for letter in untouched
        ],
        by=by,
        run=run,
    )
    restored = [letter.pk for letter in untouched]
    kept = [letter.pk for letter in letters if letter.version != applied[letter.pk]]
    _set_outcome(run, restored, Outcome.RESTORED)
    _set_outcome(run, kept, Outcome.KEPT)
    outcomes: Counter[str] = Counter({Outcome.RESTORED: len(restored), Outcome.KEPT: len(kept)})
    return +outcomes


def preview_rollback(run: LetterValidationRun) -> Counter[str]:
    """What a rollback would do now; writes and locks nothing."""
    pairs = run.results.filter(outcome=Outcome.CHANGED).values_list(
        "applied_version", "letter__version"
    )
    return Counter(
        Outcome.RESTORED if applied == version else Outcome.KEPT for applied, version in pairs
    )


def run_by_uuid(uuid: UUID) -> LetterValidationRun:
    """Raises `NotFoundError`."""
    run = LetterValidationRun.objects.filter(uuid=uuid).first()
    if run is None:
        raise NotFoundError(f"There is no run {uuid}.")
    return run


def _page(scope: PlanScope, after: int, upto: int | None) -> "QuerySet[ProgramLetter]":
    letters = scope.letters().filter(pk__gt=after)
    return letters if upto is None else letters.filter(pk__lte=upto)


def _selected(run: LetterValidationRun, only: str | None) -> "QuerySet[LetterValidationResult]":
    results = run.results.all()
    return results if only is None else results.filter(failed_checks__contains=[only])


def _to_apply(run: LetterValidationRun, only: str | None) -> "QuerySet[LetterValidationResult]":
    """What is left to do, failures included."""
    return (
        _selected(run, only)
        .filter(outcome__in=[Outcome.OPEN, Outcome.FAILED])
        .exclude(planned_action=PlannedAction.NONE)
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


def _verdicts(
    letters: "QuerySet[ProgramLetter]", *, at: datetime, against: Against
) -> list[tuple[int, str, list[str], str]]:
    judged = selectors.judged_letters(letters, at=at, against=against)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter_id, verdict, failed_checks, planned_action"  # noqa: S608 - composed of constants
            f" FROM ({judged.sql}) AS judged ORDER BY letter_id",
            judged.params,
        )
        return list(cursor.fetchall())


def _apply_to(
    letter_ids: Sequence[int], *, run: LetterValidationRun, by: Attribution
) -> Counter[str]:
    letters = {(letter.user_id, letter.program_id): letter for letter in _lock_letters(letter_ids)}
    planned = dict(
        run.results.filter(letter_id__in=letter_ids, outcome=Outcome.OPEN).values_list(
            "letter_id", "planned_action"
        )
    )
    judged = selectors.judge(
        selectors.letter_subjects(ProgramLetter.objects.filter(pk__in=planned)),
        at=by.at,
        against=Against(run.against),
        with_evidence=PlannedAction.REISSUE in planned.values(),
    )
    changes = []
    for judgement in judged:
        letter = letters[judgement.user_id, judgement.program_id]
        if judgement.planned_action == planned[letter.pk]:
            changes.append(change_for(letter, judgement, by=by))
    write_changes(changes, by=by, run=run)
    changed = [change.letter.pk for change in changes]
    skipped = sorted(set(planned) - set(changed))
    _set_outcome(run, changed, Outcome.CHANGED)
    _set_outcome(run, skipped, Outcome.SKIPPED)
    return Counter({Outcome.CHANGED: len(changed), Outcome.SKIPPED: len(skipped)})


def change_for(
    letter: ProgramLetter, judgement: Judgement, *, by: Attribution, automatic: bool = False
) -> Change:
    """The change that a judgement asks for; `judgement.planned_action` is not `none`."""
    values: dict[str, Any]
    if judgement.planned_action == PlannedAction.SUSPEND:
        values = {"state": LetterState.SUSPENDED, "state_reason": judgement.reason}
    else:
        values = {"state": LetterState.ACTIVE, "state_reason": ""}
    if judgement.planned_action == PlannedAction.REISSUE:
        values |= {"issued_at": by.at, **grounds(judgement)}
    return Change(
        letter,
        ACTIONS[judgement.planned_action],
        values=values | {"state_note": by.reason},
        reason=judgement.reason or letter.state_reason,
        failed_checks=judgement.failed_checks,
        automatic=automatic,
    )


def grounds(judgement: Judgement) -> dict[str, Any]:
    """What a letter keeps of the judgement that it rests on."""
    return {
        "requirements_version_id": judgement.deciding_version_id,
        "ruleset_version": RULESET_VERSION,
        "evidence": judgement.evidence,
    }


def _set_outcome(run: LetterValidationRun, letter_ids: Sequence[int], outcome: Outcome) -> None:
    version = ProgramLetter.objects.filter(pk=OuterRef("letter_id")).values("version")
    if letter_ids:
        run.results.filter(letter_id__in=letter_ids).update(
            outcome=outcome,
            applied_version=Subquery(version) if outcome == Outcome.CHANGED else None,
        )

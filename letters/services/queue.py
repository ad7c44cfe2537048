"""Letters that must be looked at again, and what the portal then does by itself."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from credentials_portal.core.bisect import in_halves
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from credentials_portal.core.sql import Fragment
from letters import selectors
from letters.enums import (
    IMPORTED_INACTIVE,
    IssuedVia,
    LetterAction,
    LetterState,
    PlannedAction,
    RunKind,
    RunStatus,
)
from letters.models import LetterRevalidation, LetterValidationRun, ProgramLetter
from letters.selectors import Judgement
from letters.services.breaker import Breaker, lock_breaker, read_breaker
from letters.services.changes import change_for, grounds
from letters.services.issuing import draft_letters, save_run
from letters.services.writing import Change, NewLetter, create_letters, write_changes
from programs import selectors as programs

logger = logging.getLogger(__name__)

RETRY_AFTER = timedelta(minutes=15)


OPEN = """
    INSERT INTO letters_letterrevalidation
        (user_id, program_id, version, cause, opened_at, due_at, attempts)
    SELECT user_id, program_id, 1, %s, %s, %s, 0
    FROM ({pairs}) AS pair ORDER BY user_id, program_id
    ON CONFLICT (user_id, program_id) DO {otherwise}
"""
COALESCE = """UPDATE SET version = letters_letterrevalidation.version + 1,
    cause = EXCLUDED.cause, due_at = EXCLUDED.due_at"""


def open_revalidations(pairs: Iterable[tuple[int, int]], *, cause: str, at: datetime) -> None:
    """Queue learners, as (user_id, program_id), in one statement; `cause`: see `describe_cause`.

    Events about a learner who is queued already coalesce: the grace goes on counting from the
    first one, the version goes up. A held row becomes due again, and stays held.
    """
    distinct = set(pairs)
    users, of_programs = [user for user, _ in distinct], [program for _, program in distinct]
    _open(
        Fragment(
            "SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS given (user_id, program_id)",
            (users, of_programs),
        ),
        cause=cause,
        at=at,
    )


def open_revalidations_of_program(program_id: int, *, cause: str, at: datetime) -> None:
    """Queue everybody whom a change of the whole program may concern, in one statement."""
    learners = programs.program_learners(Fragment("SELECT %s::bigint", (program_id,)))
    letters = Fragment.of(
        ProgramLetter.objects.filter(program_id=program_id).values_list("user_id", "program_id")
    )
    _open(
        Fragment(
            f"SELECT * FROM ({learners.sql}) AS learner UNION {letters.sql}",  # noqa: S608 - composed of constants
            (*learners.params, *letters.params),
        ),
        cause=cause,
        at=at,
    )


@retry_conflicts
@transaction.atomic
def sweep_program(program_id: int, *, with_new: bool, by: Attribution) -> int:
    """Queue the learners of a program whose letter is out of step; returns how many are new.

    Finds what no signal told: raw SQL, bulk imports, the mere passing of a date.
    """
    pairs = selectors.letters_out_of_step(program_id, with_new=with_new, at=by.at)
    return _open(pairs, cause=f"sweep:{by.cause}", at=by.at, otherwise="NOTHING")


def preview_sweep(program_id: int, *, with_new: bool, by: Attribution) -> list[LetterRevalidation]:
    """The rows that `sweep_program` would open now; none is saved."""
    user_ids = selectors.learners_to_queue(program_id, with_new=with_new, at=by.at)
    return [
        LetterRevalidation(user_id=user_id, program_id=program_id, opened_at=by.at, due_at=by.at)
        for user_id in user_ids
    ]


@dataclass
class RevalidationTally:
    """What revalidating did, by what became of the letter."""

    outcomes: Counter[str] = field(default_factory=Counter)
    errors: int = 0


def due_revalidations(
    at: datetime, program_id: int | None = None
) -> "QuerySet[LetterRevalidation]":
    rows = LetterRevalidation.objects.filter(due_at__lte=at)
    return rows if program_id is None else rows.filter(program_id=program_id)


def revalidate_page(
    *, size: int, run: LetterValidationRun, by: Attribution, program_id: int | None = None
) -> RevalidationTally:
    """Look at the next due rows, one transaction for each program; an empty tally: none is due.

    What a breaker stops is held by `run`, which is saved then.
    """
    rows = list(due_revalidations(by.at, program_id).order_by("program_id", "user_id")[:size])
    tally = RevalidationTally()
    for program, group in groupby(rows, key=lambda row: row.program_id):
        tally_of_group = _revalidate(program, list(group), run=run, by=by)
        tally.outcomes += tally_of_group.outcomes
        tally.errors += tally_of_group.errors
    return tally


@retry_conflicts
@transaction.atomic
def release_run(*, run: LetterValidationRun, by: Attribution) -> Counter[str]:
    """Let go of what a breaker held in this run, for a person who looked at it.

    Everything is judged again: only what still follows from the checks is done, a suspension
    without waiting. What the database refuses stays held, counts as "failed", and stops nothing
    else. Running it again does no more. Raises `ConflictError` for a plan, which is applied
    instead.
    """
    run = LetterValidationRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    outcomes: Counter[str] = Counter()

    def release(letters: Sequence[ProgramLetter]) -> Counter[str]:
        changes = [held.change for held in _held_letters(letters, by=by) if held.change]
        write_changes(changes, by=by, run=run)
        return Counter({RELEASED: len(changes), UNCHANGED: len(letters) - len(changes)})

    def decide(rows: Sequence[LetterRevalidation]) -> Counter[str]:
        return _decide(rows[0].program_id, rows, run=run, by=by, breaker=None)

    def fail(held: ProgramLetter | LetterRevalidation, error: Exception) -> None:
        kind = held._meta.model_name
        logger.error("could not be released", extra={kind or "row": held.pk}, exc_info=error)
        outcomes[FAILED] += 1

    for program_id in _programs_held(run):
        lock_breaker(program_id, by=by)
        held = _held(run, program_id)
        letters = list(_pending(run, program_id).select_for_update(of=("self",), no_key=True))
        for tally in in_halves(letters, release, failed=fail):
            outcomes += tally
        for tally in in_halves(held, decide, failed=fail):
            outcomes += tally
    run.status = RunStatus.RELEASED
    run.approved_by, run.approval_reason, run.finished_at = by.actor, by.reason, by.at
    run.save(update_fields=["status", "approved_by", "approval_reason", "finished_at"])
    return +outcomes


@dataclass(frozen=True)
class Held:
    """What a run holds of one learner, and what becomes of it when the run is released.

    `reasons` are the checks that fail; of a letter that stays pending perhaps only that its
    program is not active (`PROGRAM_NOT_ACTIVE`).
    """

    user_id: int
    program_id: int
    outcome: str
    letter_id: int | None = None
    reasons: tuple[str, ...] = ()
    change: Change | None = None

    @property
    def stays(self) -> bool:
        """Whether the run goes on holding it."""
        return self.outcome == UNCHANGED and self.letter_id is not None


def what_is_held(run: LetterValidationRun, *, by: Attribution) -> list[Held]:
    """What `release_run` would do now to each; writes and locks nothing."""
    found: list[Held] = []
    for program_id in _programs_held(run):
        found += _held_letters(list(_pending(run, program_id)), by=by)
        decisions = _judged(program_id, _held(run, program_id), by=by, breaker=None)
        found += [
            Held(
                user_id=decision.row.user_id,
                program_id=program_id,
                outcome=decision.outcome,
                letter_id=decision.change.letter.pk if decision.change else None,
                reasons=tuple(decision.change.failed_checks) if decision.change else (),
            )
            for decision in decisions
        ]
    return found


def preview_release(run: LetterValidationRun, *, by: Attribution) -> Counter[str]:
    """What `release_run` would do now, counted; writes and locks nothing."""
    return Counter(held.outcome for held in what_is_held(run, by=by))


def grace_ends(row: LetterRevalidation) -> datetime:
    """Until then a letter that fails stays active."""
    grace: timedelta = settings.LETTER_SUSPENSION_GRACE
    return row.opened_at + grace


def preview_revalidation(
    *,
    by: Attribution,
    program_id: int | None = None,
    swept: Sequence[LetterRevalidation] = (),
) -> Counter[str]:
    """What `revalidate_page` would do to all that is due, and to what a sweep would open.

    Writes and locks nothing.
    """
    outcomes: Counter[str] = Counter()
    due = [*due_revalidations(by.at, program_id), *swept]
    rows = sorted(due, key=lambda row: (row.program_id, row.user_id))
    for program, group in groupby(rows, key=lambda row: row.program_id):
        decisions = _judged(program, list(group), by=by, breaker=read_breaker(program, by=by))
        outcomes.update(decision.outcome for decision in decisions)
    return outcomes


@dataclass(frozen=True)
class _Decision:
    """What becomes of one queued learner: `outcome` is one of the strings below."""

    row: LetterRevalidation
    outcome: str
    change: Change | None = None
    draft: NewLetter | None = None


UNCHANGED, WAITING, HELD, ISSUED, PENDING = "unchanged", "waiting", "held", "issued", "pending"
RELEASED, FAILED = "released", "failed"

PROGRAM_NOT_ACTIVE = "program_not_active"
"""Why a letter that passes its checks stays pending all the same."""


def _open(pairs: Fragment, *, cause: str, at: datetime, otherwise: str = COALESCE) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN.format(pairs=pairs.sql, otherwise=otherwise), [cause[:100], at, at, *pairs.params]
        )
        return int(cursor.rowcount)


@retry_conflicts
def _revalidate(
    program_id: int,
    rows: Sequence[LetterRevalidation],
    *,
    run: LetterValidationRun,
    by: Attribution,
) -> RevalidationTally:
    tally = RevalidationTally()

    def work(part: Sequence[LetterRevalidation]) -> Counter[str]:
        breaker = lock_breaker(program_id, by=by)
        # Whoever had the lock before may have looked at some of them.
        still_due = due_revalidations(by.at).filter(pk__in=[row.pk for row in part])
        due = list(still_due.order_by("user_id"))
        outcomes = _decide(program_id, due, run=run, by=by, breaker=breaker)
        return outcomes + Counter({UNCHANGED: len(part) - len(due)})

    def fail(row: LetterRevalidation, error: Exception) -> None:
        logger.error("letter could not be looked at", extra={"row": row.pk}, exc_info=error)
        LetterRevalidation.objects.filter(pk=row.pk).update(
            attempts=F("attempts") + 1, due_at=by.at + RETRY_AFTER
        )
        tally.errors += 1

    for outcomes in in_halves(rows, work, failed=fail):
        tally.outcomes += outcomes
    return tally


def _decide(
    program_id: int,
    rows: Sequence[LetterRevalidation],
    *,
    run: LetterValidationRun,
    by: Attribution,
    breaker: Breaker | None,
) -> Counter[str]:
    """Judge queued learners and do what follows; without a breaker a person released them."""
    locked = ProgramLetter.objects.select_for_update(of=("self",), no_key=True)
    list(locked.filter(program_id=program_id, user_id__in=[r.user_id for r in rows]).order_by("pk"))
    decisions = _judged(program_id, rows, by=by, breaker=breaker)
    holds = any(decision.outcome in {HELD, PENDING} for decision in decisions)
    # What a person releases belongs to the run that held it.
    saved = save_run(run) if holds or breaker is None else None
    write_changes([d.change for d in decisions if d.change], by=by, run=saved)
    create_letters([d.draft for d in decisions if d.draft], by=by, run=saved)
    _close(decisions, run=saved)
    return Counter(decision.outcome for decision in decisions)


def _judged(
    program_id: int,
    rows: Sequence[LetterRevalidation],
    *,
    by: Attribution,
    breaker: Breaker | None,
) -> list[_Decision]:
    user_ids = [row.user_id for row in rows]
    letters = {
        letter.user_id: letter
        for letter in ProgramLetter.objects.filter(program_id=program_id, user_id__in=user_ids)
    }
    judged = {
        judgement.user_id: judgement
        for judgement in selectors.judge(selectors.learner_subjects(program_id, user_ids), at=by.at)
    }
    with_letter = [
        _decision(row, letters[row.user_id], judged[row.user_id], by=by, breaker=breaker)
        for row in rows
        if row.user_id in letters
    ]
    without = {row.user_id: row for row in rows if row.user_id not in letters}
    is_active = program_id in programs.active_program_ids([program_id])
    drafts = draft_letters(
        [judged[user_id] for user_id in without] if is_active else [],
        breaker,
        via=IssuedVia.QUEUE,
        by=by,
    )
    new = {
        draft.user_id: ISSUED if draft.state == LetterState.ACTIVE else PENDING for draft in drafts
    }
    by_user = {
        draft.user_id: replace(draft, cause=_cause(without[draft.user_id], breaker))
        for draft in drafts
    }
    return with_letter + [
        _Decision(row, new.get(user_id, UNCHANGED), draft=by_user.get(user_id))
        for user_id, row in without.items()
    ]


def _decision(
    row: LetterRevalidation,
    letter: ProgramLetter,
    judgement: Judgement,
    *,
    by: Attribution,
    breaker: Breaker | None,
) -> _Decision:
    is_machines = letter.state == LetterState.ACTIVE or (
        letter.state == LetterState.SUSPENDED and letter.state_reason != IMPORTED_INACTIVE
    )
    action = judgement.planned_action
    if not is_machines or action == PlannedAction.NONE:
        return _Decision(row, UNCHANGED)
    if letter.state == LetterState.ACTIVE and action == PlannedAction.REISSUE:
        # It is true now, and only its date is in doubt: that is for a plan and a person.
        return _Decision(row, UNCHANGED)
    change = change_for(letter, judgement, by=by, automatic=breaker is not None)
    change = replace(change, cause=_cause(row, breaker))
    if action != PlannedAction.SUSPEND:
        lets = breaker is None or breaker.lets_open()
    elif breaker is not None and by.at < grace_ends(row):
        return _Decision(row, WAITING)
    else:
        lets = breaker is None or breaker.lets_close()
    return _Decision(row, change.action, change=change) if lets else _Decision(row, HELD)


def _cause(row: LetterRevalidation, breaker: Breaker | None) -> str:
    """What the event tells: what queued the learner, or, at a release, whoever releases."""
    return "" if breaker is None else row.cause


def _programs_held(run: LetterValidationRun) -> list[int]:
    """Ids of the programs of which a run holds letters or learners."""
    if run.kind == RunKind.PLAN:
        raise ConflictError(f"Run {run.uuid} is a plan: apply it instead.")
    pending = run.issued_letters.filter(state=LetterState.PENDING)
    return sorted(
        {*pending.values_list("program_id", flat=True)}
        | {*run.held_revalidations.values_list("program_id", flat=True)}
    )


def _held(run: LetterValidationRun, program_id: int) -> list[LetterRevalidation]:
    return list(run.held_revalidations.filter(program_id=program_id).order_by("user_id"))


def _pending(run: LetterValidationRun, program_id: int) -> "QuerySet[ProgramLetter]":
    return run.issued_letters.filter(program_id=program_id, state=LetterState.PENDING).order_by(
        "pk"
    )


def _held_letters(letters: Sequence[ProgramLetter], *, by: Attribution) -> list[Held]:
    """Pending letters of one program, judged: those that stand up to their checks become active,
    dated `by.at`, if the program is active."""
    by_user = {letter.user_id: letter for letter in letters}
    subjects = ProgramLetter.objects.filter(pk__in=[letter.pk for letter in letters])
    judged = selectors.judge(selectors.letter_subjects(subjects), at=by.at) if letters else []
    active = programs.active_program_ids({letter.program_id for letter in letters})
    return [
        _held_letter(by_user[j.user_id], j, is_active=j.program_id in active, by=by) for j in judged
    ]


def _held_letter(
    letter: ProgramLetter, judgement: Judgement, *, is_active: bool, by: Attribution
) -> Held:
    is_released = judgement.is_valid and is_active
    reasons = judgement.deciding_checks or (PROGRAM_NOT_ACTIVE,)
    values = {"state": LetterState.ACTIVE, "state_reason": "", "issued_at": by.at}
    change = Change(
        letter,
        LetterAction.RELEASED,
        values=values | {"state_note": by.reason, **grounds(judgement)},
        reason="released",
    )
    return Held(
        user_id=letter.user_id,
        program_id=letter.program_id,
        outcome=RELEASED if is_released else UNCHANGED,
        letter_id=letter.pk,
        reasons=() if is_released else reasons,
        change=change if is_released else None,
    )


def _close(decisions: Sequence[_Decision], *, run: LetterValidationRun | None) -> None:
    """Take the rows off the queue, or let them wait, unless an event came in meanwhile.

    They are locked in the order in which events write them.
    """
    queue = LetterRevalidation.objects.filter(pk__in=[decision.row.pk for decision in decisions])
    locked = queue.order_by("user_id", "program_id").select_for_update()
    versions = dict(locked.values_list("pk", "version"))
    seen: dict[str, list[int]] = {}
    for decision in decisions:
        if versions.get(decision.row.pk) == decision.row.version:
            kept = decision.outcome if decision.outcome in {WAITING, HELD} else ""
            seen.setdefault(kept, []).append(decision.row.pk)
    grace: timedelta = settings.LETTER_SUSPENSION_GRACE
    queue.filter(pk__in=seen.get("", [])).delete()
    queue.filter(pk__in=seen.get(WAITING, [])).update(held_by=None, due_at=F("opened_at") + grace)
    queue.filter(pk__in=seen.get(HELD, [])).update(held_by=run, due_at=None)

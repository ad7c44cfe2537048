"""How letters stand, at a glance: no question here takes longer the more letters there are."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Case, Exists, OuterRef, Q, Value, When

from credentials_portal.core.counting import LIMIT, Count, DailyCounts, daily_counts
from letters.enums import (
    REASONS,
    LetterAction,
    LetterState,
    Outcome,
    PlannedAction,
    RunKind,
    RunStatus,
    describe_check,
    describe_reason,
)
from letters.models import (
    LetterEvent,
    LetterRevalidation,
    LetterValidationResult,
    LetterValidationRun,
    ProgramLetter,
)

ISSUED, SUSPENDED, REVOKED = "issued", "suspended", "revoked"

# From one program and state to the next by the index `letter_program_state`, and of each state no
# more letters than are told.
STATES_AND_REASONS = """
    WITH RECURSIVE pair AS (
        (SELECT program_id, state FROM letters_programletter ORDER BY program_id, state LIMIT 1)
        UNION ALL
        SELECT next.* FROM pair CROSS JOIN LATERAL (
            SELECT program_id, state FROM letters_programletter AS letter
            WHERE (letter.program_id, letter.state) > (pair.program_id, pair.state)
            ORDER BY program_id, state LIMIT 1
        ) AS next
    )
    SELECT wanted.state, split_part(sample.state_reason, ':', 1), count(*)
    FROM unnest(%s::text[]) AS wanted (state)
    CROSS JOIN LATERAL (
        SELECT letter.state_reason FROM pair CROSS JOIN LATERAL (
            SELECT state_reason FROM letters_programletter AS of_pair
            WHERE of_pair.program_id = pair.program_id AND of_pair.state = pair.state
            LIMIT %s
        ) AS letter
        WHERE pair.state = wanted.state
        LIMIT %s
    ) AS sample
    GROUP BY 1, 2
"""


@dataclass(frozen=True)
class ReasonCount:
    """How many letters are suspended for one kind of reason: the code, and words for it."""

    code: str
    words: str
    count: Count


@dataclass(frozen=True)
class LettersStanding:
    """`suspended_because` starts with the most frequent; of more than `LIMIT` it is a part."""

    by_state: dict[LetterState, Count]
    suspended_because: tuple[ReasonCount, ...]


@dataclass(frozen=True)
class QueueStanding:
    """`waiting` ones fail and are in their grace, or are tried again later."""

    due: Count
    waiting: Count
    held: Count


@dataclass(frozen=True)
class RunsStanding:
    """The oldest runs that wait for a release, and the newest plans with something to apply; of
    each at most as many as were asked for."""

    holding: tuple[LetterValidationRun, ...]
    applied_in_part: tuple[LetterValidationRun, ...]
    not_applied: tuple[LetterValidationRun, ...]


def letters_standing() -> LettersStanding:
    """Letters by state, and why the suspended ones are, in one statement."""
    numbers: dict[str, Counter[str]] = {state: Counter() for state in LetterState}
    with connection.cursor() as cursor:
        cursor.execute(STATES_AND_REASONS, [list(LetterState), LIMIT + 1, LIMIT + 1])
        for state, reason, number in cursor.fetchall():
            numbers[state][reason] += number
    return LettersStanding(
        by_state={state: Count(numbers[state].total()) for state in LetterState},
        suspended_because=tuple(
            ReasonCount(code, _words(code), Count(number))
            for code, number in numbers[LetterState.SUSPENDED].most_common()
        ),
    )


def queue_standing(at: datetime) -> QueueStanding:
    queue = LetterRevalidation.objects
    return QueueStanding(
        due=Count.of(queue.filter(due_at__lte=at)),
        waiting=Count.of(queue.filter(due_at__gt=at)),
        held=Count.of(queue.filter(held_by__isnull=False)),
    )


def runs_standing(*, at_most: int) -> RunsStanding:
    runs = LetterValidationRun.objects.select_related("requested_by")
    pending = ProgramLetter.objects.filter(issue_run=OuterRef("pk"), state=LetterState.PENDING)
    held = LetterRevalidation.objects.filter(held_by=OuterRef("pk"))
    to_apply = LetterValidationResult.objects.filter(
        ~Q(planned_action=PlannedAction.NONE), outcome=Outcome.OPEN, run=OuterRef("pk")
    )
    plans = runs.filter(kind=RunKind.PLAN)
    return RunsStanding(
        holding=tuple(
            runs.filter(Exists(pending) | Exists(held), status=RunStatus.HOLDING).order_by(
                "started_at"
            )[:at_most]
        ),
        applied_in_part=tuple(plans.filter(status=RunStatus.APPLYING)[:at_most]),
        not_applied=tuple(plans.filter(Exists(to_apply), status=RunStatus.DONE)[:at_most]),
    )


def changes_per_day(*, at: datetime, days: int) -> DailyCounts:
    """How many letters became valid for the first time, were suspended, and were revoked."""
    newest = LetterEvent.objects.order_by("-pk").values_list(
        "at",
        Case(
            When(
                Q(from_state__in=["", LetterState.PENDING], to_state=LetterState.ACTIVE),
                then=Value(ISSUED),
            ),
            When(action=LetterAction.SUSPENDED, then=Value(SUSPENDED)),
            When(action__in=[LetterAction.REVOKED, LetterAction.RETIRED], then=Value(REVOKED)),
            default=Value(""),
        ),
    )
    return daily_counts(newest, ISSUED, SUSPENDED, REVOKED, at=at, days=days)


def _words(kind: str) -> str:
    """Words for a kind of reason, which leaves open of which course."""
    return describe_reason(kind) if kind in REASONS else describe_check(f"{kind}:…")

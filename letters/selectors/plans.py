"""What plans say, and what became of it."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q

from letters.enums import LetterState, PlannedAction, describe_check
from letters.models import LetterRevalidation, LetterValidationRun, ProgramLetter
from letters.selectors.standing import counts

PLAN_COLUMNS = (
    "letter_uuid",
    "program",
    "user_id",
    "username",
    "issued_at",
    "issued_via",
    "state",
    "verdict",
    "failed_checks",
    "reasons",
    "planned_action",
    "outcome",
)


def plan_rows(run: LetterValidationRun, *, where: Q | None = None) -> Iterator[dict[str, Any]]:
    """Every letter of a plan, or those whose results match, for a report (`PLAN_COLUMNS`).

    `state` is the one now.
    """
    results = run.results.filter(where or Q()).order_by("letter_id")
    results = results.select_related("letter__user", "letter__program")
    for result in results.iterator(chunk_size=2_000):
        yield _row(
            result.letter,
            verdict=result.verdict,
            failed_checks=result.failed_checks,
            planned_action=result.planned_action,
            outcome=result.outcome,
        )


def preview_rows(
    verdicts: Sequence[tuple[int, str, list[str], str]],
) -> Iterator[dict[str, Any]]:
    """The same rows for a plan that was not stored."""
    letters = ProgramLetter.objects.select_related("user", "program").in_bulk(
        [letter_id for letter_id, *_rest in verdicts]
    )
    for letter_id, verdict, failed_checks, action in verdicts:
        yield _row(
            letters[letter_id],
            verdict=verdict,
            failed_checks=failed_checks,
            planned_action=action,
            outcome="",
        )


def _row(
    letter: ProgramLetter,
    *,
    verdict: str,
    failed_checks: Sequence[str],
    planned_action: str,
    outcome: str,
) -> dict[str, Any]:
    return {
        "letter_uuid": letter.uuid,
        "program": letter.program.title,
        "user_id": letter.user_id,
        "username": letter.user.username,
        "issued_at": letter.issued_at,
        "issued_via": letter.issued_via,
        "state": letter.state,
        "verdict": verdict,
        "failed_checks": " ".join(failed_checks),
        "reasons": "; ".join(str(describe_check(code)) for code in failed_checks),
        "planned_action": planned_action,
        "outcome": outcome,
    }


def state_counts(run: LetterValidationRun) -> dict[str, int]:
    """How many letters of a plan are in each state now."""
    letters = ProgramLetter.objects.filter(results__run=run)
    return counts(letters, "state")


def outcome_counts(run: LetterValidationRun) -> dict[str, int]:
    """What became of the letters for which a plan asks for a change."""
    results = run.results.exclude(planned_action=PlannedAction.NONE)
    return {outcome or "open": count for outcome, count in counts(results, "outcome").items()}


def status_of_run(run: LetterValidationRun) -> dict[str, Any]:
    return {
        "run": str(run.uuid),
        "kind": run.kind,
        "status": run.status,
        "against": run.against,
        "as_of": run.as_of.isoformat(),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "found": run.counters,
        "outcomes": outcome_counts(run),
        "state_counts": state_counts(run),
        "pending": ProgramLetter.objects.filter(issue_run=run, state=LetterState.PENDING).count(),
        "held": LetterRevalidation.objects.filter(held_by=run).count(),
    }

"""Letters for learners who completed a program and have none."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from credentials_portal.accounts.models import User
from credentials_portal.core.bisect import in_halves
from credentials_portal.core.history import Attribution
from credentials_portal.core.retries import retry_conflicts
from letters import selectors
from letters.enums import (
    EVIDENCE_NOT_AFTER_ISSUE,
    IssuedVia,
    LetterAction,
    LetterState,
    RunKind,
    RunStatus,
)
from letters.models import LetterValidationRun
from letters.selectors import Judgement
from letters.services.breaker import Breaker, lock_breaker
from letters.services.writing import NewLetter, create_letters

logger = logging.getLogger(__name__)


@dataclass
class IssueTally:
    """What issuing did to a set of learners; `reasons` counts the checks that failed."""

    issued: int = 0
    pending: int = 0
    not_eligible: int = 0
    errors: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: "IssueTally") -> None:
        self.issued += other.issued
        self.pending += other.pending
        self.not_eligible += other.not_eligible
        self.errors += other.errors
        self.reasons += other.reasons


@retry_conflicts
def issue_letters(
    *, program_id: int, user_ids: Sequence[int], run: LetterValidationRun, by: Attribution
) -> IssueTally:
    """Issue letters to those of these learners who are eligible and have none, in one transaction.

    Beyond the breaker letters are created `pending`, and `run` holds them until staff releases
    it. A learner whose letter the database refuses is counted in `errors` and stops nobody else.
    The caller answers for the program being active.
    """
    tally = IssueTally()

    def fail(user_id: int, error: Exception) -> None:
        logger.error("letter could not be issued", extra={"user": user_id}, exc_info=error)
        tally.errors += 1

    for part in in_halves(user_ids, lambda ids: _issue(program_id, ids, run, by), failed=fail):
        tally.add(part)
    return tally


def _issue(
    program_id: int, user_ids: Sequence[int], run: LetterValidationRun, by: Attribution
) -> IssueTally:
    breaker = lock_breaker(program_id, by=by)
    judgements = selectors.judge(
        selectors.learner_subjects(program_id, user_ids, without_letter=True), at=by.at
    )
    drafts = draft_letters(judgements, breaker, via=IssuedVia.COMMAND, by=by)
    holds = any(draft.state == LetterState.PENDING for draft in drafts)
    created = set(create_letters(drafts, by=by, run=save_run(run) if holds else None))
    return _tally(judgements, [d for d in drafts if (d.user_id, d.program_id) in created], by)


def preview_issue(
    *, program_id: int, user_ids: Sequence[int], breaker: Breaker, by: Attribution
) -> IssueTally:
    """What `issue_letters` would do now, spending the breaker; writes and locks nothing."""
    judgements = selectors.judge(
        selectors.learner_subjects(program_id, user_ids, without_letter=True), at=by.at
    )
    return _tally(judgements, draft_letters(judgements, breaker, via=IssuedVia.COMMAND, by=by), by)


def new_run(kind: RunKind, *, by: Attribution) -> LetterValidationRun:
    """A run that is saved (`save_run`) when there is something for it to hold."""
    return LetterValidationRun(
        kind=kind,
        status=RunStatus.HOLDING,
        as_of=by.at,
        started_at=by.at,
        requested_by=by.actor,
        scope={"cause": by.cause},
    )


def save_run(run: LetterValidationRun) -> LetterValidationRun:
    """Save the run with the first thing that it holds; once more, where that was undone."""
    if saved_uuid(run) is None:
        run.pk = None
        run.save(force_insert=True)
    return run


def saved_uuid(run: LetterValidationRun) -> str | None:
    """The run's uuid, if it holds or held anything."""
    is_saved = LetterValidationRun.objects.filter(uuid=run.uuid).exists()
    return str(run.uuid) if is_saved else None


def draft_letters(
    judgements: Sequence[Judgement], breaker: Breaker | None, *, via: IssuedVia, by: Attribution
) -> list[NewLetter]:
    """The letters that eligible learners get: active while the breaker lets, then pending.

    Without a breaker a person released them.
    """
    eligible = [judgement for judgement in judgements if judgement.is_eligible(by.at)]
    names = User.objects.in_bulk([judgement.user_id for judgement in eligible])
    drafts = []
    for judgement in eligible:
        is_active = breaker is None or breaker.lets_open()
        drafts.append(
            NewLetter(
                user_id=judgement.user_id,
                program_id=judgement.program_id,
                state=LetterState.ACTIVE if is_active else LetterState.PENDING,
                state_reason="" if is_active else "breaker",
                action=LetterAction.ISSUED if is_active else LetterAction.HELD,
                issued_at=by.at if is_active else None,
                issued_via=via,
                recipient_name=names[judgement.user_id].full_name,
                requirements_version_id=judgement.deciding_version_id,
                evidence=judgement.evidence,
                automatic=breaker is not None,
            )
        )
    return drafts


def _tally(
    judgements: Sequence[Judgement], drafts: Sequence[NewLetter], by: Attribution
) -> IssueTally:
    refused = [judgement for judgement in judgements if not judgement.is_eligible(by.at)]
    issued = sum(draft.state == LetterState.ACTIVE for draft in drafts)
    return IssueTally(
        issued=issued,
        pending=len(drafts) - issued,
        not_eligible=len(refused),
        reasons=Counter(
            code
            for judgement in refused
            for code in judgement.failed_checks or (EVIDENCE_NOT_AFTER_ISSUE,)
        ),
    )

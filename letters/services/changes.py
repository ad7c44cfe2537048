"""What follows from a judgement for the letter."""

from typing import Any

from credentials_portal.core.history import Attribution
from letters.enums import RULESET_VERSION, Against, LetterAction, LetterState, PlannedAction
from letters.models import ProgramLetter
from letters.selectors import Judgement
from letters.services.writing import Change

ACTIONS = {
    PlannedAction.SUSPEND: LetterAction.SUSPENDED,
    PlannedAction.LIFT: LetterAction.LIFTED,
    PlannedAction.REISSUE: LetterAction.REISSUED,
}


def change_for(
    letter: ProgramLetter,
    judgement: Judgement,
    *,
    by: Attribution,
    against: Against = Against.ISSUE,
    automatic: bool = False,
) -> Change:
    """The change that a judgement asks for; `judgement.planned_action` is not `none`.

    Whatever leaves the letter active needs a judgement with evidence. What the current
    requirements decided they go on deciding: the letter keeps their version, or the next sweep
    would undo the change.
    """
    values: dict[str, Any]
    if judgement.planned_action == PlannedAction.SUSPEND:
        values = {"state": LetterState.SUSPENDED, "state_reason": judgement.reason}
        if against == Against.CURRENT:
            values["requirements_version_id"] = judgement.deciding_version_id
    else:
        values = {"state": LetterState.ACTIVE, "state_reason": "", **grounds(judgement)}
    if judgement.planned_action == PlannedAction.REISSUE:
        values["issued_at"] = by.at
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

"""What people decide about single letters."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.history import Attribution
from letters import selectors
from letters.enums import (
    EVIDENCE_NOT_AFTER_ISSUE,
    PROGRAM_STARTED,
    UNWAIVABLE_CHECKS,
    LetterAction,
    LetterState,
)
from letters.models import LetterWaiver, ProgramLetter
from letters.services.changes import grounds
from letters.services.queue import open_revalidations
from letters.services.texts import published_texts
from letters.services.writing import Change, write_changes


class ReasonMissingError(DomainError):
    code = "reason_missing"


class LetterNotReinstatableError(ConflictError):
    """Checks fail that nobody waived; `failed_checks` names them."""

    code = "letter_not_reinstatable"

    def __init__(self, failed_checks: tuple[str, ...]) -> None:
        super().__init__(
            "The letter cannot be reinstated while these checks fail: " + ", ".join(failed_checks)
        )
        self.failed_checks = failed_checks

    @property
    def details(self) -> dict[str, Any]:
        return {"failed_checks": list(self.failed_checks)}


class LetterNotShowableError(ConflictError):
    """Nobody sees the letter now, and checks fail; `failed_checks` names them."""

    code = "letter_not_showable"

    def __init__(self, failed_checks: tuple[str, ...]) -> None:
        super().__init__(
            "This would show a letter that is hidden now, and these checks fail: "
            + ", ".join(failed_checks)
        )
        self.failed_checks = failed_checks

    @property
    def details(self) -> dict[str, Any]:
        return {"failed_checks": list(self.failed_checks)}


class CheckNotWaivableError(DomainError):
    code = "check_not_waivable"


class LetterChangedError(ConflictError):
    """The letter is not any more the one about which a person decided."""

    code = "letter_changed"


def lock_seen_letter(*, letter_uuid: UUID, seen_version: int) -> ProgramLetter:
    """Lock a letter for a decision that a person took looking at this version of it.

    Raises `NotFoundError` and `LetterChangedError`. Needs an open transaction.
    """
    letter = _letter(letter_uuid, locked=True)
    if letter.version != seen_version:
        raise LetterChangedError(
            "The letter changed while you were deciding. Nothing was done: look at it again."
        )
    return letter


@transaction.atomic
def revoke_letter(
    *, letter_uuid: UUID, by: Attribution, notify: bool = False, dry_run: bool = False
) -> bool:
    """Withdraw a letter by a person's decision, from any state; only a person can undo it.

    `by.reason` is kept with the letter, and told to nobody. With `notify` the holder is told by
    mail that the letter is withdrawn, if they could ever have seen it. Returns False when it was revoked already. Raises
    `NotFoundError` and `ReasonMissingError`. A dry run checks and changes nothing.
    """
    require_reason(by)
    letter = _letter(letter_uuid, locked=not dry_run)
    if letter.state == LetterState.REVOKED:
        return False
    if dry_run:
        return True
    values = {
        "state": LetterState.REVOKED,
        "state_reason": "revoked",
        "state_note": by.reason,
        "revoked_at": by.at,
        "revoked_by_id": by.actor.pk if by.actor else None,
        "revocation_reason": by.reason,
    }
    change = Change(letter, LetterAction.REVOKED, values, reason="revoked")
    write_changes([change], by=by, notify=notify)
    return True


@transaction.atomic
def reinstate_letter(*, letter_uuid: UUID, by: Attribution, dry_run: bool = False) -> bool:
    """Take a revocation back. The letter must stand up to its checks, or to what was waived.

    Its date stays, unless it would be untrue: then it becomes `by.at`. The dates of the
    revocation stay on the letter. A holder who was told of the withdrawal is told of this, too.
    Returns False when it is active already. Raises
    `NotFoundError`, `ReasonMissingError`, `LetterNotReinstatableError`, and `ConflictError` for a
    letter that no person revoked.
    """
    require_reason(by)
    letter = _letter(letter_uuid, locked=not dry_run)
    if letter.state == LetterState.ACTIVE:
        return False
    if letter.state != LetterState.REVOKED:
        raise ConflictError(f"Only a revoked letter can be reinstated; this one is {letter.state}.")
    judgement = selectors.judge_letter(letter, at=by.at)
    if not judgement.is_valid:
        raise LetterNotReinstatableError(judgement.deciding_checks)
    if dry_run:
        return True
    is_misdated = bool({PROGRAM_STARTED, EVIDENCE_NOT_AFTER_ISSUE} & set(judgement.failed_checks))
    values = {
        "state": LetterState.ACTIVE,
        "state_reason": "",
        "state_note": by.reason,
        "issued_at": by.at if is_misdated or letter.issued_at is None else letter.issued_at,
        "recipient_name": letter.recipient_name or letter.user.full_name,
        "reinstated_at": by.at,
        "reinstated_by_id": by.actor.pk if by.actor else None,
        **grounds(judgement),
    }
    write_changes([Change(letter, LetterAction.REINSTATED, values, reason="reinstated")], by=by)
    return True


@transaction.atomic
def refresh_letter(*, letter_uuid: UUID, by: Attribution) -> bool:
    """Print the learner's present name and the program's present text on a letter.

    Its date, its evidence and what it is worth stay. A letter that was hidden is shown by this,
    so it must stand up to its checks. Returns False when both are up to date. Raises
    `NotFoundError`, `ReasonMissingError`, `LetterNotShowableError`, and `ConflictError` for a
    revoked letter and a learner without a name.
    """
    require_reason(by)
    letter = _letter(letter_uuid, locked=True)
    if letter.state == LetterState.REVOKED:
        raise ConflictError("A revoked letter stays as it is.")
    name = letter.user.full_name
    if not name.strip():
        raise ConflictError("The learner has no name.")
    texts = published_texts([letter.program_id])
    text = texts.current.get(letter.program_id)
    if (
        text
        and letter.state == LetterState.ACTIVE
        and letter.content_revision_id not in texts.published
    ):
        _require_true(letter, by=by)
    values = {"recipient_name": name, "content_revision_id": text or letter.content_revision_id}
    if all(getattr(letter, column) == value for column, value in values.items()):
        return False
    write_changes([Change(letter, LetterAction.REFRESHED, values, reason="refreshed")], by=by)
    return True


@transaction.atomic
def waive_check(
    *,
    user: User,
    program_id: int,
    code: str,
    by: Attribution,
    expires_at: datetime | None = None,
) -> LetterWaiver:
    """Say that a named check does not apply to this learner; the letter is looked at again.

    A waiver of the same check that is in force already is returned unchanged. Raises
    `ReasonMissingError` and `CheckNotWaivableError`.
    """
    require_reason(by)
    if code in UNWAIVABLE_CHECKS:
        raise CheckNotWaivableError(f"The check {code} cannot be waived.")
    judged = selectors.judge_learner(user_id=user.pk, program_id=program_id, at=by.at)
    if code not in {check.code for check in judged.checks}:
        raise CheckNotWaivableError(f"The program has no check {code}.")
    waivers = LetterWaiver.objects.filter(user=user, program_id=program_id, code=code)
    # An expired one makes room.
    waivers.filter(withdrawn_at=None, expires_at__lte=by.at).update(withdrawn_at=F("expires_at"))
    # Of two people at once, the second gets the first one's waiver.
    waiver, is_new = waivers.get_or_create(
        withdrawn_at=None,
        defaults={
            "user": user,
            "program_id": program_id,
            "code": code,
            "reason": by.reason,
            "granted_by": by.actor,
            "granted_at": by.at,
            "expires_at": expires_at,
        },
    )
    if is_new:
        _look_again(user.pk, program_id, "waiver_granted", by)
    return waiver


@transaction.atomic
def withdraw_waiver(*, waiver_id: int, by: Attribution) -> bool:
    """End a waiver; the letter is looked at again. Returns False when it had ended."""
    waiver = LetterWaiver.objects.select_for_update(of=("self",), no_key=True).get(pk=waiver_id)
    if waiver.withdrawn_at is not None:
        return False
    waiver.withdrawn_at = by.at
    waiver.withdrawn_by = by.actor
    waiver.save(update_fields=["withdrawn_at", "withdrawn_by"])
    _look_again(waiver.user_id, waiver.program_id, "waiver_withdrawn", by)
    return True


def _require_true(letter: ProgramLetter, *, by: Attribution) -> None:
    judgement = selectors.judge_letter(letter, at=by.at)
    if not judgement.is_valid:
        raise LetterNotShowableError(judgement.deciding_checks)


def _look_again(user_id: int, program_id: int, why: str, by: Attribution) -> None:
    open_revalidations([(user_id, program_id)], cause=f"{why}:{by.cause}", at=by.at)


def _letter(letter_uuid: UUID, *, locked: bool) -> ProgramLetter:
    letters = ProgramLetter.objects.filter(uuid=letter_uuid)
    if locked:
        letters = letters.select_for_update(of=("self",), no_key=True)
    letter = letters.first()
    if letter is None:
        raise NotFoundError(f"There is no letter {letter_uuid}.")
    return letter


def require_reason(by: Attribution) -> None:
    if not by.reason.strip():
        raise ReasonMissingError("Say why: a reason is required.")

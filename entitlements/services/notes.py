"""What staff did about an entitlement and why, kept with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from credentials_portal.core.errors import DomainError, NotFoundError
from credentials_portal.core.history import Attribution, bulk_create_with_history
from entitlements.enums import SupportAction
from entitlements.models import CourseEntitlement, CourseEntitlementSupportDetail
from programs.selectors import run_offer


class CommentMissingError(DomainError):
    code = "comment_missing"


class RunUnknownError(NotFoundError):
    """`run_key` names no run that the portal knows."""

    code = "run_unknown"

    def __init__(self, run_key: str) -> None:
        super().__init__(f"There is no course run {run_key}.")
        self.run_key = run_key


@dataclass(frozen=True, kw_only=True)
class SupportNote:
    """An action of staff, their comment, and the key of the run that the learner left for it."""

    action: SupportAction
    comments: str
    unenrolled_run: str | None = None


def require_comments(notes: Sequence[SupportNote]) -> None:
    """Raise `CommentMissingError` where staff do not say why."""
    if not all(note.comments.strip() for note in notes):
        raise CommentMissingError("Say why: a comment is required.")


def write_notes(
    entitlement: CourseEntitlement, notes: Sequence[SupportNote], *, by: Attribution
) -> None:
    """Keep these notes; the last one is the newest.

    The comment stands nowhere else, so that it can be erased with its learner. Raises
    `CommentMissingError`, `RunUnknownError`.
    """
    require_comments(notes)
    details = [
        CourseEntitlementSupportDetail(
            entitlement=entitlement,
            support_user=by.actor,
            action=note.action,
            comments=note.comments.strip(),
            unenrolled_run_id=_run_id(note.unenrolled_run),
            created=by.at,
            modified=by.at,
        )
        for note in notes
    ]
    bulk_create_with_history(CourseEntitlementSupportDetail, details, by=replace(by, reason=""))


def _run_id(run_key: str | None) -> int | None:
    if not run_key:
        return None
    run = run_offer(run_key)
    if run is None:
        raise RunUnknownError(run_key)
    return run.course_run_id

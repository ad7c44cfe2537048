"""A learner, or staff for one, asks an institution for credit."""

from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction

from credentials_portal.core.errors import ConflictError, DomainError, NotFoundError
from credentials_portal.core.events import announce
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.enums import CreditRequestSource, ShareKind
from programs.models import Pathway, Program, SharedProgramRecord, UserCreditPathway
from programs.selectors.credit import ANSWERABLE_FOR
from programs.selectors.records import ProgramRecord, record_of
from programs.services.credit.notes import tidy_note
from programs.services.credit.notices import queue_request
from programs.services.credit.pace import earlier_requests, require_pace
from programs.services.sharing import lock_sharer
from programs.signals import CreditRequestFact, credit_requested

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


class PathwayUnavailableError(NotFoundError):
    """The pathway does not take requests about this program, or not any more."""

    code = "pathway_unavailable"


class IncompleteRecordError(ConflictError):
    """The institution takes completed programs only."""

    code = "incomplete_record"


class ReasonMissingError(DomainError):
    """Staff do not say why they ask for a learner."""

    code = "reason_missing"


class Requested(NamedTuple):
    """`is_new` is false where the same request had just been made: that one is returned."""

    request: UserCreditPathway
    is_new: bool


@retry_conflicts
@transaction.atomic
def request_credit(
    *,
    user: "User",
    program: Program,
    pathway_id: int,
    source: CreditRequestSource,
    by: Attribution,
    consent_text: str = "",
    on_behalf_reason: str = "",
) -> Requested:
    """Ask the institution behind a pathway for credit, with a link to the live record.

    The mail leaves by the outbox. The same request within two minutes is returned as it is.
    Staff (`source`) say why, are `by.actor`, and may ask as often as they need to. Announces
    `credit_requested`. Raises `PathwayUnavailableError`, `IncompleteRecordError`,
    `TooManyRequestsError`; for staff `ReasonMissingError`, `NoteInvalidError`; `NotFoundError`
    for a learner who has left.
    """
    is_staffs = source == CreditRequestSource.STAFF
    reason = _reason(on_behalf_reason, by) if is_staffs else ""
    user = lock_sharer(user.pk)
    pathway = _pathway(pathway_id, program)
    earlier = earlier_requests(
        user_id=user.pk, pathway_id=pathway.pk, program_id=program.pk, at=by.at
    )
    repeated = earlier.repeated(by.at)
    if repeated:
        return Requested(repeated, is_new=False)
    record = record_of(user_id=user.pk, program_uuid=program.uuid, at=by.at)
    if pathway.requires_completion and not record.is_completed:
        raise IncompleteRecordError("The institution takes completed programs only.")
    if not is_staffs:
        require_pace(earlier, pathway.cooldown_days, fingerprint=record.fingerprint, at=by.at)
    request = UserCreditPathway(
        user=user,
        pathway=pathway,
        program=program,
        number=earlier.next_number,
        source=source,
        on_behalf_reason=reason,
        consent_text=consent_text,
    )
    _send(request, record, by=by)
    return Requested(request, is_new=True)


def _send(request: UserCreditPathway, record: ProgramRecord, *, by: Attribution) -> None:
    """Store it with its link, announce it, and let its mail leave."""
    request.was_completed, request.record_fingerprint = record.is_completed, record.fingerprint
    request.requested_at, request.created, request.requested_by = by.at, by.at, by.actor
    request.shared_record = _make_link(request, by=by)
    save_with_history(request, by=by)
    fact = CreditRequestFact(request.pk, request.user_id, request.pathway_id, record.program.pk)
    announce(credit_requested, [fact], at=by.at, actor=by.actor, cause=by.cause)
    queue_request(request, at=by.at)


def _reason(on_behalf_reason: str, by: Attribution) -> str:
    if by.actor is None:
        raise ValueError("Staff who ask for a learner have a name.")
    reason = tidy_note(on_behalf_reason)
    if not reason:
        raise ReasonMissingError("Say why: a reason is required.")
    return reason


def _pathway(pathway_id: int, program: Program) -> Pathway:
    takes = Pathway.objects.taking_requests_about(program.pk)
    pathway = takes.filter(pk=pathway_id).first()
    if pathway is None:
        raise PathwayUnavailableError("This pathway takes no requests about this program.")
    return pathway


def _make_link(request: UserCreditPathway, *, by: Attribution) -> SharedProgramRecord:
    """The institution's own: it shows who the learner is, and dies with the request."""
    link = SharedProgramRecord(
        user=request.user,
        program=request.program,
        kind=ShareKind.CREDIT_REQUEST,
        expires_at=by.at + ANSWERABLE_FOR,
        show_email=True,
        show_username=True,
        created=by.at,
    )
    save_with_history(link, by=by)
    return link

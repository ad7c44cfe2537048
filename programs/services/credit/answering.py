"""Institutions say what becomes of a request."""

from uuid import UUID

from django.db import transaction

from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.enums import CreditAnswer, CreditRequestStatus
from programs.models import UserCreditPathway
from programs.services.credit.locking import RequestNotOpenError, lock_request
from programs.services.credit.notes import tidy_note
from programs.services.credit.notices import Notice, queue_mail
from programs.services.credit.outcomes import note_sent

CLOSED = frozenset({CreditRequestStatus.WITHDRAWN, CreditRequestStatus.FAILED})


@retry_conflicts
@transaction.atomic
def answer_request(
    *, request_uuid: UUID, answer: CreditAnswer, note: str, by: Attribution
) -> UserCreditPathway:
    """Keep the institution's answer, which it may change later, and tell the learner.

    The same answer again changes nothing and tells nobody. Who answers has the request: one of
    which nobody knew whether it had arrived is `sent` from now on. Who calls has checked that the
    institution speaks; to requests of the older service that name no program it never does.
    Raises `RequestNotFoundError`, `RequestNotOpenError`, `NoteInvalidError`.
    """
    note = tidy_note(note)
    request = lock_request(request_uuid)
    if request.status in CLOSED or request.program is None:
        raise RequestNotOpenError("This request can no longer be answered.")
    if (request.answer, request.answer_note) == (answer, note):
        return request
    note_sent(request, by=by)
    request.answer, request.answer_note, request.answered_at = answer, note, by.at
    save_with_history(request, by=by)
    queue_mail(Notice.REQUEST_ANSWERED, request, at=by.at)
    return request

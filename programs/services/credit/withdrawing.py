"""Learners take their requests back."""

from uuid import UUID

from django.db import transaction

from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.retries import retry_conflicts
from programs.enums import CreditRequestStatus, ShareEnd, ShareKind
from programs.models import UserCreditPathway
from programs.selectors.credit import REACHED
from programs.services.credit.locking import RequestNotOpenError, lock_request
from programs.services.credit.notices import queue_withdrawal
from programs.services.sharing import revoke_share


@retry_conflicts
@transaction.atomic
def withdraw_request(*, request_uuid: UUID, by: Attribution) -> UserCreditPathway:
    """Take a request back: its link is dead, and the learner's other links stay as they are.

    One that has not left does not leave any more; of one that was sent the institution is told.
    A withdrawn one stays as it is. Whose it is was checked by the caller. Raises
    `RequestNotFoundError`, and `RequestNotOpenError` where it never reached the institution.
    """
    request = lock_request(request_uuid)
    if request.status == CreditRequestStatus.WITHDRAWN:
        return request
    if request.status not in REACHED:
        raise RequestNotOpenError("Only what was sent, or waits to be, can be withdrawn.")
    was_sent = request.status == CreditRequestStatus.SENT
    request.status, request.withdrawn_at = CreditRequestStatus.WITHDRAWN, by.at
    save_with_history(request, by=by)
    link = request.shared_record
    if link and link.kind == ShareKind.CREDIT_REQUEST:
        revoke_share(link_uuid=link.uuid, end=ShareEnd.WITHDRAWN, by=by)
        if was_sent:
            queue_withdrawal(request, at=by.at)
    return request

"""Taking a request in hand: its learner first, then its row."""

from uuid import UUID

from credentials_portal.core.errors import ConflictError, NotFoundError
from programs.models import UserCreditPathway
from programs.services.sharing import lock_sharer


class RequestNotFoundError(NotFoundError):
    code = "request_not_found"


class RequestNotOpenError(ConflictError):
    """The request was withdrawn, or never reached its institution."""

    code = "request_not_open"


def lock_request(request_uuid: UUID) -> UserCreditPathway:
    """The request, locked under its learner, with what it names.

    Raises `RequestNotFoundError`, and `NotFoundError` where the learner has left.
    """
    requests = UserCreditPathway.objects.filter(uuid=request_uuid)
    user_id = requests.values_list("user_id", flat=True).first()
    if user_id is None:
        raise RequestNotFoundError("There is no such request.")
    lock_sharer(user_id)
    locked = requests.select_for_update(of=("self",), no_key=True)
    return locked.select_related("user", "pathway", "program", "shared_record").get()

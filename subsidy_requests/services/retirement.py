"""What requests forget about a person who leaves."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q

from credentials_portal.core.history import Attribution
from credentials_portal.core.personal import erase_names
from subsidy_requests.enums import GRANTABLE, DecisionSource, RequestState
from subsidy_requests.models import REQUESTS_OF
from subsidy_requests.services.transitions import lock_requests, move

WRITTEN: dict[str, Any] = {"reason": "", "decline_reason": "", "idempotency_key": None}
"""What a request holds in somebody's words, and what it holds of them afterwards."""


@transaction.atomic
def retire_learner(*, user_id: int, names: Sequence[str], by: Attribution) -> int:
    """Cancel a leaver's requests that can still be granted, and empty what was written in theirs.

    Rows stay, with their course and what became of them. `names` are erased from the requests of
    others. Returns how many were cancelled.
    """
    cancelled = 0
    for model in REQUESTS_OF.values():
        waiting = lock_requests(model, user_id=user_id, state__in=GRANTABLE)
        move(waiting, RequestState.CANCELLED, source=DecisionSource.COMMAND, by=by)
        cancelled += len(waiting)
        for rows in (model.objects, model.history):
            is_empty = Q(reason="", decline_reason="", idempotency_key=None)
            rows.filter(user_id=user_id).exclude(is_empty).update(**WRITTEN)
            erase_names(rows.all(), ["reason", "decline_reason"], *names)
    return cancelled

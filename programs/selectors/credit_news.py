"""What became of a learner's requests for credit lately: what they want to know, or act on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from programs.enums import LISTED, CreditRequestStatus
from programs.models import UserCreditPathway
from programs.selectors.certificates import completions_shown
from programs.selectors.credit import REACHED, requests_of_learner


@dataclass(frozen=True)
class CreditNews:
    """Requests that were `answered`, that `failed` and were not made again, and, one for each
    program, those since which the learner `completed` it: no institution is told by itself."""

    answered: tuple[UserCreditPathway, ...] = ()
    failed: tuple[UserCreditPathway, ...] = ()
    completed: tuple[UserCreditPathway, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.answered or self.failed or self.completed)


def credit_news_of(*, user_id: int, since: datetime, at: datetime) -> CreditNews:
    """What happened after `since`: one statement, and one more where a program may be completed."""
    requests = requests_of_learner(user_id=user_id)
    return CreditNews(
        answered=tuple(one for one in requests if _was_answered(one, since)),
        failed=tuple(
            one
            for one in _newest(requests)
            if one.status == CreditRequestStatus.FAILED and one.requested_at > since
        ),
        completed=tuple(_completed(user_id, requests, since=since, at=at)),
    )


def _was_answered(request: UserCreditPathway, since: datetime) -> bool:
    is_withdrawn = request.status == CreditRequestStatus.WITHDRAWN
    return request.answered_at is not None and request.answered_at > since and not is_withdrawn


def _newest(requests: Iterable[UserCreditPathway]) -> Iterable[UserCreditPathway]:
    """Of the requests to each pathway about each program the newest; the newest come first."""
    found: dict[tuple[int, int | None], UserCreditPathway] = {}
    for request in requests:
        found.setdefault((request.pathway_id, request.program_id), request)
    return found.values()


def _completed(
    user_id: int, requests: Iterable[UserCreditPathway], *, since: datetime, at: datetime
) -> Iterable[UserCreditPathway]:
    """Of each program that was completed lately the newest request, where it was made before."""
    newest: dict[int, UserCreditPathway] = {}
    for request in requests:
        if request.status in REACHED and request.program_id is not None:
            newest.setdefault(request.program_id, request)
    made_before = {
        program_id: request
        for program_id, request in newest.items()
        if request.was_completed is False
    }
    if not made_before:
        return []
    shown = completions_shown(user_id=user_id, after=since, until=at)
    completed = shown.filter(program__in=made_before, program__status__in=LISTED)
    program_ids = completed.order_by("program_id").values_list("program_id", flat=True)
    return [made_before[program_id] for program_id in program_ids]

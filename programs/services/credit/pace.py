"""How often a learner may ask for credit. What they asked before decides nothing else."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from credentials_portal.core.errors import DomainError
from programs.enums import CreditRequestSource, CreditRequestStatus
from programs.models import UserCreditPathway
from programs.selectors.credit import REACHED

REPEATED_WITHIN = timedelta(seconds=120)
"""The same request again within this time is a second click, or a network's second try."""

QUOTA_PERIOD = timedelta(days=30)


class TooManyRequestsError(DomainError):
    """Not yet: `code` is "quota" (too many in a month) or "cooldown" (nothing new to tell)."""

    def __init__(self, code: str, message: str, *, next_allowed_at: datetime, at: datetime) -> None:
        super().__init__(message)
        self.code = code
        self.next_allowed_at = next_allowed_at
        self.retry_after = next_allowed_at - at

    @property
    def details(self) -> dict[str, Any]:
        return {"next_allowed_at": self.next_allowed_at}


@dataclass(frozen=True)
class Earlier:
    """What a learner asked before, newest first.

    `same`: the same pathway about the same program, ever. `counted_at`: when they asked for
    anything within the period of the quota; what failed does not count, nor what was imported.
    """

    same: list[UserCreditPathway]
    counted_at: list[datetime]

    @property
    def next_number(self) -> int:
        return 1 + max((request.number for request in self.same), default=0)

    @property
    def last(self) -> UserCreditPathway | None:
        """The newest of `same` that is with the institution, or on its way."""
        standing = (
            request
            for request in self.same
            if request.status in REACHED and request.source != CreditRequestSource.IMPORT
        )
        return next(standing, None)

    def repeated(self, at: datetime) -> UserCreditPathway | None:
        """The request that is just being made once more."""
        last = self.last
        return last if last and at < last.requested_at + REPEATED_WITHIN else None


def earlier_requests(*, user_id: int, pathway_id: int, program_id: int, at: datetime) -> Earlier:
    """In one statement; the learner is locked."""
    is_same = Q(pathway_id=pathway_id, program_id=program_id)
    is_recent = Q(requested_at__gt=at - QUOTA_PERIOD)
    requests = list(
        UserCreditPathway.objects.filter(is_same | is_recent, user_id=user_id).order_by(
            "-requested_at", "-pk"
        )
    )
    return Earlier(
        same=[
            request
            for request in requests
            if (request.pathway_id, request.program_id) == (pathway_id, program_id)
        ],
        counted_at=[
            request.requested_at
            for request in requests
            if request.requested_at > at - QUOTA_PERIOD
            and request.status != CreditRequestStatus.FAILED
            and request.source != CreditRequestSource.IMPORT
        ],
    )


def require_pace(
    earlier: Earlier, cooldown_days: int | None, *, fingerprint: str, at: datetime
) -> None:
    """Raise `TooManyRequestsError` for whichever limit lasts longer."""
    refusals = [*_quota(earlier, at), *_cooldown(earlier, cooldown_days, fingerprint, at)]
    if refusals:
        raise max(refusals, key=lambda refusal: refusal.next_allowed_at)


def _quota(earlier: Earlier, at: datetime) -> list[TooManyRequestsError]:
    limit = settings.CREDIT_REQUESTS_PER_MONTH
    if len(earlier.counted_at) < limit:
        return []
    # Once this one falls out of the period, there are fewer than the limit.
    last_too_many = earlier.counted_at[limit - 1] if limit > 0 else at
    message = f"Learners may make {limit} requests for credit within {QUOTA_PERIOD.days} days."
    until = last_too_many + QUOTA_PERIOD
    return [TooManyRequestsError("quota", message, next_allowed_at=until, at=at)]


def _cooldown(
    earlier: Earlier, cooldown_days: int | None, fingerprint: str, at: datetime
) -> list[TooManyRequestsError]:
    last = earlier.last
    if not cooldown_days or last is None or last.record_fingerprint != fingerprint:
        return []
    until = last.requested_at + timedelta(days=cooldown_days)
    if until <= at:
        return []
    message = "The institution has this request already, and the record has not changed since."
    return [TooManyRequestsError("cooldown", message, next_allowed_at=until, at=at)]

"""What a learner may use, of every app that gives something, as one list."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from entitlements.selectors.learners import HeldEntitlement, entitlements_of_learner
from licenses.selectors.learners import HeldLicense, licenses_of_learner
from subsidy_requests.selectors.learners import HeldRequest, offers_to, requests_of_learner

if TYPE_CHECKING:
    from credentials_portal.accounts.models import User


Held = HeldLicense | HeldEntitlement | HeldRequest


@dataclass(frozen=True)
class Access:
    """Licenses and entitlements, those of each that need the reader first before the others.

    `requests` are those that wait, or gave a code; `asks` tells whether the reader has others, or
    can ask for more.
    """

    licenses: tuple[HeldLicense, ...]
    entitlements: tuple[HeldEntitlement, ...]
    requests: tuple[HeldRequest, ...]
    asks: bool

    @property
    def entries(self) -> list[Held]:
        """What can be used, or needs the reader."""
        return sorted((held for held in self._all() if not held.is_over), key=_pressing_first)

    @property
    def over(self) -> list[Held]:
        """What cannot be used any more, the newest first."""
        ended = [held for held in self._all() if held.is_over]
        return sorted(ended, key=lambda held: held.ends_at, reverse=True)

    def _all(self) -> list[Held]:
        return [*self.licenses, *self.entitlements, *self.requests]


def access_of(user: "User", *, at: datetime) -> Access:
    """Nine statements, whatever there is."""
    requests = requests_of_learner(user, at=at)
    return Access(
        licenses=tuple(licenses_of_learner(user, at=at)),
        entitlements=tuple(entitlements_of_learner(user, at=at)),
        requests=tuple(held for held in requests if held.waits or held.gave_code),
        asks=bool(requests) | offers_to(user).exists(),
    )


def _pressing_first(held: Held) -> tuple[bool, bool, datetime]:
    return not held.needs_learner, not held.is_usable, held.ends_at

"""What the outbox knows about a kind of message, and what a delivery answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from credentials_portal.core.models.outbox import OutboxMessage, OutboxStatus

REASON = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class LeaseLostError(Exception):
    """Another deliverer may hold this message by now: leave it alone."""


@dataclass(frozen=True)
class Outcome:
    """How the delivery of one message ended.

    `reason` is a code such as "http_503", never what a remote system said: that may name people.
    `detail` is for the kind's `record` alone and is not stored.
    """

    status: OutboxStatus
    reason: str = ""
    detail: Any = None
    retry_after: timedelta = timedelta(0)
    remote_answered: bool = True

    def __post_init__(self) -> None:
        if self.reason and not REASON.fullmatch(self.reason):
            raise ValueError("An outcome's reason is a code: letters, digits, '_', '.', '-'.")

    @classmethod
    def done(cls, detail: Any = None) -> "Outcome":
        """The remote system has it."""
        return cls(OutboxStatus.DONE, detail=detail)

    @classmethod
    def skipped(cls, reason: str) -> "Outcome":
        """It is no longer wanted; nothing was sent."""
        return cls(OutboxStatus.SKIPPED, reason)

    @classmethod
    def retry(
        cls, reason: str, *, after: timedelta = timedelta(0), remote_answered: bool = False
    ) -> "Outcome":
        """Certainly not done; try again, not before `after` (the remote's `Retry-After`).

        It counts against the remote system, unless `remote_answered` says that only this message
        was put off.
        """
        return cls(OutboxStatus.PENDING, reason, retry_after=after, remote_answered=remote_answered)

    @classmethod
    def failed(cls, reason: str, detail: Any = None) -> "Outcome":
        """The remote system refused it for good."""
        return cls(OutboxStatus.FAILED, reason, detail)

    @classmethod
    def dead(cls, reason: str) -> "Outcome":
        """It cannot be delivered until somebody looks."""
        return cls(OutboxStatus.DEAD, reason)

    @classmethod
    def uncertain(cls, reason: str) -> "Outcome":
        """Nobody knows whether the remote system has it, and asking twice would harm."""
        return cls(OutboxStatus.UNCERTAIN, reason, remote_answered=False)


class BatchRefusedError(Exception):
    """Raised by `deliver` when the remote refused the batch as a whole and did nothing.

    The batch is split until the bad message stands alone; that one gets `alone`.
    """

    def __init__(self, alone: Outcome) -> None:
        super().__init__(alone.reason)
        self.alone = alone


class Delivery(NamedTuple):
    message: OutboxMessage
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class OutboxKind:
    """How messages of one kind are delivered.

    - `deliver(messages, at)` re-checks what is still wanted, calls the remote system and returns an
      outcome for each primary key. No transaction is open.
    - `record(deliveries, at)` writes the domain's side of every outcome but a retry, in the same
      transaction. It locks in the order of the design and must bear being called again.
    - `lease` is longer than one call of `deliver` can take with all its timeouts.
    - `repeatable=False`: a repetition harms and the remote system cannot tell. Such messages are
      delivered one by one, and `deliver` calls `begin_call` right before the remote call.
    - `dead_blocks`: a dead or uncertain message holds back later ones with the same ordering key.
    - `payload_version` is stored with new messages, so that `deliver` can read old ones.
    """

    name: str
    deliver: Callable[[Sequence[OutboxMessage], datetime], Mapping[int, Outcome]]
    record: Callable[[Sequence[Delivery], datetime], None] | None = None
    batch_size: int = 1
    lease: timedelta = timedelta(minutes=5)
    repeatable: bool = True
    dead_blocks: bool = False
    payload_version: int = 1

    def __post_init__(self) -> None:
        if not self.repeatable and self.batch_size != 1:
            raise ImproperlyConfigured(f"{self.name}: what is not repeatable is sent one by one.")


registered: dict[str, OutboxKind] = {}


def register(kind: OutboxKind) -> None:
    """Make a kind known. Called once for each kind, from `AppConfig.ready`."""
    if kind.name in registered:
        raise ImproperlyConfigured(f"The outbox knows a kind {kind.name!r} already.")
    registered[kind.name] = kind


def get_kind(name: str) -> OutboxKind:
    try:
        return registered[name]
    except KeyError:
        raise ImproperlyConfigured(f"The outbox knows no kind {name!r}.") from None


def blocking_kinds() -> list[str]:
    return [kind.name for kind in registered.values() if kind.dead_blocks]

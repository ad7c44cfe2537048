"""Any order of enqueuing, sweeping, crashing, being slow, waiting and settling."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxBreaker, OutboxMessage
from credentials_portal.core.models.outbox import FINISHED, STUCK, UNFINISHED
from credentials_portal.core.outbox import Item, OutboxKind, Outcome, Verdict
from credentials_portal.core.outbox.kinds import registered
from credentials_portal.core.outbox.recording import TRIES
from tests.core.outbox.conftest import AT

LEASE = timedelta(minutes=5)

ENDS = {
    "done": Outcome.done(),
    "skipped": Outcome.skipped("not_wanted"),
    "retry": Outcome.retry("http_503", remote_answered=True),
    "failed": Outcome.failed("http_400"),
    "dead": Outcome.dead("bad"),
    "uncertain": Outcome.uncertain("timeout"),
}
ACTIONS = st.sampled_from([*ENDS, "raise", "crash before the call", "crash after the call", "slow"])


class Crash(BaseException):
    """The deliverer is gone: nothing that comes after is done."""


class Outbox(RuleBasedStateMachine):
    """Deliveries check what they are given against what the machine remembers."""

    @initialize()
    def start(self) -> None:
        OutboxMessage.objects.all().delete()
        OutboxBreaker.objects.all().delete()
        for kind in (
            OutboxKind(name="machine.call", deliver=self.deliver_calls, lease=LEASE, batch_size=3),
            OutboxKind(
                name="machine.once", deliver=self.deliver_once, lease=LEASE, repeatable=False
            ),
        ):
            registered[kind.name] = kind
        self.now = AT
        self.action = "done"
        self.enqueued: set[str] = set()
        self.leases: dict[int, datetime] = {}
        self.calls: Counter[int] = Counter()
        self.last: dict[int, str] = {}
        self.actor, _ = get_user_model().objects.get_or_create(username="operator")

    # --- What happens ------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["machine.call", "machine.once"]),
        cause=st.integers(0, 9),
        key=st.sampled_from(["", "a", "b"]),
    )
    def enqueue(self, kind: str, cause: int, key: str) -> None:
        outbox.enqueue(kind, [Item(cause=str(cause), key=key)], at=self.now)
        self.enqueued.add(f"{kind}:{cause}")

    @rule(action=ACTIONS)
    def sweep(self, action: str) -> None:
        self.action = action
        with suppress(Crash):
            outbox.deliver_due(clock=lambda: self.now)

    @rule(minutes=st.sampled_from([1, 4, 5, 200]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(verdict=st.sampled_from(Verdict))
    def settle_the_first_stuck(self, verdict: Verdict) -> None:
        message = OutboxMessage.objects.filter(status__in=STUCK).order_by("pk").first()
        if message is not None:
            outbox.settle(
                [message.pk], verdict=verdict, actor=self.actor, reason="seen", at=self.now
            )
            self.last.pop(message.pk, None)
            self.calls[message.pk] = 0

    # --- What a delivery does and sees --------------------------------------------------------

    def deliver_calls(self, batch: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        return self._deliver(batch)

    def deliver_once(self, batch: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        (message,) = batch
        if self.action == "crash before the call":
            self._take(batch)
            raise Crash
        outbox.begin_call(message)
        assert self.calls[message.pk] == 0
        self.calls[message.pk] += 1
        outcomes = self._deliver(batch)
        if outcomes[message.pk].status == "pending":
            self.calls[message.pk] = 0
        return outcomes

    def _deliver(self, batch: Sequence[OutboxMessage]) -> dict[int, Outcome]:
        self._take(batch)
        if self.action.startswith("crash"):
            raise Crash
        if self.action == "slow":
            self.now += LEASE
            self.action = "done"
            outbox.deliver_due(clock=lambda: self.now)
        for message in batch:
            self.leases.pop(message.pk, None)
        if self.action == "raise":
            raise TimeoutError
        return {message.pk: ENDS[self.action] for message in batch}

    def _take(self, batch: Sequence[OutboxMessage]) -> None:
        for message in batch:
            assert self.leases.get(message.pk, self.now) <= self.now, "two live leases"
            assert message.attempts <= TRIES
            assert not self._earlier_of_key(message), "out of order"
            self.leases[message.pk] = self.now + LEASE

    def _earlier_of_key(self, message: OutboxMessage) -> bool:
        earlier = OutboxMessage.objects.filter(key=message.key, pk__lt=message.pk)
        return message.key != "" and earlier.filter(status__in=UNFINISHED).exists()

    # --- What is always true ------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(OutboxMessage.objects.values_list("dedupe_key", flat=True)) == self.enqueued

    @invariant()
    def only_staff_leave_a_terminal_state(self) -> None:
        now = dict(OutboxMessage.objects.values_list("pk", "status"))
        for pk, status in self.last.items():
            assert status not in (*FINISHED, *STUCK) or now[pk] == status
        self.last = now

    def teardown(self) -> None:
        """Whatever happened, deliverers that work bring everything to an end."""
        if not hasattr(self, "now"):
            return
        self.action = "done"
        self.now += timedelta(days=1)
        self.leases.clear()
        outbox.deliver_due(clock=lambda: self.now)
        assert not OutboxMessage.objects.filter(status__in=UNFINISHED).exists()


@pytest.mark.django_db
def test_leases_order_and_ends_hold_in_any_history(only_test_kinds: None) -> None:
    run_state_machine_as_test(
        Outbox,
        settings=settings(
            max_examples=500 if os.environ.get("FULL") else 25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

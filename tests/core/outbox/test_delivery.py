import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from credentials_portal.core import outbox
from credentials_portal.core.models import OutboxBreaker, OutboxHold, OutboxMessage
from credentials_portal.core.outbox import (
    BatchRefusedError,
    Delivery,
    Item,
    LeaseLostError,
    OutboxKind,
    Outcome,
)
from credentials_portal.core.outbox.claiming import claim
from credentials_portal.core.outbox.recording import TRIES, back_off, record
from tests.core.outbox.conftest import AT, RegisterKind

pytestmark = pytest.mark.django_db

LEASE = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)


class Deliveries:
    """A delivery function that answers as told and remembers what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.batches: list[list[str]] = []

    def __call__(self, messages: Sequence[OutboxMessage], at: datetime) -> Mapping[int, Outcome]:
        self.batches.append([cause(message) for message in messages])
        return {message.pk: self.answer(message) for message in messages}

    def answer(self, message: OutboxMessage) -> Outcome:
        answer = self.answers.get(f"_{cause(message)}", Outcome.done())
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Outcome)
        return answer


def cause(message: OutboxMessage) -> str:
    return message.dedupe_key.partition(":")[2]


def enqueue(*causes: str, kind: str = "test.kind", at: datetime = AT, **values: Any) -> list[int]:
    return [pk for one in causes for pk in outbox.enqueue(kind, [Item(cause=one, **values)], at=at)]


def deliver(at: datetime = AT) -> dict[str, int]:
    return dict(outbox.deliver_due(clock=lambda: at).outcomes)


def stands(one: str) -> OutboxMessage:
    return OutboxMessage.objects.get(dedupe_key__endswith=f":{one}")


def statuses() -> dict[str, str]:
    return {cause(message): message.status for message in OutboxMessage.objects.all()}


# --- Outcomes ------------------------------------------------------------------------------------


def test_delivers_due_messages_in_batches_oldest_first(register_kind: RegisterKind) -> None:
    register_kind(deliver=(deliveries := Deliveries()), batch_size=2)
    enqueue("late", at=AT + MINUTE)
    enqueue("b", "a", "c")

    tally = deliver(AT)

    assert deliveries.batches == [["b", "a"], ["c"]]
    assert tally == {"done": 3}
    assert statuses() == {"late": "pending", "a": "done", "b": "done", "c": "done"}


@pytest.mark.parametrize(
    ("outcome", "finished_at"),
    [
        (Outcome.done(), AT),
        (Outcome.skipped("not_wanted"), AT),
        (Outcome.failed("http_422"), AT),
        (Outcome.dead("no_configuration"), None),
        (Outcome.uncertain("timeout"), None),
    ],
)
def test_stores_an_outcome_and_never_delivers_again(
    register_kind: RegisterKind, outcome: Outcome, finished_at: datetime | None
) -> None:
    register_kind(deliver=(deliveries := Deliveries(_1=outcome)))
    enqueue("1")

    deliver(AT)
    deliver(AT + timedelta(days=365))

    message = stands("1")
    assert (message.status, message.reason) == (outcome.status, outcome.reason)
    assert (message.finished_at, message.lease_token) == (finished_at, None)
    assert deliveries.batches == [["1"]]


def test_tries_again_after_a_growing_while(register_kind: RegisterKind) -> None:
    register_kind(deliver=(deliveries := Deliveries(_1=Outcome.retry("http_503"))))
    enqueue("1")

    deliver(AT)
    first = stands("1")
    deliver(first.due_at - timedelta(microseconds=1))
    deliver(first.due_at)
    second = stands("1")

    assert (first.status, first.reason, first.attempts) == ("pending", "http_503", 1)
    assert MINUTE <= first.due_at - AT <= 2 * MINUTE
    assert 2 * MINUTE <= second.due_at - first.due_at <= 4 * MINUTE
    assert len(deliveries.batches) == 2


@pytest.mark.parametrize(("attempts", "longest"), [(1, 2 * MINUTE), (7, 128 * MINUTE)])
def test_doubles_the_delay_with_jitter(attempts: int, longest: timedelta) -> None:
    delays = {back_off(attempts) for _ in range(100)}

    assert len(delays) > 50
    assert longest / 2 <= min(delays)
    assert max(delays) <= longest


def test_honours_how_long_the_remote_wants_it_to_wait(register_kind: RegisterKind) -> None:
    answer = Outcome.retry("http_429", after=timedelta(hours=3))
    register_kind(deliver=Deliveries(_1=answer))
    enqueue("1")

    deliver(AT)

    assert stands("1").due_at == AT + timedelta(hours=3)


def test_gives_up_after_eight_tries(register_kind: RegisterKind) -> None:
    told: list[Outcome] = []
    register_kind(
        deliver=(deliveries := Deliveries(_1=Outcome.retry("http_503", remote_answered=True))),
        record=lambda closed, at: told.extend(outcome for _message, outcome in closed),
    )
    enqueue("1")

    for day in range(20):
        deliver(AT + timedelta(days=day))

    assert len(deliveries.batches) == TRIES == 8
    assert (stands("1").status, stands("1").reason) == ("dead", "http_503")
    assert [outcome.status for outcome in told] == ["dead"]


# --- Batches -------------------------------------------------------------------------------------


def test_splits_a_refused_batch_until_the_bad_one_stands_alone(
    register_kind: RegisterKind,
) -> None:
    def deliver_all(messages: Sequence[OutboxMessage], at: datetime) -> dict[int, Outcome]:
        sent.append([cause(message) for message in messages])
        if "bad" in sent[-1]:
            raise BatchRefusedError(Outcome.failed("http_400"))
        return {message.pk: Outcome.done() for message in messages}

    sent: list[list[str]] = []
    register_kind(deliver=deliver_all, batch_size=8)
    enqueue("1", "2", "3", "bad", "5", "6", "7", "8")

    deliver()

    assert statuses() == dict.fromkeys("1235678", "done") | {"bad": "failed"}
    assert sent == [
        ["1", "2", "3", "bad", "5", "6", "7", "8"],
        ["1", "2", "3", "bad"],
        ["1", "2"],
        ["3", "bad"],
        ["3"],
        ["bad"],
        ["5", "6", "7", "8"],
    ]


def test_leaves_alone_the_half_of_a_batch_that_another_took_meanwhile(
    register_kind: RegisterKind,
) -> None:
    def deliver_all(messages: Sequence[OutboxMessage], at: datetime) -> dict[int, Outcome]:
        sent.append([cause(message) for message in messages])
        if len(messages) == 2:
            OutboxMessage.objects.filter(pk=messages[1].pk).update(lease_token=other)
            raise BatchRefusedError(Outcome.failed("http_400"))
        return {message.pk: Outcome.done() for message in messages}

    other = "8c7e2a4e-3f6f-4d57-9d0b-0f3f6a1f8f50"
    sent: list[list[str]] = []
    register_kind(deliver=deliver_all, batch_size=2)
    enqueue("1", "2")

    deliver()

    assert sent == [["1", "2"], ["1"]]
    assert statuses() == {"1": "done", "2": "delivering"}


def test_tries_again_what_a_delivery_says_nothing_about(register_kind: RegisterKind) -> None:
    register_kind(deliver=lambda messages, at: {})
    enqueue("1")

    deliver()

    assert (stands("1").status, stands("1").reason) == ("pending", "no_outcome")


def test_tries_again_after_an_exception_and_keeps_its_words_out_of_the_table(
    register_kind: RegisterKind, caplog: pytest.LogCaptureFixture
) -> None:
    register_kind(deliver=Deliveries(_1=KeyError("ada@example.org")))
    enqueue("1")

    with caplog.at_level(logging.ERROR):
        deliver()

    assert (stands("1").status, stands("1").reason) == ("pending", "error.KeyError")
    assert [entry.message for entry in caplog.records] == ["outbox_delivery_failed"]


@pytest.mark.parametrize("size", [1, 50])
def test_claims_and_records_any_number_with_the_same_statements(
    register_kind: RegisterKind, size: int
) -> None:
    kind = register_kind(deliver=Deliveries(), batch_size=50)
    enqueue(*(str(n) for n in range(size)))

    with CaptureQueriesContext(connection) as statements:
        batch = claim(kind, at=AT)
        record(kind, [Delivery(message, Outcome.done()) for message in batch], at=AT)

    own = [s["sql"] for s in statements if "SAVEPOINT" not in s["sql"]]
    assert [sql.split()[0] for sql in own] == ["SELECT", "UPDATE", "SELECT", "UPDATE", "DELETE"]
    assert set(statuses().values()) == {"done"}


def test_is_not_stopped_by_a_kind_that_nobody_registered(
    register_kind: RegisterKind, only_test_kinds: None
) -> None:
    register_kind(deliver=Deliveries())
    enqueue("1")
    enqueue("2")
    OutboxMessage.objects.filter(dedupe_key="test.kind:2").update(kind="test.forgotten")

    tally = outbox.deliver_due(clock=lambda: AT)

    assert tally.unregistered == {"test.forgotten"}
    assert statuses() == {"1": "done", "2": "pending"}
    assert stands("2").attempts == 0


# --- Leases --------------------------------------------------------------------------------------


def test_a_claim_counts_an_attempt_and_keeps_others_away(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=Deliveries(), lease=LEASE)
    enqueue("1")

    (message,) = claim(kind, at=AT)

    stored = stands("1")
    assert (stored.status, stored.attempts, stored.due_at) == ("delivering", 1, AT + LEASE)
    assert stored.lease_token == message.lease_token
    assert claim(kind, at=AT + LEASE - timedelta(microseconds=1)) == []


def test_takes_messages_of_a_lost_deliverer_one_at_a_time(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=Deliveries(), lease=LEASE, batch_size=10)
    enqueue("1", "2")
    assert len(claim(kind, at=AT)) == 2
    enqueue("3", "4")

    batches = [[cause(m) for m in claim(kind, at=AT + LEASE)] for _ in range(3)]

    assert batches == [["3", "4"], ["1"], ["2"]]
    assert stands("1").attempts == 2


def test_a_message_that_kills_its_worker_dies_alone(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=(deliveries := Deliveries()), lease=LEASE, batch_size=10)
    enqueue("1")
    for n in range(TRIES):
        assert len(claim(kind, at=AT + n * LEASE)) == 1

    deliver(AT + TRIES * LEASE)

    assert (stands("1").status, stands("1").reason) == ("dead", "lease_expired")
    assert deliveries.batches == []


def test_an_outcome_that_comes_after_the_lease_was_lost_changes_nothing(
    register_kind: RegisterKind, caplog: pytest.LogCaptureFixture
) -> None:
    effects: list[str] = []
    kind = register_kind(
        deliver=Deliveries(), lease=LEASE, record=lambda closed, at: effects.append(write())
    )
    enqueue("1")
    (slow,) = claim(kind, at=AT)
    (quick,) = claim(kind, at=AT + LEASE)

    def write() -> str:
        OutboxHold.objects.create(reason="a trace of the domain", held_at=AT)
        return "tried"

    recorded = record(kind, [Delivery(slow, Outcome.failed("late"))], at=AT + LEASE)

    assert recorded == {}
    assert (stands("1").status, stands("1").lease_token) == ("delivering", quick.lease_token)
    assert effects == ["tried"]
    assert not OutboxHold.objects.exists()
    assert "outbox_lease_lost" in caplog.messages


def test_records_the_rest_of_a_batch_when_one_lease_was_lost(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=Deliveries(), lease=LEASE, batch_size=10)
    enqueue("1", "2", "3")
    batch = claim(kind, at=AT)
    (retaken,) = claim(kind, at=AT + LEASE)

    record(kind, [Delivery(message, Outcome.done()) for message in batch], at=AT + LEASE)

    assert cause(retaken) == "1"
    assert statuses() == {"1": "delivering", "2": "done", "3": "done"}


# --- What must not be repeated -------------------------------------------------------------------


class Letters(Deliveries):
    """Delivers what must not be repeated."""

    def answer(self, message: OutboxMessage) -> Outcome:
        outbox.begin_call(message)
        return super().answer(message)


def test_an_exception_after_the_call_began_makes_it_uncertain(register_kind: RegisterKind) -> None:
    register_kind(deliver=(letters := Letters(_1=TimeoutError())), repeatable=False)
    enqueue("1")

    deliver(AT)
    deliver(AT + timedelta(days=365))

    assert (stands("1").status, stands("1").reason) == ("uncertain", "error.TimeoutError")
    assert letters.batches == [["1"]]


def test_an_exception_before_the_call_began_is_tried_again(register_kind: RegisterKind) -> None:
    register_kind(deliver=Deliveries(_1=TimeoutError()), repeatable=False)
    enqueue("1")

    deliver()

    assert stands("1").status == "pending"


def test_a_definite_refusal_is_tried_again_as_if_nothing_had_begun(
    register_kind: RegisterKind,
) -> None:
    register_kind(deliver=Letters(_1=Outcome.retry("smtp_451")), repeatable=False)
    enqueue("1")

    deliver()

    assert (stands("1").status, stands("1").call_began) == ("pending", False)


def test_a_lease_that_ends_after_the_call_began_makes_it_uncertain(
    register_kind: RegisterKind,
) -> None:
    kind = register_kind(deliver=(letters := Letters()), repeatable=False, lease=LEASE)
    enqueue("1")
    (message,) = claim(kind, at=AT)
    outbox.begin_call(message)

    deliver(AT + LEASE)

    assert (stands("1").status, stands("1").reason) == ("uncertain", "lease_expired")
    assert letters.batches == []


def test_a_lease_that_ends_before_the_call_began_is_tried_again(
    register_kind: RegisterKind,
) -> None:
    kind = register_kind(deliver=(letters := Letters()), repeatable=False, lease=LEASE)
    enqueue("1")
    claim(kind, at=AT)

    deliver(AT + LEASE)

    assert stands("1").status == "done"
    assert letters.batches == [["1"]]


def test_a_call_cannot_begin_when_the_lease_was_lost(register_kind: RegisterKind) -> None:
    kind = register_kind(deliver=Letters(), repeatable=False, lease=LEASE)
    enqueue("1")
    (slow,) = claim(kind, at=AT)
    claim(kind, at=AT + LEASE)

    with pytest.raises(LeaseLostError):
        outbox.begin_call(slow)

    assert not stands("1").call_began


def test_a_delivery_that_does_not_announce_its_call_is_not_believed(
    register_kind: RegisterKind,
) -> None:
    register_kind(deliver=Deliveries(), repeatable=False)
    enqueue("1")

    deliver()

    assert (stands("1").status, stands("1").reason) == ("uncertain", "call_not_begun")


# --- The domain's side ---------------------------------------------------------------------------


def test_tells_the_domain_every_outcome_but_a_retry_in_the_same_transaction(
    register_kind: RegisterKind,
) -> None:
    def note(closed: Sequence[Delivery], at: datetime) -> None:
        told.append([(cause(m), o.status, o.detail) for m, o in closed])
        assert connection.in_atomic_block
        assert at == AT

    told: list[list[Any]] = []
    answers = {"_1": Outcome.done(detail=[5]), "_2": Outcome.retry("x"), "_3": Outcome.skipped("y")}
    register_kind(deliver=Deliveries(**answers), record=note, batch_size=3)
    enqueue("1", "2", "3")

    deliver()

    assert told == [[("1", "done", [5]), ("3", "skipped", None)]]


@pytest.mark.parametrize(("repeatable", "status"), [(True, "dead"), (False, "uncertain")])
def test_a_domain_failure_keeps_nothing_of_that_message_and_stops_no_other(
    register_kind: RegisterKind, repeatable: bool, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    def note(closed: Sequence[Delivery], at: datetime) -> None:
        for message, _outcome in closed:
            OutboxHold.objects.create(kind=f"trace.{cause(message)}", reason="trace", held_at=at)
            if cause(message) == "bad":
                raise IntegrityError("a defect")

    register_kind(
        deliver=Letters(), record=note, repeatable=repeatable, batch_size=4 if repeatable else 1
    )
    enqueue("1", "2", "bad", "4")

    deliver()

    assert statuses() == {"1": "done", "2": "done", "bad": status, "4": "done"}
    assert stands("bad").reason == "record_failed"
    assert set(OutboxHold.objects.values_list("kind", flat=True)) == {
        "trace.1",
        "trace.2",
        "trace.4",
    }
    assert "outbox_record_failed" in caplog.messages


# --- Order ---------------------------------------------------------------------------------------


def test_delivers_of_each_ordering_key_only_the_head(register_kind: RegisterKind) -> None:
    register_kind(deliver=(deliveries := Deliveries()), batch_size=10)
    enqueue("a1", "a2", key="a")
    enqueue("b1", "b2", key="b")
    enqueue("free")

    deliver()

    assert deliveries.batches == [["a1", "b1", "free"], ["a2", "b2"]]


def test_keeps_the_order_of_a_key_across_kinds(register_kind: RegisterKind) -> None:
    register_kind(deliver=(first := Deliveries(_1=Outcome.retry("x"))), name="test.z")
    register_kind(deliver=(second := Deliveries()), name="test.a")
    enqueue("1", kind="test.z", key="k")
    enqueue("2", kind="test.a", key="k")

    deliver()

    assert (first.batches, second.batches) == ([["1"]], [])


@pytest.mark.parametrize("outcome", [Outcome.retry("x"), None])
def test_a_waiting_or_claimed_message_holds_back_the_later_ones(
    register_kind: RegisterKind, outcome: Outcome | None
) -> None:
    kind = register_kind(deliver=(deliveries := Deliveries(_1=outcome)), lease=LEASE)
    enqueue("1", "2", key="k")
    deliver() if outcome else claim(kind, at=AT)

    deliver(AT + timedelta(seconds=1))

    assert ["2"] not in deliveries.batches


@pytest.mark.parametrize("dead_blocks", [True, False])
@pytest.mark.parametrize("outcome", [Outcome.dead("x"), Outcome.uncertain("x")])
def test_a_stuck_message_holds_back_later_ones_if_its_kind_says_so(
    register_kind: RegisterKind, outcome: Outcome, dead_blocks: bool
) -> None:
    register_kind(deliver=Deliveries(_1=outcome), dead_blocks=dead_blocks)
    enqueue("1", "2", key="k")

    deliver()

    assert statuses()["2"] == ("pending" if dead_blocks else "done")


# --- Breaker and hold ----------------------------------------------------------------------------


def fail_five_times(register_kind: RegisterKind, deliveries: Deliveries) -> OutboxKind:
    deliveries.answers |= {f"_{n}": Outcome.retry("http_503") for n in range(5)}
    kind = register_kind(deliver=deliveries, lease=LEASE)
    enqueue("0", "1", "2", "3", "4", scope="mit")
    deliver()
    assert len(deliveries.batches) == 5
    return kind


def test_stops_calling_for_a_scope_that_failed_five_times_in_a_row(
    register_kind: RegisterKind,
) -> None:
    fail_five_times(register_kind, deliveries := Deliveries())
    enqueue("a", "b", scope="mit")
    enqueue("c", scope="asu")

    deliver()

    assert deliveries.batches[5:] == [["c"]]
    breaker = OutboxBreaker.objects.get()
    assert (breaker.kind, breaker.scope, breaker.failures) == ("test.kind", "mit", 5)
    assert breaker.open_until == AT + MINUTE


def test_tests_the_remote_with_a_single_message_and_goes_on_when_it_answers(
    register_kind: RegisterKind,
) -> None:
    fail_five_times(register_kind, deliveries := Deliveries())
    kind = register_kind(deliver=deliveries, name="test.bulk", batch_size=10)
    OutboxBreaker.objects.update(kind="test.bulk")
    enqueue("a", "b", "c", kind="test.bulk", scope="mit")

    probe = claim(kind, at=AT + MINUTE)
    assert claim(kind, at=AT + MINUTE) == []
    record(kind, [Delivery(message, Outcome.done()) for message in probe], at=AT + MINUTE)
    rest = claim(kind, at=AT + MINUTE)

    assert [cause(message) for message in probe] == ["a"]
    assert [cause(message) for message in rest] == ["b", "c"]
    assert not OutboxBreaker.objects.exists()


@pytest.mark.parametrize(("failures", "minutes"), [(5, 2), (6, 4), (8, 16), (9, 16), (5000, 16)])
def test_stays_away_longer_each_time_the_test_fails(
    register_kind: RegisterKind, failures: int, minutes: int
) -> None:
    register_kind(deliver=Deliveries(_1=Outcome.retry("http_503")))
    OutboxBreaker.objects.create(kind="test.kind", failures=failures, open_until=AT)
    enqueue("1")

    deliver()

    breaker = OutboxBreaker.objects.get()
    assert (breaker.failures, breaker.open_until) == (failures + 1, AT + minutes * MINUTE)


@pytest.mark.parametrize(
    ("outcome", "failures"),
    [
        (Outcome.done(), []),
        (Outcome.failed("http_400"), []),
        (Outcome.retry("smtp_450", remote_answered=True), []),
        (Outcome.skipped("not_wanted"), [4]),
        (Outcome.retry("http_503"), [5]),
        (Outcome.uncertain("timeout"), [5]),
    ],
)
def test_counts_only_what_says_something_about_the_remote(
    register_kind: RegisterKind, outcome: Outcome, failures: list[int]
) -> None:
    register_kind(deliver=Deliveries(_1=outcome))
    OutboxBreaker.objects.create(kind="test.kind", failures=4)
    enqueue("1")

    deliver()

    assert list(OutboxBreaker.objects.values_list("failures", flat=True)) == failures


@pytest.mark.parametrize(("held", "tally"), [("", {}), ("test.kind", {}), ("other", {"done": 1})])
def test_a_hold_stops_all_delivery_or_that_of_a_kind(
    register_kind: RegisterKind, held: str, tally: dict[str, int]
) -> None:
    register_kind(deliver=Deliveries())
    (pk,) = enqueue("1")
    OutboxHold.objects.create(kind=held, reason="restored", held_at=AT)

    assert deliver() == tally
    assert outbox.deliver_now([pk], clock=lambda: AT)[pk].attempts == sum(tally.values())


# --- Now -----------------------------------------------------------------------------------------


def test_delivers_a_reserved_message_now_and_says_how_it_stands(
    register_kind: RegisterKind,
) -> None:
    register_kind(deliver=Deliveries(_2=Outcome.failed("http_400")))
    enqueue("other")
    ids = [outbox.enqueue("test.kind", [Item(cause=one)], at=AT, reserve=MINUTE)[0] for one in "12"]

    messages = outbox.deliver_now(ids, clock=lambda: AT)

    assert [messages[pk].status for pk in ids] == ["done", "failed"]
    assert stands("other").status == "pending"


def test_leaves_a_reserved_message_to_its_caller_until_the_time_is_over(
    register_kind: RegisterKind,
) -> None:
    register_kind(deliver=Deliveries())
    outbox.enqueue("test.kind", [Item(cause="1")], at=AT, reserve=MINUTE)

    assert deliver(AT + MINUTE - timedelta(microseconds=1)) == {}
    assert deliver(AT + MINUTE) == {"done": 1}


def test_does_not_deliver_now_what_waits_for_its_next_try(register_kind: RegisterKind) -> None:
    register_kind(deliver=(deliveries := Deliveries(_1=Outcome.retry("http_503"))))
    ids = enqueue("1")
    outbox.deliver_now(ids, clock=lambda: AT)

    messages = outbox.deliver_now(ids, clock=lambda: AT + timedelta(seconds=1))

    assert messages[ids[0]].status == "pending"
    assert len(deliveries.batches) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "deliver_it",
    [lambda ids: outbox.deliver_now(ids, clock=lambda: AT), lambda _ids: deliver(AT)],
    ids=["deliver_now", "deliver_due"],
)
def test_never_delivers_inside_a_transaction(register_kind: RegisterKind, deliver_it: Any) -> None:
    register_kind(deliver=(deliveries := Deliveries()))

    with transaction.atomic():
        ids = enqueue("1")
        with pytest.raises(RuntimeError, match="durable"):
            deliver_it(ids)

    assert deliveries.batches == []
    assert stands("1").attempts == 0

from collections.abc import Callable
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from credentials_portal.accounts.models import User
from credentials_portal.core.retries import retry_conflicts


def lose_conflict(code: str) -> None:
    """Fail as PostgreSQL lets the loser of a conflict fail."""
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{code}'; END $$")


def counted(calls: list[int], *, losses: int, code: str = "40001") -> Callable[[], str]:
    @retry_conflicts
    def work() -> str:
        calls.append(len(calls))
        with transaction.atomic():
            if len(calls) <= losses:
                lose_conflict(code)
        return "done"

    return work


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_tries_three_times_again(transactional_db: None, code: str) -> None:
    calls: list[int] = []

    assert counted(calls, losses=3, code=code)() == "done"
    assert len(calls) == 4


def test_gives_up_then(transactional_db: None) -> None:
    calls: list[int] = []

    with pytest.raises(OperationalError):
        counted(calls, losses=4)()

    assert len(calls) == 4


@pytest.mark.parametrize(
    ("code", "error"), [("55P03", OperationalError), ("23505", IntegrityError)]
)
def test_does_not_repeat_what_would_fail_again(
    transactional_db: None, code: str, error: type[Exception]
) -> None:
    calls: list[int] = []

    with pytest.raises(error):
        counted(calls, losses=1, code=code)()

    assert len(calls) == 1


def test_leaves_it_to_the_outermost_transaction(transactional_db: None) -> None:
    inner: list[int] = []
    outer: list[int] = []

    @retry_conflicts
    def work() -> None:
        outer.append(1)
        with transaction.atomic():
            counted(inner, losses=2)()

    work()

    assert (len(inner), len(outer)) == (3, 3)


def test_two_that_lock_each_other_out_both_get_there(transactional_db: None) -> None:
    User.objects.create(username="anna")
    User.objects.create(username="bert")
    both_hold_one = Barrier(2, timeout=60)
    tries: list[str] = []

    @retry_conflicts
    def lock(first: str, second: str) -> None:
        tries.append(first)
        with transaction.atomic():
            for username in (first, second):
                user = User.objects.select_for_update().get(username=username)
                user.full_name += first[0]
                user.save()
                try:
                    both_hold_one.wait()
                except BrokenBarrierError:
                    continue
                finally:
                    both_hold_one.abort()

    def run(first: str, second: str) -> None:
        lock(first, second)
        connection.close()

    threads = [Thread(target=run, args=pair) for pair in [("anna", "bert"), ("bert", "anna")]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(tries) == 3
    assert {"".join(sorted(user.full_name)) for user in User.objects.all()} == {"ab"}

"""Set-based work that one bad item must not stop."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.db import DataError, IntegrityError, transaction

from credentials_portal.core.errors import DomainError

T = TypeVar("T")
R = TypeVar("R")


def in_halves(
    items: Sequence[T],
    write: Callable[[Sequence[T]], R],
    *,
    failed: Callable[[T, Exception], None],
) -> Iterator[R]:
    """Write all items at once; where the data refuse, write each half, until one stands alone.

    Every attempt is a savepoint (or a transaction, outside of one). What a bad item raised goes
    to `failed`; what the database raises for other causes (a deadlock, a lost connection) is
    raised here.
    """
    if not items:
        return
    try:
        with transaction.atomic():
            result = write(items)
    except (DataError, IntegrityError, DomainError) as error:
        if len(items) == 1:
            failed(items[0], error)
            return
        middle = len(items) // 2
        yield from in_halves(items[:middle], write, failed=failed)
        yield from in_halves(items[middle:], write, failed=failed)
    else:
        yield result

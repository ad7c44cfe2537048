"""Work that lost against another transaction is done again."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

# PostgreSQL's serialization_failure and deadlock_detected: nothing happened, try again.
LOST_CONFLICTS = frozenset({"40001", "40P01"})
RETRIES = 3


def retry_conflicts(work: Callable[P, R]) -> Callable[P, R]:
    """Do `work` again, three times at most, after a deadlock or a serialization failure.

    `work` is a whole transaction. Inside a transaction nothing can be retried, so an inner call
    leaves it to the outermost one.
    """

    @wraps(work)
    def retried(*args: P.args, **kwargs: P.kwargs) -> R:
        for retry in range(1, RETRIES + 1):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or not lost_conflict(error):
                    raise
                # A random wait, so that the two do not meet again.
                time.sleep(random.uniform(0, 0.05 * 2**retry))  # noqa: S311 - no secret
        return work(*args, **kwargs)

    return retried


def lost_conflict(error: BaseException) -> bool:
    """Whether PostgreSQL undid this transaction in favour of another."""
    return getattr(error.__cause__, "pgcode", None) in LOST_CONFLICTS

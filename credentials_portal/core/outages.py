"""Telling a database that is gone from one that refuses a statement."""

from django.db import InterfaceError, OperationalError

# PostgreSQL's connection exceptions, insufficient resources, operator intervention, system errors.
# Not of these: query_canceled (57014), our own timeout.
CLASSES = ("08", "53", "57P", "58")


def is_outage(error: BaseException | None) -> bool:
    """Whether `error` says that the database cannot be reached, or went away meanwhile.

    Whether a transaction that was about to commit did so is then unknown.
    """
    if not isinstance(error, InterfaceError | OperationalError):
        return False
    # None: there was no server to give a code.
    code = getattr(error.__cause__, "pgcode", None)
    return code is None or code.startswith(CLASSES)

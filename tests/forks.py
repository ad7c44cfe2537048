"""Work in a fork that kills itself, to see what an interrupted process leaves behind."""

import os
import signal
import traceback
from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections


def was_killed(at_statement: int, work: Callable[[], object]) -> bool:
    """Do the work in a fork that kills itself before this statement; False: it was done before."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        seen = count(1)

        def die(execute: Callable[..., object], *rest: Any) -> object:
            if next(seen) == at_statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(*rest)

        try:
            _inherited = _connect_anew()
            with connection.execute_wrapper(die):
                work()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _connect_anew() -> object:
    """Give this fork a connection of its own; returns the one that it inherited.

    asgiref keeps the connections of a thread whose event loop runs, as Playwright's does in the
    thread of the tests, apart from those without. No loop runs in a fork: it would find one that
    was open before Playwright began, and would talk, and die, in its parent's session.
    """
    inherited = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections.create_connection(DEFAULT_DB_ALIAS)
    return inherited

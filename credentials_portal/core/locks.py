"""Locks that last as long as a connection: one command at a time."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import environ
from django.conf import settings
from django.db import Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

# The first of the two keys: this portal's, among the advisory locks of a shared server.
LOCK_SPACE = 0x43504C


class LockTakenError(Exception):
    """Another session holds the lock."""


class SessionLock:
    """An advisory lock called `name`, on a connection of its own to DATABASE_DIRECT_URL.

    Entering raises `LockTakenError` at once when somebody else holds it. The server frees it when the
    connection ends, however it ends; `is_held` asks whether that has happened.
    """

    def __init__(self, name: str) -> None:
        self.key = _signed_32(crc32(name.encode()))
        self._connection = direct_connection()

    def __enter__(self) -> Self:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, self.key])
            is_ours = cursor.fetchone()[0]
        if not is_ours:
            self._connection.close()
            raise LockTakenError
        return self

    def is_held(self) -> bool:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error:
            return False
        return True

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        # A server that is busy notices the end of a connection some time after it.
        with suppress(Error), self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, self.key])
        with suppress(Error):
            self._connection.close()


def direct_connection() -> BaseDatabaseWrapper:
    """A new connection to the default database that goes around a pooler, not opened yet."""
    direct = connection.copy()
    direct.settings_dict = direct_settings()
    return direct


def direct_settings() -> dict[str, Any]:
    """The default connection's settings, with DATABASE_DIRECT_URL's address and options where that differs."""
    current = connection.settings_dict
    if settings.DATABASE_DIRECT_URL == settings.DATABASE_URL:
        return {**current}
    address = environ.Env.db_url_config(settings.DATABASE_DIRECT_URL)
    return {
        **current,
        **{key: address[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")},
        "OPTIONS": {**current["OPTIONS"], **address.get("OPTIONS", {})},
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }


def _signed_32(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number

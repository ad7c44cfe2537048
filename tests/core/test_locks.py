from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from credentials_portal.core.commands import job_connection
from credentials_portal.core.locks import LockTakenError, SessionLock, direct_connection

SETTINGS = "SELECT current_setting('application_name'), current_setting('lock_timeout')"


@pytest.fixture
def direct_url(transactional_db: None, settings: Any) -> str:
    """A DATABASE_DIRECT_URL with an option of its own, which leads to the test's database."""
    address = urlsplit(settings.DATABASE_URL)
    path = f"{address.path.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    settings.DATABASE_DIRECT_URL = address._replace(
        path=path, query="application_name=direct"
    ).geturl()
    return str(settings.DATABASE_DIRECT_URL)


def asked_of(database: Any) -> Any:
    with database.cursor() as cursor:
        cursor.execute(SETTINGS)
        return cursor.fetchone()


@pytest.mark.usefixtures("direct_url")
def test_a_direct_connection_follows_the_options_of_its_own_address() -> None:
    direct = direct_connection()
    try:
        assert asked_of(direct) == ("direct", asked_of(connection)[1])
    finally:
        direct.close()


@pytest.mark.usefixtures("direct_url")
def test_jobs_go_past_a_pooler_and_keep_its_restrictions_behind() -> None:
    connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
    try:
        with job_connection(read_only=False):
            assert asked_of(connection) == ("direct", "30s")
            assert not connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
        assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
    finally:
        connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False


def test_a_lock_is_free_for_the_next_at_once(transactional_db: None) -> None:
    for _time in range(30):
        with SessionLock("job"):
            pass


def test_a_lock_is_free_again_when_its_connection_ends(transactional_db: None) -> None:
    with SessionLock("job") as lock:
        with pytest.raises(LockTakenError), SessionLock("job"):
            pass
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON oid = database"
                " WHERE locktype = 'advisory' AND objid = %s AND datname = current_database()",
                [lock.key % 2**32],
            )
        assert not lock.is_held()
        with SessionLock("job") as other:
            assert other.is_held()
            assert not lock.is_held()

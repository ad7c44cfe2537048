"""The whole suite runs on one server: DATABASE_URL's, else the embedded one."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from credentials_portal import devdb

WITHOUT_AUTOVACUUM = """
    DO $$
    DECLARE
        each_table regclass;
    BEGIN
        FOR each_table IN
            SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        LOOP
            EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', each_table);
        END LOOP;
    END $$
"""


def pytest_configure() -> None:
    """Hash fast; start the embedded server where it is wanted, and claim a test database that no other run uses.

    pytest-django has read the settings by now. The workers of pytest-xdist inherit the claimed name, to which
    pytest-django adds each worker's own.
    """
    # Django's own takes half a second of a core for each password and client secret.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A disk that stalls for seconds is no finding: what waits for a lock here waits for it.
    options = settings.DATABASES["default"]["OPTIONS"]
    options["options"] += " -c lock_timeout=60s -c statement_timeout=5min -c synchronous_commit=off"
    if not devdb.is_wanted():
        return
    try:
        devdb.start()
    except devdb.DevdbError as error:
        raise pytest.UsageError(str(error)) from error
    if not os.environ.get("TEST_DATABASE_NAME"):
        name = devdb.claim_test_database()
        os.environ["TEST_DATABASE_NAME"] = settings.DATABASES["default"]["TEST"]["NAME"] = name


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep statistics away from tests; end sessions that outlive the suite, else nothing can be dropped.

    Between two tests the tables are empty. Where PostgreSQL looks at them just then, it believes
    it, and the next test's thousand rows meet plans for none: loops that take minutes.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(WITHOUT_AUTOVACUUM)
    yield
    with django_db_blocker.unblock():
        end_other_sessions()


@pytest.fixture(autouse=True)
def sole_session(request: pytest.FixtureRequest) -> Iterator[None]:
    """End sessions that outlive their test before its tables are emptied: one may hold a lock on them.

    A thread of the server that the browser talks to may still be at work on what the browser left.
    """
    marker = request.node.get_closest_marker("django_db")
    is_transactional = {"transactional_db", "live_server"}.intersection(request.fixturenames) or (
        marker and marker.kwargs.get("transaction")
    )
    if not is_transactional:
        yield
        return
    # What is asked for here empties the tables after what follows the yield.
    request.getfixturevalue("transactional_db")
    yield
    end_other_sessions()


def end_other_sessions() -> None:
    if connection.connection and not connection.is_usable():
        # A test may have ended this very session at the server.
        connection.close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )

"""The whole suite runs on one server: DATABASE_URL's, else the embedded one."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from credentials_portal import devdb


def pytest_configure() -> None:
    """Hash fast; start the embedded server where it is wanted, and claim a test database that no other run uses.

    pytest-django has read the settings by now. The workers of pytest-xdist inherit the claimed name, to which
    pytest-django adds each worker's own.
    """
    # Django's own takes half a second of a core for each password and client secret.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
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
    """End sessions that outlive their test, else the test database cannot be dropped.

    A thread of the server that the browser talks to keeps its connection as long as the browser does.
    """
    yield
    with django_db_blocker.unblock():
        # A test may have ended this very session at the server.
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

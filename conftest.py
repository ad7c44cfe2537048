"""The whole suite runs on one server: DATABASE_URL's, else the embedded one."""

import os

import pytest
from django.conf import settings

from credentials_portal import devdb


def pytest_configure() -> None:
    """Start the embedded server where it is wanted, and claim a test database that no other run uses.

    pytest-django has read the settings by now. The workers of pytest-xdist inherit the claimed name, to which
    pytest-django adds each worker's own.
    """
    if not devdb.is_wanted():
        return
    try:
        devdb.start()
    except devdb.DevdbError as error:
        raise pytest.UsageError(str(error)) from error
    if not os.environ.get("TEST_DATABASE_NAME"):
        name = devdb.claim_test_database()
        os.environ["TEST_DATABASE_NAME"] = settings.DATABASES["default"]["TEST"]["NAME"] = name

"""The stand-in for the LMS as a fixture: `from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture`."""

from collections.abc import Iterator
from typing import Any

import pytest

from credentials_portal.clients import lms as clients
from credentials_portal.devlms import StandInLms


@pytest.fixture(name="lms")
def standing_in_lms(settings: Any) -> Iterator[StandInLms]:
    """An LMS on loopback that the settings name; it is told in the test how to fail."""
    with StandInLms() as standing_in:
        settings.LMS_BASE_URL = standing_in.url
        settings.LMS_CLIENT_ID = standing_in.client_id
        settings.LMS_CLIENT_SECRET = standing_in.client_secret
        settings.LMS_TIMEOUT_SECONDS = 60.0
        yield standing_in
        client = clients.lms()
        assert client
        client.close()
        clients._client.cache_clear()

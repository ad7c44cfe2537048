"""The stand-in for the catalog: `from tests.standins.catalog import standing_in_catalog  # noqa: F401 - a fixture`.

It needs the LMS of `tests.standins.lms`, whose tokens it takes.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from credentials_portal.clients import catalog as clients
from credentials_portal.devcatalog import StandInCatalog
from credentials_portal.devlms import StandInLms


@pytest.fixture(name="catalog")
def standing_in_catalog(settings: Any, lms: StandInLms) -> Iterator[StandInCatalog]:
    """A Discovery service on loopback that the settings name; it is told in the test how to fail."""
    with StandInCatalog(lms=lms) as standing_in:
        settings.CATALOG_BASE_URL = standing_in.base_url
        settings.CATALOG_TIMEOUT_SECONDS = 60.0
        yield standing_in
        client = clients.catalog()
        if client:
            client.close()
        clients._client.cache_clear()

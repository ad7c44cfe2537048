"""An embedded PostgreSQL for machines that offer none: found, made, started, shared and stopped here.

Importing this package starts nothing: `manage.py`, `make run` and pytest call `start()`. Where the
environment sets DATABASE_URL, that server is the database and `start()` does nothing.
"""

from credentials_portal.devdb.errors import DevdbError
from credentials_portal.devdb.place import data_dir
from credentials_portal.devdb.server import (
    claim_test_database,
    is_wanted,
    recreate_database,
    start,
    url,
)

__all__ = [
    "DevdbError",
    "claim_test_database",
    "data_dir",
    "is_wanted",
    "recreate_database",
    "start",
    "url",
]

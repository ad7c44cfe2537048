"""The test database, for processes of a test's own."""

from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection


def url_of_test_database() -> str:
    """DATABASE_URL with the test database's name; the path may begin with a socket's directory."""
    address = urlsplit(settings.DATABASE_URL)
    path = f"{address.path.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    return address._replace(path=path).geturl()

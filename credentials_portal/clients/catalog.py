"""The Discovery service: organizations, courses, programs and pathways as it publishes them."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from credentials_portal.clients.http import Answer, HttpClient, Result, Unavailable
from credentials_portal.clients.oauth import AuthorizedClient, TokenSource

# No catalog has so many pages; one that says so turns in a circle.
MOST_PAGES = 10_000
# Learners' programs know hidden runs, too.
QUERIES: Mapping[str, Mapping[str, str]] = {
    "organizations": {},
    "courses": {"include_hidden_course_runs": "1"},
    "programs": {},
    "pathways": {},
}
"""What is read, in the order in which one needs the other, and with which further parameters."""


class Catalog:
    """What this portal asks of the Discovery service at `base_url`."""

    def __init__(self, base_url: str, client: HttpClient | AuthorizedClient) -> None:
        self._base = urlsplit(base_url)
        self._client = client

    def read(
        self, table: str, *, page_size: int, take: Callable[[Any], Any] = lambda item: item
    ) -> Result:
        """What `take` makes of each item of all pages, in the answer's body as one list.

        No more than that is kept, and one page: items are long. The first failure ends it. A list
        that changed while it was read lacks something, or has it twice: `changed`.
        """
        query = {"page": "1", "page_size": str(page_size), "exclude_utm": "1", **QUERIES[table]}
        items: list[Any] = []
        for _page in range(MOST_PAGES):
            result = self._client.call("GET", f"/{table}/", query=query)
            if not isinstance(result, Answer):
                return result
            if not _is_page(result.body):
                return Unavailable("no_page", result.status)
            items += map(take, result.body["results"])
            link = result.body.get("next")
            if not link:
                count = result.body.get("count", len(items))
                return Answer(HTTPStatus.OK, items) if count == len(items) else CHANGED
            following = self._query_of(link, table)
            if following is None:
                return Unavailable("foreign_next", result.status)
            query = following
        return Unavailable("endless", HTTPStatus.OK)

    def _query_of(self, link: Any, table: str) -> dict[str, str] | None:
        """What the link to the next page asks for; None where it leads elsewhere.

        Only that is taken from it: the token goes nowhere but to the address of the settings.
        """
        try:
            there = urlsplit(link) if isinstance(link, str) else None
            is_here = there and there.hostname in {None, self._base.hostname}
        except ValueError:
            return None
        if not there or not is_here or there.path != f"{self._base.path.rstrip('/')}/{table}/":
            return None
        return dict(parse_qsl(there.query))

    def close(self) -> None:
        self._client.close()


CHANGED = Unavailable("changed", HTTPStatus.OK)


def catalog() -> Catalog | None:
    """The Discovery service that the settings name; None: there is none."""
    if not settings.CATALOG_BASE_URL:
        return None
    with _making:
        return _client(
            os.getpid(),
            settings.CATALOG_BASE_URL,
            settings.LMS_BASE_URL,
            settings.LMS_CLIENT_ID,
            settings.LMS_CLIENT_SECRET,
            settings.CATALOG_TIMEOUT_SECONDS,
        )


# Threads that ask for the first one at once would make one each.
_making = Lock()


@cache
def _client(
    _pid: int, base_url: str, lms_url: str, client_id: str, secret: str, timeout_seconds: float
) -> Catalog:
    """One for each process. Without a client of ours in the LMS it is asked without a token."""
    if not (lms_url and client_id):
        return Catalog(base_url, HttpClient("catalog", base_url, timeout_seconds=timeout_seconds))
    tokens = TokenSource(lms_url, client_id, secret, timeout_seconds=timeout_seconds)
    return Catalog(
        base_url, AuthorizedClient("catalog", base_url, tokens, timeout_seconds=timeout_seconds)
    )


def _is_page(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("results"), list)

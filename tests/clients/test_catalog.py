import logging
from typing import Any

import pytest

from credentials_portal.clients import catalog as clients
from credentials_portal.clients.catalog import Catalog
from credentials_portal.clients.http import Answer, Refused, Unavailable
from credentials_portal.devcatalog import StandInCatalog
from credentials_portal.devlms import StandInLms
from tests.standins.catalog import standing_in_catalog  # noqa: F401 - a fixture
from tests.standins.lms import standing_in_lms  # noqa: F401 - a fixture


@pytest.fixture
def client(catalog: StandInCatalog) -> Catalog:
    client = clients.catalog()
    assert client
    return client


def test_reads_all_pages_with_a_token_of_the_lms(
    client: Catalog, catalog: StandInCatalog, lms: StandInLms
) -> None:
    catalog.tables["organizations"] = [{"key": str(number)} for number in range(5)]

    result = client.read("organizations", page_size=2)

    assert result == Answer(200, [{"key": str(number)} for number in range(5)])
    assert [call.path for call in catalog.calls] == [
        f"/api/v1/organizations/?page={page}&page_size=2&exclude_utm=1" for page in (1, 2, 3)
    ]
    assert lms.issued_tokens == 1


def test_keeps_no_more_than_what_is_wanted(client: Catalog, catalog: StandInCatalog) -> None:
    catalog.tables["programs"] = [{"title": "A", "text": "long"}, {"title": "B", "text": "long"}]

    result = client.read("programs", page_size=1, take=lambda item: item["title"])

    assert result == Answer(200, ["A", "B"])


def test_asks_for_hidden_runs_of_courses(client: Catalog, catalog: StandInCatalog) -> None:
    client.read("courses", page_size=50)

    (call,) = catalog.calls
    assert call.path == (
        "/api/v1/courses/?page=1&page_size=50&exclude_utm=1&include_hidden_course_runs=1"
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/api/v1/courses/?page=2",
        "//elsewhere.example/api/v1/courses/?page=2",
        "/api/v1/organizations/?page=2",
        "ftp://[/",
        {"page": 2},
        17,
    ],
)
def test_follows_no_link_that_leads_elsewhere(
    client: Catalog, catalog: StandInCatalog, link: Any
) -> None:
    catalog.answers["courses"] = {"count": 2, "next": link, "results": [{}]}

    assert client.read("courses", page_size=1) == Unavailable("foreign_next", 200)
    assert len(catalog.calls) == 1


def test_pages_that_turn_in_a_circle_end(
    client: Catalog, catalog: StandInCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MOST_PAGES", 3)
    link = f"{catalog.base_url}courses/?page=1"
    catalog.answers["courses"] = {"count": 2, "next": link, "results": [{}]}

    assert client.read("courses", page_size=1) == Unavailable("endless", 200)
    assert len(catalog.calls) == 3


def test_a_list_that_changes_while_it_is_read_is_no_list(
    client: Catalog, catalog: StandInCatalog
) -> None:
    catalog.answers["courses"] = {"count": 2, "next": None, "results": [{}]}

    assert client.read("courses", page_size=1) == Unavailable("changed", 200)


@pytest.mark.parametrize("answer", [[], {}, {"results": {}}, "text", None, 7])
def test_what_is_no_page_is_no_success(
    client: Catalog, catalog: StandInCatalog, answer: Any
) -> None:
    catalog.answers["courses"] = answer

    assert client.read("courses", page_size=1) == Unavailable("no_page", 200)


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (500, Unavailable("http_500", 500)),
        (404, Refused(404)),
        (0, Unavailable("lost.RemoteProtocolError")),
    ],
)
def test_a_failure_on_any_page_fails_it_all(
    client: Catalog, catalog: StandInCatalog, status: int, result: Any
) -> None:
    catalog.tables["courses"] = [{}, {}, {}]
    catalog.fail(status, path="page=2")

    assert client.read("courses", page_size=1) == result


def test_a_token_that_ended_is_renewed_between_pages(
    client: Catalog, catalog: StandInCatalog, lms: StandInLms
) -> None:
    client.read("programs", page_size=1)
    lms.tokens.clear()

    assert client.read("programs", page_size=1) == Answer(200, [])
    assert lms.issued_tokens == 2


def test_without_a_client_in_the_lms_it_is_asked_without_a_token(settings: Any) -> None:
    with StandInCatalog() as catalog:
        settings.CATALOG_BASE_URL = catalog.base_url.rstrip("/")
        client = clients.catalog()
        assert client

        assert client.read("pathways", page_size=1) == Answer(200, [])
        client.close()
        clients._client.cache_clear()


def test_tells_no_address_in_its_logs(
    client: Catalog, catalog: StandInCatalog, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG, logger="credentials_portal")
    catalog.tables["organizations"] = [{"key": "secret-word"}]

    client.read("organizations", page_size=1)

    assert "secret-word" not in caplog.text


def test_there_may_be_no_catalog(settings: Any) -> None:
    settings.CATALOG_BASE_URL = ""

    assert clients.catalog() is None

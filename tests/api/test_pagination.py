import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]


@pytest.fixture
def client() -> APIClient:
    User.objects.bulk_create(User(username=f"learner{number:03}") for number in range(101))
    client = APIClient()
    client.force_login(User.objects.get(username="learner000"))
    return client


def test_a_page_has_twenty_and_knows_its_neighbours(client: APIClient) -> None:
    page = client.get("/test/names/", {"page": 2}).json()

    assert page.keys() == {"count", "next", "previous", "results"}
    assert page["count"] == 101
    assert page["next"] == "http://testserver/test/names/?page=3"
    assert page["previous"] == "http://testserver/test/names/"
    assert [row["username"] for row in page["results"]] == [f"learner{n:03}" for n in range(20, 40)]


@pytest.mark.parametrize(("asked", "given"), [("5", 5), ("100", 100), ("101", 100), ("no", 20)])
def test_the_caller_may_ask_for_up_to_a_hundred(client: APIClient, asked: str, given: int) -> None:
    page = client.get("/test/names/", {"page_size": asked}).json()

    assert len(page["results"]) == given


@pytest.mark.parametrize("number", ["0", "7", "x"])
def test_a_page_that_is_not_there_is_404(client: APIClient, number: str) -> None:
    assert client.get("/test/names/", {"page": number}).status_code == 404

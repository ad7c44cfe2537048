import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]


@pytest.fixture
def person() -> User:
    person: User = User.objects.create_user("ada")
    return person


def test_refuses_anonymous_callers_with_401() -> None:
    response = APIClient().get("/test/whoami/")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"


def test_knows_people_by_their_session(person: User) -> None:
    client = APIClient()
    client.force_login(person)

    response = client.get("/test/whoami/")

    assert response.json() == {"user": "ada", "service": False}


def test_a_person_who_writes_needs_the_csrf_token(person: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(person)

    response = client.post("/test/whoami/")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"


def test_ignores_passwords_in_the_header(person: User) -> None:
    person.set_password("secret")
    person.save()
    client = APIClient(headers={"authorization": "Basic YWRhOnNlY3JldA=="})

    assert client.get("/test/whoami/").status_code == 401


def test_times_are_utc_whatever_the_readers_zone(person: User) -> None:
    User.objects.filter(pk=person.pk).update(
        time_zone="Asia/Kolkata", date_joined="2024-05-02T10:00:00Z"
    )
    client = APIClient()
    client.force_login(person)

    listed = client.get("/test/names/").json()["results"]

    assert listed == [{"username": "ada", "date_joined": "2024-05-02T10:00:00Z"}]

"""New usernames, told by the job of the LMS that replaces them everywhere."""

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from tests.programs.credentials_api.conftest import REPLACE, Caller, send
from tests.programs.factories import LearnerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(lms: APIClient, settings: Settings) -> APIClient:
    settings.USERNAME_REPLACEMENT_WORKER = "lms_worker"
    return lms


def replace(client: APIClient, *pairs: Any) -> Any:
    return send(client, "POST", REPLACE, {"username_mappings": list(pairs)})


def test_names_are_replaced_and_nothing_else(worker: APIClient, ada: User) -> None:
    answer = replace(worker, {"ada": "ada.lovelace"})

    assert answer.status_code == 200
    assert answer.json() == {
        "successful_replacements": [{"ada": "ada.lovelace"}],
        "failed_replacements": [],
    }
    before = (ada.full_name, ada.email)
    ada.refresh_from_db()
    assert (ada.username, ada.full_name, ada.email) == ("ada.lovelace", *before)


def test_whom_nobody_here_is_called_is_no_failure(worker: APIClient) -> None:
    answer = replace(worker, {"nobody": "somebody"})

    assert answer.json()["successful_replacements"] == [{"nobody": "somebody"}]
    assert not User.objects.filter(username="somebody").exists()


@pytest.mark.parametrize("new", ["bob", "BOB", "", "a b", "a\0", None, 7, ["x"]])
def test_what_cannot_be_is_a_failure_and_the_rest_is_done(
    worker: APIClient, ada: User, new: Any
) -> None:
    for name in ("bob", "eve"):
        LearnerFactory.create(username=name)

    answer = replace(worker, {"ada": new}, {"eve": "eva"})

    assert answer.json() == {
        "successful_replacements": [{"eve": "eva"}],
        "failed_replacements": [{"ada": new}],
    }
    ada.refresh_from_db()
    assert ada.username == "ada"


def test_one_after_the_other(worker: APIClient, ada: User) -> None:
    bob = LearnerFactory.create(username="bob")

    answer = replace(worker, {"ada": "carl"}, {"bob": "ada"}, {"\0": "x"}, {"\ud800": "x"})

    assert answer.json()["failed_replacements"] == [{"\0": "x"}, {"\ud800": "x"}]
    ada.refresh_from_db()
    bob.refresh_from_db()
    assert (ada.username, bob.username) == ("carl", "ada")


def test_none_is_nothing_to_do(worker: APIClient) -> None:
    answer = replace(worker)

    assert (answer.status_code, answer.json()) == (
        200,
        {"successful_replacements": [], "failed_replacements": []},
    )


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        "x",
        {"username_mappings": None},
        {"username_mappings": {"ada": "bob"}},
        {"username_mappings": ["ada"]},
        {"username_mappings": [{}]},
        {"username_mappings": [{"ada": "a", "bob": "b"}]},
        {"username_mappings": [{"ada": "carl"}, {}]},
    ],
)
def test_what_is_no_list_of_pairs_is_refused_without_a_word(
    worker: APIClient, ada: User, body: Any
) -> None:
    answer = send(worker, "POST", REPLACE, body)

    assert (answer.status_code, answer.content) == (400, b"")
    ada.refresh_from_db()
    assert ada.username == "ada"


@pytest.mark.parametrize(
    ("name", "status"),
    [("anonymous", 401), ("ada", 403), ("viewer", 403), ("changer", 403), ("service", 403)],
)
def test_only_the_worker_may(
    as_caller: Caller, ada: User, settings: Settings, name: str, status: int
) -> None:
    settings.USERNAME_REPLACEMENT_WORKER = "another_worker"

    assert replace(as_caller(name), {"ada": "eve"}).status_code == status

    ada.refresh_from_db()
    assert ada.username == "ada"


def test_nobody_may_where_no_worker_is_set(lms: APIClient, ada: User, settings: Settings) -> None:
    settings.USERNAME_REPLACEMENT_WORKER = ""

    assert replace(lms, {"ada": "eve"}).status_code == 403

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.urls")]


@pytest.mark.parametrize(
    ("failure", "status", "code", "message"),
    [
        ("refused", 400, "refused", "The letter was never issued."),
        ("not_found", 404, "not_found", "There is no such letter."),
        ("gone", 404, "gone", "The letter was withdrawn."),
        ("conflict", 409, "conflict", "The letter is revoked already."),
        ("suspicious", 400, "parse_error", "The request cannot be read."),
        ("http404", 404, "not_found", "Not found."),
    ],
)
def test_a_failure_has_one_shape(failure: str, status: int, code: str, message: str) -> None:
    response = APIClient().get(f"/test/failing/{failure}/")

    assert response.status_code == status
    assert response.json() == {"error": {"code": code, "message": message}}


def test_a_failure_tells_its_details() -> None:
    response = APIClient().get("/test/failing/detailed/")

    assert response.status_code == 409
    assert response.json() == {
        "error": {"code": "conflict", "message": "Seats are taken.", "seats": [3, 5]}
    }


@pytest.mark.parametrize(
    "path", ["/api/", "/api/unknown/", "/api/%0a/", "/api/letters/v1/letters/no-uuid/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "QUERY"])
def test_what_is_no_resource_is_not_found_in_json(path: str, method: str) -> None:
    response = APIClient().generic(method, path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_a_forgotten_slash_is_added() -> None:
    response = APIClient().get("/api/letters/v1/letters")

    assert (response.status_code, response["Location"]) == (301, "/api/letters/v1/letters/")


# lock_not_available, query_canceled, deadlock_detected, serialization_failure
@pytest.mark.parametrize("pgcode", ["55P03", "57014", "40P01", "40001"])
def test_a_busy_database_is_503_with_retry_after(pgcode: str) -> None:
    response = APIClient().get(f"/test/failing/pg{pgcode}/")

    assert response.status_code == 503
    assert response["Retry-After"] == "2"
    assert response.json()["error"]["code"] == "busy"


@pytest.mark.parametrize("failure", ["bug", "pg08006"])
def test_a_bug_or_a_lost_database_stays_a_500(failure: str) -> None:
    response = APIClient(raise_request_exception=False).get(f"/test/failing/{failure}/")

    assert response.status_code == 500


def test_names_the_fields_that_are_not_valid() -> None:
    response = APIClient().post("/test/grades/", {"percent": "much"}, format="json")

    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "code": "invalid",
            "message": "Some values are not valid.",
            "fields": {
                "learner": ["This field is required."],
                "percent": ["A valid number is required."],
            },
        }
    }


def test_names_the_fields_of_each_item_of_a_list() -> None:
    grades = [{"learner": "ada", "percent": "0.5"}, {"learner": "bob"}]

    response = APIClient().post("/test/grades/", grades, format="json")

    assert response.json()["error"]["fields"] == {"1": {"percent": ["This field is required."]}}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ('"text"', "application/json", 400),
        ("null", "application/json", 400),
        ("\ud800", "application/json", 400),
        ("<a/>", "application/xml", 415),
    ],
)
def test_an_unreadable_body_is_a_4xx(body: str, content_type: str, status: int) -> None:
    encoded: Any = body.encode("utf-8", "surrogatepass")

    response = APIClient().post("/test/grades/", encoded, content_type=content_type)

    assert response.status_code == status
    assert response.json()["error"].keys() >= {"code", "message"}

"""The stranger's check through the API."""

import pytest
from rest_framework.test import APIClient

from letters import services
from letters.models import ProgramLetter, ProgramLetterTemplate
from tests.letters.api.conftest import path_of
from tests.letters.factories import DAY, by_at, graduates, issue, one_course_program
from tests.programs.factories import AT


def page_of(letter: ProgramLetter) -> str:
    return f"/letter/program/{letter.uuid}/verify/"


@pytest.mark.parametrize("state", ["valid", "withdrawn", "without text"])
def test_tells_the_very_facts_of_the_page(letter: ProgramLetter, state: str) -> None:
    if state == "withdrawn":
        services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY, reason="Copied."))
    if state == "without text":
        program, run = one_course_program()
        [letter] = issue(program, *graduates(run))

    told = APIClient().get(path_of(letter, "verify/"))
    page = APIClient().get(page_of(letter), headers={"accept": "application/json"})

    assert (told.status_code, told.content) == (page.status_code, page.content)
    assert told["Content-Type"] == page["Content-Type"] == "application/json"


def test_tells_a_valid_letter(letter: ProgramLetter) -> None:
    assert APIClient().get(path_of(letter, "verify/")).json() == {
        "status": "valid",
        "letter": str(letter.uuid),
        "name": "Ada Lovelace",
        "program": "Engines",
        "issued_at": "2025-06-01T12:00:00Z",
    }


def test_tells_nothing_but_the_day_of_a_withdrawn_letter(letter: ProgramLetter) -> None:
    services.revoke_letter(letter_uuid=letter.uuid, by=by_at(AT + DAY, reason="Copied."))

    assert APIClient().get(path_of(letter, "verify/")).json() == {
        "status": "withdrawn",
        "letter": str(letter.uuid),
        "withdrawn_at": "2025-06-02T12:00:00Z",
    }


@pytest.mark.parametrize(
    "id", ["00000000-0000-4000-8000-000000000000", "not-a-uuid", "1", "%00", "%ff", " "]
)
def test_an_id_of_no_letter_is_not_found(letter: ProgramLetter, id: str) -> None:
    response = APIClient().get(path_of(id, "verify/"))

    assert response.status_code == 404
    assert response.json() == {"status": "not_found"}


def test_is_neither_indexed_nor_cached_nor_referred(letter: ProgramLetter) -> None:
    response = APIClient().get(path_of(letter, "verify/"))

    assert response["X-Robots-Tag"] == "noindex"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]


def test_is_refused_beyond_the_limit_that_it_shares_with_the_page(letter: ProgramLetter) -> None:
    stranger = APIClient(REMOTE_ADDR="192.0.2.1")
    for _ in range(30):
        stranger.get(path_of(letter, "verify/"))
        stranger.get(page_of(letter))

    refused = stranger.get(path_of(letter, "verify/"))
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.2").get(path_of(letter, "verify/"))

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "throttled"
    assert 0 < int(refused["Retry-After"]) <= 60
    assert elsewhere.status_code == 200


def test_refuses_a_token_that_nobody_issued(letter: ProgramLetter) -> None:
    response = APIClient().get(
        path_of(letter, "verify/"), headers={"authorization": "Bearer guessed"}
    )

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_token"


def test_does_not_know_a_letter_whose_text_was_withdrawn(letter: ProgramLetter) -> None:
    services.withdraw_template(
        template_id=ProgramLetterTemplate.objects.get().pk, by=by_at(AT + DAY, reason="Typo.")
    )

    response = APIClient().get(path_of(letter, "verify/"))

    assert (response.status_code, response.json()) == (404, {"status": "not_found"})

"""Each permission of the letters' resources, for everybody who might ask."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from letters.models import ProgramLetter
from tests.letters.api.conftest import LETTERS, Caller, allow, path_of
from tests.letters.factories import graduates, issue, one_course_program, rows

CALLERS = (
    *("anonymous", "holder", "stranger", "Support", "Registrars", "Operators", "Auditors"),
    *("service", "idle service", "reading service"),
)


def matrix(**expected: str) -> list[tuple[str, int]]:
    """Status by caller: `ok="holder, Support"` and so on, `others` for the rest."""
    statuses = {"ok": 200, "unknown": 404, "forbidden": 403, "unauthenticated": 401}
    named = {name: statuses[key] for key, names in expected.items() for name in names.split(", ")}
    return [(caller, named.get(caller, 403)) for caller in CALLERS]


@pytest.mark.parametrize(
    ("caller", "status"),
    matrix(
        ok="holder, stranger, Support, Registrars, Operators, Auditors, service, reading service",
        unauthenticated="anonymous",
    ),
)
def test_who_lists_letters(as_caller: Caller, caller: str, status: int) -> None:
    assert as_caller(caller).get(LETTERS).status_code == status


@pytest.mark.parametrize(
    ("caller", "status"),
    matrix(
        ok="holder, Support, Registrars, Operators, Auditors, service, reading service",
        unknown="stranger",
        unauthenticated="anonymous",
    ),
)
def test_who_sees_a_letter(
    as_caller: Caller, letter: ProgramLetter, caller: str, status: int
) -> None:
    assert as_caller(caller).get(path_of(letter)).status_code == status


@pytest.mark.parametrize("act", ["revoke/", "reinstate/"])
@pytest.mark.parametrize(
    ("caller", "status"), matrix(ok="Registrars, service", unauthenticated="anonymous")
)
def test_who_decides_about_a_letter(
    as_caller: Caller, letter: ProgramLetter, act: str, caller: str, status: int
) -> None:
    client = as_caller(caller)
    before = rows("letters_programletter", "letters_letterevent")

    response = client.post(path_of(letter, act), {"reason": "Copied."}, format="json")

    assert response.status_code == status
    if status != 200:
        assert rows("letters_programletter", "letters_letterevent") == before


@pytest.mark.parametrize("caller", CALLERS)
def test_everybody_verifies_a_letter(as_caller: Caller, letter: ProgramLetter, caller: str) -> None:
    assert as_caller(caller).get(path_of(letter, "verify/")).json()["status"] == "valid"


def test_a_learner_lists_their_own_letters(as_caller: Caller, letter: ProgramLetter) -> None:
    program, run = one_course_program()
    issue(program, *graduates(run))

    own = as_caller("holder").get(LETTERS).json()["results"]
    foreign = as_caller("stranger").get(LETTERS).json()["results"]

    assert [each["uuid"] for each in own] == [str(letter.uuid)]
    assert foreign == []


def test_a_learner_is_told_nothing_of_what_is_staffs(
    as_caller: Caller, letter: ProgramLetter
) -> None:
    told = as_caller("holder").get(path_of(letter)).json()

    assert told["recipient_name"] == "Ada Lovelace"
    assert not {"username", "state_note", "revocation_reason", "judgement", "events"} & set(told)


def test_staffs_words_are_for_those_who_may_revoke(
    as_caller: Caller, registrar: APIClient, letter: ProgramLetter
) -> None:
    registrar.post(path_of(letter, "revoke/"), {"reason": "Copied."}, format="json")

    told = registrar.get(path_of(letter)).json()
    told_support = as_caller("Support").get(path_of(letter)).json()

    assert (told["state_note"], told["revocation_reason"]) == ("Copied.", "Copied.")
    assert told["events"][-1]["note"] == "Copied."
    assert not {"state_note", "revocation_reason"} & set(told_support)
    assert "Copied" not in str(told_support)
    assert told_support["username"] == "ada"


def test_revoking_alone_does_not_open_foreign_letters(
    as_caller: Caller, letter: ProgramLetter
) -> None:
    client = as_caller("stranger")
    allow("stranger", "revoke_letter")

    response = client.post(path_of(letter, "revoke/"), {"reason": "Copied."}, format="json")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"


def test_a_session_needs_the_csrf_token_to_decide(
    letter: ProgramLetter, registrar: APIClient
) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.cookies = registrar.cookies

    response = client.post(path_of(letter, "revoke/"), {"reason": "Copied."}, format="json")

    letter.refresh_from_db()
    assert response.status_code == 403
    assert letter.state == "active"


@pytest.mark.parametrize("act", ["", "revoke/", "reinstate/"])
def test_an_unknown_letter_is_not_found(registrar: APIClient, act: str) -> None:
    path = path_of(uuid4(), act)

    response = registrar.post(path, {"reason": "X."}, format="json") if act else registrar.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("caller", ["anonymous", "Registrars"])
@pytest.mark.parametrize("rubbish", ["not-a-uuid", "1", "%00", "%ff"])
def test_a_malformed_id_is_not_found_in_json(as_caller: Caller, caller: str, rubbish: str) -> None:
    response = as_caller(caller).get(path_of(rubbish))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"

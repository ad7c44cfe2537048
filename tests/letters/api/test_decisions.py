"""Revoking and reinstating through the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.models import OutboxMessage
from letters.models import LetterEvent, ProgramLetter
from programs.models import CourseRun
from tests.letters.api.conftest import Caller, path_of
from tests.letters.factories import DAY, applied, grade, planned, rows, story
from tests.programs.factories import AT


def revoke(client: APIClient, letter: ProgramLetter, **wanted: Any) -> Any:
    wanted = {"reason": "Copied.", **wanted}
    return client.post(path_of(letter, "revoke/"), wanted, format="json")


def reinstate(client: APIClient, letter: ProgramLetter, **wanted: Any) -> Any:
    wanted = {"reason": "The board decided.", **wanted}
    return client.post(path_of(letter, "reinstate/"), wanted, format="json")


def test_revokes_a_letter_in_the_name_of_who_asks(as_caller: Caller, letter: ProgramLetter) -> None:
    response = revoke(as_caller("service"), letter, reason="  Copied the capstone.\n")

    told = response.json()
    event = letter.events.get(action="revoked")
    assert response.status_code == 200
    assert told["changed"] is True
    assert (told["letter"]["state"], told["letter"]["version"]) == ("revoked", letter.version + 1)
    assert told["letter"]["revoked_at"] is not None
    assert "program_letter_url" not in told["letter"]
    assert event.actor == User.objects.get(username="lms_worker")
    assert (event.cause, event.note) == ("api:revoke_letter", "Copied the capstone.")


def test_a_revoked_letter_is_dead_everywhere_at_once(
    registrar: APIClient, letter: ProgramLetter
) -> None:
    revoke(registrar, letter)

    stranger = APIClient()
    assert stranger.get(f"/letter/program/{letter.uuid}/").status_code == 410
    assert stranger.get(path_of(letter, "verify/")).json()["status"] == "withdrawn"
    assert registrar.get(path_of(letter)).json()["state"] == "revoked"


def test_reinstates_a_letter(registrar: APIClient, letter: ProgramLetter) -> None:
    revoke(registrar, letter)

    response = reinstate(registrar, letter)

    told = response.json()
    event = letter.events.get(action="reinstated")
    assert response.status_code == 200
    assert told["changed"] is True
    assert (told["letter"]["state"], told["letter"]["uuid"]) == ("active", str(letter.uuid))
    assert told["letter"]["revoked_at"] is not None
    assert (event.cause, event.note) == ("api:reinstate_letter", "The board decided.")


def test_asking_twice_does_it_once(registrar: APIClient, letter: ProgramLetter) -> None:
    first = revoke(registrar, letter, version=letter.version)
    again = revoke(registrar, letter, version=letter.version)

    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["changed"], again.json()["changed"]) == (True, False)
    assert again.json()["letter"]["version"] == letter.version + 1
    assert [action for action, *_rest in story(letter)].count("revoked") == 1
    assert reinstate(registrar, letter).json()["changed"] is True
    assert reinstate(registrar, letter).json()["changed"] is False


@pytest.mark.parametrize("act", [revoke, reinstate])
def test_decides_about_the_version_that_was_seen(
    registrar: APIClient, letter: ProgramLetter, act: Any
) -> None:
    seen = letter.version
    revoke(registrar, letter)
    if act is revoke:
        reinstate(registrar, letter)
    before = rows("letters_programletter", "letters_letterevent")

    response = act(registrar, letter, version=seen)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "letter_changed"
    assert rows("letters_programletter", "letters_letterevent") == before


def test_the_version_that_is_there_is_the_one_that_was_seen(
    registrar: APIClient, letter: ProgramLetter
) -> None:
    assert revoke(registrar, letter, version=letter.version).json()["changed"] is True
    assert reinstate(registrar, letter, version=letter.version + 1).json()["changed"] is True


def test_reinstates_nothing_whose_checks_fail(registrar: APIClient, letter: ProgramLetter) -> None:
    revoke(registrar, letter)
    run = CourseRun.objects.get()
    grade(run, letter.user, percent="0.1", at=AT + DAY)
    before = rows("letters_programletter", "letters_letterevent", "core_outboxmessage")

    response = reinstate(registrar, letter)

    code = f"core_course:{run.course.key}"
    assert response.status_code == 409
    assert response.json() == {
        "error": {
            "code": "letter_not_reinstatable",
            "message": f"The letter cannot be reinstated while these checks fail: {code}",
            "failed_checks": [code],
        }
    }
    assert rows("letters_programletter", "letters_letterevent", "core_outboxmessage") == before


def test_reinstates_nothing_that_nobody_revoked(
    registrar: APIClient, letter: ProgramLetter
) -> None:
    grade(CourseRun.objects.get(), letter.user, percent="0.1", at=AT + DAY)
    applied(planned(at=AT + DAY), at=AT + DAY)

    response = reinstate(registrar, letter)

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "conflict"


def test_a_letter_whose_holder_left_stays_withdrawn(
    registrar: APIClient, letter: ProgramLetter
) -> None:
    retire_user(user=letter.user, at=AT + DAY, actor=None, reason="Asked for it.")

    response = reinstate(registrar, letter)

    assert response.status_code == 409
    assert response.json()["error"]["failed_checks"] == ["learner_identity"]


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": " \n\t\u00a0"}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "Copied.\0"}, "reason"),
        ({"reason": 5}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": ["Copied."]}, "reason"),
        ({"reason": "Copied.", "version": 0}, "version"),
        ({"reason": "Copied.", "version": "2"}, "version"),
        ({"reason": "Copied.", "version": True}, "version"),
        ({"reason": "Copied.", "version": 1.5}, "version"),
        ({"reason": "Copied.", "version": 2**31}, "version"),
        ({"reason": "Copied.", "version": 10**4000}, "version"),
        ({"reason": "Copied.", "version": None}, "version"),
        ({"reason": "Copied.", "notify": "yes"}, "notify"),
        ({"reason": "Copied.", "notify": 1}, "notify"),
        ({"reason": "Copied.", "verison": 2}, "verison"),
    ],
)
def test_refuses_a_body_that_it_would_have_to_guess_at(
    registrar: APIClient, letter: ProgramLetter, wanted: dict[str, Any], wrong: str
) -> None:
    response = registrar.post(path_of(letter, "revoke/"), wanted, format="json")

    letter.refresh_from_db()
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [wrong]
    assert letter.state == "active"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"reason": "\\ud800"}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"reason": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"version": 1' + b"0" * 5_000 + b"}", "application/json", 400),
        (b"reason=Copied.", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "application/xml", 415),
    ],
)
def test_refuses_a_body_that_it_cannot_read(
    registrar: APIClient, letter: ProgramLetter, body: bytes, content_type: str, status: int
) -> None:
    encoded: Any = body

    response = registrar.post(path_of(letter, "revoke/"), encoded, content_type=content_type)

    letter.refresh_from_db()
    assert response.status_code == status
    assert response.json()["error"].keys() >= {"code", "message"}
    assert letter.state == "active"


@pytest.mark.parametrize("length", [1, 500])
def test_takes_a_reason_of_up_to_500_characters(
    registrar: APIClient, letter: ProgramLetter, length: int
) -> None:
    revoke(registrar, letter, reason="é" * length)

    letter.refresh_from_db()
    assert letter.revocation_reason == "é" * length


def test_tells_the_holder_only_if_asked(registrar: APIClient, letter: ProgramLetter) -> None:
    OutboxMessage.objects.all().delete()

    revoke(registrar, letter)
    untold = OutboxMessage.objects.count()
    reinstate(registrar, letter)
    untold_again = OutboxMessage.objects.count()
    revoke(registrar, letter, notify=True)
    told = OutboxMessage.objects.count()
    reinstate(registrar, letter)

    assert (untold, untold_again, told) == (0, 0, 1)
    assert OutboxMessage.objects.count() == 2


def test_every_version_has_its_event(registrar: APIClient, letter: ProgramLetter) -> None:
    for _ in range(2):
        revoke(registrar, letter)
        reinstate(registrar, letter)

    letter.refresh_from_db()
    assert LetterEvent.objects.filter(letter=letter).count() == letter.version

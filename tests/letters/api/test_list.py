"""The list of letters: what it tells, which ones, in what order, at what cost."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from letters import services
from letters.enums import RunKind
from letters.models import ProgramLetter
from tests.letters.api.conftest import LETTERS
from tests.letters.conftest import Statements
from tests.letters.factories import (
    DAY,
    applied,
    by_at,
    grade,
    graduates,
    imported,
    issue,
    one_course_program,
    planned,
)
from tests.programs.factories import (
    AT,
    RUN_ENDS,
    CourseFactory,
    CourseRunFactory,
    LearnerFactory,
    program_requiring,
)


@pytest.fixture
def letters(letter: ProgramLetter) -> dict[str, ProgramLetter]:
    """Four letters by username, in the order in which they were created and changed: ada's is
    active; bob's was imported and suspended; cleo's was revoked; dan's waits for release."""
    bob, cleo, dan = (LearnerFactory.create(username=name) for name in ("bob", "cleo", "dan"))
    missed = CourseFactory.create(key="NBx+D")
    CourseRunFactory.create(course=missed)
    imported(program_requiring(core=[missed]), bob, created_on=RUN_ENDS, at=AT + DAY)
    applied(planned(at=AT + 2 * DAY), at=AT + 2 * DAY)
    program, run = one_course_program()
    grade(run, cleo)
    [cleos] = issue(program, cleo, at=AT + 3 * DAY)
    services.revoke_letter(letter_uuid=cleos.uuid, by=by_at(AT + 4 * DAY, reason="Copied."))
    program, run = one_course_program()
    grade(run, dan)
    held_by, by = (services.new_run(RunKind.ISSUE, by=by_at(AT + 5 * DAY)), by_at(AT + 5 * DAY))
    services.issue_letters(program_id=program.pk, user_ids=[dan.pk], run=held_by, by=by)

    letters = {
        letter.user.username: letter
        for letter in ProgramLetter.objects.select_related("user", "program").order_by("pk")
    }
    assert {name: letter.state for name, letter in letters.items()} == {
        "ada": "active",
        "bob": "suspended",
        "cleo": "revoked",
        "dan": "pending",
    }
    return letters


def names(client: APIClient, **query: Any) -> list[str]:
    """The usernames of the letters listed, in order."""
    response = client.get(LETTERS, query)
    assert response.status_code == 200, response.content
    return [letter["username"] for letter in response.json()["results"]]


def iso(at: datetime) -> str:
    return at.isoformat()


def test_tells_a_letter_with_all_its_keys(registrar: APIClient, letter: ProgramLetter) -> None:
    page = registrar.get(LETTERS).json()

    assert (page["count"], page["next"], page["previous"]) == (1, None, None)
    assert page["results"] == [
        {
            "uuid": str(letter.uuid),
            "version": letter.version,
            "program": {"uuid": str(letter.program.uuid), "title": "Engines"},
            "username": "ada",
            "recipient_name": "Ada Lovelace",
            "state": "active",
            "state_reason": "",
            "state_reason_in_words": "",
            "state_note": letter.state_note,
            "state_changed_at": "2025-06-01T12:00:00Z",
            "issued_at": "2025-06-01T12:00:00Z",
            "issued_via": "command",
            "revoked_at": None,
            "revocation_reason": "",
            "reinstated_at": None,
            "changed_at": "2025-06-01T12:00:00Z",
            "program_letter_url": f"{settings.PORTAL_BASE_URL}/letter/program/{letter.uuid}/",
            "verification_url": f"{settings.PORTAL_BASE_URL}/letter/program/{letter.uuid}/verify/",
        }
    ]


def test_words_the_reason_of_a_suspension(
    registrar: APIClient, letters: dict[str, ProgramLetter]
) -> None:
    [told] = registrar.get(LETTERS, {"state": "suspended"}).json()["results"]

    assert told["state_reason"] == "core_course:NBx+D"
    assert told["state_reason_in_words"] == "the core course NBx+D is not passed"


def test_an_address_is_told_only_where_the_public_gets_the_page(
    registrar: APIClient, letters: dict[str, ProgramLetter]
) -> None:
    told = registrar.get(LETTERS).json()["results"]

    with_page = {each["username"] for each in told if "program_letter_url" in each}
    opened = {
        name
        for name, letter in letters.items()
        if APIClient().get(f"/letter/program/{letter.uuid}/").status_code == 200
    }
    assert with_page == opened == {"ada"}


def test_a_learner_never_lists_a_letter_that_waits_for_release(
    letters: dict[str, ProgramLetter],
) -> None:
    client = APIClient()
    client.force_login(letters["dan"].user)

    assert client.get(LETTERS).json()["results"] == []
    assert client.get(f"{LETTERS}{letters['dan'].uuid}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "active"}, ["ada"]),
        ({"state": ["revoked", "pending"]}, ["cleo", "dan"]),
        ({"username": "bob"}, ["bob"]),
        ({"username": "nobody"}, []),
        ({"reason": "core_course:NBx+D"}, ["bob"]),
        ({"reason": "core_course"}, ["bob"]),
        ({"reason": "core_course:"}, []),
        ({"reason": "core"}, []),
        ({"reason": "core_cours_"}, []),
        ({"reason": "revoked"}, ["cleo"]),
        ({"issued_via": "import"}, ["bob"]),
        ({"issued_from": iso(AT)}, ["ada", "cleo"]),
        ({"issued_to": iso(AT)}, ["bob"]),
        ({"issued_from": iso(RUN_ENDS), "issued_to": iso(AT)}, ["bob"]),
        ({"changed_from": iso(AT + 2 * DAY)}, ["bob", "cleo", "dan"]),
        ({"changed_to": iso(AT + 2 * DAY)}, ["ada"]),
        ({"changed_from": "2025-06-03T14:00:00+02:00"}, ["bob", "cleo", "dan"]),
        ({"state": "active", "username": "bob"}, []),
    ],
)
def test_lists_the_letters_that_are_asked_for(
    registrar: APIClient,
    letters: dict[str, ProgramLetter],
    query: dict[str, Any],
    expected: list[str],
) -> None:
    assert names(registrar, **query) == expected


def test_lists_the_letters_of_a_program(
    registrar: APIClient, letters: dict[str, ProgramLetter]
) -> None:
    assert names(registrar, program=letters["cleo"].program.uuid) == ["cleo"]
    assert names(registrar, program=uuid4()) == []


def test_lists_letters_by_uuid(registrar: APIClient, letters: dict[str, ProgramLetter]) -> None:
    wanted = [letters["dan"].uuid, letters["ada"].uuid, uuid4()]

    assert names(registrar, uuid=wanted) == ["ada", "dan"]


@pytest.mark.parametrize(
    ("ordering", "expected"),
    [
        ("created", ["ada", "bob", "cleo", "dan"]),
        ("-created", ["dan", "cleo", "bob", "ada"]),
        ("issued_at", ["bob", "ada", "cleo", "dan"]),
        ("-issued_at", ["cleo", "ada", "bob", "dan"]),
        ("changed_at", ["ada", "bob", "cleo", "dan"]),
        ("-changed_at", ["dan", "cleo", "bob", "ada"]),
        ("-state_changed_at", ["dan", "cleo", "bob", "ada"]),
    ],
)
def test_lists_in_the_order_that_is_asked_for(
    registrar: APIClient, letters: dict[str, ProgramLetter], ordering: str, expected: list[str]
) -> None:
    assert names(registrar, ordering=ordering) == expected


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("state=gone", "state"),
        ("state=active&state=gone", "state"),
        ("state=", "state"),
        ("username=", "username"),
        ("username=ada&username=bob", "username"),
        ("username=%00", "username"),
        ("usernam=ada", "usernam"),
        ("program=", "program"),
        ("program=5", "program"),
        ("uuid=5", "uuid"),
        ("reason=", "reason"),
        ("reason=" + "x" * 301, "reason"),
        ("issued_via=magic", "issued_via"),
        ("issued_from=2025-06-01T12:00:00", "issued_from"),
        ("issued_from=2025-06-01", "issued_from"),
        ("issued_to=yesterday", "issued_to"),
        ("changed_from=2025-13-01T12:00:00Z", "changed_from"),
        ("changed_to=0001-01-01T00:00:00%2B14:00", "changed_to"),
        ("ordering=recipient_name", "ordering"),
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=%D9%A3", "page"),
        ("page=" + "9" * 5000, "page"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("page_size=1_0", "page_size"),
    ],
)
def test_refuses_a_query_that_it_would_have_to_guess_at(
    registrar: APIClient, query: str, wrong: str
) -> None:
    response = registrar.get(f"{LETTERS}?{query}")

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid"
    assert list(response.json()["error"]["fields"]) == [wrong]


def test_refuses_more_uuids_than_a_page_has(registrar: APIClient) -> None:
    wanted = [str(uuid4()) for _ in range(101)]

    assert registrar.get(LETTERS, {"uuid": wanted[:100]}).status_code == 200
    assert registrar.get(LETTERS, {"uuid": wanted}).status_code == 400


def test_pages_follow_each_other(registrar: APIClient, letters: dict[str, ProgramLetter]) -> None:
    first = registrar.get(f"{LETTERS}?page_size=3&ordering=issued_at").json()
    second = registrar.get(first["next"]).json()

    assert first["count"] == second["count"] == 4
    assert [each["username"] for each in first["results"]] == ["bob", "ada", "cleo"]
    assert [each["username"] for each in second["results"]] == ["dan"]
    assert second["next"] is None
    assert registrar.get(LETTERS, {"page": 2}).status_code == 404


def test_one_letter_costs_as_many_statements_as_fifty(
    registrar: APIClient, letter: ProgramLetter, statements: Statements
) -> None:
    with statements.counted() as for_one:
        registrar.get(LETTERS, {"page_size": 100})
    for_one = list(for_one)
    program, run = one_course_program()
    issue(program, *graduates(run, 49))

    with statements.counted() as for_fifty:
        page = registrar.get(LETTERS, {"page_size": 100}).json()

    assert len(page["results"]) == 50
    # The session, the person, their permissions twice, the count, and the rows.
    assert len(for_one) == len(for_fifty) == 6


def test_is_kept_by_no_cache(registrar: APIClient) -> None:
    assert "no-store" in registrar.get(LETTERS)["Cache-Control"]

"""Links are made through the old path."""

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import Program, SharedProgramRecord
from tests.programs.factories import LearnerFactory, SharedRecordFactory
from tests.programs.record_api.conftest import (
    UNKNOWN_HEX,
    Caller,
    act_path,
    post,
)

OF_ADA = {"username": "ada"}


def test_the_first_time_a_link_is_made_and_then_told_again(
    ada: User, as_ada: APIClient, program: Program, settings: Settings
) -> None:
    settings.PORTAL_BASE_URL = "https://portal.example.org"

    first, second = (post(as_ada, act_path(program, "share"), OF_ADA) for _ in range(2))

    [link] = SharedProgramRecord.objects.all()
    url = f"https://portal.example.org/records/programs/shared/{link.uuid.hex}/"
    assert (first.status_code, first.json()) == (201, {"url": url})
    assert (second.status_code, second.json()) == (200, {"url": url})
    assert (link.user, link.program, link.show_email, link.show_username) == (
        ada,
        program,
        False,
        False,
    )


def test_an_institutions_link_is_not_the_learners_own(
    ada: User, as_ada: APIClient, program: Program
) -> None:
    of_request = SharedRecordFactory.create(user=ada, program=program, of_request=True)

    response = post(as_ada, act_path(program, "share"), OF_ADA)

    assert response.status_code == 201
    assert of_request.uuid.hex not in response.json()["url"]


@pytest.mark.parametrize(
    ("caller", "status", "answer"),
    [
        ("bob", 403, {"error": "Permission denied"}),
        ("clerk", 403, {"error": "Permission denied"}),
        ("viewer", 403, {"error": "Permission denied"}),
        ("reading service", 403, {"error": "The access token lacks the scope write."}),
        ("desk", 201, None),
        ("service", 201, None),
    ],
)
def test_only_who_may_act_for_learners_shares_anothers_record(
    as_caller: Caller, program: Program, caller: str, status: int, answer: object
) -> None:
    response = post(as_caller(caller), act_path(program, "share"), OF_ADA)

    assert response.status_code == status
    assert SharedProgramRecord.objects.exists() == (status == 201)
    if answer:
        assert response.json() == answer


def test_who_is_not_signed_in_is_led_there(program: Program) -> None:
    path = act_path(program, "share")

    response = post(APIClient(), path, OF_ADA)

    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={path}")
    assert not SharedProgramRecord.objects.exists()


def test_a_token_that_is_not_valid_is_refused(program: Program) -> None:
    client = APIClient(headers={"authorization": "JWT no.such.token"})

    response = post(client, act_path(program, "share"), OF_ADA)

    assert response.status_code == 401
    assert list(response.json()) == ["error"]


def test_a_session_needs_the_token_against_forgery_which_can_be_asked_for(
    ada: User, program: Program
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    def share(**headers: str) -> int:
        response = client.post(
            act_path(program, "share"), OF_ADA, content_type="application/json", headers=headers
        )
        return response.status_code

    assert share() == 403
    told = client.get("/csrf/api/v1/token")
    assert list(told.json()) == ["csrfToken"]
    assert "no-store" in told["Cache-Control"]
    assert share(**{"x-csrftoken": told.json()["csrfToken"]}) == 201


def test_anybody_gets_a_token_against_forgery() -> None:
    response = Client().get("/csrf/api/v1/token")

    assert response.status_code == 200
    assert "csrftoken" in response.cookies
    assert len(response.json()["csrfToken"]) == 64


@pytest.mark.parametrize(
    "path",
    [
        "/records/programs/{hex}/share/",
        "/records/programs/{dashed}/share",
        "/records/programs/{upper}/share",
        f"/records/programs/{UNKNOWN_HEX}/share",
    ],
)
def test_other_paths_are_not_there(as_ada: APIClient, program: Program, path: str) -> None:
    program.uuid = program.uuid.__class__("abcdefab" + program.uuid.hex[8:])
    program.save()
    written = path.format(hex=program.uuid.hex, dashed=program.uuid, upper=program.uuid.hex.upper())

    assert post(as_ada, written, OF_ADA).status_code == 404
    assert not SharedProgramRecord.objects.exists()


def test_a_learner_whom_nobody_knows_does_not_exist(as_caller: Caller, program: Program) -> None:
    response = post(as_caller("desk"), act_path(program, "share"), {"username": "nobody"})

    assert (response.status_code, response.json()) == (404, {"error": "User does not exist"})


def test_learners_do_not_find_out_who_exists(as_caller: Caller, program: Program) -> None:
    response = post(as_caller("bob"), act_path(program, "share"), {"username": "nobody"})

    assert (response.status_code, response.json()) == (403, {"error": "Permission denied"})


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'"ada"', b"null", b"{}", b'{"username": 7}', b'{"username": null}'),
        *(b'{"username": "a\\u0000b"}', b"\xff", b"[" * 100_000),
    ],
)
def test_what_cannot_be_read_is_refused(as_ada: APIClient, program: Program, body: bytes) -> None:
    response = as_ada.post(act_path(program, "share"), body, content_type="application/json")

    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)
    assert not SharedProgramRecord.objects.exists()


def test_json_may_come_under_any_name(as_ada: APIClient, program: Program) -> None:
    response = as_ada.post(
        act_path(program, "share"), b'{"username": "ada"}', content_type="text/plain"
    )

    assert response.status_code == 201


def test_other_methods_are_not_allowed(as_ada: APIClient, program: Program) -> None:
    assert as_ada.get(act_path(program, "share")).status_code == 405


def test_the_sixteenth_in_a_minute_is_refused_staff_included(
    as_ada: APIClient, as_caller: Caller, program: Program
) -> None:
    for client in (as_ada, as_caller("desk")):
        path = act_path(program, "share")
        assert {post(client, path, OF_ADA).status_code for _ in range(15)} <= {200, 201}

        response = post(client, path, OF_ADA)

        assert (response.status_code, response.json()) == (429, {"error": "Too Many Requests"})
        assert 0 < int(response["Retry-After"]) <= 60


def test_each_has_a_link_of_their_own(as_caller: Caller, ada: User, program: Program) -> None:
    SharedRecordFactory.create(user=LearnerFactory.create(username="eve"), program=program)

    response = post(as_caller("ada"), act_path(program, "share"), OF_ADA)

    assert response.status_code == 201
    assert SharedProgramRecord.objects.get(user=ada).uuid.hex in response.json()["url"]

"""Certificates as the LMS, or staff, tell of them."""

from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from programs.models import (
    CourseCertificate,
    CourseRun,
    Program,
    ProgramCertificate,
)
from programs.signals import ProgramFact
from tests.programs.conftest import Announcement
from tests.programs.credentials_api.conftest import (
    CREDENTIALS,
    RUN_KEY,
    UNKNOWN,
    Caller,
    path_of,
    send,
)
from tests.programs.factories import AT

pytestmark = pytest.mark.django_db


def of(program: Program) -> dict[str, Any]:
    return {"username": "ada", "credential": {"program_uuid": str(program.uuid)}}


def of_key(key: str = RUN_KEY, **more: Any) -> dict[str, Any]:
    credential = {"course_run_key": key, "mode": "verified", "type": "course-run"}
    return {"username": "ada", "credential": credential, **more}


def post(client: APIClient, body: Any) -> Any:
    return send(client, "POST", CREDENTIALS, body)


def refusal(client: APIClient, body: Any) -> Any:
    """What is answered to a body that is refused: nothing is stored, and nobody gets an account."""
    answer = post(client, body)
    assert answer.status_code == 400, answer.content
    assert not CourseCertificate.objects.exists()
    assert not ProgramCertificate.objects.exists()
    assert not User.objects.filter(username="ada").exists()
    return answer.json()


@override_settings(PORTAL_BASE_URL="https://portal.example.org")
def test_a_program_certificate_is_awarded_to_somebody_new(
    lms: APIClient, program: Program, announced: list[Announcement]
) -> None:
    answer = post(lms, {**of(program), "lms_user_id": 17})

    assert answer.status_code == 201
    stored = ProgramCertificate.objects.get()
    told = answer.json()
    assert told.pop("created") == told.pop("modified")
    assert told == {
        "username": "ada",
        "credential": {
            "type": "program",
            "credential_id": program.certificate_configuration.pk,
            "program_uuid": str(program.uuid),
        },
        "status": "awarded",
        "uuid": str(stored.uuid),
        "attributes": [],
        "date_override": None,
        "certificate_url": f"https://portal.example.org/credentials/{stored.uuid.hex}/",
    }
    assert (stored.user.username, stored.user.lms_user_id) == ("ada", 17)
    assert stored.source == "lms"
    assert stored.history.get().history_user.username == "lms_worker"
    assert announced == [
        ("program_certificate_awarded", (ProgramFact(stored.user_id, program.pk),))
    ]


def test_again_it_is_201_and_the_same_certificate(
    lms: APIClient, program: Program, announced: list[Announcement]
) -> None:
    first, again = (post(lms, of(program)) for _ in range(2))

    assert (again.status_code, again.json()) == (201, first.json())
    assert len(announced) == 1


def test_a_stored_certificate_is_revoked_with_201(
    lms: APIClient, of_program: ProgramCertificate, program: Program
) -> None:
    answer = post(lms, {**of(program), "status": "revoked"})

    assert (answer.status_code, answer.json()["status"]) == (201, "revoked")
    of_program.refresh_from_db()
    assert (of_program.status, of_program.revocation_kind) == ("revoked", "decided")


def test_a_run_is_told_with_all_that_belongs_to_it(lms: APIClient, run: CourseRun) -> None:
    body = of_key(
        attributes=[{"name": "whitelist_reason", "value": "ill"}],
        date_override={"date": "2024-02-29T00:00:00Z"},
        lms_user_id="17",
    )

    answer = post(lms, body)

    assert answer.status_code == 201
    told = answer.json()
    assert told["credential"] == {
        "type": "course-run",
        "course_run_key": RUN_KEY,
        "mode": "verified",
    }
    assert told["attributes"] == [{"name": "whitelist_reason", "value": "ill"}]
    assert told["date_override"] == {"date": "2024-02-29T00:00:00Z"}
    assert run.certificate_configurations.get().is_active


def test_null_removes_the_override_and_silence_keeps_it(
    lms: APIClient, of_run: CourseCertificate
) -> None:
    of_run.date_override = AT
    of_run.save()

    assert post(lms, of_key()).json()["date_override"] == {"date": "2025-06-01T12:00:00Z"}
    assert post(lms, of_key(date_override=None)).json()["date_override"] is None


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("anonymous", 401),
        ("ada", 403),
        ("bob", 403),
        ("clerk", 403),
        ("viewer", 403),
        ("changer", 403),
        ("reading service", 403),
        ("adder", 201),
        ("service", 201),
    ],
)
def test_who_may_tell(as_caller: Caller, program: Program, name: str, status: int) -> None:
    body = {**of(program), "username": "eve"}

    assert post(as_caller(name), body).status_code == status
    assert ProgramCertificate.objects.filter(user__username="eve").exists() == (status == 201)


def test_what_a_person_tells_is_given_by_staff(as_caller: Caller, program: Program) -> None:
    post(as_caller("adder"), of(program))

    assert ProgramCertificate.objects.get().source == "staff"


@pytest.mark.parametrize("named", [UNKNOWN, "no-uuid", "{" + UNKNOWN + "}"])
def test_an_unknown_program_is_refused(lms: APIClient, named: str) -> None:
    body = {"username": "ada", "credential": {"program_uuid": named}}

    text = f"No active ProgramCertificate exists for program [{named}]"
    assert refusal(lms, body) == {"credential": {"program_uuid": text}}


def test_a_program_that_awards_none_is_refused(lms: APIClient, program: Program) -> None:
    program.certificate_configuration.delete()

    text = f"No active ProgramCertificate exists for program [{program.uuid}]"
    assert refusal(lms, of(program)) == {"credential": {"program_uuid": text}}


def test_a_run_that_awards_none_is_refused(lms: APIClient, run: CourseRun) -> None:
    run.certificate_configurations.create(certificate_type="verified", is_active=False)

    text = f"No active CourseCertificate exists for course run [{RUN_KEY}]"
    assert refusal(lms, of_key()) == {"credential": {"course_run_key": text}}


@pytest.mark.parametrize("key", ["a/b/c", "a\0b", "\ud800", 7, ["a"]])
def test_a_run_that_is_not_in_the_catalog_is_refused(lms: APIClient, key: Any) -> None:
    text = f"CourseCertificate failed to create because the CourseRun {key} doesn't exist in the"
    told = refusal(lms, of_key(key))
    assert told["credential"]["course_run_key"].startswith(text)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"credential": {}}, {"credential": ["Credential identifier is missing."]}),
        (
            {"credential": "x"},
            {"credential": ['Expected a dictionary of items but got type "str".']},
        ),
        (
            {"credential": {"course_run_key": RUN_KEY, "mode": "a b"}},
            {"credential": {"mode": "Not a valid mode."}},
        ),
        ({"status": "lost"}, {"status": ['"lost" is not a valid choice.']}),
        (
            {"attributes": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
            {"attributes": ["Attribute names cannot be duplicated."]},
        ),
        (
            {"date_override": {"date": "2024-02-29T00:00:00Z"}},
            {"date_override": ["Only certificates of course runs have one."]},
        ),
        ({"date_override": {}}, {"date_override": {"date": ["This field is required."]}}),
        ({"lms_user_id": "x"}, {"lms_user_id": ["A valid integer is required."]}),
        ({"lms_user_id": 0}, {"lms_user_id": ["A valid integer is required."]}),
        ({"lms_user_id": 2**63}, {"lms_user_id": ["A valid integer is required."]}),
        ({"lms_user_id": True}, {"lms_user_id": ["A valid integer is required."]}),
        ({"username": ""}, {"username": ["This field may not be blank."]}),
        (
            {"username": "a" * 151},
            {"username": ["Ensure this field has no more than 150 characters."]},
        ),
    ],
)
def test_refuses_what_is_not_valid(
    lms: APIClient, program: Program, more: dict[str, Any], told: Any
) -> None:
    assert refusal(lms, {**of(program), **more}) == told


@pytest.mark.parametrize("username", ["<b>ada</b>", "a b", "a\0", "a\nb", "ä\ud800"])
def test_refuses_what_is_no_username(lms: APIClient, program: Program, username: str) -> None:
    assert list(refusal(lms, {**of(program), "username": username})) == ["username"]


@pytest.mark.parametrize("body", [[], "x", None, 7])
def test_refuses_what_is_no_object(lms: APIClient, body: Any) -> None:
    assert list(refusal(lms, body)) == ["non_field_errors"]


def test_null_is_no_lms_id_and_a_program_has_no_override(lms: APIClient, program: Program) -> None:
    answer = post(lms, {**of(program), "lms_user_id": None, "date_override": None})

    assert answer.status_code == 201
    assert User.objects.get(username="ada").lms_user_id is None


def test_nothing_is_awarded_to_who_left(lms: APIClient, ada: User, program: Program) -> None:
    retire_user(user=ada, at=AT, actor=None, reason="Asked to leave.")

    answer = post(lms, {**of(program), "username": f"retired__user_{ada.pk}"})

    assert (answer.status_code, list(answer.json())) == (400, ["username"])
    assert not ProgramCertificate.objects.exists()


def test_nothing_is_awarded_again_to_who_left(
    lms: APIClient, ada: User, of_program: ProgramCertificate
) -> None:
    lms.delete(path_of(of_program))
    retire_user(user=ada, at=AT, actor=None, reason="Asked to leave.")

    answer = send(lms, "PATCH", path_of(of_program), {"status": "awarded"})

    assert (answer.status_code, list(answer.json())) == (400, ["username"])


def test_a_form_is_no_certificate(lms: APIClient, program: Program) -> None:
    answer = lms.post(CREDENTIALS, "username=ada", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 415


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_the_status_can_be_changed(
    lms: APIClient, of_program: ProgramCertificate, of_run: CourseCertificate, method: str
) -> None:
    for certificate in (of_program, of_run):
        for status in ("revoked", "awarded"):
            answer = send(lms, method, path_of(certificate), {"status": status, "username": "bob"})

            assert (answer.status_code, answer.json()["status"]) == (200, status)
            certificate.refresh_from_db()
            assert (certificate.status, certificate.user.username) == (status, "ada")


def test_without_a_status_nothing_changes(
    lms: APIClient, of_program: ProgramCertificate, announced: list[Announcement]
) -> None:
    answer = send(lms, "PATCH", path_of(of_program), {})

    assert (answer.status_code, answer.json()["status"], announced) == (200, "awarded", [])


def test_no_other_status_is_accepted(lms: APIClient, of_program: ProgramCertificate) -> None:
    answer = send(lms, "PATCH", path_of(of_program), {"status": "lost"})

    assert (answer.status_code, answer.json()) == (
        400,
        {"status": ['"lost" is not a valid choice.']},
    )


def test_deleting_revokes_and_tells(
    lms: APIClient, of_program: ProgramCertificate, announced: list[Announcement]
) -> None:
    for _ in range(2):
        answer = lms.delete(path_of(of_program))
        assert (answer.status_code, answer.json()["status"]) == (200, "revoked")

    assert [name for name, _ in announced] == ["program_certificate_revoked"]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("anonymous", 401),
        ("ada", 403),
        ("clerk", 403),
        ("viewer", 403),
        ("adder", 403),
        ("reading service", 403),
        ("changer", 200),
        ("service", 200),
    ],
)
def test_who_may_change(
    as_caller: Caller, of_program: ProgramCertificate, name: str, status: int
) -> None:
    client = as_caller(name)

    answers = [
        send(client, "PATCH", path_of(of_program), {"status": "revoked"}),
        send(client, "PUT", path_of(of_program), {"status": "revoked"}),
        client.delete(path_of(of_program)),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    of_program.refresh_from_db()
    assert of_program.status == ("revoked" if status == 200 else "awarded")


def test_nobody_changes_what_is_not_there(lms: APIClient) -> None:
    answers = [
        send(lms, "PATCH", f"{CREDENTIALS}{UNKNOWN}/", {"status": "revoked"}),
        send(lms, "PATCH", f"{CREDENTIALS}{UNKNOWN}/", {}),
        lms.delete(f"{CREDENTIALS}{UNKNOWN}/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 3

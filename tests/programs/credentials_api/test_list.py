"""Certificates of programs and runs in one list."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.enums import CertificateSource
from programs.models import CourseCertificate, CourseRun, Program, ProgramCertificate
from tests.programs.credentials_api.conftest import CREDENTIALS, RUN_KEY, Caller, client_of
from tests.programs.factories import (
    CourseCertificateFactory,
    CourseRunFactory,
    LearnerFactory,
    ProgramCertificateFactory,
    program_requiring,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def ask(client: APIClient, **query: Any) -> Any:
    return client.get(CREDENTIALS, query)


def types_of(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [one["credential"]["type"] for one in answer.json()["results"]]


@override_settings(PORTAL_BASE_URL="https://portal.example.org")
def test_tells_of_programs_and_runs(
    lms: APIClient, program: Program, of_program: ProgramCertificate, of_run: CourseCertificate
) -> None:
    of_run.attributes = [{"name": "a", "value": "1"}]
    of_run.date_override = of_run.awarded_at
    of_run.save()

    answer = ask(lms, username="ada").json()

    assert (answer["count"], answer["next"], answer["previous"]) == (2, None, None)
    first, second = answer["results"]
    assert list(first) == [
        *("username", "credential", "status", "uuid", "attributes", "date_override"),
        *("created", "modified", "certificate_url"),
    ]
    assert first == {
        "username": "ada",
        "credential": {"type": "course-run", "course_run_key": RUN_KEY, "mode": "verified"},
        "status": "awarded",
        "uuid": str(of_run.uuid),
        "attributes": [{"name": "a", "value": "1"}],
        "date_override": {"date": "2024-05-15T00:00:00Z"},
        "created": f"{of_run.created:%Y-%m-%dT%H:%M:%SZ}",
        "modified": f"{of_run.modified:%Y-%m-%dT%H:%M:%SZ}",
        "certificate_url": f"https://portal.example.org/credentials/{of_run.uuid.hex}/",
    }
    assert second["credential"] == {
        "type": "program",
        "credential_id": program.certificate_configuration.pk,
        "program_uuid": str(program.uuid),
    }
    assert (second["attributes"], second["date_override"]) == ([], None)


def test_a_program_without_a_configuration_has_none_to_tell(
    lms: APIClient, program: Program, of_program: ProgramCertificate
) -> None:
    program.certificate_configuration.delete()

    [told] = ask(lms, type="program").json()["results"]

    assert told["credential"]["credential_id"] is None


@pytest.mark.parametrize(
    ("name", "status", "count"),
    [
        ("anonymous", 401, None),
        ("ada", 200, 2),
        ("bob", 403, None),
        ("clerk", 403, None),
        ("adder", 403, None),
        ("viewer", 200, 2),
        ("service", 200, 2),
        ("reading service", 200, 2),
    ],
)
def test_who_may_read_a_learners(
    as_caller: Caller, of_program: ProgramCertificate, name: str, status: int, count: int | None
) -> None:
    answer = ask(as_caller(name), username="ada")

    assert answer.status_code == status
    assert answer.json().get("count") == count


@pytest.mark.parametrize(("name", "status"), [("ada", 403), ("viewer", 200), ("service", 200)])
def test_who_may_read_everybodys(
    as_caller: Caller, of_program: ProgramCertificate, name: str, status: int
) -> None:
    client = as_caller(name)

    assert [ask(client, **query).status_code for query in ({}, {"username": ""})] == [status] * 2


def test_a_learner_reads_their_own_in_any_case(
    as_ada: APIClient, of_program: ProgramCertificate
) -> None:
    namesake = LearnerFactory.create(username="ADA", email="")
    CourseCertificateFactory.create(user=namesake)

    answer = ask(as_ada, username="ADA").json()

    assert {one["username"] for one in answer["results"]} == {"ada"}
    assert answer["count"] == 2


def test_a_username_finds_its_learner_in_any_case(
    lms: APIClient, of_program: ProgramCertificate
) -> None:
    assert types_of(ask(lms, username="aDa")) == ["course-run", "program"]
    assert types_of(ask(lms, username="ad")) == []


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ({"type": "program"}, ["program"]),
        ({"type": "course-run"}, ["course-run"]),
        ({"type": "anything"}, ["course-run", "program"]),
        ({"status": "awarded"}, ["course-run", "program"]),
        ({"status": "revoked"}, []),
        ({"status": "", "type": ""}, ["course-run", "program"]),
        ({"unknown": "x"}, ["course-run", "program"]),
        ({"program_uuid": "no-uuid"}, []),
        ({"program_uuid": ""}, []),
        ({"program_uuid": "00000000-0000-4000-8000-000000000007"}, []),
    ],
)
def test_filters(
    lms: APIClient, of_program: ProgramCertificate, query: dict[str, str], types: list[str]
) -> None:
    assert types_of(ask(lms, **query)) == types


def test_a_program_has_the_certificates_of_its_runs(
    lms: APIClient, program: Program, of_program: ProgramCertificate
) -> None:
    CourseCertificateFactory.create(user=of_program.user)
    ProgramCertificateFactory.create(user=of_program.user)

    for written in (str(program.uuid), program.uuid.hex):
        assert types_of(ask(lms, program_uuid=written)) == ["course-run", "program"]


@pytest.mark.parametrize(
    "query",
    [{"status": "lost"}, {"only_visible": "perhaps"}, {"only_visible": ""}, {"username": "a\0"}],
)
def test_refuses_what_it_cannot_read(lms: APIClient, query: dict[str, str]) -> None:
    answer = ask(lms, **query)

    assert answer.status_code == 400
    assert list(answer.json()) == list(query)


def test_what_is_not_available_yet_is_not_visible(
    lms: APIClient, run: CourseRun, of_program: ProgramCertificate
) -> None:
    assert types_of(ask(lms, only_visible="True")) == ["course-run", "program"]
    configuration = run.certificate_configurations.create(
        certificate_type="verified", certificate_available_date=timezone.now() + DAY
    )

    assert types_of(ask(lms, only_visible="True")) == []
    assert types_of(ask(lms, only_visible="False")) == ["course-run", "program"]

    configuration.certificate_available_date = timezone.now()
    configuration.save()
    assert types_of(ask(lms, only_visible="true")) == ["course-run", "program"]


@pytest.mark.parametrize(
    ("source", "types"), [(CertificateSource.LMS, []), (CertificateSource.COMPUTED, ["program"])]
)
def test_without_certificates_of_courses_only_what_was_computed_is_visible(
    lms: APIClient, ada: User, program: Program, source: str, types: list[str]
) -> None:
    ProgramCertificateFactory.create(user=ada, program=program, source=source)

    assert types_of(ask(lms, only_visible="True")) == types


def test_pages_of_twenty_in_the_order_in_which_they_were_made(lms: APIClient, ada: User) -> None:
    of_runs = [one.uuid for one in CourseCertificateFactory.create_batch(21, user=ada)]
    of_programs = [one.uuid for one in ProgramCertificateFactory.create_batch(20, user=ada)]

    told = []
    answer = ask(lms, username="ada").json()
    assert answer["count"] == 41
    assert answer["next"] == "http://testserver/api/v2/credentials/?page=2&username=ada"
    while True:
        told += [one["uuid"] for one in answer["results"]]
        if answer["next"] is None:
            break
        answer = lms.get(answer["next"]).json()

    assert told == [str(uuid) for uuid in (*of_runs, *of_programs)]
    assert answer["previous"] == "http://testserver/api/v2/credentials/?page=2&username=ada"
    assert len(answer["results"]) == 1


@pytest.mark.parametrize("page", ["2", "0", "-1", "x", "9" * 30])
def test_there_is_no_other_page(lms: APIClient, of_program: ProgramCertificate, page: str) -> None:
    answer = ask(lms, page=page)

    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_an_empty_list_has_one_page(lms: APIClient) -> None:
    answer = ask(lms, page=1).json()

    assert answer == {"count": 0, "next": None, "previous": None, "results": []}


def test_leads_who_leaves_out_the_slash_to_it(
    as_caller: Caller, of_program: ProgramCertificate
) -> None:
    answer = as_caller("viewer").get(
        "/api/v2/credentials?username=ada&type=program&page=1", follow=True
    )

    assert answer.redirect_chain == [("/api/v2/credentials/?username=ada&type=program&page=1", 301)]
    assert answer.json()["count"] == 1


def test_people_ask_fifteen_times_a_minute(
    as_ada: APIClient, as_caller: Caller, of_program: ProgramCertificate
) -> None:
    for _ in range(15):
        assert ask(as_ada, username="ada").status_code == 200

    refused = ask(as_ada, username="ada")

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 60
    assert refused.json()["detail"].startswith("Request was throttled. Expected available in ")
    for name in ("viewer", "service"):
        client = as_caller(name)
        for _ in range(16):
            assert ask(client, username="ada").status_code == 200


@pytest.mark.parametrize("query", [{}, {"only_visible": "True", "status": "awarded"}])
@pytest.mark.parametrize(("name", "bound"), [("ada", 7), ("viewer", 5), ("service", 5)])
def test_takes_as_many_statements_whatever_there_is(
    as_caller: Caller,
    ada: User,
    of_program: ProgramCertificate,
    name: str,
    bound: int,
    query: dict[str, str],
) -> None:
    client = as_caller(name)
    few = _statements(lambda: ask(client, username="ada", **query))
    for _ in range(10):
        program = program_requiring(core=[CourseRunFactory.create().course])
        for run in program.course_runs.all():
            CourseCertificateFactory.create(user=ada, course_run=run)
        ProgramCertificateFactory.create(user=ada, program=program, from_lms=True)

    many = _statements(lambda: ask(client, username="ada", **query))

    assert few == many
    assert len(many) == bound, many


def _statements(work: Callable[[], Any]) -> list[str]:
    work()
    with CaptureQueriesContext(connection) as captured:
        answer = work()
    assert answer.status_code == 200
    said = [one["sql"].strip()[:30] for one in captured.captured_queries]
    return [sql for sql in said if "SAVEPOINT" not in sql]


def test_a_certificate_of_ones_own(
    as_ada: APIClient, of_run: CourseCertificate, of_program: ProgramCertificate
) -> None:
    for certificate in (of_run, of_program):
        for written in (str(certificate.uuid), certificate.uuid.hex):
            answer = as_ada.get(f"{CREDENTIALS}{written}/")
            assert (answer.status_code, answer.json()["uuid"]) == (200, str(certificate.uuid))


@pytest.mark.parametrize(
    ("name", "status"),
    [("anonymous", 401), ("bob", 404), ("clerk", 404), ("viewer", 200), ("service", 200)],
)
def test_who_may_read_a_certificate(
    as_caller: Caller, of_program: ProgramCertificate, name: str, status: int
) -> None:
    assert as_caller(name).get(f"{CREDENTIALS}{of_program.uuid}/").status_code == status


@pytest.mark.parametrize("uuid", ["00000000-0000-4000-8000-000000000007", "x", "0" * 31])
def test_an_unknown_certificate_is_not_found(lms: APIClient, uuid: str) -> None:
    answer = lms.get(f"{CREDENTIALS}{uuid}/")

    assert answer.status_code == 404
    assert list(answer.json()) == ["detail"]


def test_services_are_known_by_their_token_alone(ada: User, of_run: CourseCertificate) -> None:
    client = client_of(ada)

    answer = client.get(CREDENTIALS, headers={"authorization": "Bearer none"})

    assert answer.status_code == 401

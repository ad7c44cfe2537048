"""From when learners see the certificates of a run, as the LMS tells."""

from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from credentials_portal.core.history import rows_without_true_history
from programs.models import CourseCertificateConfiguration, CourseRun
from tests.programs.credentials_api.conftest import CONFIGURATIONS, RUN_KEY, Caller, send

pytestmark = pytest.mark.django_db

TOLD = {
    "course_id": RUN_KEY,
    "certificate_type": "verified",
    "certificate_available_date": "2024-06-01T00:00:00Z",
    "is_active": True,
}
PATH = f"{CONFIGURATIONS}{RUN_KEY}/"
FIXED = ["This field cannot be changed."]


def post(client: APIClient, body: Any) -> Any:
    return send(client, "POST", CONFIGURATIONS, body)


@pytest.fixture
def stored(run: CourseRun) -> CourseCertificateConfiguration:
    return run.certificate_configurations.create(certificate_type="verified", is_active=True)


def test_twice_it_is_201_and_one_row(lms: APIClient, run: CourseRun) -> None:
    first = post(lms, TOLD)
    again = post(lms, {**TOLD, "certificate_available_date": "2024-07-01T00:00:00Z"})

    assert (first.status_code, again.status_code) == (201, 201)
    row = run.certificate_configurations.get()
    told = {
        "id": row.pk,
        "site": settings.SITE_ID,
        "course_id": RUN_KEY,
        "course_run": RUN_KEY,
        "certificate_type": "verified",
        "certificate_available_date": "2024-06-01T00:00:00Z",
        "is_active": True,
    }
    assert first.json() == told
    assert again.json() == {**told, "certificate_available_date": "2024-07-01T00:00:00Z"}
    assert row.history.count() == 2
    assert rows_without_true_history(CourseCertificateConfiguration) == 0


def test_the_same_again_writes_nothing(lms: APIClient, run: CourseRun) -> None:
    for _ in range(2):
        post(lms, TOLD)

    assert run.certificate_configurations.get().history.count() == 1


def test_null_takes_the_date_away_and_silence_keeps_it(lms: APIClient, run: CourseRun) -> None:
    post(lms, TOLD)
    short = {"course_id": RUN_KEY, "certificate_type": "verified"}

    assert post(lms, short).json()["certificate_available_date"] == "2024-06-01T00:00:00Z"
    assert post(lms, short).json()["is_active"] is True
    dateless = {**short, "certificate_available_date": None}
    assert post(lms, dateless).json()["certificate_available_date"] is None


def test_an_unknown_run_is_refused(lms: APIClient) -> None:
    answer = post(lms, TOLD)

    text = f"No CourseRun exists for key [{RUN_KEY}]"
    assert (answer.status_code, answer.json()) == (400, {"course_id": [text]})


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"certificate_type": ""}, "certificate_type"),
        ({"certificate_type": "a b"}, "certificate_type"),
        ({"certificate_type": "a" * 33}, "certificate_type"),
        ({"certificate_available_date": "soon"}, "certificate_available_date"),
        ({"is_active": "perhaps"}, "is_active"),
        ({"course_id": None}, "course_id"),
    ],
)
def test_refuses_what_is_not_valid(
    lms: APIClient, run: CourseRun, more: dict[str, Any], field: str
) -> None:
    answer = post(lms, {**TOLD, **more})

    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not run.certificate_configurations.exists()


def test_it_is_read_by_the_key_of_the_run(
    lms: APIClient, stored: CourseCertificateConfiguration
) -> None:
    plain, quoted = lms.get(PATH), lms.get(PATH.replace("+", "%2B").replace(":", "%3A"))

    assert (plain.status_code, plain.json()["id"]) == (200, stored.pk)
    assert quoted.json() == plain.json()
    assert lms.get(PATH[:-1]).status_code == 301


def test_a_key_may_hold_slashes(lms: APIClient, run: CourseRun) -> None:
    CourseRun.objects.filter(pk=run.pk).update(key="NBx/SC1.x/1T2024")
    run.certificate_configurations.create(certificate_type="verified")

    told = lms.get(f"{CONFIGURATIONS}NBx/SC1.x/1T2024/").json()

    assert told["course_run"] == "NBx/SC1.x/1T2024"


def test_an_active_one_is_told_first(lms: APIClient, run: CourseRun) -> None:
    run.certificate_configurations.create(certificate_type="honor", is_active=False)
    run.certificate_configurations.create(certificate_type="masters", is_active=True)

    assert lms.get(PATH).json()["certificate_type"] == "masters"


@pytest.mark.parametrize("key", [RUN_KEY, "x", "%00", "a%0Ab", "%F0%9F%98%80"])
def test_what_is_not_configured_is_not_found(lms: APIClient, run: CourseRun, key: str) -> None:
    answer = lms.get(f"{CONFIGURATIONS}{key}/")

    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_it_is_changed(lms: APIClient, stored: CourseCertificateConfiguration) -> None:
    changed = send(lms, "PATCH", PATH, {"is_active": False})
    assert (changed.status_code, changed.json()["is_active"]) == (200, False)

    replaced = send(lms, "PUT", PATH, {**TOLD, "certificate_type": "masters"})
    assert (replaced.status_code, replaced.json()["id"]) == (200, stored.pk)
    assert replaced.json()["certificate_type"] == "masters"
    assert send(lms, "PUT", PATH, {"is_active": True}).status_code == 400


def test_its_run_stays_and_no_type_stands_twice(
    lms: APIClient, run: CourseRun, stored: CourseCertificateConfiguration
) -> None:
    run.certificate_configurations.create(certificate_type="masters")

    other_run = send(lms, "PATCH", PATH, {"course_id": "x"})
    other_type = send(lms, "PATCH", PATH, {"certificate_type": "masters"})

    assert (other_run.status_code, other_run.json()) == (400, {"course_id": FIXED})
    assert (other_type.status_code, list(other_type.json())) == (400, ["certificate_type"])


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("anonymous", [401, 401, 401, 401]),
        ("ada", [403, 403, 403, 403]),
        ("clerk", [403, 403, 403, 403]),
        ("viewer", [200, 403, 403, 403]),
        ("adder", [403, 201, 403, 403]),
        ("changer", [403, 403, 200, 200]),
        ("reading service", [200, 403, 403, 403]),
        ("service", [200, 201, 200, 200]),
    ],
)
def test_who_may_tell(
    as_caller: Caller, stored: CourseCertificateConfiguration, name: str, statuses: list[int]
) -> None:
    client = as_caller(name)

    answers = [
        client.get(PATH),
        post(client, TOLD),
        send(client, "PUT", PATH, TOLD),
        send(client, "PATCH", PATH, {"is_active": True}),
    ]

    assert [answer.status_code for answer in answers] == statuses

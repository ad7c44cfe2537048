"""A learner's own records, and what staff see of them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.enums import ProgramStatus
from programs.models import CourseGrade, CourseRun, Pathway, Program
from tests.programs.factories import (
    CourseCertificateConfigurationFactory,
    CourseCertificateFactory,
    CourseRunFactory,
    CreditRequestFactory,
    GradeFactory,
    LearnerFactory,
    OrganizationFactory,
    ProgramCertificateFactory,
    SharedRecordFactory,
    pathway_of,
    program_requiring,
)
from tests.programs.record_api.conftest import LIST, UNKNOWN_HEX, Caller, client_of, record_path

DAY = timedelta(days=1)
EARNED_ROW = {
    "name": "Supply Chains",
    "school": "",
    "attempts": 1,
    "course_id": "course-v1:NBx+SC1+1T2024",
    "issue_date": "2024-05-15T00:00:00+00:00",
    "percent_grade": 0.91,
    "letter_grade": "A",
}
MISSING_ROW = {
    "name": "Design",
    "school": "",
    "attempts": "",
    "course_id": "",
    "issue_date": "",
    "percent_grade": "",
    "letter_grade": "",
    "reason": "no_grade",
}


# --- The list --------------------------------------------------------------------------------


def test_lists_active_and_retired_programs_with_an_earned_course_by_title(
    as_ada: APIClient, program: Program, run: CourseRun
) -> None:
    program.authoring_organizations.add(OrganizationFactory.create(name="Northbridge University"))
    retired = program_requiring(
        core=[run.course], title="A Retired One", status=ProgramStatus.RETIRED
    )
    program_requiring(core=[run.course], title="Unpublished", status=ProgramStatus.UNPUBLISHED)
    program_requiring(core=[CourseRunFactory.create().course], title="Nothing earned")

    response = as_ada.get(LIST)

    assert response.status_code == 200
    assert response.json() == {
        "enrolled_programs": [
            {
                "name": "A Retired One",
                "uuid": retired.uuid.hex,
                "partner": "",
                "completed": False,
                "empty": False,
            },
            {
                "name": "Supply Chain Practice",
                "uuid": program.uuid.hex,
                "partner": "Northbridge University",
                "completed": False,
                "empty": False,
            },
        ]
    }


def test_a_program_with_its_certificate_is_completed(
    ada: User, as_ada: APIClient, program: Program
) -> None:
    ProgramCertificateFactory.create(user=ada, program=program)

    [listed] = as_ada.get(LIST).json()["enrolled_programs"]

    assert listed["completed"] is True
    assert as_ada.get(record_path(program)).json()["record"]["program"]["completed"] is True


def test_who_has_earned_nothing_has_no_records() -> None:
    assert client_of(LearnerFactory.create()).get(LIST).json() == {"enrolled_programs": []}


def test_the_list_without_its_slash_is_redirected_to_it(as_ada: APIClient) -> None:
    response = as_ada.get(LIST.rstrip("/"))

    assert (response.status_code, response["Location"]) == (301, LIST)


# --- One record ------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hex", [True, False])
def test_a_record_is_told_with_the_uuid_as_it_was_asked_for(
    as_ada: APIClient, program: Program, is_hex: bool, settings: Settings
) -> None:
    settings.RECORDS_HELP_URL = "https://help.example.org/records"
    written = program.uuid.hex if is_hex else str(program.uuid)

    response = as_ada.get(f"{LIST}{written}/?is_public=false")

    assert response.status_code == 200
    answer = response.json()
    last_updated = answer["record"]["program"].pop("last_updated")
    assert last_updated == CourseGrade.objects.get().modified.isoformat()
    assert answer == {
        "record": {
            "learner": {
                "full_name": "Ada Lovelace",
                "username": "ada",
                "email": "ada@example.org",
            },
            "program": {
                "name": "Supply Chain Practice",
                "type": "micro-masters",
                "type_name": "Micro Masters",
                "completed": False,
                "empty": False,
                "school": "",
            },
            "platform_name": "Credentials Portal",
            "grades": [EARNED_ROW, MISSING_ROW],
            "pathways": [],
            "shared_program_record_uuid": None,
        },
        "is_public": False,
        "uuid": written,
        "records_help_url": "https://help.example.org/records",
    }


def test_a_certificate_without_a_grade_has_a_run_and_a_date_only(
    as_ada: APIClient, program: Program
) -> None:
    CourseGrade.objects.all().delete()

    record = as_ada.get(record_path(program)).json()["record"]

    assert record["grades"][0] == EARNED_ROW | {
        "attempts": "",
        "percent_grade": "",
        "letter_grade": "",
    }
    assert record["program"]["empty"] is True


def test_a_grade_without_a_letter_is_not_applicable(as_ada: APIClient, program: Program) -> None:
    CourseGrade.objects.update(letter_grade="")

    [row, _] = as_ada.get(record_path(program)).json()["record"]["grades"]

    assert row["letter_grade"] == "N/A"


def test_the_best_of_two_awarded_runs_makes_the_row(
    ada: User, as_ada: APIClient, run: CourseRun
) -> None:
    better = CourseRunFactory.create(course=run.course)
    program = program_requiring(core=[run.course])
    for taken, percent in ((run, "0.70"), (better, "1.00")):
        GradeFactory.create(user=ada, course_run=taken, percent_grade=Decimal(percent))
        CourseCertificateFactory.create(user=ada, course_run=taken)

    [row] = as_ada.get(record_path(program)).json()["record"]["grades"]

    assert (row["percent_grade"], row["attempts"], row["course_id"]) == (1.0, 2, better.key)


def test_a_certificate_that_is_available_tomorrow_says_so(
    as_ada: APIClient, program: Program, run: CourseRun
) -> None:
    tomorrow = timezone.now() + DAY
    CourseCertificateConfigurationFactory.create(
        course_run=run, certificate_available_date=tomorrow
    )

    [row, _] = as_ada.get(record_path(program)).json()["record"]["grades"]

    assert row["course_id"] == row["issue_date"] == ""
    assert row["reason"] == "not_available_until"
    assert row["reason_until"] == tomorrow.isoformat()
    assert as_ada.get(LIST).json() == {"enrolled_programs": []}


def test_pathways_that_take_requests_are_told_with_those_of_this_program_that_were_sent(
    ada: User, as_ada: APIClient, program: Program, pathway: Pathway
) -> None:
    other = pathway_of(program, name="Diploma")
    for trait in ("industry", "retired", "unpublished"):
        pathway_of(program, **{trait: True})
    pathway_of(program, email="")
    CreditRequestFactory.create(user=ada, program=program, pathway=pathway)
    elsewhere = program_requiring(core=[])
    other.programs.add(elsewhere)
    CreditRequestFactory.create(user=ada, program=elsewhere, pathway=other)
    CreditRequestFactory.create(user=ada, program=program, pathway=other, failed=True)
    CreditRequestFactory.create(program=program, pathway=other)

    pathways = as_ada.get(record_path(program)).json()["record"]["pathways"]

    common = {"is_active": True, "pathway_type": "credit"}
    assert pathways == [
        {"name": "Diploma", "id": other.pk, "status": "", **common},
        {"name": "Master of Logistics", "id": pathway.pk, "status": "sent", **common},
    ]


def test_only_the_own_link_that_lives_is_told(
    ada: User, as_ada: APIClient, program: Program
) -> None:
    SharedRecordFactory.create(user=ada, program=program, revoked=True)
    SharedRecordFactory.create(user=ada, program=program, of_request=True)
    expired = SharedRecordFactory.create(user=ada, program=program, expires_at=timezone.now() - DAY)

    def told() -> str | None:
        record: dict[str, str | None] = as_ada.get(record_path(program)).json()["record"]
        return record["shared_program_record_uuid"]

    assert told() is None
    expired.expires_at = timezone.now() + DAY
    expired.save()
    assert told() == expired.uuid.hex


def test_words_of_people_arrive_in_json_as_they_are(
    ada: User, as_ada: APIClient, program: Program
) -> None:
    ada.full_name = 'Ada "Countess"\r\nBcc: all@example.org <script>alert(1)</script>'
    ada.save()

    response = as_ada.get(record_path(program))

    assert response.json()["record"]["learner"]["full_name"] == ada.full_name
    assert response["Content-Type"] == "application/json"
    assert response["X-Content-Type-Options"] == "nosniff"


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "status"),
    [("anonymous", 401), ("ada", 200), ("bob", 200), ("clerk", 200), ("service", 200)],
)
def test_everybody_signed_in_reads_their_own(
    as_caller: Caller, program: Program, caller: str, status: int
) -> None:
    client = as_caller(caller)

    assert client.get(LIST).status_code == status
    response = client.get(record_path(program))
    assert response.status_code == status
    if caller not in ("anonymous", "ada"):
        assert [row["issue_date"] for row in response.json()["record"]["grades"]] == ["", ""]


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        ("anonymous", 401),
        ("ada", 403),
        ("bob", 403),
        ("clerk", 403),
        ("half viewer", 403),
        ("desk", 403),
        ("viewer", 200),
        ("service", 200),
        ("reading service", 200),
    ],
)
def test_only_who_may_see_grades_and_certificates_names_a_learner(
    as_caller: Caller, program: Program, caller: str, status: int
) -> None:
    client = as_caller(caller)

    assert client.get(f"{LIST}?username=ada").status_code == status
    response = client.get(record_path(program, username="ada"))
    assert response.status_code == status
    if status == 200:
        assert response.json()["record"]["learner"]["username"] == "ada"
        assert response.json()["record"]["grades"][0] == EARNED_ROW


@pytest.mark.parametrize("name", ["nobody", "a%00b", "%F0%9F%A6%89"])
def test_a_learner_whom_nobody_knows_is_an_empty_404_for_staff(
    as_caller: Caller, program: Program, name: str
) -> None:
    viewer = as_caller("viewer")

    for path in (f"{LIST}?username={name}", record_path(program, username=name)):
        response = viewer.get(path)
        assert (response.status_code, response.content) == (404, b"")


def test_an_empty_username_names_nobody(as_ada: APIClient, program: Program) -> None:
    assert as_ada.get(record_path(program, username="")).status_code == 200


@pytest.mark.parametrize(
    "written", [UNKNOWN_HEX, "not-a-uuid", "{" + UNKNOWN_HEX + "}", UNKNOWN_HEX + "%00", "%20"]
)
def test_a_program_that_is_not_there_is_a_404_in_json(as_ada: APIClient, written: str) -> None:
    response = as_ada.get(f"{LIST}{written}/?is_public=false")

    assert response.status_code == 404
    assert list(response.json()) == ["detail"]


def test_nothing_is_written_by_reading(as_ada: APIClient, program: Program) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(as_ada, method)(record_path(program)).status_code == 405


# --- How much it costs ----------------------------------------------------------------------


def busy_learner(courses: int) -> tuple[User, Program]:
    learner: User = LearnerFactory.create()
    runs = CourseRunFactory.create_batch(courses)
    program = program_requiring(core=[run.course for run in runs])
    for run in runs:
        GradeFactory.create(user=learner, course_run=run)
        CourseCertificateFactory.create(user=learner, course_run=run)
    for number in range(3):
        CreditRequestFactory.create(
            user=learner, program=program, pathway=pathway_of(program, name=f"{courses}.{number}")
        )
    return learner, program


@pytest.mark.parametrize("courses", [1, 50])
def test_takes_as_many_statements_whatever_there_is(
    courses: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    learner, program = busy_learner(courses)
    client = client_of(learner)

    # The session and its person, then the list itself.
    with django_assert_num_queries(3):
        assert client.get(LIST).status_code == 200
    # And the learner with the link, the record in two, the pathways.
    with django_assert_num_queries(6):
        assert client.get(record_path(program)).status_code == 200


@pytest.mark.parametrize("caller", ["viewer", "service"])
@pytest.mark.parametrize("courses", [1, 50])
def test_takes_as_many_statements_to_read_somebody_elses(
    as_caller: Caller, courses: int, caller: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    learner, program = busy_learner(courses)
    SharedRecordFactory.create(user=learner, program=program)
    client = as_caller(caller)

    # The session, or the token, with its person, whose permissions take two; the learner, the list.
    with django_assert_num_queries(6):
        assert client.get(f"{LIST}?username={learner.username}").status_code == 200
    # The learner with the link, the record in two, the pathways.
    with django_assert_num_queries(8):
        assert client.get(record_path(program, username=learner.username)).status_code == 200

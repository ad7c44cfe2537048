"""The report of credit requests over the API: who reads it, and what it says."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from tests.api.conftest import TokenFactory, issue_token, service
from tests.programs.factories import CreditRequestFactory, PathwayFactory, ProgramFactory
from tests.programs.reporting import JULY, JUNE

__all__ = ["issue_token", "service"]

pytestmark = pytest.mark.django_db

SUMMARY = "/api/programs/v1/credit-requests/summary/"


@pytest.fixture(autouse=True)
def _no_memory() -> None:
    cache.clear()


@pytest.fixture
def auditor() -> APIClient:
    """Somebody whose only permission is this one."""
    person = User.objects.create_user("auditor")
    person.user_permissions.set(Permission.objects.filter(codename="view_credit_report"))
    return signed_in(person)


def signed_in(person: User) -> APIClient:
    client = APIClient()
    client.force_login(person)
    return client


def answered(client: APIClient, **query: Any) -> dict[str, Any]:
    response = client.get(SUMMARY, query)
    assert response.status_code == 200, response.content
    told: dict[str, Any] = response.json()
    return told


def refused(client: APIClient, **query: Any) -> dict[str, Any]:
    response = client.get(SUMMARY, query)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "invalid"
    fields: dict[str, Any] = error["fields"]
    return fields


# --- Who may -----------------------------------------------------------------------------------


def test_a_stranger_is_asked_who_they_are() -> None:
    response = APIClient().get(SUMMARY)

    assert (response.status_code, response.json()["error"]["code"]) == (401, "not_authenticated")


def test_a_learner_and_staff_without_the_permission_are_refused() -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_usercreditpathway"))

    for person in (User.objects.create_user("ada"), clerk):
        response = signed_in(person).get(SUMMARY)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (403, "permission_denied")
        assert error["message"] == "This needs the permission programs.view_credit_report."


@pytest.mark.parametrize("role", ["Registrars", "Support", "Operators", "Auditors"])
def test_roles_that_see_programs_read_it(role: str) -> None:
    person = User.objects.create_user("clerk")
    person.groups.set(Group.objects.filter(name=role))

    assert answered(signed_in(person))["results"] == []


def test_a_service_with_the_permission_reads_it(issue_token: TokenFactory) -> None:
    token = issue_token(scope="read")
    client = APIClient(headers={"authorization": f"Bearer {token}"})
    assert client.get(SUMMARY).status_code == 403

    worker = User.objects.get(username="lms_worker")
    worker.user_permissions.set(Permission.objects.filter(codename="view_credit_report"))

    assert client.get(SUMMARY).status_code == 200


def test_it_is_only_read(auditor: APIClient) -> None:
    assert auditor.post(SUMMARY, {}).status_code == 405


# --- What it says ------------------------------------------------------------------------------


def test_tells_each_line_and_the_total(auditor: APIClient) -> None:
    request: Any = CreditRequestFactory.create(requested_at=JUNE, was_completed=True)
    numbers = {
        "requests": 1,
        "learners": 1,
        "first": 1,
        "repeated": 0,
        "completed_percent": 100.0,
        "failed": 0,
        "withdrawn": 0,
        "received": 0,
        "granted": 0,
        "refused": 0,
        "median_days": None,
    }

    assert answered(auditor, since="2025-06-01", until="2025-07-01") == {
        "count": 1,
        "next": None,
        "previous": None,
        "since": "2025-06-01",
        "until": "2025-07-01",
        "group_by": ["program", "pathway", "month"],
        "total": numbers,
        "results": [
            {
                **numbers,
                "program_uuid": str(request.program.uuid),
                "program": request.program.title,
                "pathway_uuid": str(request.pathway.uuid),
                "pathway": request.pathway.name,
                "institution": request.pathway.org_name,
                "month": "2025-06",
            }
        ],
    }


def test_an_unknown_program_is_told_without_a_uuid(auditor: APIClient) -> None:
    CreditRequestFactory.create(legacy=True, requested_at=JUNE)

    (line,) = answered(auditor, group_by="program")["results"]

    assert (line["program_uuid"], line["program"]) == (None, "unknown program (legacy)")
    assert (line["pathway_uuid"], line["pathway"], line["month"]) == (None, "", "")


def test_goes_on_from_page_to_page_with_the_total_of_all(auditor: APIClient) -> None:
    for title in ("A", "B", "C"):
        CreditRequestFactory.create(program=ProgramFactory.create(title=title), requested_at=JUNE)

    first = answered(auditor, page_size=2)
    second = auditor.get(first["next"]).json()

    assert [line["program"] for line in (*first["results"], *second["results"])] == ["A", "B", "C"]
    assert first["total"] == second["total"]
    assert (first["count"], first["total"]["requests"], second["next"]) == (3, 3, None)
    assert auditor.get(SUMMARY, {"page": 3}).status_code == 404


def test_reports_only_what_is_asked_for(auditor: APIClient) -> None:
    program = ProgramFactory.create()
    harbour = PathwayFactory.create(org_name="Harbour University")
    CreditRequestFactory.create(program=program, requested_at=JUNE)
    CreditRequestFactory.create(program=program, pathway=harbour, requested_at=JULY)

    def reported(**query: Any) -> int:
        requests: int = answered(auditor, **query)["total"]["requests"]
        return requests

    assert reported(program=program.uuid) == 2
    assert reported(pathway=harbour.uuid) == 1
    assert reported(institution="Harbour University") == 1
    assert reported(until="2025-07-01") == 1
    assert reported(program=uuid4()) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("since", "2025-6-1"), ("since", "20250601"), ("until", "June"), ("until", "")),
        *(("group_by", "learner"), ("program", "1"), ("username", "ada")),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(
    auditor: APIClient, name: str, value: str
) -> None:
    assert set(refused(auditor, **{name: value})) == {name}


def test_takes_as_many_statements_for_fifty_lines_as_for_one(auditor: APIClient) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            answered(auditor, page_size=100)
        return len(captured)

    CreditRequestFactory.create(requested_at=JUNE)
    for_one = statements()
    CreditRequestFactory.create_batch(50, requested_at=JUNE)

    assert statements() == for_one == 5

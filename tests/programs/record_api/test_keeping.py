"""Learners keep their own record as a file."""

import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import Program
from tests.programs.record_api.conftest import Caller
from tests.programs.record_api.test_reading import EARNED_ROW, MISSING_ROW


def path_of(program: Program, ending: str) -> str:
    return f"/programs/{program.uuid}/record.{ending}"


def test_a_learner_keeps_the_record_as_json(as_ada: APIClient, program: Program) -> None:
    response = as_ada.get(path_of(program, "json"))

    assert response.status_code == 200
    kept = json.loads(response.content)
    assert kept["learner"] == {
        "full_name": "Ada Lovelace",
        "username": "ada",
        "email": "ada@example.org",
    }
    assert kept["program"]["name"] == "Supply Chain Practice"
    assert kept["grades"] == [EARNED_ROW, MISSING_ROW]
    assert list(kept) == ["learner", "program", "platform_name", "grades"]
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == (
        'attachment; filename="supply_chain_practice_record.json"'
    )


def test_a_learner_keeps_the_record_as_csv(as_ada: APIClient, program: Program) -> None:
    response = as_ada.get(path_of(program, "csv"))

    assert '"Username","ada"\r\n"Email","ada@example.org"\r\n' in response.content.decode()


def test_the_page_of_the_record_leads_to_the_files(as_ada: APIClient, program: Program) -> None:
    page = as_ada.get(f"/programs/{program.uuid}/").content.decode()

    assert all(f'href="{path_of(program, ending)}"' in page for ending in ("csv", "json"))


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_who_has_nothing_in_a_program_has_nothing_to_keep(
    as_caller: Caller, program: Program, ending: str
) -> None:
    assert as_caller("bob").get(path_of(program, ending)).status_code == 404
    assert Client().get(path_of(program, ending)).status_code == 302


def test_a_name_cannot_break_the_json(ada: User, as_ada: APIClient, program: Program) -> None:
    ada.full_name = 'Ada", "email": "x\r\n</script>\u2028'
    ada.save()

    kept = json.loads(as_ada.get(path_of(program, "json")).content)

    assert kept["learner"]["full_name"] == ada.full_name

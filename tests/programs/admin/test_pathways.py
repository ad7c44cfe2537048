"""Credit pathways in the admin: edited with history, and what they say of themselves."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from credentials_portal.core.history import rows_without_true_history
from programs.enums import ProgramStatus
from programs.models import Pathway, PathwayProgram, Program
from tests.programs.admin.desk import ROLES, member_of, page, rows, url
from tests.programs.factories import PathwayFactory, ProgramFactory, pathway_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    program: Program = ProgramFactory.create(title="Data Science")
    return program


def posted(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Masters",
        "org_name": "Harbour University",
        "email": "desk@harbour.example",
        "contact_name": "",
        "pathway_type": "credit",
        "status": "published",
        "cooldown_days": "",
        "consent_text": "",
        "links-TOTAL_FORMS": 0,
        "links-INITIAL_FORMS": 0,
        **fields,
    }


def test_a_new_pathway_takes_requests_about_its_programs(
    registrar: Client, program: Program
) -> None:
    link = {"links-0-program": program.pk, "links-0-position": 3, "links-TOTAL_FORMS": 1}

    response = registrar.post(url("pathway_add"), posted(**link))

    assert response.status_code == 302, response.context["errors"]
    pathway = Pathway.objects.get()
    assert list(Pathway.objects.taking_requests_about(program.pk)) == [pathway]
    (kept,) = PathwayProgram.objects.all()
    assert (kept.program, kept.position) == (program, 3)
    (first,) = pathway.history.all()
    assert (first.history_type, first.cause, first.history_user_id) == (
        "+",
        "admin",
        int(registrar.session["_auth_user_id"]),
    )
    assert rows_without_true_history(PathwayProgram) == 0


def test_a_change_and_a_program_taken_away_stand_in_the_history(
    registrar: Client, program: Program
) -> None:
    pathway = pathway_of(program)
    link = pathway.links.get()
    removal = {
        "links-TOTAL_FORMS": 1,
        "links-INITIAL_FORMS": 1,
        "links-0-id": link.pk,
        "links-0-pathway": pathway.pk,
        "links-0-program": program.pk,
        "links-0-position": 0,
        "links-0-DELETE": "on",
    }

    response = registrar.post(
        url("pathway_change", pathway.pk), posted(cooldown_days=7, **removal), follow=True
    )

    assert response.status_code == 200
    pathway.refresh_from_db()
    assert (pathway.cooldown_days, pathway.links.count()) == (7, 0)
    assert PathwayProgram.history.latest().history_type == "-"
    assert rows_without_true_history(Pathway) == 0
    assert "Masters" in page(registrar, url("pathway_history", pathway.pk))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Yes, about the programs below."),
        ({"industry": True}, "No: it is no credit pathway."),
        ({"retired": True}, "No: it is not published."),
        ({"email": ""}, "No: it has no e-mail address."),
    ],
)
def test_a_pathway_says_whether_it_takes_requests(
    registrar: Client, program: Program, fields: dict[str, Any], words: str
) -> None:
    pathway = pathway_of(program, **fields)

    assert words in page(registrar, url("pathway_change", pathway.pk))
    (row,) = rows(registrar, "pathway")
    takes = Pathway.objects.taking_requests_about(program.pk).exists()
    assert row.has_programs
    assert takes == words.startswith("Yes")


def test_a_pathway_of_no_open_program_takes_none(registrar: Client) -> None:
    for pathway in (
        PathwayFactory.create(),
        pathway_of(ProgramFactory.create(status=ProgramStatus.UNPUBLISHED)),
    ):
        told = page(registrar, url("pathway_change", pathway.pk))
        assert "No: it has no program that is active or retired." in told


def test_a_waiting_time_is_a_day_or_more(registrar: Client) -> None:
    response = registrar.post(url("pathway_add"), posted(cooldown_days=0))

    assert "greater than or equal to 1" in response.content.decode()
    assert not Pathway.objects.exists()


@pytest.mark.parametrize("role", ROLES)
def test_nobody_deletes_a_pathway_and_only_registrars_edit(role: str, program: Program) -> None:
    pathway = pathway_of(program)
    browser = member_of(role)
    may_edit = role == "Registrars"

    assert browser.get(url("pathway_change", pathway.pk)).status_code == 200
    assert browser.get(url("pathway_add")).status_code == (200 if may_edit else 403)
    changed = browser.post(url("pathway_change", pathway.pk), posted(name="Other"))
    deleted = browser.post(url("pathway_delete", pathway.pk), {"post": "yes"})

    assert changed.status_code == (302 if may_edit else 403)
    assert deleted.status_code == 403
    pathway.refresh_from_db()
    assert (pathway.name == "Other") == may_edit


def test_the_list_takes_as_many_statements_for_fifty_as_for_one(
    registrar: Client,
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            rows(registrar, "pathway")
        return len(captured)

    pathway_of(ProgramFactory.create())
    for_one = statements()
    for _ in range(49):
        pathway_of(ProgramFactory.create())

    assert statements() == for_one

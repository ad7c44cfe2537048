"""Where addresses of the old service lead."""

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from credentials_portal.accounts.models import User
from programs.models import Program, SharedProgramRecord, SharedRecordViewCount
from tests.programs.factories import SharedRecordFactory
from tests.programs.record_api.conftest import UNKNOWN_HEX

MFE = "https://records.example.org/"


@pytest.mark.parametrize("root", [MFE, MFE.rstrip("/")])
def test_old_addresses_lead_to_the_front_end_where_there_is_one(
    as_ada: APIClient,
    stranger: APIClient,
    link: SharedProgramRecord,
    settings: Settings,
    root: str,
) -> None:
    settings.LEARNER_RECORD_MFE_RECORDS_PAGE_URL = root
    program_hex, shared_hex = link.program.uuid.hex, link.uuid.hex
    leads = {
        "/records/": MFE,
        f"/records/programs/{program_hex}/": f"{MFE}{program_hex}",
        f"/records/programs/shared/{shared_hex}/": f"{MFE}shared/{shared_hex}",
    }

    for path, place in leads.items():
        client = stranger if "shared" in path else as_ada
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, place)


def test_old_addresses_lead_to_the_portals_pages_else(
    as_ada: APIClient, stranger: APIClient, link: SharedProgramRecord
) -> None:
    leads = {
        "/records/": "/",
        f"/records/programs/{link.program.uuid.hex}/": f"/programs/{link.program.uuid}/",
        f"/records/programs/shared/{link.uuid.hex}/": f"/programs/shared/{link.uuid}/",
    }

    for path, place in leads.items():
        client = stranger if "shared" in path else as_ada
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, place)
    assert not SharedRecordViewCount.objects.exists()


def test_old_addresses_without_their_slash_get_it(
    stranger: APIClient, link: SharedProgramRecord
) -> None:
    for path in (
        "/records",
        f"/records/programs/{link.program.uuid.hex}",
        f"/records/programs/shared/{link.uuid.hex}",
    ):
        response = stranger.get(path)
        assert (response.status_code, response["Location"]) == (301, path + "/")


def test_own_records_ask_strangers_to_sign_in(stranger: APIClient, program: Program) -> None:
    for path in ("/records/", f"/records/programs/{program.uuid.hex}/"):
        response = stranger.get(path)
        assert (response.status_code, response["Location"]) == (
            302,
            f"/accounts/login/?next={path}",
        )


@pytest.mark.parametrize("front_end", ["", MFE])
def test_a_dead_link_is_gone_and_one_that_never_was_not_found(
    stranger: APIClient, ada: User, program: Program, settings: Settings, front_end: str
) -> None:
    settings.LEARNER_RECORD_MFE_RECORDS_PAGE_URL = front_end
    dead = SharedRecordFactory.create(user=ada, program=program, revoked=True)

    def status(uuid_hex: str) -> int:
        response = stranger.get(f"/records/programs/shared/{uuid_hex}/")
        assert "Ada" not in response.content.decode()
        return int(response.status_code)

    assert status(dead.uuid.hex) == 410
    assert stranger.get(f"/records/programs/shared/{dead.uuid.hex}/").content == (
        stranger.get(f"/programs/shared/{dead.uuid}/").content
    )
    assert status(UNKNOWN_HEX) == 404
    assert status(str(dead.uuid)) == 404

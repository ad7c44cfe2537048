"""What a program sets about its letters."""

import pytest

from credentials_portal.accounts.models import User
from letters.models import ProgramLetter, ProgramLetterConfiguration
from programs.models import Program
from tests.letters.admin.desk import post, staff, url

pytestmark = pytest.mark.django_db


def test_a_breakers_limit_is_changed_with_reason_and_history(true_letter: ProgramLetter) -> None:
    configuration = ProgramLetterConfiguration.objects.get()
    client = staff("change_programletterconfiguration")
    address = url("programletterconfiguration_change", configuration.pk)

    refused = post(client, address, breaker_limit="7", reason="")
    configuration.refresh_from_db()
    unchanged = configuration.breaker_limit
    post(client, address, breaker_limit="7", reason="A big cohort.")

    configuration.refresh_from_db()
    latest, first = configuration.history.order_by("-history_id")
    assert "This field is required." in refused
    assert (unchanged, configuration.breaker_limit) == (None, 7)
    assert (latest.history_change_reason, latest.cause) == ("A big cohort.", "admin")
    assert latest.history_user == User.objects.get(pk=client.session["_auth_user_id"])
    assert (first.history_type, first.breaker_limit) == ("+", None)
    assert (
        client.get(url("programletterconfiguration_history", configuration.pk)).status_code == 200
    )


@pytest.mark.parametrize("limit", ["-1", "many", "1.5", "99999999999999999999"])
def test_a_breakers_limit_is_a_number(program: Program, limit: str) -> None:
    client = staff("add_programletterconfiguration")

    page = post(
        client,
        url("programletterconfiguration_add"),
        program=program.pk,
        breaker_limit=limit,
        reason="x",
    )

    assert "errors" in page
    assert not ProgramLetterConfiguration.objects.exists()

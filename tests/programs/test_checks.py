"""What `manage.py check` finds in the settings of program records."""

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


def problems() -> list[str]:
    found = [message for message in run_checks() if str(message.id).startswith("programs.")]
    assert all(message.hint for message in found)
    return [str(message.id) for message in found]


@pytest.mark.parametrize("address", ["", "credit@portal.example.org"])
def test_institutions_get_mail_from_an_address(settings: Settings, address: str) -> None:
    settings.PARTNER_FROM_ADDRESS = address

    assert problems() == []


@pytest.mark.parametrize(
    "address", ["credit", "Credit Office <credit@portal.example.org>", "a@x.org, b@x.org"]
)
def test_finds_a_sender_that_is_no_address(settings: Settings, address: str) -> None:
    settings.PARTNER_FROM_ADDRESS = address

    assert problems() == ["programs.E001"]


@pytest.mark.parametrize("rate", ["15/min", "15/m", "200/hour"])
def test_a_rate_is_a_number_in_a_time(settings: Settings, rate: str) -> None:
    settings.RECORDS_RATE_LIMIT = rate

    assert problems() == []


@pytest.mark.parametrize("rate", ["", "15", "fifteen/min", "15/", "15/fortnight"])
def test_finds_a_rate_that_is_none(settings: Settings, rate: str) -> None:
    settings.RECORDS_RATE_LIMIT = rate

    assert problems() == ["programs.E002"]

"""Settings of program records that cannot work, each found before a learner meets it."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from rest_framework.throttling import SimpleRateThrottle


@register
def check_partner_address(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if not settings.PARTNER_FROM_ADDRESS or _is_address(settings.PARTNER_FROM_ADDRESS):
        return []
    return [
        Error(
            f"PARTNER_FROM_ADDRESS is no address: {settings.PARTNER_FROM_ADDRESS!r}.",
            hint="Write the address alone, like credit@portal.example.org: the name beside it is "
            "PLATFORM_NAME.",
            id="programs.E001",
        )
    ]


@register
def check_records_rate(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    if _is_rate(settings.RECORDS_RATE_LIMIT):
        return []
    return [
        Error(
            f"RECORDS_RATE_LIMIT is no rate: {settings.RECORDS_RATE_LIMIT!r}.",
            hint="Write it like 15/min: a number, and a second, minute, hour or day.",
            id="programs.E002",
        )
    ]


def _is_address(address: str) -> bool:
    try:
        validate_email(address)
    except ValidationError:
        return False
    return True


def _is_rate(rate: str) -> bool:
    try:
        SimpleRateThrottle.parse_rate(None, rate)  # type: ignore[arg-type]  # needs no throttle
    except (ValueError, KeyError, IndexError):
        return False
    return bool(rate)

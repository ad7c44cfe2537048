from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from credentials_portal.core import arguments


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (arguments.instant, "2027-05-03T12:00:00Z", datetime(2027, 5, 3, 12, tzinfo=UTC)),
        (arguments.instant, "2027-05-03 14:00+02:00", datetime(2027, 5, 3, 12, tzinfo=UTC)),
        (arguments.day, "2027-05-03", date(2027, 5, 3)),
        (arguments.duration, "90m", timedelta(minutes=90)),
        (arguments.duration, "26h", timedelta(hours=26)),
        (arguments.duration, "7d", timedelta(days=7)),
        (arguments.uuid, "00000000-0000-0000-0000-00000000000a", UUID(int=10)),
        (arguments.uuid, "0000000000000000000000000000000A", UUID(int=10)),
        (arguments.boolean, "True", True),
        (arguments.boolean, "false", False),
        (arguments.boolean, "0", False),
        (arguments.positive_int, "1", 1),
        (arguments.positive_int, "0200", 200),
        (arguments.count, "0", 0),
        (arguments.percentage, "0", 0.0),
        (arguments.percentage, "2.5", 2.5),
        (arguments.percentage, "100", 100.0),
    ],
)
def test_understands(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "why"),
    [
        (arguments.instant, "2027-05-03T12:00:00", "write 2027-05-03T12:00:00Z for UTC"),
        (arguments.instant, "2027-02-30T12:00:00Z", "is no instant such as"),
        (arguments.instant, "2027-05-03", "is no instant such as"),
        (arguments.instant, "yesterday", "is no instant such as"),
        (arguments.day, "2027-02-30", "is no date such as 2027-05-03"),
        (arguments.day, "03.05.2027", "is no date such as 2027-05-03"),
        (arguments.duration, "26", "is no duration such as"),
        (arguments.duration, "-1h", "is no duration such as"),
        (arguments.duration, "1w", "is no duration such as"),
        (arguments.uuid, "program-5", "is no uuid"),
        (arguments.boolean, "", "is neither true nor false"),
        (arguments.boolean, "maybe", "is neither true nor false"),
        (arguments.positive_int, "0", "is no whole number from 1 up"),
        (arguments.positive_int, "-1", "is no whole number from 1 up"),
        (arguments.positive_int, "1.5", "is no whole number from 1 up"),
        (arguments.positive_int, "9" * 19, "is no whole number from 1 up"),
        (arguments.positive_int, "٣", "is no whole number from 1 up"),
        (arguments.count, "-1", "is no whole number from 0 up"),
        (arguments.percentage, "100.1", "is no number from 0 to 100"),
        (arguments.percentage, "-1", "is no number from 0 to 100"),
        (arguments.percentage, "nan", "is no number from 0 to 100"),
    ],
)
def test_refuses(parse: Callable[[str], Any], text: str, why: str) -> None:
    with pytest.raises(ArgumentTypeError, match=why):
        parse(text)

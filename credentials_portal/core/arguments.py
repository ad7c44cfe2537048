"""Types for the arguments of commands: `parser.add_argument("--since", type=instant)`."""

import re
from argparse import ArgumentTypeError
from datetime import date, datetime, timedelta
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def instant(text: str) -> datetime:
    """An ISO 8601 instant with its zone, such as 2027-05-03T12:00:00Z."""
    try:
        # A date alone would pass for its midnight.
        moment = None if parse_date(text) else parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no instant such as 2027-05-03T12:00:00Z.")
    if moment.utcoffset() is None:
        raise ArgumentTypeError(f"{text!r} names no zone; write {text}Z for UTC.")
    return moment


def day(text: str) -> date:
    """An ISO 8601 date, such as 2027-05-03."""
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no date such as 2027-05-03.")
    return found


def duration(text: str) -> timedelta:
    """A whole number of minutes, hours or days: 90m, 26h, 7d."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text, re.ASCII)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no duration such as 90m, 26h or 7d.")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def uuid(text: str) -> UUID:
    """A UUID, with or without dashes."""
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no uuid.") from None


def boolean(text: str) -> bool:
    """True or false, in either case; yes, no, 1 and 0 too."""
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in known:
        raise ArgumentTypeError(f"{text!r} is neither true nor false.")
    return known[text.lower()]


def positive_int(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,17}", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 up.")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 up."""
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is no whole number from 0 up.")
    return int(text)


def percentage(text: str) -> float:
    """A number from 0 to 100."""
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", text, re.ASCII) or float(text) > 100:
        raise ArgumentTypeError(f"{text!r} is no number from 0 to 100.")
    return float(text)

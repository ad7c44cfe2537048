import io
import json
import logging
import logging.config
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import Client

from credentials_portal.accounts.models import User
from credentials_portal.logs import logging_config, mask_text

ADDRESS = "lena.o'hara+x@mail.example.org"


class Log:
    """What was written to stderr."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def last(self) -> Any:
        return json.loads(self.text.splitlines()[-1])


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """The portal's logging, as JSON lines unless the test asks otherwise."""
    written = Log()
    config = logging_config(json_lines=getattr(request, "param", True), level="INFO")
    config["handlers"]["stderr"]["stream"] = written.stream
    handlers = logging.getLogger().handlers[:]
    logging.config.dictConfig(config)
    # What a request of another test left bound.
    structlog.contextvars.clear_contextvars()
    yield written
    logging.config.dictConfig(settings.LOGGING)
    logging.getLogger().handlers[:] = handlers


def test_writes_an_event_as_one_json_line(log: Log) -> None:
    at = datetime(2027, 5, 3, tzinfo=UTC)

    structlog.get_logger("letters").info("letter_issued", letter=UUID(int=1), count=3, at=at)

    assert log.text.count("\n") == 1
    event = log.last
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "letter_issued",
        "logger": "letters",
        "level": "info",
        "letter": "00000000-0000-0000-0000-000000000001",
        "count": 3,
        "at": "2027-05-03 00:00:00+00:00",
    }


def test_writes_a_librarys_record_alike(log: Log) -> None:
    logging.getLogger("library").warning("%d retries", 3, extra={"request": "GET /x", "seconds": 2})

    assert (log.last["event"], log.last["logger"], log.last["level"], log.last["seconds"]) == (
        "3 retries",
        "library",
        "warning",
        2,
    )
    assert "request" not in log.last


@pytest.mark.parametrize("log", [True, False], indirect=True, ids=["json", "terminal"])
def test_masks_addresses_wherever_they_stand(log: Log) -> None:
    structlog.get_logger("x").info(f"to {ADDRESS}", note=f"<{ADDRESS}>", many={"a": [ADDRESS]})
    logging.getLogger("x").warning("to %s", ADDRESS, extra={"by": (ADDRESS,)})
    try:
        raise ValueError(f"no mailbox {ADDRESS}")
    except ValueError:
        logging.getLogger("x").exception("failed")

    assert "example.org" not in log.text
    assert log.text.count("***") == 6


@pytest.mark.parametrize("key", ["email", "username", "full_name", "password", "Authorization"])
def test_masks_what_stands_under_a_personal_key(log: Log, key: str) -> None:
    structlog.get_logger("x").info("event", **{key: "lena"}, nested={"list": [{key: "lena"}]})

    assert "lena" not in log.text
    assert log.last[key] == "***"
    assert log.last["nested"] == {"list": [{key: "***"}]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO auth_group (id, name) VALUES (-1, %(who)s), (-2, %(who)s)",
        "INSERT INTO auth_group (id, name) VALUES (NULL, 'first line' || chr(10) || %(who)s)",
        "SELECT FROM no_such_table WHERE name = %(who)s",
        "SELECT %(who)s::uuid",
        "SELECT lower(%(who)s)::timestamptz",
        """SELECT ('{"name": ' || %(who)s || '}')::jsonb""",
    ],
)
def test_masks_what_the_database_quotes(log: Log, statement: str) -> None:
    # Put together, since a traceback shows the source.
    who = "".join(["le", "na"])
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, {"who": who})
    except DatabaseError as error:
        structlog.get_logger("x").exception("failed", shown=str(error), wrapped=[repr(error)])
        logging.getLogger("x").exception("failed: %r", error)

    assert log.text.count(".py") > 1
    assert log.text.count("***") >= 5
    assert "lena" not in log.text


def test_keeps_what_the_database_says_and_what_follows() -> None:
    error = (
        'psycopg2.Error: violates "user_key"\nDETAIL:  Key (full_name)=(Lena\nDETAIL: 2) already exists.\n\n\n'
        "The above exception was the direct cause of the following exception:\n\nTraceback"
    )

    assert mask_text(error) == (
        'psycopg2.Error: violates "user_key"\nDETAIL: ***\n\n'
        "The above exception was the direct cause of the following exception:\n\nTraceback"
    )


@pytest.mark.django_db
@pytest.mark.urls("tests.web.urls")
def test_names_no_path_of_a_request_that_fails(log: Log) -> None:
    Client(raise_request_exception=False).get("/test/failing/bug/")

    assert "Internal Server Error: ***" in log.text
    assert "ZeroDivisionError" in log.text
    assert "failing/bug" not in log.text


def test_names_a_model_instance_by_its_key(log: Log) -> None:
    structlog.get_logger("x").info("event", learner=User(pk=7, username="lena"))

    assert log.last["learner"] == "accounts.User:7"


@pytest.mark.parametrize("log", [True, False], indirect=True, ids=["json", "terminal"])
def test_a_traceback_shows_no_local_variables(log: Log) -> None:
    def fail() -> None:
        learner = "".join(["le", "na"])
        raise ValueError(len(learner))

    try:
        fail()
    except ValueError:
        structlog.get_logger("x").exception("failed")

    assert "ValueError: 4" in log.text
    assert "lena" not in log.text


@pytest.mark.parametrize("name", ["httpx", "httpcore"])
def test_is_silent_about_addresses_that_were_called(log: Log, name: str) -> None:
    logging.getLogger(name).info("HTTP Request: GET https://lms/?username=lena")

    assert log.text == ""


def test_writes_each_of_djangos_records_once(log: Log) -> None:
    logging.getLogger("django.security").warning("suspicious")

    assert log.text.count("suspicious") == 1


def test_is_silent_below_its_level(log: Log) -> None:
    structlog.get_logger("x").debug("detail")
    logging.getLogger("django").debug("detail")

    assert log.text == ""

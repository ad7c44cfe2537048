from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from tests.core.outbox.mail_server import MailServer, free_port, serving


class Statements:
    """Counts statements; a body that is run for one row and for many must need as many."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.texts.append(sql)
        return execute(sql, params, many, context)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        self.texts = []
        with connection.execute_wrapper(self):
            yield self.texts


@pytest.fixture
def statements() -> Statements:
    return Statements()


@pytest.fixture
def refuse_letters_of(db: None) -> Callable[..., None]:
    """Let the database refuse what is written about these learners' letters; of nobody: accept."""

    def refuse(*user_ids: int) -> None:
        listed = ", ".join(map(str, user_ids or [0]))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                DROP FUNCTION IF EXISTS refuse_for_test CASCADE;
                CREATE FUNCTION refuse_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.user_id IN ({listed}) THEN
                        RAISE EXCEPTION 'a bad row' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER refuse_for_test BEFORE INSERT OR UPDATE ON letters_programletter
                    FOR EACH ROW EXECUTE FUNCTION refuse_for_test();
                """
            )

    return refuse


@pytest.fixture
def mail_port(settings: Settings) -> int:
    """Where the portal hands its mails in, and where nobody listens yet."""
    port = free_port()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.PORTAL_BASE_URL = "https://portal.example.org"
    return port


@pytest.fixture
def mail_server(mail_port: int) -> Iterator[MailServer]:
    handler = MailServer()
    with serving(handler, mail_port):
        yield handler

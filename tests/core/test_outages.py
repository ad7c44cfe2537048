import pytest
from django.db import DataError, OperationalError, connection

from credentials_portal.core.outages import is_outage


def error_of(*statements: str) -> Exception:
    """What the last statement raises."""
    with pytest.raises((DataError, OperationalError)) as caught, connection.cursor() as cursor:  # noqa: PT012 - one session
        for statement in statements:
            cursor.execute(statement)
    return caught.value


@pytest.mark.django_db(transaction=True)
def test_a_session_that_the_server_ended_is_an_outage() -> None:
    error = error_of("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()

    assert is_outage(error)


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_took_too_long_is_no_outage() -> None:
    error = error_of("SET statement_timeout = 1", "SELECT pg_sleep(1)")
    connection.close()

    assert isinstance(error, OperationalError)
    assert not is_outage(error)


@pytest.mark.django_db
def test_a_wrong_value_is_no_outage() -> None:
    assert not is_outage(error_of("SELECT 1 / 0"))


def test_no_error_is_no_outage() -> None:
    assert not is_outage(None)

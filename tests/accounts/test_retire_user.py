import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.dispatch import Signal
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.core.models import JobRun
from programs.models import Organization

AT = datetime(2027, 5, 3, 12, tzinfo=UTC)
TRACES = ("lena", "lovelace", "4711", "europe/berlin")


@pytest.fixture
def lena(db: None) -> User:
    user: User = User.objects.create_user(
        "lena",
        "lena@example.org",
        "secret",
        full_name="Lena Lovelace",
        first_name="Lena",
        last_name="Lovelace",
        lms_user_id=4711,
        time_zone="Europe/Berlin",
        is_staff=True,
    )
    user.groups.add(Group.objects.get(name="Support"))
    user.user_permissions.add(Permission.objects.get(codename="view_group"))
    return user


@pytest.fixture
def olga(db: None) -> User:
    user: User = User.objects.create(username="olga", full_name="Olga Operator")
    return user


def retire(user: User, actor: User | None = None) -> bool:
    return retire_user(user=user, at=AT, actor=actor, reason="Asked to leave.", cause="test")


def traces() -> list[str]:
    """Each column of the database in which a row still tells who she was."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type IN"
            " ('text', 'character varying', 'jsonb', 'bigint') ORDER BY 1, 2"
        )
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" WHERE "{column}"::text ~* %s',  # noqa: S608 - of the catalog
                [rf"\m({'|'.join(TRACES)})\M"],
            )
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


def mention(lena: User, olga: User) -> None:
    """Leave her name wherever this app and the ones below it may hold it."""
    users = ContentType.objects.get_for_model(User)
    for content_type, object_id, text in [
        (users, lena.pk, "lena"),
        (ContentType.objects.get_for_model(Group), 1, "Program 5 for lena"),
    ]:
        LogEntry.objects.create(
            user=olga,
            content_type=content_type,
            object_id=str(object_id),
            object_repr=text,
            action_flag=CHANGE,
            change_message=json.dumps([{"changed": {"name": "grade", "object": text}}]),
        )
    JobRun.objects.create(
        name="revoke_letter",
        actor=lena,
        system_user="cron",
        arguments={"learners": ["lena@example.org", "bert"], "note": "for Lena Lovelace"},
        counters={"reasons": {"last": "lena: not found"}},
        reason="LENA copied.",
        judged_at=AT,
        started_at=AT,
    )
    save_with_history(
        Organization(key="x", name="X"), by=Attribution(AT, olga, "lena asked for it.", "admin")
    )


def test_empties_the_account(lena: User) -> None:
    assert retire(lena)

    lena.refresh_from_db()
    assert lena.username == f"retired__user_{lena.pk}"
    assert (lena.email, lena.full_name, lena.first_name, lena.last_name) == ("", "", "", "")
    assert (lena.lms_user_id, lena.time_zone, lena.retired_at) == (None, "", AT)
    assert not lena.has_usable_password()
    assert (lena.is_active, lena.is_staff, lena.is_superuser) == (False, False, False)
    assert not lena.get_all_permissions()
    assert not lena.groups.exists()
    assert not lena.user_permissions.exists()


def test_leaves_no_trace_in_any_column(lena: User, olga: User) -> None:
    mention(lena, olga)
    assert traces() != []

    retire(lena, actor=olga)

    assert traces() == []


def test_keeps_the_rest_of_what_named_her(lena: User, olga: User) -> None:
    mention(lena, olga)

    retire(lena, actor=olga)

    run = JobRun.objects.get()
    assert run.actor == lena
    assert run.arguments == {"learners": ["***", "bert"], "note": "for ***"}
    assert run.counters == {"reasons": {"last": "***: not found"}}
    assert run.reason == "*** copied."
    assert LogEntry.objects.get(object_id="1").object_repr == "Program 5 for ***"
    assert Organization.history.get().history_change_reason == "*** asked for it."


def test_leaves_other_people_alone(lena: User, olga: User) -> None:
    lenard = User.objects.create_user("lenard", "lena@example.org.uk", full_name="Lena Lovelaces")
    client = Client()
    client.force_login(lenard)
    run = JobRun.objects.create(
        name="x", system_user="cron", reason="lenard, lena.b", judged_at=AT, started_at=AT
    )

    retire(lena)

    lenard.refresh_from_db()
    run.refresh_from_db()
    assert (lenard.username, lenard.email) == ("lenard", "lena@example.org.uk")
    assert run.reason == "lenard, lena.b"
    assert Session.objects.count() == 1


def test_ends_her_sessions_and_tokens(lena: User) -> None:
    client = Client()
    client.force_login(lena)
    application = Application.objects.create(
        name="Mobile",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://mobile.example.org",
    )
    soon = timezone.now() + timedelta(hours=1)
    owned = {"user": lena, "application": application}
    token = AccessToken.objects.create(token="a", expires=soon, **owned)
    RefreshToken.objects.create(token="r", access_token=token, **owned)
    Grant.objects.create(code="g", expires=soon, redirect_uri="https://m", **owned)

    retire(lena)

    assert not Session.objects.exists()
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()
    assert not Grant.objects.exists()
    assert Application.objects.get() == application


def test_records_who_did_it_and_why(lena: User, olga: User) -> None:
    retire(lena, actor=olga)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_time, entry.action_flag) == (olga, AT, CHANGE)
    assert (entry.object_id, entry.object_repr) == (str(lena.pk), f"retired__user_{lena.pk}")
    assert entry.change_message == "Asked to leave."


@pytest.fixture
def announced() -> Any:
    """What was announced, and how the account stood then."""
    heard: list[dict[str, Any]] = []

    def hear(signal: Signal, items: tuple[RetiredUser, ...], **kwargs: Any) -> None:
        assert connection.in_atomic_block
        names = [User.objects.get(pk=item.user_id).username for item in items]
        heard.append({"items": items, "names": names, **kwargs})

    user_retired.connect(hear)
    yield heard
    user_retired.disconnect(hear)


def test_announces_it_once_the_account_is_empty(lena: User, olga: User, announced: Any) -> None:
    retire(lena, actor=olga)

    (announcement,) = announced
    assert announcement["items"] == (
        RetiredUser(lena.pk, "lena", "lena@example.org", "Lena Lovelace", 4711),
    )
    assert announcement["names"] == [f"retired__user_{lena.pk}"]
    assert (announcement["at"], announcement["actor"], announcement["cause"]) == (AT, olga, "test")


def test_a_receivers_failure_undoes_all(lena: User) -> None:
    def fail(**_kwargs: Any) -> None:
        raise ZeroDivisionError

    user_retired.connect(fail)
    try:
        with pytest.raises(ZeroDivisionError):
            retire(lena)
    finally:
        user_retired.disconnect(fail)

    lena.refresh_from_db()
    assert (lena.username, lena.retired_at, lena.is_active) == ("lena", None, True)
    assert lena.groups.exists()


def test_a_second_time_changes_nothing(lena: User, olga: User, announced: Any) -> None:
    retire(lena)

    assert not retire_user(user=lena, at=AT + timedelta(days=1), actor=olga, reason="Again.")

    lena.refresh_from_db()
    assert lena.retired_at == AT
    assert len(announced) == 1
    assert not LogEntry.objects.exists()


# --- The command -------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["lena", " LENA@Example.org "])
def test_command_retires_by_name_or_address(lena: User, olga: User, person: str) -> None:
    out = StringIO()

    call_command(
        "retire_user", person, "--reason", "Asked to leave.", "--actor", "olga", stdout=out
    )

    assert out.getvalue() == "retired          1\nalready_retired  0\n"
    assert traces() == []
    run = JobRun.objects.get()
    assert (run.actor, run.reason, run.arguments) == (olga, "Asked to leave.", {"person": "***"})


def test_command_only_looks_in_a_dry_run(lena: User) -> None:
    out = StringIO()

    call_command("retire_user", "lena", "--reason", "x", "--dry-run", stdout=out)

    lena.refresh_from_db()
    assert out.getvalue() == "retired          1\nalready_retired  0\n"
    assert lena.retired_at is None


def test_command_says_that_it_was_done_before(lena: User) -> None:
    retire(lena)
    out = StringIO()

    call_command("retire_user", f"retired__user_{lena.pk}", "--reason", "x", stdout=out)

    assert out.getvalue() == "retired          0\nalready_retired  1\n"


@pytest.mark.parametrize("person", ["nobody", ""])
def test_command_refuses_an_unknown_person(lena: User, person: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("retire_user", person, "--reason", "x")

    assert caught.value.returncode == 2
    assert not User.objects.exclude(retired_at=None).exists()

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from credentials_portal.accounts.models import User
from credentials_portal.core.history import (
    Attribution,
    bulk_create_with_history,
    erase_names_in_reasons,
    insert_history,
    newest_history_ids,
    rows_without_true_history,
    save_with_history,
    update_each_with_history,
    update_with_history,
    upsert_with_history,
)
from credentials_portal.core.locks import direct_connection
from programs.models import Organization

AT = datetime(2027, 5, 3, 12, tzinfo=UTC)
LATER = AT + timedelta(days=1)
BY_SYSTEM = Attribution(at=AT, cause="command:test")


def organizations(*names: str) -> list[Organization]:
    return bulk_create_with_history(
        Organization, [Organization(key=name, name=name) for name in names], by=BY_SYSTEM
    )


def past(organization: Organization) -> list[tuple[Any, ...]]:
    """The history, oldest first."""
    return list(
        Organization.history.filter(id=organization.pk)
        .order_by("history_id")
        .values_list("history_type", "name", "history_date", "history_change_reason", "cause")
    )


def statements(work: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


# --- upsert_with_history -----------------------------------------------------------------------


def test_columns_that_are_not_named_get_their_defaults_once(db: None) -> None:
    row = {"uuid": uuid4(), "key": "Anna", "name": "Anna"}
    upsert_with_history(Organization, [row], key=("uuid",), returning=("id",), by=BY_SYSTEM)
    anna = Organization.objects.get()
    assert (anna.certificate_logo_image_url, anna.created, anna.modified) == ("", AT, AT)

    Organization.objects.update(certificate_logo_image_url="https://example.org/logo.png")
    later = Attribution(at=LATER)
    upsert_with_history(
        Organization, [row | {"name": "Ann"}], key=("uuid",), returning=("id",), by=later
    )

    anna.refresh_from_db()
    assert anna.certificate_logo_image_url == "https://example.org/logo.png"
    assert (anna.name, anna.created, anna.modified) == ("Ann", AT, LATER)


# --- update_with_history -----------------------------------------------------------------------


def test_updates_what_the_queryset_selects_and_nothing_else(db: None) -> None:
    anna, bert, carl = organizations("Anna", "Bert", "Carl")
    olga = User.objects.create(username="olga")
    by = Attribution(at=LATER, actor=olga, reason="Merged.", cause="admin")

    changed = update_with_history(
        Organization.objects.exclude(name="Bert"), {"name": "One"}, by=by, returning=("key", "pk")
    )

    bert.refresh_from_db()
    anna.refresh_from_db()
    assert changed == [("Anna", anna.pk), ("Carl", carl.pk)]
    assert (anna.name, anna.modified) == ("One", LATER)
    assert bert.name == "Bert"
    assert past(bert) == [("+", "Bert", AT, None, "command:test")]
    assert past(anna)[1:] == past(carl)[1:] == [("~", "One", LATER, "Merged.", "admin")]
    assert Organization.history.filter(history_user=olga).count() == 2
    assert rows_without_true_history(Organization) == 0


def test_computes_values_in_the_database(db: None) -> None:
    (anna,) = organizations("Anna")

    update_with_history(
        Organization.objects.all(), {"name": Concat(F("name"), Value("!"))}, by=BY_SYSTEM
    )

    assert past(anna)[-1][:2] == ("~", "Anna!")


def test_stops_at_the_limit_in_the_order_of_the_keys(db: None) -> None:
    anna, bert, _carl = organizations("Anna", "Bert", "Carl")

    changed = update_with_history(
        Organization.objects.order_by("-name"), {"name": "One"}, by=BY_SYSTEM, limit=2
    )

    assert changed == [(anna.pk,), (bert.pk,)]


@pytest.mark.parametrize("is_known_to_be_empty", [True, False])
def test_an_update_of_nothing_changes_nothing(db: None, is_known_to_be_empty: bool) -> None:
    (anna,) = organizations("Anna")
    queryset = Organization.objects.all()
    nobody = queryset.none() if is_known_to_be_empty else queryset.filter(name="Nobody")

    assert update_with_history(nobody, {"name": "One"}, by=BY_SYSTEM) == []
    assert len(past(anna)) == 1


def test_an_update_is_one_statement_for_any_number_of_rows(db: None) -> None:
    organizations("Anna", *(f"Bert {number}" for number in range(50)))

    def update(prefix: str) -> Callable[[], object]:
        some = Organization.objects.filter(name__startswith=prefix)
        return lambda: update_with_history(some, {"key": "one"}, by=BY_SYSTEM)

    assert statements(update("Anna")) == statements(update("Bert")) == 1
    assert Organization.objects.filter(key="one").count() == 51


def test_judges_again_what_another_transaction_changed_meanwhile(transactional_db: None) -> None:
    anna, bert = organizations("Anna", "Bert")
    changed: list[tuple[Any, ...]] = []

    def update() -> None:
        due = Organization.objects.filter(name__in=["Anna", "Bert"])
        with closing(connection), transaction.atomic():
            changed.extend(update_with_history(due, {"key": "due"}, by=BY_SYSTEM))

    updating = Thread(target=update)
    with closing(direct_connection()) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE programs_organization SET name = 'Carl' WHERE id = %s", [anna.pk])
        cursor.execute(
            "UPDATE programs_organization SET certificate_logo_image_url = 'https://b'"
            " WHERE id = %s",
            [bert.pk],
        )
        updating.start()
        wait_for_a_waiting_session()
        cursor.execute("COMMIT")
    updating.join(timeout=60)

    anna.refresh_from_db()
    bert.refresh_from_db()
    assert changed == [(bert.pk,)]
    assert (anna.name, anna.key) == ("Carl", "Anna")
    assert (bert.key, bert.certificate_logo_image_url) == ("due", "https://b")
    newest = Organization.history.filter(id=bert.pk).latest("history_id")
    assert newest.certificate_logo_image_url == "https://b"


def wait_for_a_waiting_session() -> None:
    with connection.cursor() as cursor:
        for _try in range(1_000):
            cursor.execute(
                "SELECT count(*), pg_sleep(0.01) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
    pytest.fail("nobody waits for a lock")


# --- The other ways to write -------------------------------------------------------------------


def test_saves_with_an_attributed_history_row(db: None) -> None:
    olga = User.objects.create(username="olga")
    anna, bert = Organization(key="a", name="Anna"), Organization(key="b", name="Bert")

    save_with_history(anna, bert, by=Attribution(AT, olga, "New partners.", "admin"))

    assert past(anna) == [("+", "Anna", AT, "New partners.", "admin")]
    assert past(bert) == [("+", "Bert", AT, "New partners.", "admin")]
    assert Organization.history.filter(history_user=olga).count() == 2


def test_a_save_leaves_no_attribution_behind(db: None) -> None:
    anna = Organization(key="a", name="Anna")

    save_with_history(anna, by=Attribution(AT, None, "New partner.", "admin"))
    anna.save()

    assert [entry[3:] for entry in past(anna)] == [("New partner.", "admin"), (None, "")]


def test_a_failed_save_leaves_no_attribution_behind(db: None) -> None:
    (anna,) = organizations("Anna")
    double = Organization(uuid=anna.uuid, key="x", name="X")

    with pytest.raises(IntegrityError):
        save_with_history(double, by=BY_SYSTEM)

    assert not {"_history_user", "_history_date", "_change_reason"} & set(vars(double))


def test_creates_many_in_two_statements(db: None) -> None:
    def create(count: int) -> Callable[[], object]:
        return lambda: organizations(*(f"Anna {number}" for number in range(count)))

    assert statements(create(1)) == statements(create(50)) == 2
    assert rows_without_true_history(Organization) == 0
    assert set(Organization.history.values_list("history_type", "history_date", "cause")) == {
        ("+", AT, "command:test")
    }


def test_records_a_deletion_before_it(db: None) -> None:
    anna, bert = organizations("Anna", "Bert")

    insert_history(
        Organization, [anna.pk], history_type="-", by=Attribution(LATER, None, "Closed.", "admin")
    )

    assert past(anna)[1:] == [("-", "Anna", LATER, "Closed.", "admin")]
    assert len(past(bert)) == 1


def test_records_nothing_about_nobody_without_asking_the_database(db: None) -> None:
    assert statements(lambda: insert_history(Organization, [], history_type="~", by=BY_SYSTEM)) == 0


# --- The check ---------------------------------------------------------------------------------


def test_finds_rows_that_changed_without_history(db: None) -> None:
    organizations("Anna", "Bert", "Carl")
    Organization.objects.filter(name="Anna").update(name="One")
    Organization.objects.bulk_create([Organization(key="d", name="Dora")])

    assert rows_without_true_history(Organization) == 2


def test_finds_a_row_that_lives_on_after_its_deletion(db: None) -> None:
    (anna,) = organizations("Anna")
    insert_history(Organization, [anna.pk], history_type="-", by=BY_SYSTEM)

    assert rows_without_true_history(Organization) == 1


def test_compares_nothing_with_nothing(db: None) -> None:
    """NULL equals NULL here, and differs from any value."""
    (anna,) = organizations("Anna")
    Organization.history.filter(id=anna.pk).update(name="")

    assert rows_without_true_history(Organization) == 1


def test_a_change_may_carry_an_earlier_date_than_the_last(db: None) -> None:
    (anna,) = organizations("Anna")
    yesterday = Attribution(at=AT - timedelta(days=1), cause="command:test")

    update_with_history(Organization.objects.all(), {"name": "One"}, by=yesterday)

    assert past(anna)[-1][:3] == ("~", "One", yesterday.at)
    assert rows_without_true_history(Organization) == 0


def test_check_history_ends_with_1_and_counts_per_model(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    organizations("Anna", "Bert")
    Organization.objects.filter(name="Anna").update(name="One")

    with pytest.raises(CommandError) as caught:
        call_command("check_history", "--format", "json")

    assert caught.value.returncode == 1
    out = capsys.readouterr().out
    assert '"rows_without_true_history": 1, "differing": {"programs.Organization": 1}' in out


def test_check_history_is_content_with_true_history(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    organizations("Anna", "Bert")

    call_command("check_history", "--format", "json")

    assert '"rows_without_true_history": 0, "differing": {}' in capsys.readouterr().out


# --- Leaving -----------------------------------------------------------------------------------


def test_erases_a_person_from_reasons(db: None) -> None:
    anna, bert = organizations("Anna", "Bert")
    for organization, reason in [(anna, "Lena asked (lena@x.org)."), (bert, "Lenard asked.")]:
        save_with_history(organization, by=Attribution(AT, None, reason, "admin"))

    erase_names_in_reasons("lena", "lena@x.org", "")

    assert past(anna)[-1][3] == "*** asked (***)."
    assert past(bert)[-1][3] == "Lenard asked."


# --- update_each_with_history ------------------------------------------------------------------


def test_gives_each_row_values_of_its_own(db: None) -> None:
    anna, bert, carl = organizations("Anna", "Bert", "Carl")
    by = Attribution(at=LATER, reason="Renamed.", cause="admin")

    changed = update_each_with_history(
        Organization,
        {carl.pk: {"name": "Claire"}, anna.pk: {"name": "Andrew"}},
        by=by,
        returning=("pk", "name"),
    )

    bert.refresh_from_db()
    anna.refresh_from_db()
    assert changed == [(anna.pk, "Andrew"), (carl.pk, "Claire")]
    assert (anna.name, anna.modified) == ("Andrew", LATER)
    assert bert.name == "Bert"
    assert past(carl)[1:] == [("~", "Claire", LATER, "Renamed.", "admin")]
    assert past(bert) == [("+", "Bert", AT, None, "command:test")]
    assert rows_without_true_history(Organization) == 0


@pytest.mark.parametrize("count", [1, 50])
def test_gives_values_in_one_statement(db: None, count: int) -> None:
    created = organizations(*map(str, range(count)))
    values = {organization.pk: {"name": f"n{organization.pk}"} for organization in created}

    assert statements(lambda: update_each_with_history(Organization, values, by=BY_SYSTEM)) == 1
    assert update_each_with_history(Organization, {}, by=BY_SYSTEM) == []


def test_knows_the_last_change_of_each_row(db: None) -> None:
    anna, bert = organizations("Anna", "Bert")
    update_with_history(Organization.objects.filter(pk=anna.pk), {"name": "A"}, by=BY_SYSTEM)

    newest = newest_history_ids(Organization, [anna.pk, bert.pk])

    by_pk = {row.pk: row.history.latest("history_id").history_id for row in (anna, bert)}
    assert newest == by_pk

"""Accounts as services name them: made for a username that nobody has, and renamed."""

from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import (
    AccountRetiredError,
    NamedPerson,
    account_of,
    rename_account,
    retire_user,
)
from tests.core.outbox.test_races import at_once

AT = datetime(2027, 5, 3, 12, tzinfo=UTC)

in_transaction = pytest.mark.django_db
with_commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lena(db: None) -> User:
    user: User = User.objects.create(
        username="lena", email="lena@example.org", full_name="Lena Lovelace"
    )
    return user


@in_transaction
def test_an_unknown_username_gets_an_account_that_nobody_can_sign_in_to() -> None:
    made = account_of(NamedPerson("newbie", 4711), at=AT)

    stored = User.objects.get(username="newbie")
    assert stored == made
    assert (stored.lms_user_id, stored.email, stored.date_joined) == (4711, "", AT)
    assert stored.is_active
    assert not stored.has_usable_password()


def test_a_known_username_keeps_its_account(lena: User) -> None:
    assert account_of(NamedPerson("lena", 4711), at=AT) == lena

    lena.refresh_from_db()
    assert (lena.lms_user_id, lena.email) == (4711, "lena@example.org")


def test_a_username_in_another_case_is_the_same_person(lena: User) -> None:
    assert account_of(NamedPerson("LENA"), at=AT) == lena
    assert User.objects.count() == 1


def test_whoever_writes_the_name_just_so_comes_first(lena: User) -> None:
    other = User.objects.create(username="Lena")

    assert account_of(NamedPerson("lena"), at=AT) == lena
    assert account_of(NamedPerson("Lena"), at=AT) == other


def test_an_address_is_no_username(lena: User) -> None:
    assert account_of(NamedPerson("lena@example.org"), at=AT) != lena


def test_the_lms_id_of_another_account_stays_there(lena: User) -> None:
    owner = User.objects.create(username="owner", lms_user_id=4711)

    account_of(NamedPerson("lena", 4711), at=AT)

    lena.refresh_from_db()
    owner.refresh_from_db()
    assert (lena.lms_user_id, owner.lms_user_id) == (None, 4711)


def test_an_account_keeps_the_lms_id_that_it_has(lena: User) -> None:
    User.objects.filter(pk=lena.pk).update(lms_user_id=1)

    account_of(NamedPerson("lena", 4711), at=AT)

    lena.refresh_from_db()
    assert lena.lms_user_id == 1


def test_an_account_that_was_retired_is_refused(lena: User) -> None:
    retire_user(user=lena, at=AT, actor=None, reason="Asked to leave.")

    with pytest.raises(AccountRetiredError):
        account_of(NamedPerson(f"retired__user_{lena.pk}", 4711), at=AT)

    assert User.objects.get().lms_user_id is None


@with_commits
def test_one_account_for_a_newcomer_whom_eight_name_at_once() -> None:
    results = at_once(*[lambda: account_of(NamedPerson("newbie", 7), at=AT).pk] * 8)

    assert set(results) == {User.objects.get(username="newbie", lms_user_id=7).pk}


def test_an_account_is_renamed_with_its_name_and_address(lena: User) -> None:
    assert rename_account(username="lena", new_username="ada")

    lena.refresh_from_db()
    told = (lena.username, lena.full_name, lena.email)
    assert told == ("ada", "Lena Lovelace", "lena@example.org")


def test_renaming_again_changes_nothing(lena: User) -> None:
    assert rename_account(username="lena", new_username="ada")
    assert rename_account(username="lena", new_username="ada")

    assert User.objects.get().username == "ada"


def test_only_the_case_of_a_name_can_change(lena: User) -> None:
    assert rename_account(username="lena", new_username="Lena")

    assert User.objects.get().username == "Lena"


@pytest.mark.parametrize("taken", ["ada", "ADA"])
def test_nobody_gets_the_name_of_another(lena: User, taken: str) -> None:
    User.objects.create(username="ada")

    assert not rename_account(username="lena", new_username=taken)

    lena.refresh_from_db()
    assert lena.username == "lena"


@pytest.mark.parametrize("new", ["", "a b", "a" * 151, "a\0", "<b>"])
def test_nobody_gets_what_is_no_username(lena: User, new: str) -> None:
    assert not rename_account(username="lena", new_username=new)

    lena.refresh_from_db()
    assert lena.username == "lena"


def test_who_left_gets_no_name_again(lena: User) -> None:
    retire_user(user=lena, at=AT, actor=None, reason="Asked to leave.")

    assert not rename_account(username=f"retired__user_{lena.pk}", new_username="lena")

    lena.refresh_from_db()
    assert lena.username == f"retired__user_{lena.pk}"


def test_the_admins_log_tells_the_new_name(lena: User) -> None:
    LogEntry.objects.create(
        user=lena,
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(lena.pk),
        object_repr="lena",
        action_flag=CHANGE,
    )

    rename_account(username="lena", new_username="ada")

    assert LogEntry.objects.get().object_repr == "ada"


@with_commits
def test_one_of_two_gets_a_name_that_both_want() -> None:
    for username in ("lena", "nora"):
        User.objects.create(username=username)

    results = at_once(
        lambda: rename_account(username="lena", new_username="ada"),
        lambda: rename_account(username="nora", new_username="ada"),
    )

    assert sorted(map(str, results)) == ["False", "True"]
    assert User.objects.filter(username="ada").count() == 1

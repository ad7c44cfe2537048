"""Learners as the old service names them: found by their username in any case, or made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import is_username
from programs.services.credentials_service.cells import Cells, Page, Result, Row, Work, texts_of
from programs.services.nodes import RecordError

USERS = "users"
LARGEST_ID = 2**63 - 1

RETIRED = "the account was erased when its person left"
OTHER_NAME = "the account with its LMS id has another username here"
ADDRESS_TAKEN = "its address is another account's: left out"
ID_TAKEN = "its LMS id is another account's: left out"
COMPLETED = "what the account here lacked was added"


@dataclass(frozen=True)
class Learner:
    """Somebody, by what tells them from others: `pk` is 0 as long as there is no account."""

    username: str
    pk: int = 0

    @property
    def key(self) -> str:
        return str(self.pk) if self.pk else f"name:{self.username.lower()}"


@dataclass
class People:
    """Accounts by username. `renamed` tells which account stands for a username of the files."""

    work: Work
    renamed: dict[str, str] = field(default_factory=dict)

    def of(self, rows: Iterable[Row], *, is_locked: bool = False) -> "PeopleOfPage":
        """Everybody whom these rows name: one statement.

        Where `is_locked`, nobody shares, asks or leaves for them meanwhile.
        """
        names = {self.renamed.get(name.lower(), name) for name in texts_of(rows, "username")}
        users: QuerySet[User] = User.objects.all()
        return PeopleOfPage(
            self, _accounts_named(names, self.work.locked(users) if is_locked else users)
        )

    def bring(self, rows: Sequence[Row]) -> list[Result]:
        """Import accounts: those that are here get what they lack."""
        page = Page(rows)
        accounts = _Accounts(self, rows)
        drafts = page.drafted(accounts.draft)
        return page.write(drafts, accounts.write, self.work)


def _accounts_named(names: Iterable[str], users: QuerySet[User]) -> dict[str, User]:
    """Accounts by folded username, the one that is written just so first."""
    wanted = set(names)
    folded = {name.lower() for name in wanted}
    found: dict[str, User] = {}
    named = users.alias(folded=Lower("username"))
    for user in named.filter(Q(folded__in=folded) | Q(username__in=wanted)).order_by("pk"):
        known = found.setdefault(user.username.lower(), user)
        if known.username not in wanted and user.username in wanted:
            found[user.username.lower()] = user
    return found


class PeopleOfPage:
    """Those whom the rows of a page name."""

    def __init__(self, people: People, accounts: dict[str, User]) -> None:
        self._people = people
        self._accounts = accounts

    @property
    def pks(self) -> list[int]:
        return sorted(user.pk for user in self._accounts.values())

    def learner(self, cells: Cells) -> Learner:
        """Whom the row names. Raises `RecordError`."""
        username = cells.text("username")
        username = self._people.renamed.get(username.lower(), username)
        user = self._accounts.get(username.lower())
        if user and user.is_retired:
            raise RecordError(RETIRED)
        if user:
            return Learner(user.username, user.pk)
        if not is_username(username):
            raise RecordError("username is no username")
        return Learner(username)

    def made(self, learners: Iterable[Learner]) -> dict[str, int]:
        """The ids of all of these by key; who has no account gets one without a password."""
        given = list(learners)
        new = {one.username.lower(): one.username for one in given if not one.pk}
        if new:
            at = self._people.work.by.at
            User.objects.bulk_create(
                (
                    User(username=username, password=make_password(None), date_joined=at)
                    for _folded, username in sorted(new.items())
                ),
                ignore_conflicts=True,
            )
            # Whoever made one of them at the same time has been waited for.
            self._accounts |= _accounts_named(new.values(), User.objects.all())
        return {one.key: one.pk or self._accounts[one.username.lower()].pk for one in given}


class _Accounts:
    """Drafts of accounts, and which of their addresses and ids are taken."""

    def __init__(self, people: People, rows: Sequence[Row]) -> None:
        self.people = people
        names = texts_of(rows, "username")
        # Who leaves meanwhile would get their name back.
        self.accounts = _accounts_named(names, people.work.locked(User.objects.all()))
        addresses = {address.lower() for address in texts_of(rows, "email")}
        ids = {int(text) for text in texts_of(rows, "lms_user_id") if _is_id(text)}
        others = User.objects.alias(folded=Lower("email")).filter(
            Q(folded__in=addresses) | Q(lms_user_id__in=ids)
        )
        self.by_address = {user.email: user for user in others if user.email}
        self.by_id = {user.lms_user_id: user for user in others if user.lms_user_id}
        for kind, known in (("email", self.by_address), ("lms_user_id", self.by_id)):
            for key, username in people.work.noted(f"{USERS}.{kind}", addresses | ids).items():
                known.setdefault(
                    int(key) if kind == "lms_user_id" else key, User(username=username)
                )
        noted = people.work.noted(USERS, (name.lower() for name in names))
        self.accounts |= {key: User(username=name) for key, name in noted.items()}

    def draft(self, cells: Cells) -> tuple[User | None, str]:
        username = cells.username("username")
        if not username:
            raise RecordError("username is missing")
        lms_user_id = cells.number("lms_user_id", most=LARGEST_ID)
        account = self.accounts.get(username.lower())
        namesake = self.by_id.get(lms_user_id) if lms_user_id else None
        if account is None and namesake is not None:
            self.people.renamed[username.lower()] = namesake.username
            return None, OTHER_NAME
        if account and account.is_retired:
            raise RecordError(RETIRED)
        if account and not account.pk:
            # A row before has this username.
            return None, ""
        names = (cells.optional_text("first_name"), cells.optional_text("last_name"))
        full_name = cells.optional_text("full_name") or " ".join(filter(None, names))
        email = cells.email("email") if cells.optional_text("email") else ""
        user = account or User(
            username=username, password=make_password(None), date_joined=self.people.work.by.at
        )
        has_more = bool(full_name and not user.full_name)
        user.full_name = user.full_name or full_name[:255]
        given, told = self._fill(user, email, lms_user_id)
        if account is None:
            self.accounts[username.lower()] = user
            self.people.work.note(USERS, {username.lower(): username})
            return user, told
        if not (given or has_more):
            return None, ""
        return user, "; ".join(filter(None, (COMPLETED, told)))

    def _fill(self, user: User, email: str, lms_user_id: int | None) -> tuple[bool, str]:
        """Give the account what it lacks and nobody else has: whether it got any, what is odd."""
        told = []
        has_more = False
        wanted: tuple[tuple[str, Any, dict[Any, User], str], ...] = (
            ("email", email, self.by_address, ADDRESS_TAKEN),
            ("lms_user_id", lms_user_id, self.by_id, ID_TAKEN),
        )
        for name, value, owners, taken in wanted:
            if not value or getattr(user, name):
                continue
            if value in owners:
                told.append(taken)
                continue
            setattr(user, name, value)
            owners[value] = user
            self.people.work.note(f"{USERS}.{name}", {str(value): user.username})
            has_more = True
        return has_more, "; ".join(told)

    def write(self, users: list[User]) -> None:
        known = [user for user in users if user.pk]
        User.objects.bulk_update(known, ["full_name", "email", "lms_user_id"])
        User.objects.bulk_create([user for user in users if not user.pk])


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID

"""Which of the portal's users the learners of the file are, and new users for the others."""

import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db.models import Q
from django.db.models.functions import Lower

from credentials_portal.accounts.models import User
from programs.services.micromasters.records import LearnerSeed
from programs.services.micromasters.tally import CHANGED, CREATED, UNCHANGED
from programs.services.nodes import RecordError

# The longest username, less the room for what makes it distinct.
LOCAL_PART_LENGTH = 140


class People:
    """The users whom the learners of a batch may be, read in one statement.

    `reserved` are usernames that the file gives to learners: nobody else gets one of them.
    """

    def __init__(self, learners: Sequence[LearnerSeed], *, reserved: Collection[str]) -> None:
        emails = {learner.email for learner in learners}
        names = {name for learner in learners for name in _possible_usernames(learner)}
        users = get_user_model().objects.annotate(address=Lower("email"))
        found = list(users.filter(Q(address__in=emails) | Q(username__in=names)).order_by("pk"))
        self._by_email: dict[str, User] = {user.email.lower(): user for user in found}
        self._by_username: dict[str, User] = {user.username: user for user in found}
        self._taken = {*self._by_username, *reserved}

    def find(self, learner: LearnerSeed) -> User | None:
        """The learner's user by e-mail address; by username one who has no address.

        None where there is none yet. Raises `RecordError` where address and username belong to
        two people, and for an account that was retired.
        """
        user = self._by_email.get(learner.email)
        if user and learner.username not in ("", user.username):
            raise RecordError("email belongs to another user")
        if user is None and learner.username:
            user = self._by_username.get(learner.username)
            if user and user.email:
                raise RecordError("username belongs to a user with another email")
        if user and user.is_retired:
            raise RecordError("username belongs to a retired account")
        return user

    def create(self, learners: Sequence[LearnerSeed]) -> dict[str, int]:
        """Create users without a password; their ids by e-mail address."""
        created = get_user_model().objects.bulk_create(
            User(
                username=self._new_username(learner),
                email=learner.email,
                full_name=learner.full_name,
                password=make_password(None),
            )
            for learner in learners
        )
        return {user.email: user.pk for user in created}

    def _new_username(self, learner: LearnerSeed) -> str:
        if learner.username:
            return learner.username
        plain, distinct = _possible_usernames(learner)
        username = distinct if plain in self._taken else plain
        self._taken.add(username)
        return username


def state_of(user: User | None, learner: LearnerSeed) -> str:
    """What loading does to the user: a name is filled in where there is none, never replaced."""
    if user is None:
        return CREATED
    return CHANGED if learner.full_name and not user.full_name else UNCHANGED


def write_people(
    learners: Sequence[LearnerSeed], users: Mapping[str, User | None], people: People
) -> dict[str, int]:
    """Create who is missing, complete names; everybody's id by e-mail address."""
    nameless = []
    for learner in learners:
        user = users[learner.email]
        if user and state_of(user, learner) == CHANGED:
            user.full_name = learner.full_name
            nameless.append(user)
    if nameless:
        get_user_model().objects.bulk_update(nameless, ["full_name"])
    created = people.create([learner for learner in learners if users[learner.email] is None])
    return {**{email: user.pk for email, user in users.items() if user}, **created}


def _possible_usernames(learner: LearnerSeed) -> tuple[str, ...]:
    """The record's own username; else two made of the address, the second one unlike any other."""
    if learner.username:
        return (learner.username,)
    local_part = learner.email.rpartition("@")[0]
    plain = re.sub(r"[^\w.@+-]", "_", local_part)[:LOCAL_PART_LENGTH]
    return plain, f"{plain}_{sha256(learner.email.encode()).hexdigest()[:8]}"

from datetime import datetime
from typing import NamedTuple

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from oauth2_provider.models import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.events import announce
from credentials_portal.core.history import erase_names_in_reasons
from credentials_portal.core.models import JobRun
from credentials_portal.core.personal import erase_names
from credentials_portal.core.retries import retry_conflicts

logger = structlog.get_logger(__name__)


class AccountRetiredError(ConflictError):
    """The account was erased, for good."""

    code = "account_retired"

    def __init__(self) -> None:
        super().__init__("This account was erased when its person left.")


class NamedPerson(NamedTuple):
    """Somebody as a service names them. `lms_user_id` is None where it does not say."""

    username: str
    lms_user_id: int | None = None


@transaction.atomic
def account_of(person: NamedPerson, *, at: datetime) -> User:
    """The account of the person, locked; one without a password is made for an unknown username.

    Nobody is found by anything but the username, in any case of its letters. The LMS' id is kept
    where the account has none, unless it is another account's. Raises `AccountRetiredError`.
    """
    user = _locked(person.username)
    if user is None:
        new = User(username=person.username, password=make_password(None), date_joined=at)
        # Whoever makes the same account at the same time is waited for.
        User.objects.bulk_create([new], ignore_conflicts=True)
        user = User.objects.select_for_update(no_key=True).get(username=person.username)
    if user.is_retired:
        raise AccountRetiredError
    if person.lms_user_id is not None and user.lms_user_id is None:
        _keep_lms_user_id(user, person.lms_user_id)
    return user


@retry_conflicts
@transaction.atomic
def rename_account(*, username: str, new_username: str) -> bool:
    """Give the account with this username another, as the LMS did; whether that is how it is now.

    True also where nobody has the old one: there is nothing to rename. False, and nothing changes,
    where the new one is another account's or no username, and for an account that was retired.
    Names and addresses stay.
    """
    user = _locked(username)
    if user is None:
        return True
    taken = User.objects.named(new_username).exclude(pk=user.pk)
    if user.is_retired or not is_username(new_username) or taken.exists():
        return False
    user.username = new_username
    try:
        with transaction.atomic():
            user.save(update_fields=["username"])
    except IntegrityError:
        return False
    _entries_about(user).update(object_repr=str(user))
    logger.info("account_renamed", user_id=user.pk)
    return True


def is_username(text: str) -> bool:
    """Whether somebody may be called so."""
    try:
        User._meta.get_field("username").clean(text, None)
    except ValidationError:
        return False
    return True


def _locked(username: str) -> User | None:
    found: User | None = User.objects.select_for_update(no_key=True).named(username).first()
    return found


def _keep_lms_user_id(user: User, lms_user_id: int) -> None:
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(lms_user_id=lms_user_id)
    except IntegrityError:
        logger.warning("lms_user_id_taken", user_id=user.pk)
        return
    user.lms_user_id = lms_user_id


@retry_conflicts
@transaction.atomic
def retire_user(
    *, user: User, at: datetime, actor: User | None, reason: str, cause: str = "retire_user"
) -> bool:
    """Erase who this person was, here and in every app, for good; rows and counts stay.

    The account remains under the name `retired__user_<id>`, and nobody can use it. Returns False,
    and changes nothing, when the person was retired before.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.is_retired:
        return False
    names = (user.username, user.email, user.full_name)
    former = RetiredUser(user.pk, *names, former_lms_user_id=user.lms_user_id)

    _empty_account(user, at=at)
    _end_access(user)
    _forget_names(user, names)
    if actor:
        LogEntry.objects.create(
            user=actor,
            action_time=at,
            content_type=ContentType.objects.get_for_model(User),
            object_id=str(user.pk),
            object_repr=str(user),
            action_flag=CHANGE,
            change_message=reason,
        )
    announce(user_retired, (former,), at=at, actor=actor, cause=cause)
    logger.info("user_retired", user_id=user.pk, actor_id=actor and actor.pk, cause=cause)
    return True


def _empty_account(user: User, *, at: datetime) -> None:
    user.username = f"retired__user_{user.pk}"
    user.email = user.first_name = user.last_name = user.full_name = user.time_zone = ""
    user.lms_user_id = None
    user.is_active = user.is_staff = user.is_superuser = False
    user.retired_at = at
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()


def _end_access(user: User) -> None:
    for tokens in (
        get_id_token_model(),
        get_refresh_token_model(),
        get_access_token_model(),
        get_device_grant_model(),
        get_grant_model(),
    ):
        tokens.objects.filter(user=user).delete()
    # A session says whose it is only inside its signed text.
    theirs = [
        session.pk
        for session in Session.objects.iterator()
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=theirs).delete()


def _forget_names(user: User, names: tuple[str, ...]) -> None:
    _entries_about(user).update(object_repr=str(user), change_message="")
    erase_names(LogEntry.objects.all(), ["object_repr", "change_message"], *names)
    erase_names_in_reasons(*names)
    JobRun.objects.forget(*names)


def _entries_about(user: User) -> QuerySet[LogEntry]:
    return LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )

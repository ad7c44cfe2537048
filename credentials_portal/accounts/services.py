from datetime import datetime

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import transaction
from oauth2_provider.models import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.events import announce
from credentials_portal.core.history import erase_names_in_reasons
from credentials_portal.core.models import JobRun
from credentials_portal.core.personal import erase_names
from credentials_portal.core.retries import retry_conflicts

logger = structlog.get_logger(__name__)


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
    about_them = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
    )
    about_them.update(object_repr=str(user), change_message="")
    erase_names(LogEntry.objects.all(), ["object_repr", "change_message"], *names)
    erase_names_in_reasons(*names)
    JobRun.objects.forget(*names)

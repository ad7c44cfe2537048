"""What licenses do when something else happens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution
from licenses import services


@receiver(user_retired, dispatch_uid="licenses.retire_learners_on_user_retired")
def retire_learners_on_user_retired(
    items: Sequence[RetiredUser], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the transaction: what is personal goes with the person."""
    for item in items:
        services.retire_learner(
            user_id=item.user_id,
            email=item.former_email,
            lms_user_id=item.former_lms_user_id,
            names=(item.former_username, item.former_email, item.former_full_name),
            by=Attribution(at=at, actor=actor, cause=cause),
        )

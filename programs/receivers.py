from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from credentials_portal.accounts.signals import RetiredUser, user_retired
from programs import services


@receiver(user_retired, dispatch_uid="programs.forget_learners_on_user_retired")
def forget_learners_on_user_retired(items: Sequence[RetiredUser], **_kwargs: Any) -> None:
    """Join the retirement: what staff wrote about the person goes in the same transaction."""
    for person in items:
        services.forget_learner(
            user_id=person.user_id,
            names=(person.former_username, person.former_email, person.former_full_name),
        )

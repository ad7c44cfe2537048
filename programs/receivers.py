from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution
from programs import services
from programs.services.credit.completing import queue_completion_mails
from programs.signals import ProgramFact, program_certificate_awarded


@receiver(user_retired, dispatch_uid="programs.forget_learners_on_user_retired")
def forget_learners_on_user_retired(
    items: Sequence[RetiredUser], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the retirement: what was written about the person goes in the same transaction."""
    for person in items:
        services.forget_learner(
            user_id=person.user_id,
            names=(person.former_username, person.former_email, person.former_full_name),
            by=Attribution(at=at, actor=actor, cause=cause),
        )


@receiver(
    program_certificate_awarded,
    dispatch_uid="programs.queue_mails_on_program_certificate_awarded",
)
def queue_mails_on_program_certificate_awarded(
    items: Sequence[ProgramFact], at: datetime, **_kwargs: Any
) -> None:
    queue_completion_mails(items, at=at)

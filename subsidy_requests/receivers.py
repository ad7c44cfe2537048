"""What requests do when something else happens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from credentials_portal.accounts.models import User
from credentials_portal.accounts.signals import RetiredUser, user_retired
from credentials_portal.core.history import Attribution
from licenses.signals import LicenseFact, license_assigned
from subsidy_requests.services.fulfilling import fulfil_license_requests
from subsidy_requests.services.retirement import retire_learner


@receiver(license_assigned, dispatch_uid="subsidy_requests.fulfil_requests_on_license_assigned")
def fulfil_requests_on_license_assigned(
    items: Sequence[LicenseFact], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the transaction that approved them, and holds their locks."""
    fulfil_license_requests(items, by=Attribution(at=at, actor=actor, cause=cause))


@receiver(user_retired, dispatch_uid="subsidy_requests.retire_learners_on_user_retired")
def retire_learners_on_user_retired(
    items: Sequence[RetiredUser], at: datetime, actor: User | None, cause: str, **_kwargs: Any
) -> None:
    """Join the transaction: what is personal goes with the person."""
    for item in items:
        retire_learner(
            user_id=item.user_id,
            names=(item.former_username, item.former_email, item.former_full_name),
            by=Attribution(at=at, actor=actor, cause=cause),
        )

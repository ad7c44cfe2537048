"""Reminding learners of licenses that they have not activated."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from credentials_portal.accounts.models import normalise_email
from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.history import Attribution, update_with_history
from credentials_portal.core.retries import retry_conflicts
from licenses.enums import LicenseStatus, Notice
from licenses.models import License
from licenses.services.locking import lock_plan
from licenses.services.notices import Words, queue_learner_mails
from licenses.services.seats import licenses_of


class NoPendingLicenseError(NotFoundError):
    """Some of the people to be reminded have no license that waits to be activated.

    Nobody was reminded. `emails` names them, as the caller did.
    """

    code = "no_pending_license"

    def __init__(self, emails: Sequence[str]) -> None:
        super().__init__("Not everybody named has a license that waits to be activated.")
        self.emails = tuple(emails)

    @property
    def details(self) -> dict[str, Any]:
        return {"count": len(self.emails)}


@retry_conflicts
@transaction.atomic
def remind(
    *,
    plan_uuid: UUID,
    by: Attribution,
    emails: Sequence[str] | None = None,
    greeting: str = "",
    closing: str = "",
) -> int:
    """Queue a reminder for each of these people, or for all whose licenses wait; returns how many.

    Raises `NoPendingLicenseError` where one of them has none, `PlanNotFoundError`,
    `PlanBusyError`.
    """
    plan = lock_plan(uuid=plan_uuid)
    waiting = License.objects.filter(subscription_plan=plan, status=LicenseStatus.ASSIGNED)
    if emails is not None:
        waiting = waiting.filter(user_email__in=list(map(normalise_email, emails)))
    reminded = [pk for (pk,) in update_with_history(waiting, {"last_remind_date": by.at}, by=by)]
    licenses = licenses_of(plan, reminded)
    if emails is not None:
        _require_all(emails, licenses)
    words = Words(greeting, closing)
    queue_learner_mails(Notice.REMINDER, licenses, plan=plan, words=words, at=by.at)
    return len(licenses)


def _require_all(emails: Sequence[str], licenses: Sequence[License]) -> None:
    found = {license.user_email for license in licenses}
    missing = [email for email in emails if normalise_email(email) not in found]
    if missing:
        raise NoPendingLicenseError(missing)

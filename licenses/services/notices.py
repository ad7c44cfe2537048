"""Mails about licenses: queued with the change that they tell of, written when they leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from credentials_portal.core import outbox
from credentials_portal.core.history import newest_history_ids
from licenses.enums import CustomerRole, LinkStatus, Notice, NotificationType
from licenses.models import CustomerLearner, License, MailWording, SubscriptionPlan

LICENSE_MAIL = "licenses.mail"

ONBOARDING = (Notice.ASSIGNED, Notice.ACTIVATED, Notice.AUTO_APPLIED)
"""Mails that an agreement can do without."""

OF_USE = {
    NotificationType.LIMITED: Notice.FEW_SEATS,
    NotificationType.NONE_LEFT: Notice.NO_SEATS,
}


@dataclass(frozen=True)
class Words:
    """An administrator's own words at the beginning and the end of a mail."""

    greeting: str = ""
    closing: str = ""

    def saved(self, at: datetime) -> int | None:
        """The id under which mails find them; None where there are none."""
        if not self.greeting.strip() and not self.closing.strip():
            return None
        wording = MailWording(greeting=self.greeting, closing=self.closing, created_at=at)
        wording.save()
        return wording.pk


def queue_learner_mails(
    notice: Notice,
    licenses: Sequence[License],
    *,
    plan: SubscriptionPlan,
    at: datetime,
    words: Words | None = None,
) -> None:
    """Queue one mail for each license's learner about what was just done to it."""
    is_unwanted = plan.customer_agreement.disable_onboarding_notifications
    if not licenses or (is_unwanted and notice in ONBOARDING):
        return
    wording_id = words.saved(at) if words else None
    changes = newest_history_ids(License, [license.pk for license in licenses])
    outbox.enqueue(
        LICENSE_MAIL,
        [
            outbox.Item(
                cause=str(changes[license.pk]),
                payload={
                    "notice": notice,
                    "license": license.pk,
                    "change": changes[license.pk],
                    "wording": wording_id,
                },
                key=f"license:{license.pk}",
            )
            for license in licenses
        ],
        at=at,
    )


def queue_cap_mail(plan: SubscriptionPlan, *, at: datetime) -> None:
    """Tell the operator's people for customers that the plan's revocation cap was reached."""
    change = newest_history_ids(SubscriptionPlan, [plan.pk])[plan.pk]
    payload = {"notice": Notice.REVOCATION_CAP, "plan": plan.pk}
    outbox.enqueue(LICENSE_MAIL, [outbox.Item(cause=f"cap.{change}", payload=payload)], at=at)


def queue_use_mails(plan: SubscriptionPlan, reached: NotificationType, *, at: datetime) -> None:
    """Tell each of the customer's administrators how far the plan's seats are used."""
    notice = OF_USE[reached]
    admins = CustomerLearner.objects.filter(
        customer_id=plan.customer_agreement.customer_id,
        role=CustomerRole.ADMIN,
        status=LinkStatus.LINKED,
    )
    outbox.enqueue(
        LICENSE_MAIL,
        [
            outbox.Item(
                cause=f"{notice}.{plan.pk}.{admin_id}",
                payload={"notice": notice, "plan": plan.pk, "admin": admin_id},
            )
            for admin_id in admins.order_by("pk").values_list("pk", flat=True)
        ],
        at=at,
    )

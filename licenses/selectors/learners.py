"""A learner's own licenses: how each stands, until when, and what follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from credentials_portal.accounts.models import User
from credentials_portal.core.days import calendar_days
from licenses.enums import LIVE, LicenseStatus, LicenseTypesToCopy
from licenses.models import Customer, License, LicenseQuerySet, SubscriptionPlan
from licenses.selectors.expiry import unlinks_learners

ENDS_SOON = timedelta(days=30)


class Standing(StrEnum):
    """What a license is to its learner now; the first needs them most."""

    TO_ACTIVATE = "to_activate"
    ACTIVE = "active"
    STARTS_LATER = "starts_later"
    SWITCHED_OFF = "switched_off"
    ENDED = "ended"
    REVOKED = "revoked"


ORDER = tuple(Standing)


@dataclass(frozen=True)
class HeldLicense:
    """A license as its learner should understand it `at` an instant.

    `ends_at` is the end of the plan that continues this one, where the license was renewed.
    """

    license: License
    standing: Standing
    at: datetime

    @property
    def plan(self) -> SubscriptionPlan:
        return self.license.subscription_plan

    @property
    def customer(self) -> Customer:
        return self.plan.customer_agreement.customer

    @property
    def is_usable(self) -> bool:
        return self.standing in {Standing.TO_ACTIVATE, Standing.ACTIVE}

    @property
    def needs_learner(self) -> bool:
        """There is something to do, or to know in time."""
        return self.standing == Standing.TO_ACTIVATE or self.ends_soon

    @property
    def is_over(self) -> bool:
        return self.standing in {Standing.ENDED, Standing.REVOKED}

    @property
    def continued_by(self) -> SubscriptionPlan | None:
        renewed = self.license.renewed_to
        return renewed.subscription_plan if renewed and renewed.status in LIVE else None

    @property
    def ends_at(self) -> datetime:
        plan = self.continued_by or self.plan
        return plan.expiration_date

    @property
    def days_left(self) -> int:
        return calendar_days(self.at, self.ends_at)

    @property
    def renewal_is_due(self) -> bool:
        """A renewal that will carry this license on was arranged, and is not processed yet."""
        renewal = getattr(self.plan, "renewal", None)
        if renewal is None or renewal.processed:
            return False
        copied = renewal.license_types_to_copy
        return copied == LicenseTypesToCopy.ASSIGNED_AND_ACTIVATED or (
            copied == LicenseTypesToCopy.ACTIVATED
            and self.license.status == LicenseStatus.ACTIVATED
        )

    @property
    def ends_soon(self) -> bool:
        """Somebody should know: it ends within 30 days, and nothing carries it on."""
        return (
            self.is_usable
            and self.continued_by is None
            and not self.renewal_is_due
            and self.ends_at - self.at <= ENDS_SOON
        )

    @property
    def unlinked_after_days(self) -> int | None:
        """How long after the end the learner still belongs to the customer; None: for good."""
        agreement = self.plan.customer_agreement
        return agreement.unlink_after_days if unlinks_learners(agreement) else None


def licenses_of_learner(user: User, *, at: datetime) -> list[HeldLicense]:
    """What this person holds or held, in one statement; what needs them first comes first.

    A license and the one that continues it are told as one.
    """
    held = _judged(License.objects.held_by_user(user), at)
    return sorted(
        (one for one in held if not _is_told_by_another(one.license, at)),
        key=lambda one: (ORDER.index(one.standing), one.ends_at, one.license.pk),
    )


def license_behind_key(user: User, activation_key: UUID, *, at: datetime) -> HeldLicense | None:
    """What this person's activation link leads to; None where it leads to nothing of theirs.

    A renewed license has the key of the one before: what can still be activated comes first.
    """
    theirs = License.objects.held_by_user(user).filter(activation_key=activation_key)
    found = _judged(theirs, at)
    return min(
        found,
        key=lambda one: (ORDER.index(one.standing), -one.plan.start_date.timestamp()),
        default=None,
    )


def _judged(licenses: LicenseQuerySet, at: datetime) -> list[HeldLicense]:
    rows = licenses.select_related(
        "subscription_plan__customer_agreement__customer",
        "subscription_plan__renewal",
        "renewed_to__subscription_plan",
        "renewed_from__subscription_plan",
    )
    return [HeldLicense(license, _standing(license, at), at) for license in rows]


def _standing(license: License, at: datetime) -> Standing:
    plan = license.subscription_plan
    if license.status == LicenseStatus.REVOKED:
        return Standing.REVOKED
    if plan.expiration_date <= at:
        return Standing.ENDED
    if not plan.is_active:
        return Standing.SWITCHED_OFF
    if plan.start_date > at:
        return Standing.STARTS_LATER
    is_activated = license.status == LicenseStatus.ACTIVATED
    return Standing.ACTIVE if is_activated else Standing.TO_ACTIVATE


def _is_told_by_another(license: License, at: datetime) -> bool:
    """It ended and was renewed, or it continues one that has not ended."""
    if license.renewed_to and license.subscription_plan.expiration_date <= at:
        return True
    before = getattr(license, "renewed_from", None)
    return (
        before is not None
        and before.status in LIVE
        and before.subscription_plan.expiration_date > at
        and before.subscription_plan.is_active
    )

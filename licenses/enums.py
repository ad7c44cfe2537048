from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class LicenseStatus(TextChoices):
    """What a seat of a plan is used for."""

    ACTIVATED = "activated", _("activated")
    ASSIGNED = "assigned", _("assigned")
    UNASSIGNED = "unassigned", _("unassigned")
    REVOKED = "revoked", _("revoked")


LIVE = (LicenseStatus.ASSIGNED, LicenseStatus.ACTIVATED)
"""A seat that somebody holds."""


class LicenseTypesToCopy(TextChoices):
    """Which licenses a renewal carries into the renewed plan."""

    ASSIGNED_AND_ACTIVATED = "assigned_and_activated", _("assigned and activated")
    ACTIVATED = "activated", _("activated")
    NOTHING = "nothing", _("nothing")


class CustomerRole(TextChoices):
    LEARNER = "learner", _("learner")
    ADMIN = "admin", _("administrator")


class LinkStatus(TextChoices):
    LINKED = "linked", _("linked")
    UNLINKED = "unlinked", _("unlinked")


class NotificationType(TextChoices):
    """Mails about the use of a plan's seats, each sent once."""

    LIMITED = "limited_allocations_remaining", _("few seats left")
    NONE_LEFT = "no_allocations_remaining", _("no seat left")
    PERIODIC = "periodic_informational", _("periodic")


class Notice(TextChoices):
    """What a mail tells: of a license its learner, of a plan those who look after it."""

    ASSIGNED = "assigned", _("a license to activate")
    REMINDER = "reminder", _("a license that still waits to be activated")
    ACTIVATED = "activated", _("a license was activated")
    AUTO_APPLIED = "auto_applied", _("a license came with an account")
    REVOCATION_CAP = "revocation_cap", _("no license can be revoked any more")
    FEW_SEATS = "few_seats", _("few seats left")
    NO_SEATS = "no_seats", _("no seat left")


class ExpiryVerdict(TextChoices):
    """What becomes of a plan that has ended and was not processed yet."""

    DUE = "due", _("to be processed")
    RENEWED = "renewed", _("renewed by a plan that has not ended")
    RENEWAL_WAITS = "renewal_waits", _("its renewal is about to be processed")
    STUCK_RENEWAL = "stuck_renewal", _("its renewal should have been processed long ago")


class UnlinkVerdict(TextChoices):
    """Whether the holder of a license whose plan has ended loses the link to the customer."""

    UNLINK = "unlink", _("to be unlinked")
    RENEWED = "renewed", _("the license was renewed")
    NOT_OPTED_IN = "not_opted_in", _("the customer does not want it")
    TOO_RECENT = "too_recent", _("the plan ended not long enough ago")
    ALREADY_UNLINKED = "already_unlinked", _("unlinked before")
    NO_EMAIL = "no_email", _("the license has no address")
    DOWNGRADE_OPEN = "downgrade_open", _("the plan's end was not processed completely")
    GIVEN_UP = "given_up", _("staff gave it up")
    OTHER_LIVE_LICENSE = "other_live_license", _("holds another license of the customer")


LIFECYCLE = "edx.server.license-manager.license-lifecycle."
CREATED, ASSIGNED, ACTIVATED, REVOKED, RENEWED, EXPIRED, DELETED, NOT_ASSIGNED = (
    f"{LIFECYCLE}{name}"
    for name in (
        *("created", "assigned", "activated", "revoked"),
        *("renewed", "expired", "deleted", "not-assigned"),
    )
)
"""Names of events, as the old service's consumers know them."""

UNLINKED = "edx.server.license-manager.expired.license.unlinked"
"""Marks a license whose learner was unlinked after its plan had ended; once for each license."""

MARKERS = (UNLINKED, EXPIRED)
"""Events that a license has at most once."""

MAX_LICENSES = 1_000_000
"""Of one plan, unless it is for internal use only."""

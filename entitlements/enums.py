from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class EntitlementMode(TextChoices):
    """The paid ways to take a run that an entitlement can be for."""

    VERIFIED = "verified", _("verified")
    PROFESSIONAL = "professional", _("professional")
    NO_ID_PROFESSIONAL = "no-id-professional", _("professional without identity check")


class PolicyMode(TextChoices):
    """What a policy can be for; `no-id-professional` goes by the policy of `professional`."""

    VERIFIED = "verified", _("verified")
    PROFESSIONAL = "professional", _("professional")


FREE_MODES = ("", "audit", "honor")
"""Modes of an enrollment that nobody paid for."""

NON_REFUNDABLE_STATUSES = ("downloadable", "generating", "unavailable")
"""Statuses of a certificate, in the LMS' words, that use an entitlement up."""


class EntitlementStatus(TextChoices):
    """What an entitlement is good for at some instant."""

    AVAILABLE = "available", _("available")
    REDEEMED = "redeemed", _("in use, may still be changed")
    SPENT = "spent", _("used")
    LAPSED = "lapsed", _("ended unused")


class ExpiryReason(TextChoices):
    """Why an entitlement can no longer be used."""

    PERIOD = "period", _("its time to be used is over")
    REGAIN = "regain", _("the time to change or leave the session is over")
    CERTIFICATE = "certificate", _("a certificate was earned with it")
    REFUND = "refund", _("refunded")
    REVOKE = "revoke", _("taken back with the order")
    SUPPORT = "support", _("ended by staff")
    RETIRED = "retired", _("its learner left")
    IMPORTED = "imported", _("ended before it came here")


RULES = (ExpiryReason.CERTIFICATE, ExpiryReason.REGAIN, ExpiryReason.PERIOD)
"""Reasons by which an entitlement ends by itself; where several hold, the first is told."""


class RedemptionStatus(TextChoices):
    """How an attempt to use an entitlement for a run stands."""

    PENDING = "pending", _("under way")
    DONE = "done", _("done")
    REFUSED = "refused", _("refused")
    ABANDONED = "abandoned", _("given up")


class RefundStatus(TextChoices):
    """How a refund stands."""

    PENDING = "pending", _("asked for, no answer yet")
    NEEDS_REVIEW = "needs_review", _("unclear, staff must look")
    OPENED = "opened", _("accepted, to be paid")
    PAID = "paid", _("paid")
    FAILED = "failed", _("refused")


UNSETTLED_REFUNDS = (RefundStatus.PENDING, RefundStatus.NEEDS_REVIEW)
"""Nobody knows yet; the entitlement can neither be used nor refunded meanwhile."""


class RefundGateway(TextChoices):
    """Who pays refunds."""

    ORDERS = "orders", _("the order service")
    MANUAL = "manual", _("staff, by hand")


class SupportAction(TextChoices):
    """What staff did about an entitlement; the first two are the old service's."""

    REISSUE = "REISSUE", _("reissued")
    CREATE = "CREATE", _("created")
    EXPIRE = "EXPIRE", _("expired")
    LEAVE = "LEAVE", _("session left")
    TRANSFER = "TRANSFER", _("transferred")
    EXTEND = "EXTEND", _("extended")
    REFUND = "REFUND", _("refund settled")


class SupportReason(TextChoices):
    """The old service's reasons, for imported rows only."""

    LEAVE = "LEAVE", _("learner requested leave session")
    CHANGE = "CHANGE", _("learner requested session change")
    LEARNER_NEW = "LEARNER_NEW", _("learner requested new entitlement")
    COURSE_TEAM_NEW = "COURSE_TEAM_NEW", _("course team requested entitlement for learner")
    OTHER = "OTHER", _("other")


class Notice(TextChoices):
    """What mails tell a learner; also the names of their templates."""

    REMINDER = "reminder", _("an unused entitlement ends soon")
    SESSION_TAKEN = "session_taken", _("it is used for a session")
    REFUND_OPENED = "refund_opened", _("the refund was accepted")
    REFUND_FAILED = "refund_failed", _("the refund was refused")

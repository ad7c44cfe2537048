"""What learners bought and have not, or have, used for a run; its uses and its refunds."""

from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from entitlements.enums import (
    UNSETTLED_REFUNDS,
    EntitlementMode,
    ExpiryReason,
    RedemptionStatus,
    RefundGateway,
    RefundStatus,
    SupportAction,
    SupportReason,
)
from entitlements.models.policies import CourseEntitlementPolicy
from entitlements.rules import DEFAULT_PERIODS, Periods


class CourseEntitlementQuerySet(models.QuerySet["CourseEntitlement"]):
    """By what is stored: a rule may have ended an entitlement that nobody marked yet (`judge`)."""

    def active(self) -> "CourseEntitlementQuerySet":
        """All but those that ended unused."""
        return self.filter(Q(expired_at=None) | Q(enrollment_course_run__isnull=False))

    def newest_active(self, *, user_id: int, course_uuid: UUID) -> "CourseEntitlement | None":
        """The one to show of a learner's for a course; `use_for_enrollment` chooses another."""
        held = self.active().filter(user=user_id, course_uuid=course_uuid)
        return held.order_by("-created", "-pk").first()

    def fulfillable(self) -> "CourseEntitlementQuerySet":
        """Those that have not ended and are used for no run."""
        return self.filter(expired_at=None, enrollment_course_run=None)

    def frozen(self) -> "CourseEntitlementQuerySet":
        """Those of which a use or a refund is under way."""
        return self.filter(self._is_frozen())

    def unfrozen(self) -> "CourseEntitlementQuerySet":
        return self.exclude(self._is_frozen())

    def _is_frozen(self) -> Q:
        uses = CourseEntitlementRedemption.objects.filter(
            entitlement=OuterRef("pk"), status=RedemptionStatus.PENDING
        )
        refunds = CourseEntitlementRefund.objects.filter(
            entitlement=OuterRef("pk"), status__in=UNSETTLED_REFUNDS
        )
        return Q(Exists(uses)) | Q(Exists(refunds))


class CourseEntitlement(TimeStampedModel):
    """A learner's right to take one run of a course in a paid mode.

    `created` is when it was sold: all periods count from there. `extended_until` replaces the end
    that follows from it. `redeemed_at` is when the learner began to use it for the present run;
    imported rows have none, and the enrollment's own date counts.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="course_entitlements"
    )
    course_uuid = models.UUIDField()
    mode = models.CharField(max_length=100, choices=EntitlementMode.choices)
    order_number = models.CharField(max_length=128, null=True, blank=True)  # noqa: DJ001 - the wire's: null is "no order"
    refund_locked = models.BooleanField(default=False)
    policy = models.ForeignKey(
        CourseEntitlementPolicy,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="entitlements",
    )
    enrollment_course_run = models.ForeignKey(
        "programs.CourseEnrollment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    redeemed_at = models.DateTimeField(null=True, blank=True)
    extended_until = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    expired_reason = models.CharField(max_length=16, choices=ExpiryReason.choices, blank=True)

    objects = CourseEntitlementQuerySet.as_manager()
    history = history_records(history_id_field=models.BigAutoField())

    class Meta:
        verbose_name = _("entitlement")
        indexes = [
            models.Index(fields=["user", "course_uuid"], name="entitlement_user_course"),
            models.Index(
                fields=["created"], condition=Q(expired_at=None), name="entitlement_not_expired"
            ),
            models.Index(
                fields=["extended_until"],
                condition=Q(extended_until__isnull=False, expired_at=None),
                name="entitlement_extended",
            ),
            models.Index(
                fields=["order_number"],
                condition=Q(order_number__isnull=False),
                name="entitlement_order",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["course_uuid", "order_number"], name="entitlement_order_once"
            ),
            models.CheckConstraint(
                condition=Q(order_number=None) | ~Q(order_number=""),
                name="entitlement_order_number_not_empty",
            ),
            models.UniqueConstraint(
                fields=["enrollment_course_run"],
                condition=Q(enrollment_course_run__isnull=False, expired_at=None),
                name="entitlement_enrollment_paid_once",
            ),
            models.CheckConstraint(
                condition=Q(redeemed_at=None) | Q(enrollment_course_run__isnull=False),
                name="entitlement_redeemed_has_enrollment",
            ),
            models.CheckConstraint(
                condition=Q(expired_at=None, expired_reason="")
                | Q(expired_at__isnull=False, expired_reason__in=ExpiryReason.values),
                name="entitlement_expiry_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=EntitlementMode.values), name="entitlement_mode_known"
            ),
        ]
        permissions = [("support_entitlements", "Can act on entitlements for learners")]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def periods(self) -> Periods:
        return self.policy.periods if self.policy else DEFAULT_PERIODS


class CourseEntitlementSupportDetail(TimeStampedModel):
    """What staff did about an entitlement, and why. `reason` is of imported rows only."""

    entitlement = models.ForeignKey(
        CourseEntitlement, on_delete=models.PROTECT, related_name="support_details"
    )
    support_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    action = models.CharField(max_length=15, choices=SupportAction.choices)
    comments = models.TextField()
    unenrolled_run = models.ForeignKey(
        "programs.CourseRun", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.CharField(max_length=15, choices=SupportReason.choices, null=True, blank=True)  # noqa: DJ001 - the old column, deprecated there

    history = history_records()

    class Meta:
        verbose_name = _("support action")
        ordering = ["-created", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=SupportAction.values),
                name="entitlement_support_action_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} of entitlement {self.entitlement_id}"


class CourseEntitlementRedemption(models.Model):
    """An attempt to use an entitlement for a run, written before any enrollment is made.

    `left_enrollment` is the run that is left once the new one is taken. One attempt of an
    entitlement is under way at a time.
    """

    entitlement = models.ForeignKey(
        CourseEntitlement, on_delete=models.PROTECT, related_name="redemptions"
    )
    course_run = models.ForeignKey("programs.CourseRun", on_delete=models.PROTECT, related_name="+")
    left_enrollment = models.ForeignKey(
        "programs.CourseEnrollment",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    status = models.CharField(
        max_length=16, choices=RedemptionStatus.choices, default=RedemptionStatus.PENDING
    )
    refusal = models.CharField(
        max_length=100, blank=True, help_text=_("A code; never the words of a remote system.")
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("use of an entitlement")
        verbose_name_plural = _("uses of entitlements")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["entitlement"],
                condition=Q(status=RedemptionStatus.PENDING),
                name="entitlement_redemption_one_pending",
            ),
            models.CheckConstraint(
                condition=Q(status=RedemptionStatus.PENDING, finished_at=None)
                | (
                    Q(status__in=RedemptionStatus.values, finished_at__isnull=False)
                    & ~Q(status=RedemptionStatus.PENDING)
                ),
                name="entitlement_redemption_finished_has_date",
            ),
        ]

    def __str__(self) -> str:
        return f"entitlement {self.entitlement_id} for run {self.course_run_id}"


class CourseEntitlementRefund(models.Model):
    """A refund, written before anybody is asked to pay it, so that it is asked for once.

    `may_have_arrived`: an attempt got no answer, so that a later "there is nothing to refund" may
    mean that it was refunded then.
    """

    entitlement = models.ForeignKey(
        CourseEntitlement, on_delete=models.PROTECT, related_name="refunds"
    )
    order_number = models.CharField(max_length=128)
    gateway = models.CharField(max_length=16, choices=RefundGateway.choices)
    status = models.CharField(
        max_length=16, choices=RefundStatus.choices, default=RefundStatus.PENDING
    )
    refusal = models.CharField(
        max_length=100, blank=True, help_text=_("A code; never the words of a remote system.")
    )
    may_have_arrived = models.BooleanField(default=False)
    remote_ids = models.JSONField(_("refunds at the order service"), default=list)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Staff who settled it; empty where the gateway answered."),
    )
    settled_at = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        verbose_name = _("refund")
        permissions = [("settle_refunds", "Can settle and retry refunds of entitlements")]
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=Q(status__in=UNSETTLED_REFUNDS)
                | Q(gateway=RefundGateway.MANUAL, status=RefundStatus.OPENED),
                name="entitlement_refund_waiting",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["entitlement"],
                condition=~Q(status=RefundStatus.FAILED),
                name="entitlement_refunded_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=UNSETTLED_REFUNDS, settled_at=None)
                | (
                    Q(status__in=RefundStatus.values, settled_at__isnull=False)
                    & ~Q(status__in=UNSETTLED_REFUNDS)
                ),
                name="entitlement_refund_settled_has_date",
            ),
        ]

    def __str__(self) -> str:
        return f"refund of entitlement {self.entitlement_id}"

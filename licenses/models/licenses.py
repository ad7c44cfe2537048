"""The seats of a plan, and who holds them."""

from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.accounts.models import User, normalise_email
from credentials_portal.core.history import history_records
from licenses.enums import LIVE, MARKERS, LicenseStatus
from licenses.models.plans import SubscriptionPlan


class LicenseQuerySet(models.QuerySet["License"]):
    def live(self) -> "LicenseQuerySet":
        """Seats that somebody holds."""
        return self.filter(status__in=LIVE)

    def held_by(self, *, email: str = "", lms_user_id: int | None = None) -> "LicenseQuerySet":
        """Seats of the learner with this address or this id in the LMS.

        An empty address and no id are nobody's.
        """
        known = Q(pk__in=[])
        if email := normalise_email(email):
            known |= Q(user_email=email)
        if lms_user_id is not None:
            known |= Q(lms_user_id=lms_user_id)
        return self.filter(known)

    def held_by_user(self, user: User) -> "LicenseQuerySet":
        return self.held_by(email=user.email, lms_user_id=user.lms_user_id)


class License(TimeStampedModel):
    """One seat of a plan. Revoking it leaves the row, and a new seat takes its place.

    The learner is known by `user_email`, in lower case, and once they signed in by
    `lms_user_id`. `renewed_to` is the license that continues this one in the renewed plan.
    """

    uuid = models.UUIDField(default=uuid4, unique=True)
    subscription_plan = models.ForeignKey(
        SubscriptionPlan, on_delete=models.PROTECT, related_name="licenses"
    )
    status = models.CharField(
        max_length=25, choices=LicenseStatus.choices, default=LicenseStatus.UNASSIGNED
    )
    user_email = models.EmailField(_("e-mail address"), blank=True)
    lms_user_id = models.PositiveBigIntegerField(_("LMS user id"), null=True, blank=True)
    activation_key = models.UUIDField(null=True, blank=True)
    assigned_date = models.DateTimeField(null=True, blank=True)
    last_remind_date = models.DateTimeField(null=True, blank=True)
    activation_date = models.DateTimeField(null=True, blank=True)
    revoked_date = models.DateTimeField(null=True, blank=True)
    renewed_to = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="renewed_from"
    )
    auto_applied = models.BooleanField(null=True, blank=True)
    source_request_uuid = models.UUIDField(null=True, blank=True, unique=True)

    objects = LicenseQuerySet.as_manager()
    history = history_records(history_id_field=models.BigAutoField())

    class Meta:
        indexes = [
            models.Index(fields=["subscription_plan", "status"], name="license_plan_status"),
            models.Index(
                fields=["subscription_plan", "id"],
                condition=Q(status=LicenseStatus.UNASSIGNED),
                name="license_free_seat",
            ),
            models.Index(
                fields=["user_email"], condition=~Q(user_email=""), name="license_user_email"
            ),
            models.Index(
                fields=["lms_user_id"],
                condition=Q(lms_user_id__isnull=False),
                name="license_lms_user_id",
            ),
            models.Index(
                fields=["activation_key"],
                condition=Q(activation_key__isnull=False),
                name="license_activation_key",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_plan", "user_email"],
                condition=Q(status__in=LIVE) & ~Q(user_email=""),
                name="license_live_once_per_email",
            ),
            models.UniqueConstraint(
                fields=["subscription_plan", "lms_user_id"],
                condition=Q(status__in=LIVE, lms_user_id__isnull=False),
                name="license_live_once_per_lms_user",
            ),
            models.CheckConstraint(
                condition=Q(status__in=LicenseStatus.values), name="license_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=LicenseStatus.UNASSIGNED)
                | Q(
                    user_email="",
                    lms_user_id__isnull=True,
                    activation_key__isnull=True,
                    source_request_uuid__isnull=True,
                ),
                name="license_unassigned_has_no_learner",
            ),
            models.CheckConstraint(
                condition=~Q(status=LicenseStatus.ASSIGNED)
                | (~Q(user_email="") & Q(activation_key__isnull=False)),
                name="license_assigned_has_email_and_key",
            ),
            models.CheckConstraint(
                condition=~Q(status=LicenseStatus.ACTIVATED)
                | Q(
                    Q(activation_date__isnull=False),
                    ~Q(user_email="") | Q(lms_user_id__isnull=False),
                ),
                name="license_activated_has_date_and_learner",
            ),
            models.CheckConstraint(
                condition=~Q(status=LicenseStatus.REVOKED) | Q(revoked_date__isnull=False),
                name="license_revoked_has_date",
            ),
        ]
        permissions = [
            ("assign_license", "Can assign licenses and remind their learners"),
            ("revoke_license", "Can revoke licenses"),
            ("process_expiry", "Can process expiry, renewals and unlinking"),
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class LicenseEvent(models.Model):
    """Something that happened to a license beside its own columns, such as that its learner was
    unlinked; nothing personal."""

    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="events")
    event_name = models.CharField(max_length=255)
    at = models.DateTimeField()
    cause = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["license", "event_name"],
                condition=Q(event_name__in=MARKERS),
                name="license_marker_once",
            )
        ]

    def __str__(self) -> str:
        return self.event_name

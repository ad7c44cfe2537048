"""What is to be done about entitlements, and what was sent."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from entitlements.models.entitlements import CourseEntitlement


class EntitlementReview(models.Model):
    """A learner in a run whose entitlement must be looked at: one open row per learner and run.

    `version` goes up with every further event, so that closing the row never swallows one.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="entitlement_reviews"
    )
    course_run = models.ForeignKey("programs.CourseRun", on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    cause = models.CharField(max_length=100, blank=True)
    opened_at = models.DateTimeField()

    class Meta:
        verbose_name = _("entitlement to look at again")
        verbose_name_plural = _("entitlements to look at again")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["user", "course_run"], name="entitlement_review_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in run {self.course_run_id}"


class EntitlementReminder(models.Model):
    """A mail that told when an unused entitlement ends; another end is another mail."""

    entitlement = models.ForeignKey(
        CourseEntitlement, on_delete=models.PROTECT, related_name="reminders"
    )
    threshold_days = models.PositiveSmallIntegerField()
    ends_at = models.DateTimeField()
    queued_at = models.DateTimeField()

    class Meta:
        verbose_name = _("reminder")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["entitlement", "threshold_days", "ends_at"],
                name="entitlement_reminder_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.threshold_days} days before the end of entitlement {self.entitlement_id}"

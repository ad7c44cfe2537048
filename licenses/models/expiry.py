"""What is left to do when plans have ended: enrollments to downgrade, learners to unlink."""

from django.db import models
from django.db.models import Q

from licenses.models.customers import CustomerLearner
from licenses.models.licenses import License
from licenses.models.plans import SubscriptionPlan


class LicenseDowngrade(models.Model):
    """The LMS ends, or ended, the paid enrollments of a license whose plan has ended.

    The row stays, so that a license is downgraded once. It stands for the plan's end if it was
    finished after it: a plan that was prolonged ends anew. `is_given_up`: staff closed it undone.
    """

    license = models.OneToOneField(License, on_delete=models.PROTECT, related_name="downgrade")
    subscription_plan = models.ForeignKey(
        SubscriptionPlan, on_delete=models.PROTECT, related_name="downgrades"
    )
    queued_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    is_given_up = models.BooleanField(default=False)

    class Meta:
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["subscription_plan"],
                condition=Q(finished_at__isnull=True),
                name="license_downgrade_open",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(is_given_up=False) | Q(finished_at__isnull=False),
                name="license_downgrade_given_up_is_finished",
            )
        ]

    def __str__(self) -> str:
        return f"downgrade of license {self.license_id}"


class LearnerUnlink(models.Model):
    """A learner who is to lose the link to a customer, because of this expired license.

    The row goes when that was done, or is no longer wanted. It stays when staff gave it up, and
    nobody asks the LMS again until the learner's next license expires.
    """

    # No constraint in the database: links of one person are merged, and the row of one that is
    # gone is not wanted any more.
    customer_learner = models.OneToOneField(
        CustomerLearner, on_delete=models.DO_NOTHING, related_name="unlink", db_constraint=False
    )
    license = models.ForeignKey(License, on_delete=models.PROTECT, related_name="unlinks")
    queued_at = models.DateTimeField()
    given_up_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"unlink of customer learner {self.customer_learner_id}"

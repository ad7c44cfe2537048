"""Subscription plans, their products and their renewals."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from model_utils.models import TimeStampedModel

from credentials_portal.core.history import history_records
from licenses.enums import LicenseTypesToCopy, NotificationType
from licenses.models.customers import Customer, CustomerAgreement


class PlanType(models.Model):
    label = models.CharField(max_length=128, unique=True)
    description = models.CharField(max_length=255, blank=True)
    is_paid_subscription = models.BooleanField(default=True)
    ns_id_required = models.BooleanField(default=True)
    sf_id_required = models.BooleanField(default=True)
    internal_use_only = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.label


class Product(models.Model):
    name = models.CharField(max_length=128)
    description = models.CharField(max_length=255, blank=True)
    salesforce_product_id = models.CharField(max_length=255, blank=True)
    plan_type = models.ForeignKey(PlanType, on_delete=models.PROTECT, related_name="products")

    history = history_records()

    def __str__(self) -> str:
        return self.name


class SubscriptionPlanQuerySet(models.QuerySet["SubscriptionPlan"]):
    """A plan is valid from its start until, but not at, its expiration date."""

    def current(self, at: datetime) -> "SubscriptionPlanQuerySet":
        return self.filter(start_date__lte=at, expiration_date__gt=at)

    def expired(self, at: datetime) -> "SubscriptionPlanQuerySet":
        return self.filter(expiration_date__lte=at)

    def auto_applicable(self, at: datetime) -> "SubscriptionPlanQuerySet":
        """Plans from which a customer's people get a license by themselves."""
        return self.current(at).filter(is_active=True, should_auto_apply_licenses=True)

    def administered_by(self, user: Any) -> "SubscriptionPlanQuerySet":
        customers = Customer.objects.administered_by(user)
        return self.filter(customer_agreement__customer__in=customers)

    def visible_to(self, user: Any) -> "SubscriptionPlanQuerySet":
        return self.filter(customer_agreement__customer__in=Customer.objects.visible_to(user))


class SubscriptionPlan(TimeStampedModel):
    """A number of seats that a customer bought for a time.

    `is_active` is staff's switch, and says nothing about the dates.
    """

    uuid = models.UUIDField(default=uuid4, unique=True)
    customer_agreement = models.ForeignKey(
        CustomerAgreement, on_delete=models.PROTECT, related_name="subscriptions"
    )
    title = models.CharField(max_length=128)
    start_date = models.DateTimeField()
    expiration_date = models.DateTimeField(help_text=_("The first instant that is not covered."))
    expiration_processed = models.BooleanField(default=False)
    enterprise_catalog_uuid = models.UUIDField(null=True, blank=True)
    is_active = models.BooleanField(default=False)
    is_revocation_cap_enabled = models.BooleanField(default=False)
    revoke_max_percentage = models.PositiveSmallIntegerField(
        default=5, validators=[MaxValueValidator(100)]
    )
    num_revocations_applied = models.PositiveIntegerField(default=0)
    salesforce_opportunity_line_item = models.CharField(max_length=18, blank=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="plans"
    )
    for_internal_use_only = models.BooleanField(default=False)
    should_auto_apply_licenses = models.BooleanField(null=True, blank=True)
    desired_num_licenses = models.PositiveIntegerField(null=True, blank=True)

    objects = SubscriptionPlanQuerySet.as_manager()
    history = history_records()

    class Meta:
        ordering = ["-start_date", "pk"]
        indexes = [
            models.Index(
                fields=["expiration_date"],
                condition=Q(expiration_processed=False),
                name="plan_expiry_to_process",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_agreement", "title"], name="plan_title_once_per_agreement"
            ),
            models.CheckConstraint(
                condition=Q(start_date__lt=F("expiration_date")), name="plan_starts_before_it_ends"
            ),
            models.CheckConstraint(
                condition=Q(revoke_max_percentage__lte=100),
                name="plan_revocation_cap_is_percentage",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def is_current(self, at: datetime) -> bool:
        return self.start_date <= at < self.expiration_date

    def is_auto_applicable(self, at: datetime) -> bool:
        """As `auto_applicable` says, of a row at hand."""
        return self.is_current(at) and self.is_active and bool(self.should_auto_apply_licenses)


class SubscriptionPlanRenewal(TimeStampedModel):
    """What follows a plan: at `effective_date` its licenses are copied into the renewed plan."""

    prior_subscription_plan = models.OneToOneField(
        SubscriptionPlan, on_delete=models.PROTECT, related_name="renewal"
    )
    renewed_subscription_plan = models.OneToOneField(
        SubscriptionPlan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="origin_renewal",
    )
    salesforce_opportunity_id = models.CharField(max_length=18, blank=True)
    number_of_licenses = models.PositiveIntegerField()
    effective_date = models.DateTimeField()
    renewed_expiration_date = models.DateTimeField()
    renewed_plan_title = models.CharField(max_length=128, blank=True)
    license_types_to_copy = models.CharField(
        max_length=32,
        choices=LicenseTypesToCopy.choices,
        default=LicenseTypesToCopy.ASSIGNED_AND_ACTIVATED,
    )
    disable_auto_apply_licenses = models.BooleanField(default=False)
    exempt_from_batch_processing = models.BooleanField(default=False)
    processed = models.BooleanField(default=False)
    processed_datetime = models.DateTimeField(null=True, blank=True)

    history = history_records()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(effective_date__lt=F("renewed_expiration_date")),
                name="renewal_takes_effect_before_it_ends",
            ),
            models.CheckConstraint(
                condition=Q(processed=False)
                | Q(processed_datetime__isnull=False, renewed_subscription_plan__isnull=False),
                name="renewal_processed_with_date_and_plan",
            ),
        ]

    def __str__(self) -> str:
        return f"renewal of plan {self.prior_subscription_plan_id}"


class Notification(models.Model):
    """A mail about the use of seats that a customer's administrators got; each is sent once."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="notifications")
    subscription_plan = models.ForeignKey(
        SubscriptionPlan, on_delete=models.PROTECT, related_name="notifications"
    )
    notification_type = models.CharField(max_length=32, choices=NotificationType.choices)
    last_sent = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_plan", "notification_type"], name="notification_once_per_plan"
            )
        ]

    def __str__(self) -> str:
        return self.notification_type
